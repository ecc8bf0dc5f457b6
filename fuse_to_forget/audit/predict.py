"""What every model of an audit makes of the user's data: single models, their base and all fused ones, in one job."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn
from transformers import PreTrainedModel

from fuse_to_forget.audit.plan import BASE
from fuse_to_forget.fusion.checkpoint import load_state_dict, open_checkpoint
from fuse_to_forget.prediction.classifier import load_classifier, load_tokenizer, predict_logits, tokenize
from fuse_to_forget.prediction.memorization import Reading, read_with_all
from fuse_to_forget.prediction.methods import Constituents, Use, fuse_in_turn, read_with_methods
from fuse_to_forget.prediction.sweep import load_weights
from fuse_to_forget.progress import Progress


def predict_examples(
    constituents: Constituents,
    uses: Mapping[str, Use],
    examples: pd.DataFrame,
    *,
    batch_size: int,
    max_length: int,
    seed: int,
) -> pd.DataFrame:
    """Predict every example with every model; return a row for each: `examples` without text, and who predicted what.

    Added are `prediction`, `probability` (of that class), `model`, `kind`, `method`, `coefficients`, `seed`. A base
    that is no classifier like the models has learned nothing of the task, and stands for always predicting the most
    frequent label of a data set.
    """
    first = next(iter(constituents.folders.values()))
    tokenizer, model = load_tokenizer(first), load_classifier(first)
    positions, texts = pd.factorize(examples["text"])  # a text that several data sets hold is predicted once
    token_ids = tokenize(tokenizer, texts, max_length)
    progress = Progress((len(constituents.folders) + len(uses)) * len(token_ids), "predictions")
    bare = examples.drop(columns="text")
    frames = [] if _is_classifier(constituents) else [_constant(bare, seed)]
    for named, current in _models(model, constituents, uses, seed):
        probabilities = _softmax(predict_logits(current, token_ids, batch_size, progress))[positions]
        frames.append(_rows(bare, probabilities.argmax(1), probabilities.max(1), named, seed))
    progress.finish()
    return pd.concat(frames, ignore_index=True)


def read_texts_with_all(
    constituents: Constituents, uses: Mapping[str, Use], sequences: pd.DataFrame, *, batch_size: int, prefix: int,
    seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Read `sequences` with the base, the single models and all fused ones; rows as those of `read_with_all`."""
    reading = Reading("causal", batch_size, prefix, masking={})
    alone = read_with_all(sequences, constituents.base, constituents.folders, {}, reading, seed=seed)
    alone["kind"] = alone["kind"].replace("full", "single")  # a name that begins so means nothing here
    fused = read_with_methods(constituents, uses, sequences, reading, seed=seed)
    return pd.concat([alone, fused], ignore_index=True)


def _models(
    model: PreTrainedModel, constituents: Constituents, uses: Mapping[str, Use], seed: int
) -> Iterator[tuple[dict[str, str], nn.Module]]:
    """Yield each model, good until the next one is asked for, with what it is called."""
    alone: dict[str, tuple[str | Path, str, str]] = {}
    if _is_classifier(constituents):
        alone[BASE] = (constituents.base, "base", "pretrained")
    alone |= {name: (folder, "single", "finetuned") for name, folder in constituents.folders.items()}
    for name, (folder, kind, method) in alone.items():
        load_weights(model, load_state_dict(folder))
        yield {"model": name, "kind": kind, "method": method, "coefficients": ""}, model
    yield from fuse_in_turn(model, constituents, uses, seed)


def _is_classifier(constituents: Constituents) -> bool:
    """Whether the base is a classifier like the models: then it can be measured as they are."""
    if constituents.base is None:
        return False
    folders = constituents.base, next(iter(constituents.folders.values()))
    base, first = (
        {name: info.shape for name, info in open_checkpoint(folder).tensors.items()} for folder in folders
    )
    return base == first


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _constant(examples: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Always predict the most frequent label of a data set (the smaller number if two tie)."""
    frequent = examples.groupby("dataset")["label"].transform(lambda labels: labels.mode().iloc[0])
    named = {"model": BASE, "kind": "base", "method": "constant", "coefficients": ""}
    return _rows(examples, frequent.to_numpy(), np.ones(len(examples)), named, seed)


def _rows(
    examples: pd.DataFrame,
    prediction: Sequence[int] | np.ndarray,
    probability: np.ndarray,
    named: Mapping[str, str],
    seed: int,
) -> pd.DataFrame:
    return examples.assign(prediction=prediction, probability=probability, **named, seed=seed)
