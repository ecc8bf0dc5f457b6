"""Tensors worked on piece by piece: what is computed on the way stays in the processor's cache, however large they are.

A few threads work on a piece each, rather than all on one: many short operations would mostly wait for the last thread
where other jobs run beside. Functions of the elements alone give the same bits however a tensor is cut.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from fuse_to_forget.fusion.average import CHUNK

WORKERS = min(2, os.cpu_count() or 1)  # more of them wait for the memory, not for a processor
DIGIT = 16  # bits that are counted at a time
WHOLE = {torch.float32: torch.int32, torch.float64: torch.int64}  # numbers of the same width

T = TypeVar("T")


@contextmanager
def restored_thread_count() -> Iterator[None]:
    """Leave torch's number of threads as it was."""
    # set_num_threads is meant for the calling thread but also sets what later threads start with.
    count = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(count)


def over_pieces(
    function: Callable[..., T], tensors: Sequence[Tensor], unit: int = 1, workers: int = WORKERS
) -> Iterator[T]:
    """Cut tensors of one shape into flat pieces, (n,), and yield `function(*pieces)` of those that belong together.

    All pieces but the last have a multiple of `unit` elements. Results are in order; calls are too, if there is one
    worker. An accelerator takes a tensor whole.
    """
    size = max(CHUNK // unit, 1) * unit if tensors[0].device.type == "cpu" else tensors[0].numel()
    flat = (tensor.reshape(-1).split(max(size, 1)) for tensor in tensors)
    cut = list(zip(*flat, strict=True))
    if len(cut) < 2:
        yield from (function(*parts) for parts in cut)
        return
    with restored_thread_count():
        pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
        try:
            yield from pool.map(lambda parts: function(*parts), cut)
        finally:
            pool.shutdown(cancel_futures=True)


def by_pieces(
    function: Callable[..., Tensor],
    tensors: Sequence[Tensor],
    dtype: torch.dtype,
    unit: int = 1,
    workers: int = WORKERS,
) -> Tensor:
    """Return a new tensor of the same shape, of `dtype`, with what `over_pieces` yields side by side."""
    result = torch.empty(tensors[0].shape, dtype=dtype, device=tensors[0].device)

    def put(target: Tensor, *parts: Tensor) -> None:
        target.copy_(function(*parts))

    for _ in over_pieces(put, [result, *tensors], unit, workers):
        pass
    return result


def norm(function: Callable[..., Tensor], tensors: Sequence[Tensor]) -> float:
    """The Euclidean norm of all that `function(*pieces)` returns."""
    return math.hypot(
        *over_pieces(
            lambda *parts: torch.linalg.vector_norm(function(*parts), dtype=torch.float64).item(), tensors
        )
    )


def smallest(
    function: Callable[..., Tensor], tensors: Sequence[Tensor], rank: int, dtype: torch.dtype
) -> float:
    """The value that `rank` others precede when all that `function(*pieces)` returns is sorted, exactly.

    These are float32 or float64, `dtype`, none negative. Taken as integers the bits of such numbers are in the same
    order, so that counting how many begin with each value of a few bits, then of a few more, finds those of the value.
    """
    found = 0
    for shift in range(8 * dtype.itemsize - DIGIT, -1, -DIGIT):
        counts = sum(over_pieces(partial(_count, function, found, shift), tensors))
        preceding = counts.cumsum(0)
        digit = int(torch.searchsorted(preceding, rank, right=True))
        rank -= int(preceding[digit] - counts[digit])
        found = found << DIGIT | digit
    return torch.tensor(found, dtype=WHOLE[dtype]).view(dtype).item()


def _count(function: Callable[..., Tensor], found: int, shift: int, *parts: Tensor) -> Tensor:
    """How many of the numbers that begin with the bits `found` go on with each value of those from `shift` on."""
    sizes = function(*parts)
    bits = sizes.view(WHOLE[sizes.dtype])
    if shift + DIGIT < 8 * sizes.itemsize:
        bits = bits[(bits >> (shift + DIGIT)) == found]
    return ((bits >> shift) & (2**DIGIT - 1)).bincount(minlength=2**DIGIT)
