"""What an audit measures: accuracy, group fairness and memorisation of every model, under one shared bootstrap."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array

from fuse_to_forget.audit.plan import ABSENT, CAUSAL, DataSet, control_of
from fuse_to_forget.runs import HELD_OUT
from fuse_to_forget.scoring.accuracy import MODEL_KEYS, Accuracies
from fuse_to_forget.scoring.bootstrap import Bootstrap, resampling_weights
from fuse_to_forget.scoring.memorization import Evaluation, measure_memorization
from fuse_to_forget.seeds import derive_seed

KEYS = [*MODEL_KEYS, "dataset", "attribute", "metric"]
TEXT_METRICS = ("alr", "perplexity", "attack_auc", "extraction_rate", "verbatim_tokens")
EVALUATION = Evaluation("sequence", "float32", batch_size=1)


def measure(
    predictions: pd.DataFrame, sets: Mapping[str, DataSet], task: str, bootstrap: Bootstrap
) -> Accuracies:
    """Measure what the models of an audit made of its data sets: labelled examples, or text."""
    if task == CAUSAL:
        return measure_texts(predictions, control_of(sets), bootstrap)
    attributes = list(dict.fromkeys(attribute for own in sets.values() for attribute in own.attributes))
    return measure_examples(predictions, attributes, bootstrap)


def measure_examples(
    predictions: pd.DataFrame, attributes: Sequence[str], bootstrap: Bootstrap
) -> Accuracies:
    """Measure `accuracy` of every model on every data set, and `dp` and `tpr_gap` for each attribute that it has.

    `predictions` has one row per model and example: MODEL_KEYS, `seed`, `dataset`, `unit` (what is resampled
    together), `label`, `prediction`, and 0, 1 or ABSENT for each attribute. Rows have the columns KEYS and `n`.
    """
    unit, units = pd.factorize(predictions["unit"], sort=True)
    weights = resampling_weights(
        len(units), bootstrap.resamples, derive_seed(bootstrap.seed, "examples", "audit")
    )
    weights = np.vstack(
        [np.ones(len(units), dtype=np.float32), weights]
    )  # the first resample is the data itself
    classes = int(predictions[["label", "prediction"]].to_numpy().max()) + 1
    rows, measured = [], []
    for key, part in predictions.assign(unit=unit).groupby([*MODEL_KEYS, "dataset"], sort=False):
        named = dict(zip([*MODEL_KEYS, "dataset"], key, strict=True)) | {"n": len(part)}
        rows.append(named | {"attribute": "", "metric": "accuracy"})
        measured.append(_accuracy(part, weights))
        for attribute in attributes:
            if part[attribute].iloc[0] != ABSENT:
                rows += [named | {"attribute": attribute, "metric": metric} for metric in ("dp", "tpr_gap")]
                measured += _gaps(part, part[attribute].to_numpy(), weights, classes)
    values = np.stack(measured)[..., None]  # (rows, resamples, one seed)
    seeds = (int(predictions["seed"].iloc[0]),)
    return Accuracies(pd.DataFrame(rows)[[*KEYS, "n"]], values[:, 0], values[:, 1:], seeds, bootstrap)


def measure_texts(predictions: pd.DataFrame, control: str, bootstrap: Bootstrap) -> Accuracies:
    """Measure TEXT_METRICS of every model on every set; `control` is the set that nobody was trained on.

    `predictions` are rows of `read_with_all`. Rows have the columns KEYS and `n`.
    """
    named = predictions.assign(dataset=predictions["dataset"].replace(control, HELD_OUT))
    measured = measure_memorization(named, bootstrap, EVALUATION)
    kept = np.flatnonzero(measured.rows["metric"].isin(TEXT_METRICS))
    rows = measured.rows.iloc[kept].reset_index(drop=True)
    rows = rows.assign(dataset=rows["dataset"].replace(HELD_OUT, control), attribute="")[[*KEYS, "n"]]
    return Accuracies(rows, measured.observed[kept], measured.resampled[kept], measured.seeds, bootstrap)


def _accuracy(part: pd.DataFrame, weights: np.ndarray) -> np.ndarray:
    correct = (part["prediction"] == part["label"]).to_numpy().astype(int)
    right, all_of_them = (
        _totals(part["unit"].to_numpy(), np.zeros(len(part), dtype=int), 1, weights, counted)[0]
        for counted in (correct, np.ones(len(part)))
    )
    return _ratio(right, all_of_them)


def _gaps(part: pd.DataFrame, groups: np.ndarray, weights: np.ndarray, classes: int) -> list[np.ndarray]:
    """Return dp and tpr_gap, as scoring/fairness.py defines them but of any number of classes, of each resample.

    dp = sum over classes y of |P(yhat=y | z=0) - P(yhat=y | z=1)|, 0 (fair) to 2. tpr_gap = root mean square over
    classes of the groups' difference in recall, 0 (fair) to 1. NaN where a group, or a class in one of them, is empty.
    """
    label, prediction = part["label"].to_numpy(), part["prediction"].to_numpy()

    def totals(numbers: np.ndarray, counted: np.ndarray) -> np.ndarray:  # (group, class, resample)
        found = _totals(part["unit"].to_numpy(), groups * classes + numbers, 2 * classes, weights, counted)
        return found.reshape(2, classes, -1)

    every = np.ones(len(part))
    predicted, given, right = (
        totals(prediction, every),
        totals(label, every),
        totals(label, label == prediction),
    )
    rates = _ratio(predicted, predicted.sum(axis=1, keepdims=True))
    present = np.unique(label)
    recalls = _ratio(right, given)[:, present]
    dp = np.abs(rates[0] - rates[1]).sum(axis=0)
    return [dp, np.sqrt(np.mean((recalls[0] - recalls[1]) ** 2, axis=0))]


def _totals(
    units: np.ndarray, cells: np.ndarray, count: int, weights: np.ndarray, counted: np.ndarray
) -> np.ndarray:
    """Add up `counted` (n,) by cell, 0 to `count` - 1, in every resample: (count, resamples)."""
    table = coo_array((counted.astype(np.float64), (cells, units)), shape=(count, weights.shape[1]))
    return table.tocsr() @ weights.T


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.true_divide(part, whole)
