"""Figure 5: bias and accuracy along the line between the two biased models."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fuse_to_forget.figures.style import FIRST, NEUTRAL, SECOND, draw_curve, percent, use_style
from fuse_to_forget.scoring.selection import select_alphas, sweep_curves

PANELS = [("a", "dp", "DP"), ("b", "tpr_gap", "TPR-GAP"), ("c", "accuracy", "Accuracy")]


def figure5(scores: pd.DataFrame, first: str, second: str, *, select_on: str, level: float) -> Figure:
    """Draw DP, TPR-GAP and accuracy on test against alpha, the coefficient of the `second` biased model.

    Bands are the intervals of the scores, of coverage `level`. Triangles below the axis mark the alphas that Table 1
    uses.
    """
    use_style()
    curves = sweep_curves(scores, first, second, "test")
    alphas = select_alphas(scores, first, second, select_on)
    looks = {
        first: {"color": FIRST, "marker": "P", "linestyle": "-", "label": f"{first} bias"},
        second: {"color": SECOND, "marker": "o", "linestyle": "--", "label": f"{second} bias"},
    }
    figure, panels = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained")
    for axes, (letter, metric, title) in zip(panels, PANELS, strict=True):
        rows = curves[curves["metric"] == metric]
        if metric == "accuracy":
            _draw(axes, rows, color=NEUTRAL, marker="s", linestyle="-", label="accuracy")
        else:
            for attribute, look in looks.items():
                _draw(axes, rows[rows["attribute"] == attribute], **look)
                _mark_choice(axes, alphas[attribute], look["color"])
            axes.set_ylim(bottom=0)
            axes.legend(  # beside the title, where no curve can run
                frameon=False, loc="lower right", bbox_to_anchor=(1.02, 0.97), ncols=2, columnspacing=1.0
            )
        _finish(axes, letter, title, first, second)
    seeds = scores.loc[scores["seed"] != "all", "seed"].nunique()
    figure.suptitle(
        f"{scores['dataset'].iloc[0]}: n = {rows['n'].iloc[0]:,}, {seeds} seed{'s' * (seeds > 1)}; "
        f"bands: {percent(level)} intervals; triangles: alpha chosen on {select_on}",
        fontsize="medium",
    )
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, **look: str) -> None:
    draw_curve(axes, rows["alpha"], rows["value"], rows["low"], rows["high"], **look)


def _mark_choice(axes: Axes, alpha: float, color: str) -> None:
    axes.plot(alpha, 0.0, marker="^", color=color, markersize=8, clip_on=False, zorder=5, linestyle="none")


def _finish(axes: Axes, letter: str, title: str, first: str, second: str) -> None:
    axes.set_title(f"({letter})", loc="left")
    axes.set_ylabel(title)
    axes.set_xlabel(f"$\\alpha_{{\\mathrm{{{second}}}}}$")
    ticks = [i / 5 for i in range(6)]
    ends = {0.0: f"0.0\n{first}", 1.0: f"1.0\n{second}"}
    axes.set_xticks(ticks, [ends.get(tick, f"{tick:.1f}") for tick in ticks])
