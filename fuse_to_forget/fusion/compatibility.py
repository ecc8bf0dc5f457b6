"""What makes models unfit to be averaged, told before any weight is read.

Averaging presumes that equal positions mean the same thing in every model (Zaman, Choshen & Srivastava,
2024, section 2: one architecture, one starting point). Each check raises InputError with the first
difference it finds, between the first model and another.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.checkpoint import (
    FLOATS,
    Checkpoint,
    TensorInfo,
    opened,
    read_exactly,
    read_object,
)

SUM_TOLERANCE = 1e-6
BLOCK_BYTES = 1 << 20


def check_coefficients(
    coefficients: Sequence[float] | None, count: int, *, allow_any_sum: bool = False
) -> list[float]:
    """Return one finite coefficient for each of `count` models, equal ones if None is given."""
    if count < 2:
        raise InputError(f"fusing takes at least two models, not {count}: give more")
    if coefficients is None:
        return [1 / count] * count
    coefficients = [float(coefficient) for coefficient in coefficients]
    if len(coefficients) != count:
        raise InputError(
            f"the models are {count} and the coefficients {len(coefficients)}: give one for each model"
        )
    for position, coefficient in enumerate(coefficients, start=1):
        # What counts is the number in float32, which the products are taken in.
        if not math.isfinite(coefficient) or abs(coefficient) > torch.finfo(torch.float32).max:
            raise InputError(f"the coefficient of model {position} is {coefficient}: give a finite number")
    if not allow_any_sum and abs(math.fsum(coefficients) - 1) > SUM_TOLERANCE:
        raise InputError(
            f"the coefficients sum to {math.fsum(coefficients):.7g}, not 1: change them, or allow any sum "
            "(--any-sum) if that is meant"
        )
    return coefficients


def check_names(models: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> None:
    """Raise InputError unless all models hold tensors of the same names."""
    for model, label in zip(models[1:], labels[1:], strict=True):
        different = sorted(model.keys() ^ models[0].keys())
        if different:
            has, lacks = (label, labels[0]) if different[0] in model else (labels[0], label)
            more = f" (1 of {len(different)} names that differ)" if len(different) > 1 else ""
            raise InputError(
                f"{has} has a tensor {different[0]} that {lacks} lacks{more}: fuse models of one architecture"
            )


def check_shapes(models: Sequence[Mapping[str, Tensor | TensorInfo]], labels: Sequence[str]) -> None:
    """Raise InputError unless tensors of one name have one shape; all models hold the same names."""
    for model, label in zip(models[1:], labels[1:], strict=True):
        names = models[0].keys() & model.keys()
        different = sorted(name for name in names if model[name].shape != models[0][name].shape)
        if different:
            name = different[0]
            more = f" (1 of {len(different)} tensors that differ)" if len(different) > 1 else ""
            raise InputError(
                f"{name} has shape {tuple(models[0][name].shape)} in {labels[0]} and "
                f"{tuple(model[name].shape)} in {label}{more}: fuse models of one architecture and size"
            )


def check_dtypes(models: Sequence[Mapping[str, TensorInfo]], labels: Sequence[str]) -> None:
    """Raise InputError if a tensor is an integer in one model and of another dtype in another."""
    for model, label in zip(models[1:], labels[1:], strict=True):
        for name, info in sorted(models[0].items()):
            dtypes = {info.dtype, model[name].dtype}
            if len(dtypes) > 1 and not dtypes <= set(FLOATS):
                raise InputError(
                    f"{name} is {info.dtype} in {labels[0]}, {model[name].dtype} in {label}: save both alike"
                )


def check_label_maps(models: Sequence[Checkpoint], labels: Sequence[str]) -> None:
    """Raise InputError unless the classes of all models have the same names in the same order."""
    maps = [_label_map(model.config) for model in models]
    for label_map, label in zip(maps[1:], labels[1:], strict=True):
        if label_map != maps[0]:
            raise InputError(
                f"the label map (id2label in config.json) is {maps[0]} in {labels[0]} and {label_map} in "
                f"{label}: fuse models of the same classes, or put right the config that is wrong"
            )


def check_vocabularies(models: Sequence[Checkpoint], labels: Sequence[str]) -> None:
    """Raise InputError unless all models number the same tokens alike, as far as their files tell."""
    advice = "fuse models with one tokenizer"
    first = models[0]
    for model, label in zip(models[1:], labels[1:], strict=True):
        sizes = [m.config.get("vocab_size") for m in (first, model)]
        if None not in sizes and sizes[0] != sizes[1]:
            raise InputError(
                f"the vocabularies differ: {sizes[0]} tokens in {labels[0]}, {sizes[1]} in {label}: {advice}"
            )
        difference = _vocabulary_difference(first.folder, model.folder)
        if difference:
            token, ours, theirs = difference
            raise InputError(
                f"the vocabularies differ: token {token!r} is {_number(ours)} in {labels[0]} and "
                f"{_number(theirs)} in {label}: {advice}"
            )


def without_tied_copies(models: Sequence[Checkpoint]) -> list[dict[str, TensorInfo]]:
    """Return each model's tensors without the second names of tied weights that not all models store.

    A name that some models lack is dropped where the config allows tied weights and the tensor equals,
    byte for byte, one of the same model that every model has. Other names stay, for `check_names`.
    """
    common = set.intersection(*(set(model.tensors) for model in models))
    if not all(model.config.get("tie_word_embeddings", True) for model in models):
        return [dict(model.tensors) for model in models]
    return [
        {
            name: info
            for name, info in model.tensors.items()
            if name in common or not _is_copy(info, model, common)
        }
        for model in models
    ]


def _is_copy(info: TensorInfo, model: Checkpoint, names: set[str]) -> bool:
    others = (model.tensors[name] for name in sorted(names))
    return any(
        (o.dtype, o.shape) == (info.dtype, info.shape) and same_bytes([o, info], BLOCK_BYTES) for o in others
    )


def same_bytes(infos: Sequence[TensorInfo], block_bytes: int = BLOCK_BYTES) -> bool:
    """Whether stored tensors of one size are equal byte for byte."""
    first, other = torch.empty(2, block_bytes, dtype=torch.uint8)
    for info in infos[1:]:
        with opened(infos[0].file) as ours, opened(info.file) as theirs:
            for offset in range(0, info.nbytes, block_bytes):
                length = min(block_bytes, info.nbytes - offset)
                read_exactly(ours, first[:length], infos[0].begin + offset, infos[0].file)
                read_exactly(theirs, other[:length], info.begin + offset, info.file)
                if not torch.equal(first[:length], other[:length]):
                    return False
    return True


def _label_map(config: Mapping[str, Any]) -> dict[int, str]:
    # transformers leaves out the map of two unnamed classes.
    stored = config.get("id2label") or {0: "LABEL_0", 1: "LABEL_1"}
    try:
        return {int(number): name for number, name in sorted(stored.items(), key=lambda item: int(item[0]))}
    except (ValueError, TypeError, AttributeError):
        raise InputError(
            f"the label map (id2label in config.json) is {str(stored)[:80]}: map class numbers to names"
        ) from None


def _vocabulary_difference(first: Path, other: Path) -> tuple[str, int | None, int | None] | None:
    """The first token that two folders number differently, and its two numbers; None if they agree."""
    for file, read in VOCABULARY_READERS.items():
        if not ((first / file).is_file() and (other / file).is_file()):
            continue
        if (first / file).read_bytes() == (other / file).read_bytes():
            continue
        ours, theirs = (_read_vocabulary(read, folder / file) for folder in (first, other))
        different = [token for token in ours.keys() | theirs.keys() if ours.get(token) != theirs.get(token)]
        if different:
            token = min(different, key=lambda t: (ours.get(t, math.inf), theirs.get(t, math.inf)))
            return token, ours.get(token), theirs.get(token)
    return None


def _read_vocabulary(read: Callable[[Path], Mapping[str, int]], file: Path) -> Mapping[str, int]:
    try:
        vocabulary = read(file)
        if all(type(number) is int for number in vocabulary.values()):
            return vocabulary
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError):
        pass
    raise InputError(f"{file} holds no vocabulary (token: number): save or download it again")


def _number(number: int | None) -> str:
    return "absent" if number is None else f"number {number}"


def _tokenizer_json(file: Path) -> dict[str, int]:
    tokenizer = read_object(file)
    vocabulary = tokenizer.get("model", {}).get("vocab", {})
    if isinstance(vocabulary, list):  # Unigram models list (token, log-probability) pairs in order
        vocabulary = {token: number for number, (token, _) in enumerate(vocabulary)}
    return vocabulary | {added["content"]: added["id"] for added in tokenizer.get("added_tokens", [])}


def _vocab_txt(file: Path) -> dict[str, int]:
    return {
        token: number
        for number, token in enumerate(file.read_text(encoding="utf-8").rstrip("\n").split("\n"))
    }


VOCABULARY_READERS = {"tokenizer.json": _tokenizer_json, "vocab.json": read_object, "vocab.txt": _vocab_txt}
