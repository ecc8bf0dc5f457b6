"""What collecting statistics starts from: examples that have tokens, and a model in evaluation mode."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from fuse_to_forget.errors import InputError
from fuse_to_forget.prediction.classifier import TokenIds


def check_examples(token_ids: TokenIds) -> None:
    """Raise InputError if there are no examples or one has no tokens."""
    if not len(token_ids):
        raise InputError("There are no examples to collect statistics on: give at least one")
    lengths = [len(ids) for ids in token_ids]
    if 0 in lengths:
        raise InputError(f"Example {lengths.index(0)} (from 0) has no tokens: leave out empty texts")


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Switch dropout off in every module, and afterwards put each back into the mode that it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
