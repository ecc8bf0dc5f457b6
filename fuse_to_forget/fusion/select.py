"""Choosing coefficients and settings of a method for a goal: a grid, then Nelder-Mead from its best point.

The caller says how a fused model is evaluated, so this knows of no model and no metric. What is chosen is chosen on the
data that it was evaluated on: report other data.
"""

import contextlib
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from fuse_to_forget.coefficients import format_coefficients, simplex_grid
from fuse_to_forget.errors import InputError
from fuse_to_forget.files import atomic_path
from fuse_to_forget.fusion.goal import Goal, Metrics

UNITS = 1000  # the search moves in steps of 1/1000 of the sum of coefficients and of a setting's range
GRID, SEARCH = "grid", "nelder-mead"

Coefficients = tuple[float, ...]
Settings = Mapping[str, float]
Evaluate = Callable[[Coefficients, Settings], Metrics]
Point = tuple[Coefficients, tuple[float, ...]]  # the latter: the settings' values


@dataclass(frozen=True)
class Selection:
    """What was chosen, its metrics, and whether it holds the bounds; if no point does it is the nearest to them.

    `points` has a row for each evaluated point, in the order of evaluation: `coefficients` and `settings` as text,
    `stage` (grid or nelder-mead), a column for each metric, and whether it is `feasible`, on the trade-off curve
    (`front`: no other point is as good in the goal and in all bounded metrics, and better in one), and `chosen`.
    """

    coefficients: Mapping[str, float]
    settings: Settings
    metrics: Metrics
    feasible: bool
    goal: Goal
    points: pd.DataFrame

    def sentence(self) -> str:
        """What was chosen, in words."""
        goal, bounds = self.goal, self.goal.bounds()
        where = ", ".join(filter(None, map(format_coefficients, (self.coefficients, self.settings))))
        named = dict.fromkeys([goal.metric, *goal.at_least, *goal.at_most])
        reached = ", ".join(f"{metric} {self.metrics[metric]:.4g}" for metric in named)
        count, reached = len(self.points), f"{where}: {reached}"
        if not self.feasible:
            return f"None of {count} points has {bounds or 'defined metrics'}; the nearest is {reached}"
        return f"Best of {count} points{bounds and f' with {bounds}'}: {reached}"


def select(
    evaluate: Evaluate,
    models: Sequence[str],
    goal: Goal,
    *,
    steps: int | None,
    settings: Mapping[str, Sequence[float]] | None = None,
    evaluations: int = 0,
    also: Sequence[Coefficients] = (),
) -> Selection:
    """Evaluate a grid, go on from its best point with at most `evaluations` further ones, and choose the best of all.

    `evaluate(coefficients, settings)` returns metrics by name and is asked for each point once. The grid has all
    coefficients of `models` that are multiples of 1/`steps` and sum to 1 (equal ones alone if `steps` is None), and
    those in `also`, with every combination of the values of `settings`. The search (Nelder & Mead, 1965) moves the
    coefficients, and the settings between their least and largest value; those whose values are all ints stay as the
    grid has them. Points that break a bound count as worse than all that break none, by how far.

    Raises InputError for an empty grid and for metrics that the goal asks for and `evaluate` does not return.
    """
    grid = {name: list(values) for name, values in (settings or {}).items()}
    first = _first_points(len(models), steps, also, list(grid.values()))
    known: dict[Point, Metrics] = {}

    def metrics_at(point: Point) -> Metrics:
        if point not in known:
            known[point] = dict(evaluate(point[0], dict(zip(grid, point[1], strict=True))))
            goal.check(known[point])
        return known[point]

    for point in first:
        metrics_at(point)
    size = len(known)
    if evaluations:
        _search(known, metrics_at, goal, steps, list(grid.values()), evaluations)
    return _selection(known, size, models, list(grid), goal)


def nearest_on_simplex(place: np.ndarray) -> np.ndarray:
    """Return the point nearest to `place`, (k,), whose coordinates are at least 0 and sum to 1.

    Found by sorting: Held, Wolfe & Crowder, 1974.
    """
    descending = np.sort(place)[::-1]
    surplus = (np.cumsum(descending) - 1) / np.arange(1, len(place) + 1)
    return np.maximum(place - surplus[descending > surplus][-1], 0)


def write_points(points: pd.DataFrame, path: str | Path) -> None:
    """Write points as CSV, every digit kept; the file appears whole or not at all."""
    with atomic_path(path) as scratch:
        points.to_csv(scratch, index=False, lineterminator="\n")


def _first_points(
    models: int, steps: int | None, also: Sequence[Coefficients], values: Sequence[Sequence[float]]
) -> list[Point]:
    """Return the grid, and `also` with every combination of the settings' values; raises InputError if it is empty."""
    if models < 2 or (steps is not None and steps < 1) or not all(values):
        raise InputError(
            "There is no grid to select from: give two models, a step and values for each setting"
        )
    vectors = simplex_grid(models, steps) if steps else [(1 / models,) * models]
    return list(itertools.product([*vectors, *also], itertools.product(*values)))


class _SpentError(Exception):
    """As many points were evaluated as were allowed."""


def _search(
    known: Mapping[Point, Metrics],
    metrics_at: Callable[[Point], Metrics],
    goal: Goal,
    steps: int | None,
    values: Sequence[Sequence[float]],
    evaluations: int,
) -> None:
    """Evaluate points by Nelder-Mead from the best known one, until it converges or all `evaluations` are made."""
    best, allowed = _best(known, goal), len(known) + evaluations
    lows, spans = [min(own) for own in values], [max(own) - min(own) for own in values]
    moved = [i for i, own in enumerate(values) if spans[i] and not all(type(value) is int for value in own)]
    free = len(best[0]) - 1 if steps else 0
    start = np.array([*best[0][:free], *((best[1][i] - lows[i]) / spans[i] for i in moved)])
    strides = np.array([1 / (steps or 1)] * free + [1 / (len(values[i]) - 1) for i in moved]) / 2
    if not len(start):
        return

    def point_at(place: np.ndarray) -> Point:
        own = list(best[1])
        for i, share in zip(moved, np.round(place[free:].clip(0, 1) * UNITS) / UNITS, strict=True):
            own[i] = float(lows[i] + share * spans[i])
        return (_coefficients(place[:free]) if free else best[0]), tuple(own)

    loss = _loss(known, metrics_at, goal, allowed)
    corners = np.vstack([start, start + np.diag(np.where(start + strides <= 1, strides, -strides))])
    # How much the losses of a small simplex still differ is not asked: metrics of a classifier change by jumps.
    options = {"initial_simplex": corners, "xatol": 1 / UNITS, "fatol": np.inf}
    with contextlib.suppress(_SpentError):
        minimize(lambda place: loss(point_at(place)), start, method="Nelder-Mead", options=options)


def _loss(
    known: Mapping[Point, Metrics],
    metrics_at: Callable[[Point], Metrics],
    goal: Goal,
    allowed: int,
) -> Callable[[Point], float]:
    """Return what is minimised: the goal's loss, and for points that break a bound more than any other's."""
    worst = max((loss for loss in map(goal.loss, known.values()) if np.isfinite(loss)), default=0.0)

    def loss(point: Point) -> float:
        if point not in known and len(known) >= allowed:
            raise _SpentError
        metrics = metrics_at(point)
        violation = goal.violation(metrics)
        return min(worst + 1 + violation if violation else goal.loss(metrics), sys.float_info.max)

    return loss


def _coefficients(place: np.ndarray) -> Coefficients:
    """Return the coefficients nearest to all but the last of them, (k - 1,), in whole units that sum to 1 exactly."""
    scaled = nearest_on_simplex(np.append(place, 1 - place.sum())) * UNITS
    counts = np.floor(scaled).astype(int)
    counts[np.argsort(counts - scaled, kind="stable")[: UNITS - counts.sum()]] += 1  # the largest remainders
    return tuple(count / UNITS for count in counts.tolist())


def _best(known: Mapping[Point, Metrics], goal: Goal) -> Point:
    """Return the point of the least loss among those that break no bound, else that of the least violation."""
    return min(known, key=lambda point: (goal.violation(known[point]), goal.loss(known[point])))


def _selection(
    known: Mapping[Point, Metrics],
    grid: int,
    models: Sequence[str],
    names: Sequence[str],
    goal: Goal,
) -> Selection:
    best, losses = (
        _best(known, goal),
        np.array([goal.trade_off(metrics) for metrics in known.values()]),
    )
    points = []
    for position, (point, metrics) in enumerate(known.items()):
        no_worse = (losses <= losses[position]).all(axis=1)
        dominated = (no_worse & (losses < losses[position]).any(axis=1)).any()
        points.append(
            {
                "coefficients": format_coefficients(dict(zip(models, point[0], strict=True))),
                "settings": format_coefficients(dict(zip(names, point[1], strict=True))),
                "stage": GRID if position < grid else SEARCH,
                **metrics,
                "feasible": goal.violation(metrics) == 0,
                "front": not dominated,
                "chosen": point == best,
            }
        )
    return Selection(
        dict(zip(models, best[0], strict=True)),
        dict(zip(names, best[1], strict=True)),
        known[best],
        goal.violation(known[best]) == 0,
        goal,
        pd.DataFrame(points),
    )
