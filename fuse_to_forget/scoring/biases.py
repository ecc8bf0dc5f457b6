"""Scores of the bias study: from per-example predictions to one tidy row per measurement."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fuse_to_forget.scoring import fairness
from fuse_to_forget.scoring.accuracy import MODEL_KEYS, Accuracies, score_rows
from fuse_to_forget.scoring.bootstrap import Bootstrap, resampling_weights
from fuse_to_forget.scoring.contingency import contingency_by_cluster
from fuse_to_forget.scoring.scores import COLUMNS
from fuse_to_forget.seeds import derive_seed

GROUP_METRICS = {
    "dp": fairness.demographic_parity,
    "tpr_gap": fairness.tpr_gap,
    "demographic_parity_difference": fairness.demographic_parity_difference,
    "equalized_odds_difference": fairness.equalized_odds_difference,
}
OVERALL_METRICS = {
    "accuracy": fairness.accuracy,
    "balanced_accuracy": fairness.balanced_accuracy,
    "f1": fairness.f1,
}


def score_biases(
    predictions: pd.DataFrame, attributes: Sequence[str], dataset: str, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Score every model on every split, for each seed and over all seeds; return the tidy columns COLUMNS.

    `predictions` is that of `measure_biases`, for several splits; `dataset` is what the scores call the data.
    """
    rows: list[dict] = []
    for _, part in predictions.groupby("split", sort=True):
        measured = measure_biases(part, attributes, bootstrap)
        for position, key in enumerate(measured.rows.to_dict("records")):
            rows += score_rows(measured.quantity([position]), measured.seeds, **key)
    return pd.DataFrame(rows).assign(study="biases", dataset=dataset)[COLUMNS]


def measure_biases(part: pd.DataFrame, attributes: Sequence[str], bootstrap: Bootstrap) -> Accuracies:
    """Measure every metric of every model on one split.

    `part` has one row per example: `model, kind, method, coefficients, seed, split, id, label, prediction`, one 0/1
    column per protected attribute and, where known, `author`, which is what is then resampled. Metrics of a group carry
    the protected attribute in a column `attribute`; accuracies and F1 leave it empty.
    """
    (split,) = part["split"].unique()
    clusters = _clusters(part)
    weights = resampling_weights(
        int(clusters.max()) + 1, bootstrap.resamples, derive_seed(bootstrap.seed, "examples", str(split))
    )
    weights = np.vstack([np.ones((1, weights.shape[1]), weights.dtype), weights])  # first the data itself
    seeds = tuple(sorted(part["seed"].unique()))
    rows, values = [], []
    for key, model in part.groupby(MODEL_KEYS, sort=False, dropna=False):
        shared = dict(zip(MODEL_KEYS, key, strict=True)) | {"dataset": "", "split": split}
        for attribute in attributes:
            counts = _resampled_counts(model, clusters, attribute, weights, seeds)
            shared |= {"n": int(counts[0, 0].sum())}
            for metric, name, function in _metrics(attribute, overall=attribute == attributes[0]):
                rows.append(shared | {"metric": metric, "attribute": name})
                values.append(function(counts))
    stacked = np.stack(values)
    return Accuracies(pd.DataFrame(rows), stacked[:, 0], stacked[:, 1:], seeds, bootstrap)


def _metrics(attribute: str, *, overall: bool) -> list[tuple]:
    """Return (metric, its attribute, function); those of no attribute only if `overall`."""
    found = [(metric, attribute, function) for metric, function in GROUP_METRICS.items()]
    return found + [(metric, "", function) for metric, function in OVERALL_METRICS.items() if overall]


def _clusters(part: pd.DataFrame) -> pd.Series:
    """Number the units that are resampled together: authors where they are known, else examples."""
    unit = part["author"] if "author" in part else part["id"]
    return pd.Series(pd.factorize(unit, sort=True)[0], index=part.index)


def _resampled_counts(
    model: pd.DataFrame, clusters: pd.Series, attribute: str, weights: np.ndarray, seeds: Sequence[int]
) -> np.ndarray:
    """Return counts of label, prediction and group under each row of `weights`: (rows, seeds, 2, 2, 2)."""
    counts = np.full((len(weights), len(seeds), 2, 2, 2), np.nan)
    for position, seed in enumerate(seeds):
        own = model[model["seed"] == seed]
        cells = [own[column].to_numpy() for column in ("label", "prediction", attribute)]
        by_cluster = contingency_by_cluster(*cells, clusters[own.index].to_numpy())
        padded = np.zeros((weights.shape[1], 8), dtype=np.float32)
        padded[: len(by_cluster)] = by_cluster.reshape(len(by_cluster), 8)
        counts[:, position] = (weights @ padded).reshape(-1, 2, 2, 2)
    return counts
