"""Coefficients of biased models chosen on dev for a goal, and what they are worth on test."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fuse_to_forget.bias_goals import LARGEST, MEAN, OF_GROUPS, OVERALL, goal_of, metric_names
from fuse_to_forget.fusion.select import Selection, select
from fuse_to_forget.prediction.averages import Averages
from fuse_to_forget.scoring.accuracy import Accuracies, Quantity, largest, mean_of
from fuse_to_forget.scoring.biases import measure_biases
from fuse_to_forget.scoring.bootstrap import Bootstrap

OBSERVED = Bootstrap(resamples=0, level=0.95, seed=0)


def select_on_dev(averages: Averages, attributes: Sequence[str], settings: Mapping[str, Any]) -> Selection:
    """Choose coefficients for the goal of `settings` (the config's `selection`), by means over seeds on dev."""

    @functools.cache
    def metrics(coefficients: tuple[float, ...]) -> dict[str, float]:
        measured = measure_biases(averages.predict(coefficients, "dev"), attributes, OBSERVED)
        found = bias_quantities(measured, attributes, averages.called(coefficients))
        return {name: float(quantity.observed.mean()) for name, quantity in found.items()}

    return select(
        lambda coefficients, _: metrics(coefficients),
        averages.names,
        goal_of(settings, [metrics(averages.single(name)) for name in averages.names]),
        steps=settings["steps"],
        evaluations=settings["evaluations"],
    )


def selection_table(
    selection: Selection, averages: Averages, attributes: Sequence[str], bootstrap: Bootstrap
) -> pd.DataFrame:
    """Return every point on dev, then the chosen one and the single models on test, one row each.

    Beside the columns of `Selection.points` there are `split`, `model` (fused, or the name of the one that has
    coefficient 1), `*_low` and `*_high` of each metric, intervals over seeds and examples on test alone, the bounds
    (`accuracy_at_least`), and `n_seeds`.
    """
    singles = {averages.called(averages.single(name)): averages.single(name) for name in averages.names}
    named = dict(zip(singles, averages.names, strict=True))
    chosen = tuple(selection.coefficients.values())
    tested = {averages.called(chosen): chosen} | singles
    predictions = [averages.predict(coefficients, "test") for coefficients in tested.values()]
    measured = measure_biases(pd.concat(predictions, ignore_index=True), attributes, bootstrap)
    test = [
        _cells(bias_quantities(measured, attributes, text))
        | {"coefficients": text, "chosen": coefficients == chosen}
        for text, coefficients in tested.items()
    ]
    dev = selection.points.assign(split="dev")
    table = pd.concat([dev, pd.DataFrame(test).assign(split="test")], ignore_index=True)
    table["model"] = table["coefficients"].map(named).fillna("fused")
    bounds = {f"{metric}_at_least": bound for metric, bound in selection.goal.at_least.items()}
    bounds |= {f"{metric}_at_most": bound for metric, bound in selection.goal.at_most.items()}
    cells = [f"{name}{end}" for name in metric_names(attributes) for end in ("", "_low", "_high")]
    columns = ["split", "model", "coefficients", "stage", "feasible", "front", "chosen", *cells, *bounds]
    return table.assign(**bounds)[columns].assign(n_seeds=len(measured.seeds))


def bias_quantities(
    measured: Accuracies, attributes: Sequence[str], coefficients: str
) -> dict[str, Quantity]:
    """Return all of `metric_names` of the model with these coefficients."""

    def quantity(metric: str, attribute: str = "") -> Quantity:
        return measured.quantity(measured.find(coefficients=coefficients, metric=metric, attribute=attribute))

    found = {metric: quantity(metric) for metric in OVERALL}
    for metric in OF_GROUPS:
        own = {f"{metric}_{attribute}": quantity(metric, attribute) for attribute in attributes}
        values = list(own.values())
        found |= own | {f"{metric}_{LARGEST}": largest(values), f"{metric}_{MEAN}": mean_of(values)}
    return found


def _cells(quantities: Mapping[str, Quantity]) -> dict[str, float]:
    cells = {}
    for name, quantity in quantities.items():
        ends = (name, f"{name}_low", f"{name}_high")
        cells |= dict(zip(ends, quantity.over_seeds(), strict=True))
    return cells
