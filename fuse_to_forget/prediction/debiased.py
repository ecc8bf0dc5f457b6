"""Predictions of the debiasing baselines: erase, refit the task's linear classifier, predict."""

from collections.abc import Mapping
from typing import TypedDict

import numpy as np
import pandas as pd

from fuse_to_forget.prediction.classifier import prediction_rows
from fuse_to_forget.prediction.erasure import (
    Classifier,
    apply_leace,
    inlp_projection,
    leace_eraser,
    task_probability,
)


class ErasureSettings(TypedDict):
    """INLP's number of iterations and classifier."""

    inlp_iterations: int
    inlp_classifier: Classifier


def debiased_predictions(
    representations: Mapping[str, np.ndarray],
    splits: Mapping[str, pd.DataFrame],
    attribute: str,
    settings: ErasureSettings,
    *,
    erase_test_representations: bool,
    seed: int,
    model_seed: int,
) -> pd.DataFrame:
    """Predict dev and test after erasing `attribute` by INLP and by LEACE from the `train` representations.

    `representations` and `splits` share the keys train, dev, test; row i of one is row i of the other. Without
    `erase_test_representations` (the authors' code) the classifier, fitted on erased vectors, sees raw ones.
    """
    train, frame = representations["train"], splits["train"]
    protected, labels = frame[attribute].to_numpy(), frame["label"].to_numpy()
    projection = inlp_projection(
        train,
        protected,
        iterations=settings["inlp_iterations"],
        classifier=settings["inlp_classifier"],
        seed=seed,
    )
    eraser = leace_eraser(train, protected)
    erasers = {"inlp": lambda x: x @ projection, "leace": lambda x: apply_leace(eraser, x)}
    rows = []
    for method, erase in erasers.items():
        for split in ("dev", "test"):
            raw = representations[split]
            evaluated = erase(raw) if erase_test_representations else raw
            probability = task_probability(erase(train), labels, evaluated)
            shared = {
                "model": attribute,
                "kind": "single",
                "method": method,
                "coefficients": "",
                "seed": model_seed,
            }
            rows.append(prediction_rows(splits[split], probability, split=split, **shared))
    return pd.concat(rows, ignore_index=True)
