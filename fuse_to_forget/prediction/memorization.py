"""Likelihoods of all sequences of a run under its base model, its fine-tuned and its fused models, in one job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fuse_to_forget.coefficients import format_coefficients
from fuse_to_forget.fusion.average import average_state_dicts
from fuse_to_forget.fusion.checkpoint import load_state_dict
from fuse_to_forget.objectives import Objective
from fuse_to_forget.prediction.classifier import load_tokenizer
from fuse_to_forget.prediction.likelihood import (
    Likelihoods,
    causal_likelihoods,
    draw_maskings,
    load_language_model,
    masked_likelihoods,
)
from fuse_to_forget.prediction.sweep import load_weights
from fuse_to_forget.progress import Progress


@dataclass(frozen=True)
class Reading:
    """How sequences are read: causal or masked, how many at once, the prefix before a recitation, and the masking."""

    objective: Objective
    batch_size: int
    prefix: int
    masking: Mapping[str, Any]  # rate, repeats, seed

    def maskings(self, sequences: pd.DataFrame, tokenizer: PreTrainedTokenizerBase) -> list[np.ndarray]:
        """Draw which tokens of each sequence are masked, the same for every model; none of a causal one."""
        if self.objective == "causal":
            return []
        token_ids = sequences["input_ids"].map(list).tolist()
        return draw_maskings(token_ids, tokenizer.all_special_ids, sequences["id"], **self.masking)

    def likelihoods(
        self,
        model: PreTrainedModel,
        sequences: pd.DataFrame,
        maskings: Sequence[np.ndarray],
        mask_id: int | None,
        progress: Progress,
    ) -> Likelihoods:
        """Read all sequences with one model."""
        token_ids = sequences["input_ids"].map(list).tolist()
        if self.objective == "causal":
            return causal_likelihoods(model, token_ids, self.batch_size, self.prefix, progress)
        return masked_likelihoods(model, token_ids, maskings, mask_id, self.batch_size, progress)


def read_with_all(
    sequences: pd.DataFrame,
    base: str | Path,
    trained: Mapping[str, str | Path],
    fused: Mapping[str, Sequence[str]],
    reading: Reading,
    *,
    seed: int,
) -> pd.DataFrame:
    """Read `sequences` (columns dataset, id, article, input_ids) with every model of a run.

    `trained` maps models to checkpoint folders, `fused` maps names to the trained models whose plain average they are,
    made in memory. Returns, for each model and sequence, `log_likelihood`, `tokens`, `verbatim` (see `Likelihoods`),
    `length` (what `verbatim` can be at most) and the names of the model.

    Raises InputError as the readers and `average_state_dicts` do.
    """
    tokenizer = load_tokenizer(base)
    maskings = reading.maskings(sequences, tokenizer)
    model = load_language_model(base, reading.objective)
    readings = sum(map(len, maskings)) or len(sequences)
    progress = Progress((1 + len(trained) + len(fused)) * readings, "readings")

    def rows(name: str, kind: str, method: str, coefficients: str = "") -> pd.DataFrame:
        print(f"reading with {name}", flush=True)
        found = reading.likelihoods(model, sequences, maskings, tokenizer.mask_token_id, progress)
        return sequence_rows(sequences, found, reading.prefix).assign(
            model=name, kind=kind, method=method, coefficients=coefficients, seed=seed
        )

    frames = [rows("base", "base", "pretrained")]
    weights = {name: load_state_dict(folder) for name, folder in trained.items()}
    for name, state_dict in weights.items():
        load_weights(model, state_dict)
        frames.append(rows(name, "full" if name.startswith("full") else "single", "finetuned"))
    for name, constituents in fused.items():
        share = 1 / len(constituents)
        load_weights(
            model, average_state_dicts([weights[c] for c in constituents], [share] * len(constituents))
        )
        frames.append(rows(name, "fused", "average", format_coefficients(dict.fromkeys(constituents, share))))
    progress.finish()
    return pd.concat(frames, ignore_index=True)


def sequence_rows(sequences: pd.DataFrame, found: Likelihoods, prefix: int) -> pd.DataFrame:
    """Lay out what a model makes of sequences: `length` is what `verbatim` can be at most."""
    lengths = sequences["input_ids"].str.len() - prefix
    return sequences[["dataset", "id", "article"]].assign(
        log_likelihood=found.log_likelihood,
        tokens=found.tokens,
        verbatim=found.verbatim,
        length=np.where(found.verbatim >= 0, lengths, -1),
    )
