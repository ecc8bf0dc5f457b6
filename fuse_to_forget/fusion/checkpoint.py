"""Hugging Face checkpoint folders, read header by header and never whole.

The safetensors format is 8 bytes (the header's length, little-endian), a JSON header that maps each
tensor's name to its dtype, shape and byte range, and the tensors' bytes. Reading it here, with plain
positioned reads, keeps memory at the size of one buffer: mapped pages would count as resident.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fuse_to_forget.errors import InputError

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
MAX_HEADER_BYTES = 100_000_000  # the limit of the safetensors library itself
MAX_NUMBER = 1 << 48  # bytes or elements, far beyond any file
READ_BY_LIBRARIES = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json",
)  # fmt: skip
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
FLOATS = ("F64", "F32", "F16", "BF16")


@dataclass(frozen=True)
class TensorInfo:
    """One stored tensor: its dtype (safetensors' name), shape, and bytes `begin` to `end` of `file`."""

    dtype: str
    shape: tuple[int, ...]
    file: Path
    begin: int
    end: int

    @property
    def nbytes(self) -> int:
        return self.end - self.begin

    @property
    def itemsize(self) -> int:
        return DTYPES[self.dtype].itemsize

    @property
    def numel(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint folder: its config.json (empty if there is none) and its tensors by name."""

    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, TensorInfo]


def open_checkpoint(folder: str | Path) -> Checkpoint:
    """Read a checkpoint's config and tensor headers, single file or sharded; no weights are read.

    Raises InputError if the folder is missing, holds no safetensors weights, or a file is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            f"no checkpoint folder at {folder}: give the path of a folder with config.json and {WEIGHTS} "
            "(a model of the Hugging Face hub must be downloaded first)"
        )
    tensors = _read_single(folder) if (folder / WEIGHTS).is_file() else _read_sharded(folder)
    if not tensors:
        raise InputError(f"{folder} holds no tensors: save the model again")
    config = read_object(folder / "config.json") if (folder / "config.json").is_file() else {}
    return Checkpoint(folder, config, tensors)


def check_files(folder: str | Path) -> None:
    """Raise InputError naming the first file of a checkpoint folder that is damaged; files may be missing."""
    folder = Path(folder)
    for name in READ_BY_LIBRARIES:
        if (folder / name).is_file():
            read_object(folder / name)
    if (folder / WEIGHTS).is_file():
        _read_single(folder)
    elif (folder / WEIGHTS_INDEX).is_file():
        _read_sharded(folder)


def load_state_dict(folder: str | Path) -> dict[str, Tensor]:
    """Read every tensor of a checkpoint folder into memory, in its stored dtype.

    Raises InputError as `open_checkpoint` does.
    """
    return {name: read_tensor(info) for name, info in open_checkpoint(folder).tensors.items()}


def load_tensors(file: str | Path) -> dict[str, Tensor]:
    """Read every tensor of one safetensors file into memory; raises InputError if it is damaged."""
    return {name: read_tensor(info) for name, info in read_header(Path(file)).items()}


def read_tensor(info: TensorInfo) -> Tensor:
    """Read one tensor into memory, in its stored dtype; raises InputError if the file ends before it."""
    tensor = torch.empty(info.shape, dtype=DTYPES[info.dtype])
    with opened(info.file) as descriptor:
        read_exactly(descriptor, tensor.reshape(-1).view(torch.uint8), info.begin, info.file)
    return tensor


def read_object(file: Path) -> dict[str, Any]:
    """Parse a JSON file that holds an object, or raise InputError naming it."""
    try:
        contents = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not valid JSON ({error}): {_make_again(file)}") from None
    if not isinstance(contents, dict):
        raise InputError(f"{file} does not hold a JSON object: {_make_again(file)}")
    return contents


def _make_again(file: Path) -> str:
    return f"if the workflow made it, delete the folder {file.parent} and run again; else save or download it again"


@contextmanager
def opened(file: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Yield a file descriptor of `file`."""
    descriptor = os.open(file, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_exactly(descriptor: int, buffer: Tensor, offset: int, file: Path) -> None:
    """Fill `buffer`, (n,) uint8, from byte `offset` on; raise InputError if `file` ends before that."""
    view = memoryview(buffer.numpy())
    while view:
        count = os.preadv(descriptor, [view], offset)
        if count == 0:
            raise InputError(
                f"{file} ended while it was being read: wait until it is written, then try again"
            )
        view, offset = view[count:], offset + count


def read_header(file: Path) -> dict[str, TensorInfo]:
    """Read the header of one safetensors file: its tensors in the order of their bytes.

    Raises InputError if the file is truncated, its header is malformed, its tensors overlap or leave bytes over, or a
    dtype is not supported.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > min(size - 8, MAX_HEADER_BYTES):
            raise _damaged(file, f"the header should end at byte {8 + length}, the file at byte {size}")
        header = stream.read(length)
    try:
        entries = json.loads(header)
        entries.pop("__metadata__", None)
        tensors = {name: _tensor_info(file, entry, 8 + length) for name, entry in entries.items()}
    except InputError as error:
        raise InputError(f"{error} in {file}: store the weights as floating-point numbers") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _damaged(file, "its header is not a JSON table of tensors") from None
    tensors = dict(sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)))
    _check_ranges(file, tensors, 8 + length, size)
    return tensors


def _tensor_info(file: Path, entry: Mapping[str, Any], base: int) -> TensorInfo:
    begin, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    if not all(type(number) is int and 0 <= number < MAX_NUMBER for number in (begin, end, *shape)):
        raise ValueError
    if entry["dtype"] not in DTYPES:
        raise InputError(f"dtype {entry['dtype']} cannot be averaged")
    return TensorInfo(entry["dtype"], shape, file, base + begin, base + end)


def _check_ranges(file: Path, tensors: Mapping[str, TensorInfo], base: int, size: int) -> None:
    """Hold tensors, in the order of their bytes, to what the format asks: one after the other up to the file's end."""
    reached = base
    for name, info in tensors.items():
        if info.end > size:
            raise _damaged(file, f"{name} should end at byte {info.end}, the file at byte {size}")
        if info.nbytes != info.numel * info.itemsize:
            raise _damaged(file, f"{name} has {info.nbytes} bytes, not those of {info.dtype} {info.shape}")
        if info.begin != reached:
            raise _damaged(file, f"{name} begins at byte {info.begin}, not at byte {reached}")
        reached = info.end
    if reached != size:
        raise _damaged(file, f"its tensors end at byte {reached}, the file at byte {size}")


def _damaged(file: Path, detail: str) -> InputError:
    return InputError(f"{file} is truncated or damaged ({detail}): {_make_again(file)}")


def _read_single(folder: Path) -> dict[str, TensorInfo]:
    return read_header(folder / WEIGHTS)


def _read_sharded(folder: Path) -> dict[str, TensorInfo]:
    index = folder / WEIGHTS_INDEX
    if not index.is_file():
        raise _no_weights(folder)
    weight_map = read_object(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise InputError(f"{index} has no weight_map: {_make_again(index)}")
    tensors: dict[str, TensorInfo] = {}
    for shard in weight_map.values():
        if not isinstance(shard, str) or shard != Path(shard).name or not shard.endswith(".safetensors"):
            raise InputError(
                f"{index} names {str(shard)[:80]!r}, which is no file beside it: {_make_again(index)}"
            )
    for shard in dict.fromkeys(weight_map.values()):
        if not (folder / shard).is_file():
            raise InputError(f"{folder / shard}, listed in {index.name}, is missing: download it again")
        tensors |= {n: info for n, info in read_header(folder / shard).items() if weight_map.get(n) == shard}
    missing = sorted(weight_map.keys() - tensors.keys())
    if missing:
        raise InputError(
            f"{missing[0]}, listed in {index}, is not in {weight_map[missing[0]]}: download both again"
        )
    return tensors


def _no_weights(folder: Path) -> InputError:
    if any(folder.glob("pytorch_model*.bin")):
        return InputError(
            f"{folder} holds pickled weights (pytorch_model.bin) and only safetensors are read: open it with "
            "transformers and save it again with model.save_pretrained(folder)"
        )
    return InputError(f"no {WEIGHTS} in {folder}: save the model there with model.save_pretrained(folder)")
