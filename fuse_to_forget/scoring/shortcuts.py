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
    smallest,
)
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.scores import COLUMNS

SYNTHETIC, ORIGINAL = "synthetic_dev", "original_dev"


def measure_shortcuts(predictions: pd.DataFrame, bootstrap: Bootstrap) -> Accuracies:
    """Measure accuracies with the two parts of each data set's dev as splits of their own."""
    return measure_accuracies(
        predictions.assign(split=predictions["part"] + "_" + predictions["split"]), bootstrap
    )


def own_accuracy(
    measured: Accuracies,
    singles: Sequence[str],
    split: str,
    metric: str = "accuracy",
    models: Sequence[str] | None = None,
) -> Quantity:
    """Return the mean over shortcuts of how the shortcut's own model does on its own data set (Figure 4).

    `models` may name other models to be asked in place of the own ones, one for each shortcut.
    """
    return mean_of(
        [
            measured.quantity(
                measured.find(model=model, coefficients="", dataset=shortcut, split=split, metric=metric)
            )
            for shortcut, model in zip(singles, models or singles, strict=True)
        ]
    )


def learned(
    measured: Accuracies, mixtures: Mapping[str, Sequence[str]], threshold: float
) -> dict[str, list[bool]]:
    """Return, for each model and seed, whether it knows all its shortcuts: accuracy on synthetic dev >= `threshold`.

    `mixtures` names the shortcuts of each model.
    """
    return {
        model: (
            smallest(
                [
                    measured.quantity(
                        measured.find(
                            model=model, coefficients="", dataset=name, split=SYNTHETIC, metric="accuracy"
                        )
                    )
                    for name in names
                ]
            ).observed
            >= threshold
        ).tolist()
        for model, names in mixtures.items()
    }


def score_shortcuts(
    predictions: pd.DataFrame,
    singles: Sequence[str],
    mixtures: Mapping[str, Sequence[str]],
    *,
    learned_at: float,
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Score every model on every data set, for each seed and over all seeds; return the tidy columns COLUMNS.

    `dataset` is the shortcut whose data set it is, or `mean` over the data sets that a model was evaluated on. The
    model `own` stands for each shortcut's own model on its own data; `majority` is the constant predictor of the
    more frequent label. The metric `learned` is the share of seeds in which a model reached `learned_at` on
    the synthetic dev split of each of its shortcuts (`mixtures`).
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
    rows += _majority_rows(predictions) + _learned_rows(measured, mixtures, learned_at)
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


def _learned_rows(
    measured: Accuracies, mixtures: Mapping[str, Sequence[str]], threshold: float
) -> list[dict]:
    rows = []
    for model, by_seed in learned(measured, mixtures, threshold).items():
        shared = {
            "model": model, "kind": "single", "method": "finetuned", "coefficients": "", "dataset": "",
            "split": SYNTHETIC, "metric": "learned", "low": np.nan, "high": np.nan, "n": len(by_seed),
        }  # fmt: skip
        values = {
            **dict(zip(map(str, measured.seeds), map(float, by_seed), strict=True)),
            "all": float(np.mean(by_seed)),
        }
        rows += [shared | {"value": value, "seed": seed} for seed, value in values.items()]
    return rows
