"""The trade-off curve of a selection: the goal's metric against each metric that is bounded."""

from collections.abc import Mapping
from string import ascii_lowercase
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fuse_to_forget.bias_goals import CHOSEN, LARGEST, SOUP, goal_of_row
from fuse_to_forget.figures.style import FAINT, FIRST, NEUTRAL, SECOND, explain, percent, use_style
from fuse_to_forget.fusion.goal import Goal

SINGLES = "^v<>"  # markers of the single models on test
WORDS = {
    "dp": "DP",
    "tpr_gap": "TPR-GAP",
    "accuracy": "accuracy",
    "f1": "F1",
    "balanced_accuracy": "balanced accuracy",
}


def draw_selection(table: pd.DataFrame, *, level: float) -> Figure:
    """Draw a selection, of which `table` is that of `selection_table`, a panel for each bounded metric.

    Points are what was evaluated on dev: filled and joined those on the trade-off curve, a star the chosen one. A
    dashed line is the bound, and what breaks it is shaded. With bars, intervals of coverage `level`: the chosen
    average, the greedy soup and the single models on test. Without any bound the goal is drawn against accuracy
    (accuracy against the largest DP).
    """
    use_style()
    goal = goal_of_row(table.to_dict("records")[0])
    compared = _compared(goal)
    width = 4.6 * len(compared) if len(compared) > 1 else 6.2
    figure, panels = plt.subplots(
        1, len(compared), figsize=(width, 4.6), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, letter, metric in zip(panels.flat, ascii_lowercase, compared, strict=False):
        _draw_dev(axes, table[table["split"] == "dev"], goal.metric, metric, join=len(compared) == 1)
        _draw_test(axes, table[table["split"] == "test"], goal.metric, metric)
        _draw_bound(axes, goal, metric)
        axes.set_xlabel(_words(metric))
        if len(compared) > 1:
            axes.set_title(f"({letter})", loc="left")
    panels[0, 0].set_ylabel(_words(goal.metric))
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize="small",
        columnspacing=1.2,
    )
    seeds = int(table["n_seeds"].iloc[0])
    explain(
        figure,
        f"{table['dataset'].iloc[0]}, {seeds} seed{'s' * (seeds > 1)}; bars: {percent(level)} intervals",
    )
    return figure


def _compared(goal: Goal) -> list[str]:
    """The metrics that the goal's is drawn against."""
    bounded = [*goal.at_least, *goal.at_most]
    return bounded or ["accuracy" if goal.metric != "accuracy" else f"dp_{LARGEST}"]


def _draw_dev(axes: Axes, dev: pd.DataFrame, goal: str, metric: str, *, join: bool) -> None:
    front = dev["front"].astype(bool)
    axes.plot(
        dev.loc[~front, metric], dev.loc[~front, goal], "o", color=FAINT, markerfacecolor="white", label="on dev"
    )  # fmt: skip
    curve = dev[front].sort_values([metric, goal])
    axes.plot(
        curve[metric], curve[goal], "o-" if join else "o", color=SECOND, linewidth=1.0,
        label="trade-off curve on dev",
    )  # fmt: skip
    chosen = dev[dev[CHOSEN].astype(bool)]
    kept = "" if chosen["feasible"].astype(bool).all() else " (no point is within bounds)"
    axes.plot(
        chosen[metric], chosen[goal], "*", color=FIRST, markersize=13, zorder=5, label=f"chosen on dev{kept}"
    )


def _draw_test(axes: Axes, test: pd.DataFrame, goal: str, metric: str) -> None:
    singles = iter(SINGLES)
    looks = {
        CHOSEN: {
            "marker": "D",
            "color": FIRST,
            "markerfacecolor": FIRST,
            "label": "chosen on test",
            "zorder": 4,
        },
        SOUP: {"marker": "s", "markersize": 9, "label": "greedy soup on test"},
    }
    for row in test.to_dict("records"):
        name = row["model"]
        look = looks.get(name) or {"marker": next(singles), "label": f"{name}-biased on test"}
        axes.errorbar(
            row[metric], row[goal], xerr=_arms(row, metric), yerr=_arms(row, goal),
            **({"color": NEUTRAL, "markerfacecolor": "white"} | look), linestyle="none", elinewidth=0.7,
        )  # fmt: skip


def _arms(row: Mapping[Any, Any], key: str) -> np.ndarray:
    """Return how far the interval reaches below and above the value, shape (2, 1)."""
    arms = np.array([[row[key] - row[f"{key}_low"]], [row[f"{key}_high"] - row[key]]])
    return np.maximum(arms, 0.0)  # of few resamples, the interval need not hold the value


def _draw_bound(axes: Axes, goal: Goal, metric: str) -> None:
    """Draw a bound on `metric`, if there is one, and shade what breaks it, as far as the axis reaches."""
    bound = goal.at_least.get(metric, goal.at_most.get(metric))
    if bound is None or np.isnan(bound):
        return
    low, high = axes.get_xlim()
    margin = (high - low) / 20
    low, high = min(low, bound - margin), max(high, bound + margin)
    axes.axvline(bound, color=NEUTRAL, linestyle="--", linewidth=1.0, label="bound")
    broken = (low, bound) if metric in goal.at_least else (bound, high)
    axes.axvspan(*broken, color=FAINT, alpha=0.12, linewidth=0)
    axes.set_xlim(low, high)


def _words(metric: str) -> str:
    """How a metric of `metric_names` is written: DP, largest."""
    for name, words in WORDS.items():
        if metric == name:
            return words
        if metric.startswith(f"{name}_"):
            return f"{words}, {metric.removeprefix(f'{name}_')}"
    return metric
