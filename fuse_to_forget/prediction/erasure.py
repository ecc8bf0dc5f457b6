"""Baselines that erase a protected attribute from representations: INLP and LEACE (paper, section 5.2)."""

import warnings
from typing import Literal

import numpy as np
import torch
from concept_erasure import LeaceEraser
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier

from fuse_to_forget.progress import Progress

Classifier = Literal["svm", "logistic"]
_LOSS = {"svm": "hinge", "logistic": "log_loss"}


def inlp_projection(
    representations: np.ndarray, attribute: np.ndarray, *, iterations: int, classifier: Classifier, seed: int
) -> np.ndarray:
    """Fit Iterative Null-space Projection and return its projection matrix P, symmetric, shape (d, d).

    Each of the `iterations` fits a linear classifier of `attribute` (0/1, shape (n,)) on what is left of
    `representations` (n, d) and removes its direction; P projects on the null space common to all of them, so
    `x @ P` is the erased vector. `svm` is what the authors' code fits, `logistic` what their text says. Stops
    early when no direction is left. Ravfogel et al. (2020), https://arxiv.org/abs/2004.07667.
    """
    left = representations.astype(np.float64)
    removed = np.zeros((0, left.shape[1]))  # orthonormal rows: the span of all classifiers so far
    directions = min(iterations, left.shape[1])
    progress = Progress(directions, "INLP directions", at_most=True)
    for i in range(directions):
        model = SGDClassifier(loss=_LOSS[classifier], fit_intercept=False, random_state=(seed + i) % 2**31)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ConvergenceWarning
            )  # a rough direction does: the next one finds the rest
            direction = model.fit(left, attribute).coef_[0]
        length = np.linalg.norm(direction)
        direction = direction - removed.T @ (removed @ direction)
        if np.linalg.norm(direction) <= 1e-8 * max(length, 1e-30):
            break
        direction /= np.linalg.norm(direction)
        removed = np.vstack([removed, direction])
        left -= np.outer(left @ direction, direction)
        progress.advance()
    progress.finish()
    return np.eye(left.shape[1]) - removed.T @ removed


def leace_eraser(representations: np.ndarray, attribute: np.ndarray) -> LeaceEraser:
    """Fit LEACE: the smallest affine change after which no linear classifier can tell the attribute.

    Belrose et al. (2023), https://arxiv.org/abs/2306.03819, with the package's defaults.
    """
    x = torch.from_numpy(representations.astype(np.float64))
    return LeaceEraser.fit(x, torch.from_numpy(attribute.astype(np.float64)))


def apply_leace(eraser: LeaceEraser, representations: np.ndarray) -> np.ndarray:
    """Return the erased representations, shape (n, d)."""
    return eraser(torch.from_numpy(representations.astype(np.float64))).numpy()


def task_probability(train: np.ndarray, labels: np.ndarray, evaluated: np.ndarray) -> np.ndarray:
    """Fit logistic regression of the task label on `train` (n, d); return P(label 1) for `evaluated` (m, d)."""
    model = LogisticRegression(max_iter=1000).fit(train, labels)
    return model.predict_proba(evaluated)[:, 1]
