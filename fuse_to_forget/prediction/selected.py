"""Coefficients of biased models chosen on dev for a goal, and what the chosen ones predict on test."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fuse_to_forget.bias_goals import goal_columns, goal_of
from fuse_to_forget.coefficients import simplex_grid
from fuse_to_forget.fusion.goal import Goal, Metrics
from fuse_to_forget.fusion.select import Selection, select
from fuse_to_forget.fusion.soup import greedy_soup
from fuse_to_forget.prediction.averages import Averages
from fuse_to_forget.progress import Progress
from fuse_to_forget.scoring.bias_selection import bias_quantities
from fuse_to_forget.scoring.biases import measure_biases
from fuse_to_forget.scoring.bootstrap import Bootstrap

OBSERVED = Bootstrap(resamples=0, level=0.95, seed=0)
_WORST = 2.0  # that a metric can be: demographic parity sums two differences

Coefficients = tuple[float, ...]


def select_on_dev(
    averages: Averages, attributes: Sequence[str], settings: Mapping[str, Any]
) -> tuple[Selection, Coefficients]:
    """Choose coefficients for the goal of `settings` (`biases.selection` of the config), by means over seeds on dev.

    Returns the selection and the coefficients of the greedy soup for the same goal; the latter are one of the points.
    """
    grid = len(simplex_grid(len(averages.names), settings["steps"])) + 1
    texts = len(averages.splits["dev"]) * averages.seeds
    progress = Progress((grid + settings["evaluations"]) * texts, "predictions", at_most=True)

    @functools.cache
    def metrics(coefficients: Coefficients) -> dict[str, float]:
        predicted = averages.predict(coefficients, "dev", progress)
        measured = measure_biases(predicted, attributes, OBSERVED)
        found = bias_quantities(measured, attributes, averages.called(coefficients))
        return {name: float(quantity.observed.mean()) for name, quantity in found.items()}

    goal = goal_of(settings, [metrics(averages.plain(name)) for name in averages.names])
    made = greedy_soup(averages.names, lambda names: goodness(goal, metrics(averages.plain(*names))))
    soup = averages.plain(*made.names)
    selection = select(
        lambda coefficients, _: metrics(coefficients),
        averages.names,
        goal,
        steps=settings["steps"],
        evaluations=settings["evaluations"],
        also=[soup],
    )
    progress.finish()
    return selection, soup


def goodness(goal: Goal, metrics: Metrics) -> float:
    """Return how well a model serves a goal, larger is better; worse than all others one that breaks a bound."""
    violation = goal.violation(metrics)
    return -(_WORST + violation) if violation else -goal.loss(metrics)


def evaluated_points(selection: Selection, soup: str) -> pd.DataFrame:
    """Return every point on dev: the columns of `Selection.points`, `soup`, and those of `goal_columns`.

    `soup` is how predictions call the coefficients of the greedy soup.
    """
    points = selection.points.drop(columns="settings")
    return points.assign(soup=points["coefficients"] == soup, **goal_columns(selection.goal))


def predict_on_test(averages: Averages, selection: Selection, soup: Coefficients) -> pd.DataFrame:
    """Predict test with the chosen average, the soup and each model alone, each once."""
    singles = [averages.plain(name) for name in averages.names]
    reported = dict.fromkeys([tuple(selection.coefficients.values()), soup, *singles])
    return pd.concat([averages.predict(own, "test") for own in reported], ignore_index=True)
