"""Figure 4: what each shortcut model, all of them fused and the full model know."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fuse_to_forget.figures.shortcut_scores import (
    CHANCE,
    MEAN,
    accuracy,
    footnote,
    majority,
    marked,
    summary,
)
from fuse_to_forget.figures.style import FAINT, explain, percent, use_style
from fuse_to_forget.scoring.shortcuts import ORIGINAL, SYNTHETIC

BESIDE = 0.22  # distance of two models of one group
APART = 1.6  # distance of the group "original" from the last shortcut
WIDTH = 0.8  # of a group
# Not the colours of shortcuts, which stand on the x axis here
LOOKS = {
    "single": {"color": "#777777", "marker": "s", "markerfacecolor": "white"},
    "fused": {"color": "#000000", "marker": "o"},
    "full": {"color": "#AA4499", "marker": "D"},
}
COMPARED = {"single": "shortcut models", "full": "full model"}


def figure4(
    scores: pd.DataFrame, shortcuts: Sequence[str], p_values: Mapping[str, float], *, level: float
) -> Figure:
    """Draw the accuracy of shortcut models, their plain average (fused) and the full model, with intervals.

    One group per shortcut: accuracy on its synthetic dev, of its own model among others. The last group: mean accuracy
    on original dev over the data sets, each shortcut model on its own. `p_values` (any of `single`, `full`) are of
    tests of the fused model against those on original dev. A line across a group is the rate of the more
    frequent label; `level` is the coverage of the intervals.
    """
    use_style()
    figure, axes = plt.subplots(figsize=(7.0, 3.8), layout="constrained")
    places = np.arange(len(shortcuts) + 1.0)
    places[-1] += APART - 1
    _draw_constants(axes, scores, shortcuts, places)
    for position, (kind, model_of) in enumerate(_models(shortcuts).items()):
        rows = [accuracy(scores, model_of(name), name, SYNTHETIC) for name in shortcuts]
        name = "own" if kind == "single" else model_of("")
        rows.append(accuracy(scores, name, MEAN, ORIGINAL))
        label = {"single": "shortcut's own model", "fused": "all shortcut models fused"}.get(kind)
        _draw_dots(axes, places + (position - 1) * BESIDE, rows, kind, label or marked(scores, "full"))
    _annotate(axes, p_values, places[-1])
    axes.axvline(places[-1] - APART / 2, color=FAINT, linewidth=0.8)
    names = [marked(scores, name, "\n").replace("(not ", "(not\n") for name in shortcuts]
    axes.set_xticks(places, [*names, "original\n(mean)"])
    axes.set(xlim=(places[0] - 0.95, places[-1] + APART / 2), ylabel="Accuracy")
    axes.set_ylim(0.2 if axes.dataLim.y0 > 0.22 else 0, 1.04)
    axes.grid(False, axis="x")
    _explain(axes, scores, shortcuts, level)
    return figure


def _models(shortcuts: Sequence[str]) -> dict[str, Callable[[str], str]]:
    """Return, for each kind, the name of the model that a group shows; the group is named by its shortcut."""
    fused = "-".join(shortcuts)
    return {"single": lambda shortcut: shortcut, "fused": lambda _: fused, "full": lambda _: "full"}


def _draw_constants(axes: Axes, scores: pd.DataFrame, shortcuts: Sequence[str], places: np.ndarray) -> None:
    """Draw chance, and across each group what predicting its more frequent label reaches."""
    axes.axhline(CHANCE, color=FAINT, linestyle=":", linewidth=1.0)
    rates = [majority(scores, name, SYNTHETIC) for name in shortcuts]
    rates.append(float(np.mean([majority(scores, name, ORIGINAL) for name in shortcuts])))
    axes.hlines(
        rates, places - WIDTH / 2, places + WIDTH / 2, color=FAINT, linewidth=1.6, label="more frequent label"
    )
    axes.annotate("chance", (0, CHANCE), (2, 2), xycoords=("axes fraction", "data"),
                  textcoords="offset points", color=FAINT, fontsize=8)  # fmt: skip


def _explain(axes: Axes, scores: pd.DataFrame, shortcuts: Sequence[str], level: float) -> None:
    note = footnote(scores, [*shortcuts, "full"])
    if note:
        axes.tick_params(axis="x", labelsize=7.5)  # the marks are wide
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False, ncols=4, columnspacing=1.2,
                handletextpad=0.4, fontsize=8)  # fmt: skip
    explain(axes.figure, f"{summary(scores, shortcuts)}; bars: {percent(level)} intervals", note)


def _draw_dots(axes: Axes, x: np.ndarray, rows: Sequence[pd.Series], kind: str, label: str) -> None:
    frame = pd.DataFrame(rows)
    look = LOOKS[kind]
    axes.vlines(x, frame["low"], frame["high"], color=look["color"], linewidth=1.4)
    axes.plot(x, frame["value"], linestyle="none", label=label, zorder=3, **look)


def _annotate(axes: Axes, p_values: Mapping[str, float], x: float) -> None:
    """Write the p values below chance, where no dot is expected."""
    lines = [f"{name}:\n{format_p(p_values[kind])}" for kind, name in COMPARED.items() if kind in p_values]
    if lines:
        axes.text(x, 0.46, "\n".join(["fused vs", *lines]), ha="center", va="top", fontsize=7.5)


def format_p(p: float) -> str:
    """Write a p value with two digits, without the leading zero.

    >>> format_p(0.0031), format_p(0.0004), format_p(0.25)
    ('p = .0031', 'p < .001', 'p = .25')
    """
    return "p < .001" if p < 0.001 else f"p = {p:.2g}".replace("0.", ".", 1)
