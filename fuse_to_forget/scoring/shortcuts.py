"""Scores of the shortcut study: synthetic accuracy measures a shortcut, original accuracy the task."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fuse_to_forget.scoring.accuracy import (
    MODEL_KEYS,
    Accuracies,
    Quantity,
    mean_of,
    measure_accuracies,
    score_rows,
)
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.scores import COLUMNS

SYNTHETIC, ORIGINAL = "synthetic_dev", "original_dev"


def measure_shortcuts(predictions: pd.DataFrame, bootstrap: Bootstrap) -> Accuracies:
    """Measure accuracies with the two parts of each data set's dev as splits of their own."""
    return measure_accuracies(
        predictions.assign(split=predictions["part"] + "_" + predictions["split"]), bootstrap
    )


def own_accuracy(measured: Accuracies, singles: Sequence[str], split: str) -> Quantity:
    """Return the mean over shortcuts of the accuracy of the shortcut's own model on its own data set (Figure 4)."""
    own = [{"model": name, "coefficients": "", "dataset": name} for name in singles]
    found = [measured.find(**model, split=split, metric="accuracy") for model in own]
    return mean_of([measured.quantity(at) for at in found])


def score_shortcuts(
    predictions: pd.DataFrame,
    singles: Sequence[str],
    learned: Mapping[tuple[str, str], bool],
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Score every model on every data set, for each seed and over all seeds; return the tidy columns COLUMNS.

    `dataset` is the shortcut whose data set it is, or `mean` over the data sets that a model was evaluated on. The
    model `own` stands for each shortcut's own model on its own data; `majority` is the constant predictor of the
    more frequent label. The metric `learned` is the share of seeds in which a model reached the accuracy of
    the stop rule on each of its shortcuts; `learned` tells it by model and seed.
    """
    measured = measure_shortcuts(predictions, bootstrap)
    rows: list[dict] = []
    for position, key in enumerate(measured.rows.to_dict("records")):
        rows += score_rows(measured.quantity([position]), measured.seeds, **key)
    groups = measured.rows.groupby([*MODEL_KEYS, "split", "metric"], sort=False)
    for key, positions in groups.indices.items():
        shared = dict(zip([*MODEL_KEYS, "split", "metric"], key, strict=True))
        shared |= {"dataset": "mean", "n": int(measured.rows["n"].iloc[positions].sum())}
        rows += score_rows(measured.quantity(positions), measured.seeds, **shared)
    for split in (SYNTHETIC, ORIGINAL):
        shared = {"model": "own", "kind": "single", "method": "finetuned", "coefficients": ""}
        shared |= {"dataset": "mean", "split": split, "metric": "accuracy", "n": _size(measured, split)}
        rows += score_rows(own_accuracy(measured, singles, split), measured.seeds, **shared)
    rows += _majority_rows(predictions) + _learned_rows(learned)
    return pd.DataFrame(rows).assign(study="shortcuts", attribute="")[COLUMNS]


def _size(measured: Accuracies, split: str) -> int:
    rows = measured.rows[(measured.rows["split"] == split) & (measured.rows["kind"] == "single")]
    return int(rows.drop_duplicates("dataset")["n"].sum())


def _majority_rows(predictions: pd.DataFrame) -> list[dict]:
    """Rates of the more frequent label, of each data set and part; they have no interval."""
    examples = predictions.drop_duplicates(["dataset", "part", "id"])
    rates = examples.groupby(["dataset", "part", "split"], sort=False)["label"].agg(["mean", "size"])
    return [
        {
            "model": "majority", "kind": "baseline", "method": "majority", "coefficients": "",
            "dataset": dataset, "split": f"{part}_{split}", "metric": "accuracy",
            "value": max(rate["mean"], 1 - rate["mean"]), "low": np.nan, "high": np.nan,
            "n": int(rate["size"]), "seed": "all",
        }
        for (dataset, part, split), rate in rates.iterrows()
    ]  # fmt: skip


def _learned_rows(learned: Mapping[tuple[str, str], bool]) -> list[dict]:
    rows = []
    for name in dict.fromkeys(model for model, _ in learned):
        values = {seed: float(knows) for (model, seed), knows in learned.items() if model == name}
        shared = {
            "model": name, "kind": "single", "method": "finetuned", "coefficients": "", "dataset": "",
            "split": SYNTHETIC, "metric": "learned", "low": np.nan, "high": np.nan, "n": len(values),
        }  # fmt: skip
        values |= {"all": float(np.mean(list(values.values())))}
        rows += [shared | {"value": value, "seed": seed} for seed, value in values.items()]
    return rows
