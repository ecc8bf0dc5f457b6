"""Predictions and representations of one model for whole splits, in one model load."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from fuse_to_forget.prediction.classifier import (
    label_one_probability,
    load_classifier,
    load_tokenizer,
    pooled_representations,
    predict_logits,
    prediction_rows,
    tokenize,
)


def predict_splits(
    folder: str | Path,
    splits: Mapping[str, pd.DataFrame],
    *,
    batch_size: int,
    max_length: int,
    **shared: str | int,
) -> pd.DataFrame:
    """Predict every example of `splits` with the model at `folder`; return one row per example, splits in order.

    `shared` names the model, kind, method, coefficients and seed.
    """
    model, tokenizer = load_classifier(folder), load_tokenizer(folder)
    rows = []
    for split, frame in splits.items():
        positions, texts = pd.factorize(frame["text"])  # a text that several data sets hold is predicted once
        logits = predict_logits(model, tokenize(tokenizer, texts, max_length), batch_size)[positions]
        rows.append(prediction_rows(frame, label_one_probability(logits), split=split, **shared))
    return pd.concat(rows, ignore_index=True)


def encode_splits(
    folder: str | Path, splits: Mapping[str, pd.DataFrame], *, batch_size: int, max_length: int
) -> dict[str, np.ndarray]:
    """Return the pooled representation of every example: split -> float32 (n, hidden size)."""
    model, tokenizer = load_classifier(folder), load_tokenizer(folder)
    return {
        split: pooled_representations(model, tokenize(tokenizer, frame["text"], max_length), batch_size)
        for split, frame in splits.items()
    }
