"""A sweep: models fused in memory at every coefficient and evaluated on every split, in one job."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor
from transformers import PreTrainedModel

from fuse_to_forget.coefficients import format_coefficients
from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.average import average_state_dicts
from fuse_to_forget.fusion.checkpoint import load_state_dict
from fuse_to_forget.prediction.classifier import (
    device,
    label_one_probability,
    load_classifier,
    load_tokenizer,
    predict_logits,
    prediction_rows,
    tokenize,
)
from fuse_to_forget.progress import Progress


def sweep_logits(
    folders: Sequence[str | Path],
    coefficients: Sequence[Sequence[float]],
    token_ids: Sequence[list[int]],
    batch_size: int,
) -> np.ndarray:
    """Return the logits of every fused model on every text: shape (coefficient vectors, texts, labels).

    `coefficients` holds one vector per fused model, a coefficient for each of `folders`. The checkpoints are read
    once and stay on the device; fusing writes into one model's weights.
    """
    constituents = [
        {name: w.to(device()) for name, w in load_state_dict(folder).items()} for folder in folders
    ]
    model = load_classifier(folders[0])
    logits, fused = [], None
    progress = Progress(len(coefficients) * len(token_ids), "predictions")
    for vector in coefficients:
        fused = average_state_dicts(constituents, vector, fused)  # the second one on writes over the first
        load_weights(model, fused)
        logits.append(predict_logits(model, token_ids, batch_size, progress))
    progress.finish()
    return np.stack(logits)


def sweep(
    models: Mapping[str, str | Path],
    coefficients: Sequence[Sequence[float]],
    splits: Mapping[str, pd.DataFrame],
    *,
    batch_size: int,
    max_length: int,
    seed: int,
) -> pd.DataFrame:
    """Evaluate weighted averages of `models` (name -> checkpoint folder) on all `splits`.

    Returns one row per coefficient vector, split and example, in this order; the model is called by its
    constituents joined with a hyphen.
    """
    # A text that several data sets hold is predicted once.
    positions, texts = pd.factorize(pd.concat([frame["text"] for frame in splits.values()]))
    token_ids = tokenize(load_tokenizer(next(iter(models.values()))), texts, max_length)
    logits = sweep_logits(list(models.values()), coefficients, token_ids, batch_size)[:, positions]
    rows = []
    for vector, scored in zip(coefficients, logits, strict=True):
        named = format_coefficients(dict(zip(models, vector, strict=True)))
        shared = {
            "model": "-".join(models),
            "kind": "fused",
            "method": "average",
            "coefficients": named,
            "seed": seed,
        }
        start = 0
        for split, frame in splits.items():
            probability = label_one_probability(scored[start : start + len(frame)])
            rows.append(prediction_rows(frame, probability, split=split, **shared))
            start += len(frame)
    return pd.concat(rows, ignore_index=True)


def load_weights(model: PreTrainedModel, weights: Mapping[str, Tensor]) -> None:
    """Write fused weights into `model`; only tied weights, stored once, may be missing from them."""
    result = model.load_state_dict(weights, strict=False)
    tied = set(getattr(model, "_tied_weights_keys", None) or ())
    wrong = sorted(set(result.unexpected_keys) | (set(result.missing_keys) - tied))
    if wrong:
        raise InputError(
            f"The checkpoint and its config.json disagree on the weight {wrong[0]}; save the model again."
        )
