"""Counts from which every metric of a classifier follows: gold label x predicted label x group."""

import numpy as np


def contingency(labels: np.ndarray, predictions: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Count examples by gold label, predicted label and protected group; each argument holds 0/1, shape (n,).

    Returns an integer array of shape (2, 2, 2), indexed [label, prediction, group].
    """
    return np.bincount(_cells(labels, predictions, groups), minlength=8).reshape(2, 2, 2)


def contingency_by_cluster(
    labels: np.ndarray, predictions: np.ndarray, groups: np.ndarray, clusters: np.ndarray
) -> np.ndarray:
    """Count as `contingency` does, but apart for each cluster of examples (an author, or the example itself).

    `clusters` holds integers 0 .. c-1, shape (n,). Returns shape (c, 2, 2, 2); its sum over the first axis is
    the whole contingency table, and so is a weighted sum for a bootstrap resample of clusters.
    """
    count = int(clusters.max()) + 1
    flat = np.bincount(clusters * 8 + _cells(labels, predictions, groups), minlength=count * 8)
    return flat.reshape(count, 2, 2, 2)


def _cells(labels: np.ndarray, predictions: np.ndarray, groups: np.ndarray) -> np.ndarray:
    return labels.astype(np.int64) * 4 + predictions.astype(np.int64) * 2 + groups.astype(np.int64)
