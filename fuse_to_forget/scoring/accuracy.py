"""Accuracy of many models on many data sets, observed and under one shared bootstrap of the sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fuse_to_forget.scoring.bootstrap import (
    Bootstrap,
    interval,
    mean_over_draws,
    resampling_weights,
    seed_draws,
)
from fuse_to_forget.scoring.scores import ALL_SEEDS
from fuse_to_forget.seeds import derive_seed

MODEL_KEYS = ["model", "kind", "method", "coefficients"]
KEYS = [*MODEL_KEYS, "dataset", "split", "metric"]


@dataclass(frozen=True)
class Accuracies:
    """Accuracies by key: `rows` (columns KEYS and `n`), `observed` (rows, seeds), `resampled` (rows, resamples, seeds).

    All rows share the resampled sentences, so any arithmetic of them is paired.
    """

    rows: pd.DataFrame
    observed: np.ndarray
    resampled: np.ndarray
    seeds: tuple[int, ...]
    bootstrap: Bootstrap

    def find(self, **key: str) -> np.ndarray:
        """Return the positions of the rows with these values."""
        found = np.ones(len(self.rows), dtype=bool)
        for column, value in key.items():
            found &= (self.rows[column] == value).to_numpy()
        return np.flatnonzero(found)

    def quantity(self, positions: Sequence[int] | np.ndarray) -> "Quantity":
        """Return the mean over some rows."""
        positions = np.asarray(positions)
        if not len(positions):
            raise KeyError("no such row of accuracies")
        return Quantity(
            self.observed[positions].mean(axis=0), self.resampled[positions].mean(axis=0), self.bootstrap
        )


@dataclass(frozen=True)
class Quantity:
    """A number that follows from accuracies: observed (seeds,), resampled (resamples, seeds)."""

    observed: np.ndarray
    resampled: np.ndarray
    bootstrap: Bootstrap

    def __sub__(self, other: "Quantity | float") -> "Quantity":
        """Return the difference, paired."""
        if not isinstance(other, Quantity):
            return Quantity(self.observed - other, self.resampled - other, self.bootstrap)
        return Quantity(self.observed - other.observed, self.resampled - other.resampled, self.bootstrap)

    def __truediv__(self, other: "Quantity") -> "Quantity":
        """Return the ratio, paired; NaN or infinite where the other is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return Quantity(self.observed / other.observed, self.resampled / other.resampled, self.bootstrap)

    def by_seed(self) -> list[tuple[float, float, float]]:
        """Return value, low and high of each seed, over examples."""
        level = self.bootstrap.level
        return [
            (float(value), *interval(self.resampled[:, i], level)) for i, value in enumerate(self.observed)
        ]

    def over_seeds(self) -> tuple[float, float, float]:
        """Return the mean over seeds with its interval over seeds and examples."""
        resamples, seeds = self.resampled.shape
        draws = seed_draws(seeds, resamples, derive_seed(self.bootstrap.seed, "seeds"))
        return float(self.observed.mean()), *interval(
            mean_over_draws(self.resampled, draws), self.bootstrap.level
        )


def smallest(quantities: Sequence[Quantity]) -> Quantity:
    """Return the smallest of some quantities, seed by seed and resample by resample."""
    return Quantity(
        np.min([q.observed for q in quantities], axis=0),
        np.min([q.resampled for q in quantities], axis=0),
        quantities[0].bootstrap,
    )


def largest(quantities: Sequence[Quantity]) -> Quantity:
    """Return the largest of some quantities, seed by seed and resample by resample."""
    return Quantity(
        np.max([q.observed for q in quantities], axis=0),
        np.max([q.resampled for q in quantities], axis=0),
        quantities[0].bootstrap,
    )


def mean_of(quantities: Sequence[Quantity]) -> Quantity:
    """Return the mean of some quantities."""
    return Quantity(
        np.mean([q.observed for q in quantities], axis=0),
        np.mean([q.resampled for q in quantities], axis=0),
        quantities[0].bootstrap,
    )


def measure_accuracies(predictions: pd.DataFrame, bootstrap: Bootstrap) -> Accuracies:
    """Measure accuracy and balanced accuracy of every model on every data set and split.

    `predictions` has one row per example: MODEL_KEYS, `seed, dataset, split, id, label, prediction`; `id` is the
    sentence, and sentences are what is resampled: the data sets of all shortcuts are made of the same ones.
    `balanced_accuracy` is the mean recall of the two labels: .5 for any constant predictor, whatever the label rates.
    """
    sentence, ids = pd.factorize(predictions["id"], sort=True)
    seeds = tuple(sorted(predictions["seed"].unique()))
    weights = resampling_weights(
        len(ids), bootstrap.resamples, derive_seed(bootstrap.seed, "examples", "sentences")
    )
    weights = np.vstack(
        [np.ones(len(ids), dtype=np.float32), weights]
    )  # the first resample is the data itself
    correct = (predictions["prediction"] == predictions["label"]).to_numpy()
    label = predictions["label"].to_numpy()
    rows, measured = [], []
    for key, part in predictions.groupby([*MODEL_KEYS, "dataset", "split"], sort=False).indices.items():
        values = np.full((2, len(weights), len(seeds)), np.nan)
        for position, seed in enumerate(seeds):
            own = part[predictions["seed"].to_numpy()[part] == seed]
            values[..., position] = _accuracies(correct[own], label[own], sentence[own], weights)
        named = dict(zip([*MODEL_KEYS, "dataset", "split"], key, strict=True)) | {"n": len(own)}
        rows += [named | {"metric": metric} for metric in ("accuracy", "balanced_accuracy")]
        measured += list(values)
    stacked = np.stack(measured)
    return Accuracies(pd.DataFrame(rows), stacked[:, 0], stacked[:, 1:], seeds, bootstrap)


def _accuracies(
    correct: np.ndarray, label: np.ndarray, sentence: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return accuracy and balanced accuracy under each row of `weights`: shape (2, resamples)."""
    counts = np.zeros((weights.shape[1], 4))
    for column, mask in enumerate((label == 0, label == 1, (label == 0) & correct, (label == 1) & correct)):
        np.add.at(counts[:, column], sentence[mask], 1)
    zeros, ones, right_zeros, right_ones = (weights @ counts.astype(np.float32)).T.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # a resample without one label is undefined
        accuracy = (right_zeros + right_ones) / (zeros + ones)
        balanced = (right_zeros / zeros + right_ones / ones) / 2
    return np.stack([accuracy, balanced])


def score_rows(quantity: Quantity, seeds: Sequence[int], **shared: str | int) -> list[dict]:
    """Return tidy score rows of a quantity: one per seed and one over all seeds."""
    rows = [
        shared | {"value": value, "low": low, "high": high, "seed": str(seed)}
        for seed, (value, low, high) in zip(seeds, quantity.by_seed(), strict=True)
    ]
    value, low, high = quantity.over_seeds()
    return [*rows, shared | {"value": value, "low": low, "high": high, "seed": ALL_SEEDS}]
