"""Group fairness of a binary classifier (paper, section 5.2).

Every function takes counts of shape (..., 2, 2, 2), indexed [gold label, predicted label, protected group], and
returns shape (...): one call scores one table or a thousand bootstrap resamples. A rate over an empty
group is undefined and comes out as NaN.
"""

import numpy as np


def demographic_parity(counts: np.ndarray) -> np.ndarray:
    """DP of the paper: sum over predicted labels y of |P(yhat=y | z=0) - P(yhat=y | z=1)|.

    Range 0 to 2, 0 is fair, smaller is better. For binary labels it is twice
    `demographic_parity_difference`: the paper's code (`get_dp`) sums over both labels.
    """
    return np.abs(_prediction_rate_gaps(counts)).sum(axis=-1)


def demographic_parity_difference(counts: np.ndarray) -> np.ndarray:
    """Difference of selection rates |P(yhat=1 | z=0) - P(yhat=1 | z=1)|, as fairlearn defines it.

    Range 0 to 1, 0 is fair, smaller is better.
    """
    return np.abs(_prediction_rate_gaps(counts)[..., 1])


def tpr_gap(counts: np.ndarray) -> np.ndarray:
    """TPR-GAP: root mean square over gold labels y of P(yhat=y | y, z=0) - P(yhat=y | y, z=1).

    Range 0 to 1, 0 is fair, smaller is better. Source: De-Arteaga et al. (2019), Ravfogel et al. (2020).
    """
    recalls = np.stack([_rate(counts, label=0, prediction=0), _rate(counts, label=1, prediction=1)], axis=-2)
    gaps = recalls[..., 0] - recalls[..., 1]  # (..., label)
    return np.sqrt(np.mean(gaps**2, axis=-1))


def equalized_odds_difference(counts: np.ndarray) -> np.ndarray:
    """Larger of the group differences in true and false positive rate, as fairlearn defines it.

    Range 0 to 1, 0 is fair, smaller is better. Source: Hardt et al. (2016).
    """
    rates = np.stack([_rate(counts, label=0, prediction=1), _rate(counts, label=1, prediction=1)], axis=-2)
    return np.abs(rates[..., 0] - rates[..., 1]).max(axis=-1)


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Share of examples whose prediction is the gold label. Range 0 to 1, larger is better."""
    correct = counts[..., 0, 0, :].sum(axis=-1) + counts[..., 1, 1, :].sum(axis=-1)
    return _ratio(correct, counts.sum(axis=(-3, -2, -1)))


def balanced_accuracy(counts: np.ndarray) -> np.ndarray:
    """Mean recall of the two labels. Range 0 to 1, larger is better, .5 for any constant predictor."""
    table = counts.sum(axis=-1)  # (..., label, prediction)
    recalls = [_ratio(table[..., label, label], table[..., label, :].sum(axis=-1)) for label in (0, 1)]
    return (recalls[0] + recalls[1]) / 2


def f1(counts: np.ndarray) -> np.ndarray:
    """F1 of label 1: 2 TP / (2 TP + FP + FN). Range 0 to 1, larger is better."""
    table = counts.sum(axis=-1)  # (..., label, prediction)
    hits = table[..., 1, 1]
    return _ratio(2 * hits, 2 * hits + table[..., 0, 1] + table[..., 1, 0])


def _prediction_rate_gaps(counts: np.ndarray) -> np.ndarray:
    """P(yhat=y | z=0) - P(yhat=y | z=1) for each label y, shape (..., 2)."""
    predicted = counts.sum(axis=-3)  # (..., prediction, group)
    rates = _ratio(predicted, predicted.sum(axis=-2, keepdims=True))
    return rates[..., 0] - rates[..., 1]


def _rate(counts: np.ndarray, *, label: int, prediction: int) -> np.ndarray:
    """P(yhat=prediction | y=label, z) for each group z, shape (..., 2)."""
    return _ratio(counts[..., label, prediction, :], counts[..., label, :, :].sum(axis=-2))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.true_divide(part, whole)
