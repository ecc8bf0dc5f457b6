"""Order of training examples: like lengths together, drawn afresh each epoch, the same after a restart."""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices

from fuse_to_forget.seeds import derive_seed


class EpochSeededLengthSampler(Sampler[int]):
    """Group examples of like length as the Trainer's own sampler does, in an order that is a function of (seed, epoch).

    The Trainer's sampler draws from the global generator, so a job that resumes within an epoch would see
    other batches than an undisturbed one.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = list(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer when an epoch begins, or goes on."""
        self.epoch = int(epoch)

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "order", str(self.epoch)))
        return iter(get_length_grouped_indices(self.lengths, self.batch_size, generator=generator))
