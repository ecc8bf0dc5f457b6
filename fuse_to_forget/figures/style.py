"""One look for all figures: readable in print, colour-blind safe, the same bytes for the same data."""

import textwrap
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fuse_to_forget.files import atomic_path

# Okabe and Ito (2008): told apart with every common colour vision, and in grey by marker and dash
FIRST, SECOND, NEUTRAL = "#D55E00", "#0072B2", "#333333"
FAINT = "#8c8c8c"  # lines to compare with, such as chance


class Look(NamedTuple):
    """What a name looks like in every figure."""

    color: str
    marker: str


# Okabe and Ito with three of Tol's; markers tell apart what a colour vision, or grey, does not
SHORTCUTS = {
    "ST": Look("#D55E00", "o"),
    "OP": Look("#0072B2", "s"),
    "OR": Look("#009E73", "^"),
    "TiC": Look("#882255", "D"),
    "MT": Look("#E69F00", "v"),
    "LT": Look("#56B4E9", "P"),
    "AND": Look("#000000", "X"),
    "XOR": Look("#AA4499", "<"),
    "OED": Look("#332288", ">"),
    "AND_OR": Look("#999933", "h"),
}
OTHER_SHORTCUT = Look("#666666", "d")


def shortcut_look(name: str) -> Look:
    """Return colour and marker of a shortcut; all that are not in `SHORTCUTS` share one look."""
    return SHORTCUTS.get(name, OTHER_SHORTCUT)


def use_style() -> None:
    """Set fonts and lines for a figure 7 inches wide."""
    sns.set_theme(context="paper", style="ticks", font_scale=1.0)
    plt.rcParams.update(
        {
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#e6e6e6",
            "grid.linewidth": 0.6,
            "lines.linewidth": 1.6,
            "lines.markersize": 5,
            "pdf.fonttype": 42,  # text stays text
        }
    )


def draw_curve(
    axes: Axes,
    x,
    value,
    low,
    high,
    *,
    color: str,
    marker: str,
    linestyle: str,
    label: str,
    thin: bool = False,
) -> None:
    """Draw one curve with its interval as a band; a `thin` one, with open markers, steps back behind the others."""
    look = {"linewidth": 1.0, "markersize": 3.5, "markerfacecolor": "white", "zorder": 1.9} if thin else {}
    axes.fill_between(x, low, high, color=color, alpha=0.08 if thin else 0.15, linewidth=0)
    axes.plot(x, value, color=color, marker=marker, linestyle=linestyle, label=label, **look)


def percent(level: float) -> str:
    """Write a coverage in words.

    >>> percent(0.95), percent(0.999)
    ('95 %', '99.9 %')
    """
    return f"{100 * level:g} %"


def explain(figure: Figure, above: str, below: str = "") -> None:
    """Write what a figure shows above its panels and, if there is any, a note below them."""
    figure.suptitle(_wrap(above, figure.get_figwidth() * 13), fontsize="medium")
    if below:
        figure.supxlabel(_wrap(below, figure.get_figwidth() * 14), fontsize="small")


def _wrap(text: str, width: float) -> str:
    whole = text.replace(" %", "\u00a0%")  # no line begins with the sign
    return "\n".join(textwrap.fill(line, int(width)) for line in whole.splitlines())


def save_figure(figure: Figure, pdf: str | Path, png: str | Path) -> None:
    """Write a figure as PDF and as PNG (200 dpi), without the date; then close it."""
    for path, options in (
        (pdf, {"format": "pdf", "metadata": {"CreationDate": None}}),
        (png, {"format": "png", "dpi": 200}),
    ):
        with atomic_path(path) as scratch:
            figure.savefig(scratch, **options)
    plt.close(figure)
