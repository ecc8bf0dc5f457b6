"""Percentile bootstrap over examples, or over authors where several examples share one, and over seeds."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: number of resamples, coverage (.95) and seed."""

    resamples: int
    level: float
    seed: int


def resampling_weights(clusters: int, resamples: int, seed: int) -> np.ndarray:
    """Return how often each cluster is drawn in each resample: shape (resamples, clusters), rows sum to `clusters`.

    The same weights serve every model, so differences between models are paired. float32 is exact here:
    counts stay far below 2^24.
    """
    rng = np.random.default_rng(seed)
    weights = np.empty((resamples, clusters), dtype=np.float32)
    for row in weights:
        row[:] = np.bincount(rng.integers(0, clusters, clusters), minlength=clusters)
    return weights


def seed_draws(seeds: int, resamples: int, seed: int) -> np.ndarray:
    """Return which seeds each resample averages over, drawn with replacement: ints, shape (resamples, seeds)."""
    return np.random.default_rng(seed).integers(0, seeds, (resamples, seeds))


def mean_over_draws(values: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Average each resample's metric over the seeds drawn for it: (resamples, seeds) twice -> (resamples,).

    Examples are resampled once for all seeds, because all seeds are evaluated on the same examples.
    """
    return np.take_along_axis(values, draws, axis=1).mean(axis=1)


def interval(values: np.ndarray, level: float) -> tuple[float, float]:
    """Return the percentile interval of `values`, shape (resamples,), leaving out undefined (NaN) resamples."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
