"""A classification head on top of a base model, for trainings that are all to start from it."""

from collections.abc import Sequence
from pathlib import Path

from fuse_to_forget.files import atomic_path
from fuse_to_forget.training.base import load_base


def draw_head(base_model: str | Path, output: str | Path, *, label_names: Sequence[str], seed: int) -> None:
    """Write `base_model` as a classifier at `output`; its head is drawn by `seed`, and trainings from there keep it.

    Raises InputError if `base_model` is no checkpoint of an encoder with a tokenizer.
    """
    tokenizer, model = load_base(base_model, label_names, seed=seed)
    with atomic_path(output) as scratch:
        model.save_pretrained(scratch, max_shard_size="1000GB")  # one file: the workflow names it
        tokenizer.save_pretrained(scratch)
