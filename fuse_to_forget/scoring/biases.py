"""Scores of the bias study: from per-example predictions to one tidy row per measurement."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fuse_to_forget.scoring import fairness
from fuse_to_forget.scoring.bootstrap import (
    Bootstrap,
    interval,
    mean_over_draws,
    resampling_weights,
    seed_draws,
)
from fuse_to_forget.scoring.contingency import contingency, contingency_by_cluster
from fuse_to_forget.scoring.scores import ALL_SEEDS, COLUMNS
from fuse_to_forget.seeds import derive_seed

GROUP_METRICS = {
    "dp": fairness.demographic_parity,
    "tpr_gap": fairness.tpr_gap,
    "demographic_parity_difference": fairness.demographic_parity_difference,
    "equalized_odds_difference": fairness.equalized_odds_difference,
}
OVERALL_METRICS = {"accuracy": fairness.accuracy, "f1": fairness.f1}

MODEL_KEYS = ["model", "kind", "method", "coefficients"]


def score_biases(
    predictions: pd.DataFrame, attributes: Sequence[str], dataset: str, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Score every model on every split, for each seed and over all seeds.

    `predictions` has one row per example: `model, kind, method, coefficients, seed, split, id, label, prediction`,
    one 0/1 column per protected attribute and, where known, `author`. The rows with seed `all` hold the mean
    over seeds, and their interval covers seeds and examples. Metrics of a group carry the protected attribute
    in `attribute`; accuracy and F1 leave it empty. Returns the tidy columns `COLUMNS`.
    """
    rows: list[dict] = []
    for split, part in predictions.groupby("split", sort=True):
        clusters = _clusters(part)
        weights = resampling_weights(
            int(clusters.max()) + 1, bootstrap.resamples, derive_seed(bootstrap.seed, "examples", str(split))
        )
        for key, model in part.groupby(MODEL_KEYS, sort=False, dropna=False):
            for attribute in attributes:
                measured = _measure(
                    model, clusters[model.index], attribute, weights, bootstrap, attribute == attributes[0]
                )
                shared = dict(zip(MODEL_KEYS, key, strict=True)) | {"dataset": dataset, "split": split}
                rows += [shared | row for row in measured]
    return pd.DataFrame(rows).assign(study="biases")[COLUMNS]


def _clusters(part: pd.DataFrame) -> pd.Series:
    """Number the units that are resampled together: authors where they are known, else examples."""
    unit = part["author"] if "author" in part else part["id"]
    return pd.Series(pd.factorize(unit, sort=True)[0], index=part.index)


def _measure(
    model: pd.DataFrame,
    clusters: pd.Series,
    attribute: str,
    weights: np.ndarray,
    bootstrap: Bootstrap,
    overall: bool,
) -> list[dict]:
    """Measure one model on one split for one attribute; accuracy and F1 only if `overall`."""
    seeds = sorted(model["seed"].unique())
    observed, resampled = [], []
    for seed in seeds:
        rows = model[model["seed"] == seed]
        cells = [rows[column].to_numpy() for column in ("label", "prediction", attribute)]
        observed.append(contingency(*cells))
        by_cluster = contingency_by_cluster(*cells, clusters[rows.index].to_numpy())
        padded = np.zeros((weights.shape[1], 8), dtype=np.float32)
        padded[: len(by_cluster)] = by_cluster.reshape(len(by_cluster), 8)
        resampled.append((weights @ padded).reshape(-1, 2, 2, 2))
    metrics = GROUP_METRICS | (OVERALL_METRICS if overall else {})
    shared = {"n": int(observed[0].sum())}
    rows = []
    for name, metric in metrics.items():
        where = shared | {"metric": name, "attribute": attribute if name in GROUP_METRICS else ""}
        values, draws = (
            metric(np.stack(observed)),
            metric(np.stack(resampled, axis=1)),
        )  # (seeds,), (resamples, seeds)
        rows += [
            where | _row(v, draws[:, i], str(s), bootstrap)
            for i, (s, v) in enumerate(zip(seeds, values, strict=True))
        ]
        chosen = seed_draws(len(seeds), bootstrap.resamples, derive_seed(bootstrap.seed, "seeds"))
        rows.append(where | _row(values.mean(), mean_over_draws(draws, chosen), ALL_SEEDS, bootstrap))
    return rows


def _row(value: float, resamples: np.ndarray, seed: str, bootstrap: Bootstrap) -> dict:
    low, high = interval(resamples, bootstrap.level)
    return {"value": float(value), "low": low, "high": high, "seed": seed}
