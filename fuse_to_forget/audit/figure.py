"""The figure of an audit: shared knowledge kept against what is to be forgotten, a point for each method."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fuse_to_forget.figures.style import FAINT, NEUTRAL, SHORTCUTS, explain, percent, use_style

ENSEMBLE = "ensemble"
_LOOKS = list(SHORTCUTS.values())
_KEPT = "shared knowledge kept"
_NOTHING = "In nothing that was measured do the single models differ clearly from their base."


def audit_figure(summary: pd.DataFrame, *, level: float) -> Figure:
    """Draw each fused model's row of the summary that `kept_and_forgotten` returns; `level` is the intervals' coverage.

    With one of the two sides alone, methods stand one under the other; with neither, the figure says so. Every point
    is in the frame, but a bar that would make the rest too small to read is cut at its edge.
    """
    fused = summary[summary["kind"].isin(["fused", ENSEMBLE])].reset_index(drop=True)
    sides = [side for side in ("forgettable", "shared") if fused[side].notna().any()]
    use_style()
    figure, axes = plt.subplots(figsize=(7.0, 4.6), layout="constrained")
    names = {"forgettable": f"{fused['forgettable_is'].iloc[0]} remembered", "shared": _KEPT}
    if len(sides) == 2:
        _draw_points(axes, fused, names)
    elif sides:
        _draw_rows(axes, fused, sides[0], names[sides[0]])
    else:
        axes.set_axis_off()
        axes.text(0.5, 0.5, _NOTHING, ha="center", va="center", transform=axes.transAxes)
    explain(
        figure,
        "fused models between their base (0) and the single models that know it (1)\n"
        f"bars: {percent(level)} intervals",
    )
    return figure


def _draw_points(axes: Axes, fused: pd.DataFrame, names: dict[str, str]) -> None:
    for position, row in fused.iterrows():
        look = _LOOKS[position % len(_LOOKS)]
        axes.errorbar(
            row["forgettable"], row["shared"], xerr=_arms(row, "forgettable"), yerr=_arms(row, "shared"),
            color=look.color, marker=look.marker, elinewidth=0.7, linestyle="none", label=row["method"],
            markerfacecolor="white" if position >= len(_LOOKS) else look.color,
        )  # fmt: skip
    axes.set_xlabel(f"{names['forgettable']} (left: forgotten)")
    axes.set_ylabel(names["shared"])
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)
    for line in (axes.axhline, axes.axvline):
        for place in (0, 1):
            line(place, color=FAINT, linewidth=1.0, linestyle=":", zorder=0)
    axes.set_xlim(_range(axes.get_xlim(), fused["forgettable"]))
    axes.set_ylim(_range(axes.get_ylim(), fused["shared"]))


def _draw_rows(axes: Axes, fused: pd.DataFrame, side: str, name: str) -> None:
    places = np.arange(len(fused))[::-1]
    for place, (_, row) in zip(places, fused.iterrows(), strict=True):
        axes.errorbar(
            row[side],
            place,
            xerr=_arms(row, side),
            color=NEUTRAL,
            marker="o",
            elinewidth=0.8,
            linestyle="none",
        )
    axes.set_yticks(places, fused["method"])
    axes.set_xlabel(name)
    for place in (0, 1):
        axes.axvline(place, color=FAINT, linewidth=1.0, linestyle=":", zorder=0)
    axes.set_xlim(_range(axes.get_xlim(), fused[side]))


def _range(whole: tuple[float, float], values: pd.Series) -> tuple[float, float]:
    """Return an axis' ends: those of all that was drawn, but not far out of what points, 0 and 1 span."""
    low, high = min(0.0, values.min()), max(1.0, values.max())
    margin = (high - low) / 2
    return max(whole[0], low - margin), min(whole[1], high + margin)


def _arms(row: pd.Series, side: str) -> np.ndarray:
    """Return how far the interval reaches below and above the value, shape (2, 1); nowhere if it is not known."""
    arms = [[row[side] - row[f"{side}_low"]], [row[f"{side}_high"] - row[side]]]
    return np.nan_to_num(np.maximum(arms, 0.0))  # of few resamples, the interval need not hold the value
