"""Figures 2, 3 and 6: accuracy along the line between two models."""

import math
from collections.abc import Iterable, Mapping, Sequence
from string import ascii_lowercase

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fuse_to_forget.figures.labels import label_lines
from fuse_to_forget.figures.shortcut_scores import (
    CHANCE,
    KNOWLEDGE,
    footnote,
    majority,
    marked,
    pair_curve,
    summary,
)
from fuse_to_forget.figures.style import (
    FAINT,
    NEUTRAL,
    draw_curve,
    explain,
    percent,
    shortcut_look,
    use_style,
)
from fuse_to_forget.scoring.shortcuts import ORIGINAL, SYNTHETIC

CLEARLY = 0.05  # a majority rate farther than this from chance gets a line of its own
SAME = 0.06  # original curves that are nowhere farther apart share one name

Label = tuple[Line2D, str, str]  # line, text, colour


def interpolations(
    scores: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    datasets: Mapping[str, Sequence[str]],
    *,
    level: float,
) -> Figure:
    """Draw accuracy against alpha, the coefficient of the second model, with one panel per pair (first, second).

    `datasets` maps a model to the data sets it was trained on (none: leave it out); each panel shows those of both
    models, synthetic part (the shortcut: solid) and original part (the task: dashed). Bands are the intervals of the
    scores, of coverage `level`. Dotted lines are what constant predictions reach.
    """
    use_style()
    figure, panels = _panels(len(pairs))
    shown = [
        list(dict.fromkeys(name for model in pair for name in datasets.get(model, ()))) for pair in pairs
    ]
    labels = []
    for axes, pair, names in zip(panels, pairs, shown, strict=True):
        labels.append(_draw_curves(axes, scores, pair, names) + _draw_constants(axes, scores, names))
        _finish(axes, scores, pair)
    for letter, axes in zip(ascii_lowercase, panels if len(panels) > 1 else [], strict=False):
        axes.set_title(f"({letter})", loc="left")
    lowest = min(axes.dataLim.y0 for axes in panels)
    panels[0].set_ylim(0.2 if lowest > 0.22 else 0, 1.04)  # shared by all
    explain(
        figure,
        "solid: synthetic (shortcut); dashed: original (task)\n"
        f"{summary(scores, {name for names in shown for name in names})}; bands: {percent(level)} intervals",
        footnote(scores, [model for pair in pairs for model in pair]),
    )
    figure.draw_without_rendering()  # from here on the layout is fixed
    for axes, wanted in zip(panels, labels, strict=True):
        label_lines(axes, wanted, 8 if len(panels) < 5 else 7)
    return figure


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    columns = {1: 1, 2: 2, 4: 2}.get(count, 3)
    rows = math.ceil(count / columns)
    size = (5.0, 3.8) if columns == 1 else (7.0, (3.0 if columns == 2 else 2.7) * rows + 0.6)
    figure, grid = plt.subplots(rows, columns, figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axes in grid.flat[count:]:
        axes.remove()
    for axes in grid[:, 0]:
        axes.set_ylabel("Accuracy")
    return figure, list(grid.flat[:count])


def _draw_curves(
    axes: Axes, scores: pd.DataFrame, pair: tuple[str, str], names: Iterable[str]
) -> list[Label]:
    """Draw two curves for each data set; return what to write at them."""
    lines: dict[str, dict[str, Line2D]] = {}
    for split, knowledge in KNOWLEDGE.items():
        style = {"linestyle": "-"} if split == SYNTHETIC else {"linestyle": (0, (4, 2)), "thin": True}
        for name in names:
            rows = pair_curve(scores, pair, name, split)
            look = shortcut_look(name)._asdict() | style | {"label": f"{name} {knowledge}"}
            draw_curve(axes, rows["alpha"], rows["value"], rows["low"], rows["high"], **look)
            lines.setdefault(split, {})[name] = axes.lines[-1]
    labels = [(line, name, line.get_color()) for name, line in lines.get(SYNTHETIC, {}).items()]
    originals = lines.get(ORIGINAL, {})
    if originals and np.ptp([line.get_ydata() for line in originals.values()], axis=0).max() <= SAME:
        return [*labels, (next(iter(originals.values())), "original", NEUTRAL)]
    return labels + [(line, f"{name} original", line.get_color()) for name, line in originals.items()]


def _draw_constants(axes: Axes, scores: pd.DataFrame, names: Sequence[str]) -> list[Label]:
    """Draw what predicting one label always reaches: chance, and each majority rate that differs from it."""
    rates: dict[tuple[float, str], list[str]] = {}
    for split in KNOWLEDGE:
        for name in names:
            rate = majority(scores, name, split)
            if abs(rate - CHANCE) > CLEARLY:
                rates.setdefault((round(rate, 2), split), []).append(name)
    labels = [(axes.axhline(CHANCE, color=FAINT, linestyle=":", linewidth=1.0), "chance", FAINT)]
    for (rate, split), having in rates.items():
        color = shortcut_look(having[0]).color if len(having) == 1 else FAINT
        line = axes.axhline(rate, color=color, linestyle=":", linewidth=1.0)
        what = ", ".join(having) if split == SYNTHETIC else "original"
        labels.append((line, f"majority {what}", color))
    return labels


def _finish(axes: Axes, scores: pd.DataFrame, pair: tuple[str, str]) -> None:
    first, second = (marked(scores, model, "\n") for model in pair)
    name = pair[1].replace("_", r"\_").replace("+", "{+}")
    axes.set_xlabel(f"$\\alpha_{{\\mathrm{{{name}}}}}$", labelpad=1)
    ticks = [i / 5 for i in range(6)]
    ends = {0.0: f"0.0\n{first}", 1.0: f"1.0\n{second}"}
    axes.set_xticks(ticks, [ends.get(tick, f"{tick:.1f}") for tick in ticks])
