"""What a selection of coefficients chose on dev, and what it is worth on test."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from fuse_to_forget.bias_goals import (
    CHOSEN,
    LARGEST,
    MEAN,
    OF_GROUPS,
    OVERALL,
    SOUP,
    goal_columns,
    goal_of_row,
    metric_names,
)
from fuse_to_forget.coefficients import parse_coefficients
from fuse_to_forget.fusion.select import Selection
from fuse_to_forget.results import damaged, read_csv
from fuse_to_forget.scoring.accuracy import Accuracies, Quantity, largest, mean_of
from fuse_to_forget.scoring.biases import measure_biases
from fuse_to_forget.scoring.bootstrap import Bootstrap

POINTS = ["coefficients", "stage", "feasible", "front", CHOSEN, SOUP, "goal"]
FUSED = "fused"


def read_selection(path: str | Path, attributes: Sequence[str]) -> Selection:
    """Read the points of a selection, and with them what was chosen; raises InputError for a damaged file."""
    names = metric_names(attributes)
    points = read_csv(path, [*POINTS, *names], float_precision="round_trip")
    for mark in (CHOSEN, SOUP):
        if points[mark].dtype != bool or points[mark].sum() != 1:
            raise damaged(path, f"it has no one point that is {mark}")
    chosen = points[points[CHOSEN]].to_dict("records")[0]
    return Selection(
        parse_coefficients(chosen["coefficients"]),
        {},
        {name: chosen[name] for name in names},
        chosen["feasible"],
        goal_of_row(chosen),
        points,
    )


def selection_table(
    selection: Selection,
    predictions: pd.DataFrame,
    attributes: Sequence[str],
    bootstrap: Bootstrap,
    dataset: str,
) -> pd.DataFrame:
    """Return every point on dev, then on test the chosen one, the greedy soup and each single model, one row each.

    `selection` is that of `read_selection`; `predictions` are made on test. Beside the columns of its points there are
    `split`, `model` (on dev the single model's name or `fused`, on test also `chosen` and `soup`), `*_low` and
    `*_high` of each metric, intervals over seeds and examples, on test alone, `n_seeds` and `dataset`.
    """
    points = selection.points
    singles = {text: name for text in points["coefficients"] if (name := single_of(text))}
    by_mark = {mark: points.loc[points[mark], "coefficients"].item() for mark in (CHOSEN, SOUP)}
    reported = by_mark | {name: text for text, name in singles.items()}
    measured = measure_biases(predictions, attributes, bootstrap)
    test = [
        {"model": model, "coefficients": text} | _cells(bias_quantities(measured, attributes, text))
        for model, text in reported.items()
    ]
    dev = points.assign(split="dev", model=points["coefficients"].map(singles).fillna(FUSED))
    table = pd.concat([dev, pd.DataFrame(test).assign(split="test")], ignore_index=True)
    cells = [f"{name}{end}" for name in metric_names(attributes) for end in ("", "_low", "_high")]
    asked = goal_columns(selection.goal)
    columns = ["split", "model", *POINTS[:-1], *cells, *asked]
    return table.assign(**asked)[columns].assign(n_seeds=len(measured.seeds), dataset=dataset)


def single_of(text: str) -> str | None:
    """Return the model that an average with these coefficients is, if it is one of them."""
    return next((name for name, own in parse_coefficients(text).items() if own == 1), None)


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
