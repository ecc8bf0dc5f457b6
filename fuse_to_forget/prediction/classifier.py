"""Per-example predictions of a sequence classifier: tokenised once, batched by length."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from fuse_to_forget.pretrained import open_tokenizer, open_weights
from fuse_to_forget.progress import Progress

TokenIds = Sequence[list[int]]


def device() -> torch.device:
    """The GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_classifier(folder: str | Path) -> PreTrainedModel:
    """Load a classifier in float32, in evaluation mode, on `device()`; raises InputError if it is damaged."""
    purpose = "loaded as a text classifier"
    model = open_weights(AutoModelForSequenceClassification, folder, purpose, dtype=torch.float32)
    return model.eval().to(device())


def load_tokenizer(folder: str | Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a checkpoint folder."""
    return open_tokenizer(folder)


def tokenize(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """Return the token ids of each text, special tokens included, cut to `max_length` and not padded."""
    return tokenizer(list(texts), truncation=True, max_length=max_length, return_attention_mask=False)[
        "input_ids"
    ]


def batches_by_length(
    token_ids: TokenIds, pad_id: int, batch_size: int, progress: Progress | None = None
) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor]]:
    """Yield (positions in `token_ids`, ids (b, l), attention mask (b, l)), longest texts first.

    Texts of like length share a batch, so next to nothing is spent on padding; the longest come first
    so that a lack of memory shows at once. A batch counts as done in `progress` when the next one is asked for.
    """
    order = np.argsort([-len(ids) for ids in token_ids], kind="stable")
    for start in range(0, len(order), batch_size):
        positions = order[start : start + batch_size]
        width = len(token_ids[positions[0]])
        ids = torch.full((len(positions), width), pad_id)
        mask = torch.zeros((len(positions), width), dtype=torch.long)
        for row, position in enumerate(positions):
            length = len(token_ids[position])
            ids[row, :length] = torch.tensor(token_ids[position])
            mask[row, :length] = 1
        yield positions, ids, mask
        if progress is not None:
            progress.advance(len(positions))


@torch.inference_mode()
def predict_logits(
    model: PreTrainedModel, token_ids: TokenIds, batch_size: int, progress: Progress | None = None
) -> np.ndarray:
    """Return the logits of each text, shape (n, labels), in the order given."""
    logits = np.empty((len(token_ids), model.config.num_labels), dtype=np.float32)
    pad_id = model.config.pad_token_id or 0
    for positions, ids, mask in batches_by_length(token_ids, pad_id, batch_size, progress):
        output = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device))
        logits[positions] = output.logits.float().cpu().numpy()
    return logits


@torch.inference_mode()
def pooled_representations(model: PreTrainedModel, token_ids: TokenIds, batch_size: int) -> np.ndarray:
    """Return the encoder's `pooler_output` of each text, or its first token's last state where there is no pooler.

    This is what the classification head of BERT sees (paper, section 5.2). Shape (n, hidden size), float32.
    """
    rows = np.empty((len(token_ids), model.config.hidden_size), dtype=np.float32)
    for positions, ids, mask in batches_by_length(token_ids, model.config.pad_token_id or 0, batch_size):
        output = model.base_model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device))
        pooled = getattr(output, "pooler_output", None)
        pooled = output.last_hidden_state[:, 0] if pooled is None else pooled
        rows[positions] = pooled.float().cpu().numpy()
    return rows


def prediction_rows(frame: pd.DataFrame, probability: np.ndarray, **shared: str | int) -> pd.DataFrame:
    """Join predictions to their examples: `frame` without its text, `prediction`, `probability` of label 1, `shared`.

    `shared` names the model, kind, method, coefficients, split and seed, the same for every row.
    """
    rows = frame.drop(columns="text")
    return rows.assign(prediction=(probability > 0.5).astype(np.int8), probability=probability, **shared)


def label_one_probability(logits: np.ndarray) -> np.ndarray:
    """Softmax probability of label 1 from logits of shape (n, 2), float64 (n,); above .5 where logit 1 is larger."""
    return 1 / (1 + np.exp(logits[:, 0].astype(np.float64) - logits[:, 1].astype(np.float64)))
