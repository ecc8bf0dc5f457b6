"""One look for all figures: readable in print, colour-blind safe, the same bytes for the same data."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fuse_to_forget.files import atomic_path

# Okabe and Ito (2008): told apart with every common colour vision, and in grey by marker and dash
FIRST, SECOND, NEUTRAL = "#D55E00", "#0072B2", "#333333"


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
    axes: Axes, x, value, low, high, *, color: str, marker: str, linestyle: str, label: str
) -> None:
    """Draw one curve with its interval as a band."""
    axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
    axes.plot(x, value, color=color, marker=marker, linestyle=linestyle, label=label)


def save_figure(figure: Figure, pdf: str | Path, png: str | Path) -> None:
    """Write a figure as PDF and as PNG (200 dpi), without the date; then close it."""
    for path, options in (
        (pdf, {"format": "pdf", "metadata": {"CreationDate": None}}),
        (png, {"format": "png", "dpi": 200}),
    ):
        with atomic_path(path) as scratch:
            figure.savefig(scratch, **options)
    plt.close(figure)
