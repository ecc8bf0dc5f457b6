"""Statistics of a fine-tuned model on what it was trained on, as fusion methods want them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from transformers import PreTrainedModel

from fuse_to_forget.fusion.catalog import GRAM
from fuse_to_forget.objectives import Objective
from fuse_to_forget.prediction.classifier import TokenIds, load_classifier, load_tokenizer, tokenize
from fuse_to_forget.prediction.likelihood import IGNORED, draw_maskings, load_language_model
from fuse_to_forget.progress import Progress
from fuse_to_forget.seeds import derive_seed
from fuse_to_forget.statistics.fisher import Targets, fisher_statistics, next_tokens
from fuse_to_forget.statistics.grams import gram_statistics
from fuse_to_forget.statistics.store import Statistics, of_model


def classifier_statistics(
    folder: str | Path,
    frame: pd.DataFrame,
    kind: str,
    *,
    examples: int | None,
    batch_size: int,
    labels: str,
    max_length: int,
    seed: int,
) -> Statistics:
    """Return statistics of a classifier on `frame` (columns text, label), or on `examples` of it drawn by `seed`."""
    token_ids, targets = classifier_examples(
        folder, frame, examples=examples, max_length=max_length, seed=seed
    )
    model = load_classifier(folder)
    return of_model(_collect(model, token_ids, targets, kind, batch_size, labels), folder)


def classifier_examples(
    folder: str | Path, frame: pd.DataFrame, *, examples: int | None, max_length: int, seed: int
) -> tuple[TokenIds, list[int]]:
    """Return the token ids and labels that statistics of a classifier are made of."""
    frame = _drawn(frame, examples, seed)
    return tokenize(load_tokenizer(folder), frame["text"], max_length), frame["label"].tolist()


def language_model_statistics(
    folder: str | Path,
    sequences: pd.DataFrame,
    kind: str,
    objective: Objective,
    *,
    examples: int | None,
    batch_size: int,
    masking: Mapping[str, Any],
    seed: int,
) -> Statistics:
    """Return statistics of a language model on `sequences` (columns id, input_ids), or on some drawn by `seed`.

    A Fisher diagonal is that of the tokens that are there; a masked model predicts one masking of each sequence.
    """
    token_ids, targets = sequence_examples(
        folder, sequences, objective, examples=examples, masking=masking, seed=seed
    )
    model = load_language_model(folder, objective)
    return of_model(_collect(model, token_ids, targets, kind, batch_size, "gold"), folder)


def sequence_examples(
    folder: str | Path,
    sequences: pd.DataFrame,
    objective: Objective,
    *,
    examples: int | None,
    masking: Mapping[str, Any],
    seed: int,
) -> tuple[TokenIds, list[list[int]]]:
    """Return the token ids that statistics of a language model are made of, and the tokens it is to predict there."""
    sequences = _drawn(sequences, examples, seed)
    token_ids = sequences["input_ids"].map(list).tolist()
    if objective == "causal":
        return token_ids, next_tokens(token_ids)
    return _masked(folder, sequences["id"].tolist(), token_ids, masking)


def _drawn(frame: pd.DataFrame, examples: int | None, seed: int) -> pd.DataFrame:
    if examples is None or examples >= len(frame):
        return frame
    return frame.sample(examples, random_state=derive_seed(seed, "statistics") % 2**32)


def _masked(
    folder: str | Path, names: Sequence[str], token_ids: TokenIds, masking: Mapping[str, Any]
) -> tuple[list[list[int]], list[list[int]]]:
    """Return the sequences with some tokens masked, and the tokens that stood there."""
    tokenizer = load_tokenizer(folder)
    once = {"rate": masking["rate"], "repeats": 1, "seed": masking["seed"]}
    inputs, targets = [], []
    drawn = draw_maskings(token_ids, tokenizer.all_special_ids, names, **once)
    for ids, (masked,) in zip(token_ids, drawn, strict=True):
        inputs.append(np.where(masked, tokenizer.mask_token_id, ids).tolist())
        targets.append(np.where(masked, ids, IGNORED).tolist())
    return inputs, targets


def _collect(
    model: PreTrainedModel, token_ids: TokenIds, targets: Targets, kind: str, batch_size: int, labels: str
) -> Statistics:
    progress = Progress(len(token_ids), "examples")
    if kind == GRAM:
        found = gram_statistics(model, token_ids, batch_size=batch_size, progress=progress)
    else:
        found = fisher_statistics(
            model, token_ids, targets, labels=labels, batch_size=batch_size, progress=progress
        )
    progress.finish()
    return found
