"""Names written at curves, where they cover nothing."""

from collections.abc import Sequence
from itertools import pairwise

import matplotlib.patheffects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text

GAP = 5.0  # points between a curve and its name: more than half a marker
STEP = 2.0  # points between two samples of a curve


def label_lines(axes: Axes, labels: Sequence[tuple[Line2D, str, str]], size: float) -> list[Text]:
    """Write a text in a colour at each line (line, text, colour), one after the other, at its clearest place.

    A place is good if its box touches no line, no text and no border, and if no other line is nearer to it than its
    own. The layout of the figure must be final: call `figure.draw_without_rendering()` before.
    """
    lines = {line: _samples(line) for line in axes.lines}
    taken: list[np.ndarray] = []
    texts = []
    for line, name, color in labels:
        text = axes.text(0, 0, name, color=color, size=size, ha="center", va="center", zorder=4)
        text.set_path_effects([matplotlib.patheffects.withStroke(linewidth=2, foreground="white")])
        text.set_in_layout(False)
        extent = text.get_window_extent()
        boxes = _boxes(lines[line], extent.width, extent.height, _points(axes, GAP))
        others = [points for other, points in lines.items() if other is not line]
        box = boxes[np.argmin(_costs(axes, boxes, lines[line], others, taken))]
        taken.append(box)
        text.set_position(axes.transData.inverted().transform((box[:2] + box[2:]) / 2))
        texts.append(text)
    return texts


def _points(axes: Axes, points: float) -> float:
    """Convert points to the pixels in which places are measured."""
    return points * axes.figure.dpi / 72


def _samples(line: Line2D) -> np.ndarray:
    """Return points along a line, in pixels, dense enough that no box slips between them."""
    corners = line.get_transform().transform(line.get_xydata())
    corners = corners[np.isfinite(corners).all(axis=1)]
    step = _points(line.axes, STEP)
    parts = [corners[:1]]
    for start, end in pairwise(corners):
        count = max(2, int(np.hypot(*(end - start)) / step) + 1)
        parts.append(np.linspace(start, end, count))
    return np.concatenate(parts)


def _boxes(points: np.ndarray, width: float, height: float, gap: float) -> np.ndarray:
    """Return candidate boxes (left, bottom, right, top) above, below and beside the points of a curve."""
    half = np.array([width, height]) / 2
    centers = [points + offset for offset in _offsets(half + gap)]
    return np.concatenate([np.hstack([center - half, center + half]) for center in centers])


def _offsets(reach: np.ndarray) -> list[np.ndarray]:
    sides = [(0, 1), (0, -1), (1, 0), (-1, 0), (0.7, 1), (-0.7, 1), (0.7, -1), (-0.7, -1)]
    return [reach * side for side in sides]


def _costs(
    axes: Axes, boxes: np.ndarray, own: np.ndarray, others: Sequence[np.ndarray], taken: Sequence[np.ndarray]
) -> np.ndarray:
    """Return how bad each box is; the weights order the faults from unreadable to merely crowded."""
    unit = _points(axes, 1.0)
    area = axes.get_window_extent()
    outside = (boxes[:, :2] < area.min + 3 * unit).any(axis=1) | (boxes[:, 2:] > area.max).any(axis=1)
    covered = np.zeros(len(boxes))
    for box in taken:
        covered += ((boxes[:, :2] < box[2:] + unit) & (boxes[:, 2:] > box[:2] - unit)).all(axis=1)
    to_own = _distances(boxes, own)
    to_others = np.min(
        [_distances(boxes, points) for points in others] or [np.full(len(boxes), np.inf)], axis=0
    )
    wider = boxes + np.array([-1, -1, 1, 1]) * (GAP - 1.5) * unit
    crossed = np.sum([_crossing(wider, points) for points in [own, *others]], axis=0)
    confusing = np.clip(to_own + 6 * unit - to_others, 0, None) / unit
    crowded = 20 - np.clip(to_others / unit, 0, 20)
    return 1e6 * outside + 1e5 * covered + 1e2 * crossed + 20 * confusing + crowded + 2 * to_own / unit


def _distances(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the distance of each box from the nearest point."""
    outside = np.maximum(boxes[:, None, :2] - points, points - boxes[:, None, 2:]).clip(0)
    return np.hypot(outside[..., 0], outside[..., 1]).min(axis=1)


def _crossing(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Count the points inside each box."""
    inside = (points > boxes[:, None, :2]) & (points < boxes[:, None, 2:])
    return inside.all(axis=2).sum(axis=1)
