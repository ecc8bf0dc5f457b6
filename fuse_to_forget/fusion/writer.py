"""Checkpoint folders as transformers writes them, laid out before any weight is known.

Sizes and offsets follow from dtypes and shapes alone, so headers are written first and every chunk of
every tensor can then go straight to its place, in any order and from any thread.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fuse_to_forget.fusion.checkpoint import WEIGHTS, WEIGHTS_INDEX, Checkpoint, TensorInfo, read_object

# What belongs to a model beside its weights; training state, logs and evaluation results do not.
COMPANION_FILES = (
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "bpe.codes",
    "preprocessor_config.json",
    "processor_config.json",
    "chat_template.json",
    "*.jinja",
    "*.model",
    "*.spm",
)
# Larger writes to a new file make Linux look for large free pages, which can take longer than the write.
MAX_WRITE_BYTES = 1 << 19
PATH_KEYS = ("_name_or_path", "name_or_path")  # where transformers notes the folder a model was opened from


@dataclass(frozen=True)
class Shard:
    """One weights file to be: its name, its header, the first byte of each tensor in it, its size."""

    file: str
    header: bytes
    offsets: Mapping[str, int]
    nbytes: int


def plan_shards(tensors: Mapping[str, TensorInfo], max_shard_bytes: int | None = None) -> list[Shard]:
    """Lay tensors out in files of at most `max_shard_bytes` of weights, or in one file if that is None.

    Tensors keep their order from file to file; one that is larger than the limit has a file to itself.
    """
    groups: list[dict[str, TensorInfo]] = [{}]
    room = max_shard_bytes
    for name, info in tensors.items():
        if room is not None and info.nbytes > room and groups[-1]:
            groups.append({})
            room = max_shard_bytes
        groups[-1][name] = info
        if room is not None:
            room -= info.nbytes
    if len(groups) == 1:
        return [_shard(WEIGHTS, groups[0])]
    return [
        _shard(f"model-{number:05d}-of-{len(groups):05d}.safetensors", group)
        for number, group in enumerate(groups, start=1)
    ]


def _shard(file: str, tensors: Mapping[str, TensorInfo]) -> Shard:
    # Widest dtypes first, as the safetensors library does, so that every tensor is aligned.
    ordered = sorted(tensors.items(), key=lambda item: -item[1].itemsize)
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    begins, end = {}, 0
    for name, info in ordered:
        begins[name], end = end, end + info.nbytes
        entries[name] = {"dtype": info.dtype, "shape": info.shape, "data_offsets": [begins[name], end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    header = len(text).to_bytes(8, "little") + text
    return Shard(file, header, {n: len(header) + begin for n, begin in begins.items()}, len(header) + end)


def write_layout(folder: Path, shards: Sequence[Shard]) -> None:
    """Create every weights file in its full size with its header, and the index if there are several."""
    for shard in shards:
        with (folder / shard.file).open("wb") as stream:
            stream.write(shard.header)
            stream.truncate(shard.nbytes)
    if len(shards) > 1:
        weight_map = {name: shard.file for shard in shards for name in shard.offsets}
        total = sum(shard.nbytes - len(shard.header) for shard in shards)
        write_json(folder / WEIGHTS_INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})


def write_exactly(descriptor: int, values: memoryview, offset: int) -> None:
    """Write all bytes of `values` from byte `offset` on."""
    while values:
        count = os.pwrite(descriptor, values[:MAX_WRITE_BYTES], offset)
        values, offset = values[count:], offset + count


def write_tensor(descriptor: int, tensor: Tensor, offset: int) -> None:
    """Write a tensor as it is stored from byte `offset` on."""
    write_exactly(descriptor, memoryview(tensor.reshape(-1).view(torch.uint8).numpy()), offset)


def copy_companions(model: Checkpoint, folder: Path) -> None:
    """Copy a model's config, tokenizer and generation files, without the paths that they may name."""
    files = {file for pattern in COMPANION_FILES for file in model.folder.glob(pattern)}
    for file in sorted(files):
        shutil.copyfile(file, folder / file.name)
    if model.config:
        write_json(folder / "config.json", _without_paths(model.config))
    if (folder / "tokenizer_config.json").is_file():
        settings = read_object(model.folder / "tokenizer_config.json")
        write_json(folder / "tokenizer_config.json", _without_paths(settings))


def write_json(file: Path, contents: object) -> None:
    """Write indented JSON in UTF-8."""
    file.write_text(json.dumps(contents, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _without_paths(settings: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in settings.items() if key not in PATH_KEYS}
