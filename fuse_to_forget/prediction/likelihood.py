"""How likely a language model finds token sequences, and what it recites verbatim (paper, section 6, appendix E)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from fuse_to_forget.errors import InputError
from fuse_to_forget.objectives import AUTO_MODELS, Objective, check_objective
from fuse_to_forget.prediction.classifier import TokenIds, batches_by_length, device
from fuse_to_forget.pretrained import open_config, open_weights
from fuse_to_forget.progress import Progress
from fuse_to_forget.seeds import derive_seed
from fuse_to_forget.subsets.sequences import context_length

IGNORED = -100  # the target of a position at which nothing is predicted; no token has this id


@dataclass(frozen=True)
class Likelihoods:
    """What a model makes of n sequences, in the order given.

    - `log_likelihood`: (n,) float64, nats, summed over the predicted tokens
    - `tokens`: (n,) int64, how many tokens were predicted
    - `verbatim`: (n,) int64, how many tokens right after the prefix greedy decoding gets right before its first
      error; -1 for a masked language model and for sequences not longer than the prefix
    """

    log_likelihood: np.ndarray
    tokens: np.ndarray
    verbatim: np.ndarray


def load_language_model(folder: str | Path, objective: Objective) -> PreTrainedModel:
    """Load a language model in float32, in evaluation mode, on `device()`.

    Raises InputError if the checkpoint has no language modelling head or is not a model of this objective.
    """
    check_objective(open_config(folder), objective, folder)
    model, loading = open_weights(
        AUTO_MODELS[objective],
        folder,
        f"loaded as a {objective} language model",
        dtype=torch.float32,
        output_loading_info=True,
    )
    missing = sorted(loading["missing_keys"])
    if missing:  # transformers draws them at random
        raise InputError(
            f"The checkpoint {folder} lacks the weight {missing[0]}; save the model with its language modelling head."
        )
    return model.eval().to(device())


def check_context(model: PreTrainedModel, token_ids: TokenIds) -> None:
    """Raise InputError if a sequence is empty or longer than the model's context (tokens)."""
    lengths = [len(ids) for ids in token_ids]
    context = context_length(model.config)
    if 0 in lengths:
        raise InputError(f"Sequence {lengths.index(0)} (from 0) has no tokens; leave out empty texts.")
    if max(lengths, default=0) > context:
        raise InputError(
            f"The longest sequence has {max(lengths)} tokens, but the model's context is {context} tokens; "
            "lower the sequence length."
        )


@torch.inference_mode()
def causal_likelihoods(
    model: PreTrainedModel,
    token_ids: TokenIds,
    batch_size: int,
    prefix: int,
    progress: Progress | None = None,
) -> Likelihoods:
    """Predict every token but the first of each sequence from those before it (paper, section 6).

    `prefix` is the number of tokens after which recitation starts, at least 1. `verbatim`, at most len - `prefix`,
    needs no generation: greedy decoding agrees with the text for as long as the teacher-forced argmax does.
    Decoding is not taken to stop at an end-of-text token.

    Raises InputError for an empty sequence, one longer than the model's context, or a `prefix` below 1.
    """
    check_context(model, token_ids)
    if prefix < 1:
        raise InputError(f"The prefix is {prefix} tokens long; greedy decoding needs at least 1.")
    log_likelihood = np.empty(len(token_ids))
    verbatim = np.empty(len(token_ids), dtype=np.int64)
    pad_id = model.config.pad_token_id or 0
    for positions, ids, mask in batches_by_length(token_ids, pad_id, batch_size, progress):
        ids, mask = ids.to(model.device), mask.to(model.device)
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        # The target at each position is the next token; the last token and padding have none.
        targets = torch.full_like(ids, IGNORED)
        targets[:, :-1] = ids[:, 1:].masked_fill(mask[:, 1:] == 0, IGNORED)
        log_likelihood[positions] = _summed_log_likelihood(logits, targets)
        right = (logits.argmax(-1) == targets)[:, prefix - 1 :]
        verbatim[positions] = right.long().cumprod(1).sum(1).cpu().numpy()
    lengths = np.array([len(ids) for ids in token_ids], dtype=np.int64)
    return Likelihoods(log_likelihood, lengths - 1, np.where(lengths > prefix, verbatim, -1))


def draw_maskings(
    token_ids: TokenIds,
    special_ids: Collection[int],
    ids: Sequence[str],
    rate: float,
    repeats: int,
    seed: int,
) -> list[np.ndarray]:
    """Return which tokens to mask: one boolean array (`repeats`, len) per sequence (paper, appendix E).

    Every token not in `special_ids` is masked with probability `rate`, independently in each repeat. A sequence's
    masks follow from `seed` and its own id in `ids`, so they are the same for every model, whatever else is
    evaluated. Where no token at all would be masked, one is in the first repeat.

    Raises InputError for a sequence of special tokens only.
    """
    maskings = []
    for sequence, name in zip(token_ids, ids, strict=True):
        maskable = ~np.isin(sequence, list(special_ids))
        if not maskable.any():
            raise InputError(f"The sequence {name} has only special tokens; leave out empty texts.")
        rng = np.random.default_rng(derive_seed(seed, "masking", name))
        masking = (rng.random((repeats, len(sequence))) < rate) & maskable
        if not masking.any():
            masking[0, rng.choice(np.flatnonzero(maskable))] = True
        maskings.append(masking)
    return maskings


@torch.inference_mode()
def masked_likelihoods(
    model: PreTrainedModel,
    token_ids: TokenIds,
    maskings: Sequence[np.ndarray],
    mask_id: int,
    batch_size: int,
    progress: Progress | None = None,
) -> Likelihoods:
    """Predict the masked tokens of each sequence, over all repeats of its masking (paper, appendix E).

    `maskings` is what `draw_maskings` returns. A repeat is a copy of the sequence in which all its masked tokens
    are replaced by `mask_id` at once; `batch_size` counts copies.

    Raises InputError for an empty sequence or one longer than the model's context.
    """
    check_context(model, token_ids)
    pairs = enumerate(zip(token_ids, maskings, strict=True))
    rows = [(owner, ids, masked) for owner, (ids, masking) in pairs for masked in masking]
    copies = [ids for _, ids, _ in rows]
    sums = np.empty(len(rows))
    pad_id = model.config.pad_token_id or 0
    for positions, ids, mask in batches_by_length(copies, pad_id, batch_size, progress):
        masked = pad_sequence([torch.from_numpy(rows[row][2]) for row in positions], batch_first=True)
        inputs, targets = ids.masked_fill(masked, mask_id), ids.masked_fill(~masked, IGNORED)
        logits = model(input_ids=inputs.to(model.device), attention_mask=mask.to(model.device)).logits
        sums[positions] = _summed_log_likelihood(logits, targets.to(model.device))
    owners = np.array([owner for owner, _, _ in rows], dtype=np.int64)
    return Likelihoods(
        log_likelihood=np.bincount(owners, weights=sums, minlength=len(token_ids)),
        tokens=np.array([masking.sum() for masking in maskings], dtype=np.int64),
        verbatim=np.full(len(token_ids), -1, dtype=np.int64),
    )


def _summed_log_likelihood(logits: Tensor, targets: Tensor) -> np.ndarray:
    """Log-likelihood (nats) of `targets` (b, l) under `logits` (b, l, V), summed over each row: float64 (b,)."""
    # cross_entropy gives 0 where the target is IGNORED, and flattening both copies no logits.
    loss = functional.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return -loss.view(targets.shape).double().sum(1).cpu().numpy()
