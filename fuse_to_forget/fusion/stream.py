"""Averaging weights from files to files in bounded memory.

Tensors are cut into spans that a few threads work off; a span is read, averaged and written in chunks
that fit the processor's cache. Memory is a handful of chunks per thread, however large the tensors and
however many the models.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import torch
from torch import Tensor

from fuse_to_forget.fusion.average import (
    CHUNK,
    accumulate,
    accumulation_dtype,
    is_finite,
    not_common,
    not_finite,
    overflowed,
)
from fuse_to_forget.fusion.checkpoint import DTYPES, FLOATS, TensorInfo, opened, read_exactly
from fuse_to_forget.fusion.chunks import WORKERS, restored_thread_count
from fuse_to_forget.fusion.compatibility import same_bytes
from fuse_to_forget.fusion.writer import Shard, write_exactly

SPAN = 1 << 22  # elements: long enough to make opening files free, short enough to stop quickly


@dataclass(frozen=True)
class Span:
    """Elements `begin` to `end` of one tensor: where each model stores it, and where the average goes."""

    name: str
    sources: Sequence[TensorInfo]
    labels: Sequence[str]
    target: Path
    offset: int  # of the tensor's first byte in `target`
    begin: int
    end: int


def average_files(
    models: Sequence[Mapping[str, TensorInfo]],
    labels: Sequence[str],
    coefficients: Sequence[float],
    folder: Path,
    shards: Sequence[Shard],
) -> Iterator[int]:
    """Average the models' tensors into the laid-out `shards` of `folder`; yield the bytes done at each step.

    The dtype of each tensor is the first model's. Raises InputError naming the tensor and the model for
    weights that are not finite, for integers that differ and for averages that overflow.
    """
    spans = list(_spans(models, labels, folder, shards))
    spare: SimpleQueue[Tensor] = SimpleQueue()
    for _ in range(WORKERS):
        spare.put(torch.empty(4, CHUNK * torch.float64.itemsize, dtype=torch.uint8))

    def work(span: Span) -> int:
        buffers = spare.get()
        try:
            return _average_span(span, coefficients, buffers)
        finally:
            spare.put(buffers)

    with restored_thread_count():
        pool = ThreadPoolExecutor(WORKERS, initializer=torch.set_num_threads, initargs=(1,))
        try:
            yield from pool.map(work, spans)
        finally:
            pool.shutdown(cancel_futures=True)


def _spans(
    models: Sequence[Mapping[str, TensorInfo]], labels: Sequence[str], folder: Path, shards: Sequence[Shard]
) -> Iterator[Span]:
    for shard in shards:
        for name, offset in shard.offsets.items():
            sources = [model[name] for model in models]
            numel = sources[0].numel
            step = SPAN if sources[0].dtype in FLOATS else max(numel, 1)
            for begin in range(0, numel, step):
                end = min(begin + step, numel)
                yield Span(name, sources, labels, folder / shard.file, offset, begin, end)


def _average_span(span: Span, coefficients: Sequence[float], buffers: Tensor) -> int:
    first = span.sources[0]
    if first.dtype not in FLOATS:
        return _copy_common(span, buffers[0])
    dtypes = [DTYPES[info.dtype] for info in span.sources]
    accumulated = accumulation_dtype(dtypes)
    raw, total, term, result = buffers.unbind()
    total, term, result = total.view(accumulated), term.view(accumulated), result.view(dtypes[0])
    with ExitStack() as stack:
        files = [stack.enter_context(opened(info.file)) for info in span.sources]
        target = stack.enter_context(opened(span.target, os.O_WRONLY))
        for begin in range(span.begin, span.end, CHUNK):
            length = min(CHUNK, span.end - begin)
            parts = (
                _read(file, info, begin, length, raw) for file, info in zip(files, span.sources, strict=True)
            )
            accumulate(total[:length], term[:length], parts, coefficients)
            average = result[:length].copy_(total[:length])
            if not is_finite(average):
                raise _explain(span, begin, length, raw)
            write_exactly(target, _bytes(average), span.offset + begin * first.itemsize)
    return (span.end - span.begin) * first.itemsize


def _read(file: int, info: TensorInfo, begin: int, length: int, buffer: Tensor) -> Tensor:
    """Read `length` elements from element `begin` on into `buffer`, (bytes,) uint8; return (length,)."""
    raw = buffer[: length * info.itemsize]
    read_exactly(file, raw, info.begin + begin * info.itemsize, info.file)
    return raw.view(DTYPES[info.dtype])


def _bytes(values: Tensor) -> memoryview:
    return memoryview(values.view(torch.uint8).numpy())


def _explain(span: Span, begin: int, length: int, buffer: Tensor) -> Exception:
    """Read a chunk whose average is not finite again and say which model is to blame, if any."""
    for info, label in zip(span.sources, span.labels, strict=True):
        with opened(info.file) as file:
            if not is_finite(_read(file, info, begin, length, buffer)):
                return not_finite(span.name, label)
    return overflowed(span.name, DTYPES[span.sources[0].dtype])


def _copy_common(span: Span, buffer: Tensor) -> int:
    """Copy a tensor of integers, the same in all models, whole."""
    info = span.sources[0]
    if not same_bytes(span.sources):
        raise not_common(span.name)
    step = buffer.numel()
    with opened(info.file) as source, opened(span.target, os.O_WRONLY) as target:
        for offset in range(0, info.nbytes, step):
            block = buffer[: min(step, info.nbytes - offset)]
            read_exactly(source, block, info.begin + offset, info.file)
            write_exactly(target, _bytes(block), span.offset + offset)
    return info.nbytes
