"""What each fusion method keeps of shared and of unshared knowledge, a panel for each set of models."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fuse_to_forget.figures.style import FAINT, Look, explain, percent, use_style
from fuse_to_forget.fusion.catalog import ENSEMBLE, METHODS
from fuse_to_forget.studies import FULL

MARKERS = "osD^vPX<>dh*8"
# Okabe and Ito: what a method goes by
AVERAGES, TASK_VECTORS, STATISTICS, TOGETHER = "#333333", "#D55E00", "#0072B2", "#009E73"
JOINT = "#CC79A7"  # one model, trained on all data


def looks_of(methods: Mapping[str, str]) -> dict[str, Look]:
    """Return the look of each label: a colour for what its method goes by, and a marker of its own in that colour."""
    looks: dict[str, Look] = {}
    for label, method in methods.items():
        color = _color(method)
        taken = sum(look.color == color for look in looks.values())
        looks[label] = Look(color, MARKERS[taken % len(MARKERS)])
    return looks


def _color(method: str) -> str:
    if method == ENSEMBLE:
        return TOGETHER
    facts = METHODS[method]
    if facts.statistics or facts.needs_texts:
        return STATISTICS
    return TASK_VECTORS if facts.needs_base else AVERAGES


def draw_methods(table: pd.DataFrame, methods: Mapping[str, str], *, level: float) -> Figure:
    """Draw shared against unshared knowledge kept; `table` is that of `methods_table`, `methods` by label.

    Filled points are on the Pareto front, which a line joins. `level` is the coverage of the intervals.
    """
    use_style()
    looks = looks_of(methods)
    if (table["kind"] == FULL).any():
        looks[FULL] = Look(JOINT, "*")
    panels = list(table.groupby(["study", "set"], sort=False))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    size = (3.4 * columns, 3.2 * rows + 1.1)
    figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for axes, ((study, name), part) in zip(grid.flat, panels, strict=False):
        _panel(axes, part, looks)
        axes.set_title(f"{study.replace('_', ' ')}: {_short(name)}", fontsize="medium")
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes in grid.flat[max(0, len(panels) - columns) : len(panels)]:
        axes.set_xlabel("unshared knowledge kept (left: forgotten)")
    for axes in grid[:, 0]:
        axes.set_ylabel("shared knowledge kept")
    handles = [_handle(look, label) for label, look in looks.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    explain(
        figure,
        "What fusion keeps: 0 is no knowledge, 1 that of the single models\n"
        f"bars: {percent(level)} intervals; filled and joined: no other keeps more of the one and less of the other",
    )
    return figure


def _panel(axes: Axes, part: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    axes.axhline(1.0, color=FAINT, linewidth=0.8, linestyle=":")
    axes.axvline(1.0, color=FAINT, linewidth=0.8, linestyle=":")
    front = part[part["pareto"]].sort_values(["unshared", "shared"])
    axes.plot(front["unshared"], front["shared"], color=FAINT, linewidth=1.0, zorder=1.5)
    # By the points: an interval of little data may reach far.
    for values, limits in ((part["unshared"], axes.set_xlim), (part["shared"], axes.set_ylim)):
        limits(min(0.0, values.min()) - 0.1, max(1.0, values.max()) + 0.1)
    for row in part.to_dict("records"):
        look = looks[row["method"]]
        axes.errorbar(
            row["unshared"], row["shared"], xerr=_arms(row, "unshared"), yerr=_arms(row, "shared"),
            color=look.color, marker=look.marker, linestyle="none", elinewidth=0.6,
            markerfacecolor=look.color if row["pareto"] else "white",
        )  # fmt: skip


def _arms(row: Mapping[str, float], key: str) -> np.ndarray:
    """Return how far the interval reaches below and above the value, shape (2, 1)."""
    arms = np.array([[row[key] - row[f"{key}_low"]], [row[f"{key}_high"] - row[key]]])
    return np.maximum(arms, 0.0)  # of few resamples, the interval need not hold the value


def _handle(look: Look, label: str) -> plt.Line2D:
    return plt.Line2D([], [], color=look.color, marker=look.marker, linestyle="none", label=label)


def _short(name: str, most: int = 24) -> str:
    """Shorten the name of a large set to the number of its models."""
    models: Sequence[str] = name.split("-")
    return name if len(name) <= most else f"{len(models)} models"
