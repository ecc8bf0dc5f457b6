"""Where shared and unshared knowledge sits: overlap of Fisher information, layer by layer."""

import math
import textwrap
from collections.abc import Sequence
from string import ascii_lowercase

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fuse_to_forget.errors import InputError
from fuse_to_forget.figures.labels import label_lines
from fuse_to_forget.figures.shortcut_scores import NOT_LEARNED, seeds_text
from fuse_to_forget.figures.style import FAINT, FIRST, SECOND, draw_curve, explain, percent, use_style
from fuse_to_forget.scoring.scores import ALL_SEEDS

ALL = "all"
LOOKS = {
    "shared": {"color": SECOND, "marker": "o", "linestyle": "-"},
    "unshared": {"color": FIRST, "marker": "s", "linestyle": "--"},
}


def fisher_layers(overlaps: pd.DataFrame, *, level: float) -> Figure:
    """Draw the overlap of Fisher information by component of the model, with one panel per pair and comparison.

    `overlaps` has the columns `pair, comparison, knowledge, component, value, low, high, seed, not_learned`; rows with
    seed `all` are drawn, of knowledge that is `shared` or `unshared`. At the right stands the overlap over all weights.
    Trainings that did not learn their shortcut are named; `level` is the coverage of the intervals.
    """
    use_style()
    rows = overlaps[(overlaps["seed"] == ALL_SEEDS) & overlaps["knowledge"].isin(list(LOOKS))]
    rows = rows.fillna({"not_learned": ""})
    if rows.empty:
        raise InputError("the Fisher overlaps hold no rows with seed all: take the mean over seeds first")
    figure, panels = _panels(rows)
    labels = []
    for letter, axes, (key, part) in zip(
        ascii_lowercase, panels, rows.groupby(["pair", "comparison"], sort=False), strict=False
    ):
        components = _in_order(part["component"])
        labels.append([_draw(axes, part, knowledge, components) for knowledge in LOOKS])
        _finish(axes, components)
        axes.set_title(_title(letter, *key, part["not_learned"].iloc[0]), loc="left", fontsize="medium")
    explain(
        figure,
        f"overlap 0: disjoint, 1: identical{seeds_text(overlaps)}; bands and bars: {percent(level)} intervals",
        NOT_LEARNED if any(rows["not_learned"]) else "",
    )
    figure.draw_without_rendering()  # from here on the layout is fixed
    for axes, lines in zip(panels, labels, strict=False):
        label_lines(axes, [(line, line.get_label(), line.get_color()) for line in lines], 8)
    return figure


def _panels(rows: pd.DataFrame) -> tuple[Figure, list[Axes]]:
    count = len(rows[["pair", "comparison"]].drop_duplicates())
    columns = min(count, 2)
    lines = math.ceil(count / columns)
    figure, grid = plt.subplots(
        lines, columns, figsize=(7.0, 2.7 * lines + 0.5), sharey=True, squeeze=False, layout="constrained"
    )
    for axes in grid.flat[count:]:
        axes.remove()
    for axes in grid[:, 0]:
        axes.set_ylabel("Fisher overlap")
    grid[0, 0].set_ylim(0, 1.02)
    return figure, list(grid.flat[:count])


def _in_order(components: pd.Series) -> list[str]:
    """Return the components from the input to the output of the model, without `all`."""
    names = [name for name in components.unique() if name != ALL]
    layers = sorted((n for n in names if n.startswith("layer ")), key=lambda name: int(name.split()[1]))
    return [
        *(n for n in names if n == "embeddings"),
        *layers,
        *(n for n in names if n != "embeddings" and n not in layers),
    ]


def _draw(axes: Axes, part: pd.DataFrame, knowledge: str, components: Sequence[str]) -> Line2D:
    """Draw one curve over the components, and beyond them, apart, the overlap over all weights."""
    rows = part[part["knowledge"] == knowledge].set_index("component").reindex([*components, ALL])
    curve, whole = rows.loc[components], rows.loc[ALL]
    look = LOOKS[knowledge]
    draw_curve(
        axes, np.arange(len(curve)), curve["value"], curve["low"], curve["high"], label=knowledge, **look
    )
    line = axes.lines[-1]
    beside = len(curve) + 0.5 + (0.25 if knowledge == "unshared" else -0.25)
    axes.vlines(beside, whole["low"], whole["high"], color=look["color"], linewidth=1.4)
    axes.plot(beside, whole["value"], color=look["color"], marker=look["marker"], linestyle="none")
    return line


def _finish(axes: Axes, components: Sequence[str]) -> None:
    names = [name.removeprefix("layer ").replace("embeddings", "emb.") for name in components]
    last = len(names)
    if last > 9:  # every second layer
        names = ["" if name.isdecimal() and int(name) % 2 else name for name in names]
        axes.tick_params(axis="x", labelsize=7.5)
    axes.set_xticks([*range(last), last + 0.5], [*names, ALL])
    axes.axvline(last - 0.25, color=FAINT, linewidth=0.8)
    axes.set_xlim(-0.5, last + 1.1)
    axes.set_xlabel("layer")


def _title(letter: str, pair: str, comparison: str, lacking: str) -> str:
    warning = f" (not learned: {lacking})" if lacking else ""
    return textwrap.fill(f"({letter}) {pair}, {comparison}{warning}", 40)
