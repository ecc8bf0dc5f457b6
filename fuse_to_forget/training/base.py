"""The model that training starts from: a pretrained encoder, a new head, and new tokens where there are any."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)

from fuse_to_forget.pretrained import open_tokenizer, open_weights


def load_base(
    base_model: str | Path, label_names: Sequence[str], new_tokens: Sequence[str] = (), *, seed: int
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Load tokenizer and classifier in float32; head and rows of `new_tokens` are drawn by `seed`.

    New tokens are ordinary words to the tokenizer, found anywhere in a text; their rows come from the model's own
    initialisation, N(0, .02) in BERT. Sets the global seeds. Raises InputError if `base_model` is no checkpoint of
    an encoder with a tokenizer.
    """
    set_seed(seed)
    names = dict(enumerate(label_names))
    purpose = "loaded as a text classifier"
    tokenizer = open_tokenizer(base_model, purpose)
    model = open_weights(
        AutoModelForSequenceClassification,
        base_model,
        purpose,
        num_labels=len(names),
        id2label=names,
        label2id={name: i for i, name in names.items()},
        problem_type="single_label_classification",  # else written down by the first batch, if there is one
        dtype=torch.float32,
    )
    if tokenizer.add_tokens(list(new_tokens)):
        # The mean of the old rows would make the new tokens nearly alike, and their order hard to learn.
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    return tokenizer, model
