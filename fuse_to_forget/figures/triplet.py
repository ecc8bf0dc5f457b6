"""Figures 7 and 8: accuracy over the triangle of the weighted averages of three models."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.tri import LinearTriInterpolator, TriAnalyzer, Triangulation, UniformTriRefiner

from fuse_to_forget.figures.shortcut_scores import (
    KNOWLEDGE,
    MEAN,
    footnote,
    majority,
    marked,
    simplex,
    summary,
)
from fuse_to_forget.figures.style import explain, percent, use_style
from fuse_to_forget.scoring.shortcuts import ORIGINAL, SYNTHETIC

CORNERS = np.array([[0.0, 0.0], [0.5, np.sqrt(3) / 2], [1.0, 0.0]])  # of the first, second and third model
MAP = "viridis"  # perceptually uniform, and readable in grey
LEAST = 0.05  # difference of accuracy that the colours span, lest they make much of nothing
SMALL = 8  # points


def triplet_mean(scores: pd.DataFrame, names: Sequence[str], *, level: float) -> Figure:
    """Draw accuracy over all weighted averages of three models, mean over their data sets: synthetic, original.

    The first model stands at the left, the second at the top, the third at the right; `level` is the coverage of
    the intervals.
    """
    use_style()
    figure, panels = plt.subplots(
        1, 2, figsize=(7.0, 4.0 if footnote(scores, names) else 3.5), layout="constrained"
    )
    widths = []
    for axes, letter, (split, knowledge) in zip(panels, "ab", KNOWLEDGE.items(), strict=True):
        rows = simplex(scores, names, MEAN, split)
        constant = float(np.mean([majority(scores, name, split) for name in names]))
        scale = _scale([rows])
        _draw(axes, scores, rows, names, scale)
        _title(axes, letter, f"mean {knowledge}", constant)
        _draw_scale(figure, axes, scale)
        widths.append(rows)
    _explain(figure, scores, names, widths, level)
    return figure


def triplet_by_dataset(scores: pd.DataFrame, names: Sequence[str], *, level: float) -> Figure:
    """Draw accuracy over all weighted averages of three models, on each one's data set.

    Above synthetic, (a), (c), (e), below original dev, (b), (d), (f); each row has one scale. `level` is the coverage
    of the intervals.
    """
    use_style()
    height = 6.2 if footnote(scores, names) else 5.4  # inches
    figure, grid = plt.subplots(2, 3, figsize=(7.0, height), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08)
    every = []
    for panels, letters, (split, knowledge) in zip(grid, ("ace", "bdf"), KNOWLEDGE.items(), strict=True):
        rows = [simplex(scores, names, name, split) for name in names]
        scale = _scale(rows)
        for axes, letter, name, own in zip(panels, letters, names, rows, strict=True):
            _draw(axes, scores, own, names, scale)
            _title(axes, letter, f"{name} {knowledge}", majority(scores, name, split))
        _draw_scale(figure, list(panels), scale)
        every += rows
    _explain(figure, scores, names, every, level)
    return figure


def place(coefficients: pd.DataFrame) -> np.ndarray:
    """Return where weighted averages stand in the triangle: the average of its corners with the same weights."""
    return coefficients.to_numpy() @ CORNERS


def _scale(frames: Sequence[pd.DataFrame]) -> Normalize:
    """Return the range of colours that panels share."""
    values = pd.concat(frames)["value"]
    return Normalize(values.min(), max(values.max(), values.min() + LEAST))


def _draw(
    axes: Axes, scores: pd.DataFrame, rows: pd.DataFrame, names: Sequence[str], scale: Normalize
) -> None:
    """Draw the heat map between the points of the grid, the points, the corners' names and the middle's value."""
    points, values = place(rows[list(names)]), rows["value"].to_numpy()
    triangles = Triangulation(*points.T)
    triangles.set_mask(TriAnalyzer(triangles).get_flat_tri_mask(0.01))  # slivers at the border
    refiner = UniformTriRefiner(triangles)  # so that values, not colours, are interpolated
    finer, smooth = refiner.refine_field(values, LinearTriInterpolator(triangles, values), subdiv=3)
    axes.tripcolor(finer, smooth, cmap=MAP, norm=scale, shading="gouraud", rasterized=True)
    axes.scatter(*points.T, s=2, color="white", alpha=0.5, linewidths=0)
    middle = int(np.argmin(np.abs(rows[list(names)] - 1 / 3).max(axis=1).round(9)))
    axes.annotate(
        f"{values[middle]:.2f}", points[middle], (0, 3), textcoords="offset points", ha="center",
        fontsize=SMALL, color="black" if scale(values[middle]) > 0.6 else "white",
    )  # fmt: skip
    for name, corner, where in zip(names, CORNERS, ("top", "bottom", "top"), strict=True):
        axes.annotate(
            marked(scores, name, "\n"), corner, (0, -3 if where == "top" else 3), textcoords="offset points",
            ha="center", va=where, fontsize=SMALL,
        )  # fmt: skip
    axes.set_aspect("equal")
    axes.set_axis_off()


def _title(axes: Axes, letter: str, what: str, constant: float) -> None:
    """Write what a panel shows above the name of the model at the top, however many lines that has."""
    top = next(text for text in axes.texts if tuple(text.xy) == tuple(CORNERS[1]))
    above = 5 + 1.3 * SMALL * (1 + top.get_text().count("\n"))
    axes.set_title(f"({letter}) {what}", loc="left", pad=above + 1.4 * SMALL)
    axes.annotate(f"more frequent label: {constant:.2f}", (0, 1), (0, above), xycoords="axes fraction",
                  textcoords="offset points", fontsize=SMALL)  # fmt: skip


def _draw_scale(figure: Figure, axes: Axes | list[Axes], scale: Normalize) -> None:
    ticks = MaxNLocator(6, steps=[1, 2, 5, 10])
    figure.colorbar(ScalarMappable(scale, MAP), ax=axes, label="Accuracy", ticks=ticks, shrink=0.8)


def _explain(
    figure: Figure,
    scores: pd.DataFrame,
    names: Sequence[str],
    frames: Sequence[pd.DataFrame],
    level: float,
) -> None:
    rows = pd.concat(frames)
    half = ((rows["high"] - rows["low"]) / 2).groupby(rows["split"]).median()
    note = (
        "number in each triangle: accuracy at the point nearest to equal coefficients\n"
        f"{percent(level)} intervals, median half-width: {half[SYNTHETIC]:.3f} (synthetic), "
        f"{half[ORIGINAL]:.3f} (original)"
    )
    explain(figure, summary(scores, names), "\n".join(filter(None, [note, footnote(scores, names)])))
