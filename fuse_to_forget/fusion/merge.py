"""Fusing whole models with any method, in memory or from files to files.

One name is fused at a time, from whole tensors: beside the inputs and the result, memory is a few times the
largest tensor for each model, in float32. Both drivers hand the same tensors to the same function, so they
give the same bits.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.alignment import check_base_shapes, match_base, tied_copies
from fuse_to_forget.fusion.average import (
    average_state_dicts,
    common,
    is_finite,
    not_finite,
    overflowed,
    weighted_average,
)
from fuse_to_forget.fusion.catalog import WEIGHTED_AVERAGE, complete_settings, find_method
from fuse_to_forget.fusion.checkpoint import TensorInfo, opened, read_tensor
from fuse_to_forget.fusion.compatibility import check_names, check_shapes, same_bytes
from fuse_to_forget.fusion.methods import FUNCTIONS, check_use
from fuse_to_forget.fusion.with_statistics import merge_in_memory
from fuse_to_forget.fusion.writer import Shard, write_tensor
from fuse_to_forget.seeds import derive_seed
from fuse_to_forget.statistics.store import Statistics


@dataclass(frozen=True)
class Recipe:
    """What is done to the tensors of each name: a method of METHODS with all that it takes beside them.

    `names` tell the models apart; a random method draws for each tensor by `seed`, the model's name and the
    tensor's, so neither the models' order nor what else is fused changes what is drawn.
    """

    method: str
    coefficients: Sequence[float]
    settings: Mapping[str, float]
    seed: int
    names: Sequence[str]


def merge_state_dicts(
    method: str,
    state_dicts: Sequence[Mapping[str, Tensor]],
    base: Mapping[str, Tensor] | None = None,
    coefficients: Sequence[float] | None = None,
    settings: Mapping[str, float] | None = None,
    seed: int = 0,
    *,
    names: Sequence[str] | None = None,
    allow_any_sum: bool = False,
    statistics: Sequence[Statistics] | None = None,
) -> dict[str, Tensor]:
    """Fuse state dicts in memory; the result has the first one's names, shapes and dtypes.

    `base` is the state dict of the model that all were fine-tuned from, for methods that need it. What it
    lacks (heads, rows of added tokens) is averaged, with coefficients scaled to sum to 1. Integer and
    boolean buffers must be equal in all models. `names` are the models' names, "model 1" and so on by
    default, which matter to random methods only. `statistics` of each model are for methods that need
    them. Inputs are never changed.

    Raises InputError for a method, setting, coefficients or base that do not fit, for names or shapes that
    differ, for integer buffers that differ, and for weights or a result that are not finite.
    """
    labels = [f"model {position}" for position in range(1, len(state_dicts) + 1)]
    coefficients = check_use(
        method,
        coefficients,
        len(state_dicts),
        has_base=base is not None,
        has_statistics=statistics is not None,
        allow_any_sum=allow_any_sum,
    )
    if names is not None and len(names) != len(state_dicts):
        raise InputError(
            f"the models are {len(state_dicts)} and the names {len(names)}: give one for each model"
        )
    settings = complete_settings(method, settings)
    if statistics is not None:
        return merge_in_memory(FUNCTIONS[method], state_dicts, statistics, coefficients, **settings)
    recipe = Recipe(method, coefficients, settings, seed, names or labels)
    if method == WEIGHTED_AVERAGE:
        return average_state_dicts(state_dicts, coefficients, allow_any_sum=allow_any_sum)
    check_names(state_dicts, labels)
    check_shapes(state_dicts, labels)
    matched = _match(state_dicts[0], base)
    copies = tied_copies(state_dicts, matched, _same_tensors)
    merged = {}
    for name in state_dicts[0]:
        first = copies.get(name, name)
        tensors = [state_dict[first] for state_dict in state_dicts]
        merged[name] = merge_tensor(
            recipe, first, tensors, base[matched[first]] if first in matched else None, labels
        )
    return merged


def merge_files(
    recipe: Recipe,
    models: Sequence[Mapping[str, TensorInfo]],
    base: Mapping[str, TensorInfo] | None,
    labels: Sequence[str],
    folder: Path,
    shards: Sequence[Shard],
) -> Iterator[int]:
    """Fuse the models' tensors into the laid-out `shards` of `folder`; yield the bytes done at each step.

    The dtype of each tensor is the first model's. Raises InputError as `merge_state_dicts` does.
    """
    matched = _match(models[0], base)
    copies = tied_copies(models, matched, _same_stored)
    for shard in shards:
        with opened(folder / shard.file, os.O_WRONLY) as target:
            for name, offset in shard.offsets.items():
                first = copies.get(name, name)
                tensors = [read_tensor(model[first]) for model in models]
                base_tensor = read_tensor(base[matched[first]]) if first in matched else None
                merged = merge_tensor(recipe, first, tensors, base_tensor, labels)
                write_tensor(target, merged, offset)
                yield merged.nbytes


def merge_tensor(
    recipe: Recipe, name: str, tensors: Sequence[Tensor], base: Tensor | None, labels: Sequence[str]
) -> Tensor:
    """Fuse the tensors of one name, all of one shape, into a new one of the first's dtype.

    `base` may lack the last rows. Raises InputError for values that are not finite and for integers that
    differ, naming the tensor and the model by its label.
    """
    if not all(tensor.is_floating_point() for tensor in tensors):
        return common(name, tensors).clone()
    _check_inputs(name, tensors, base, labels)
    method = find_method(recipe.method)
    if tensors[0].numel() == 0 or (method.needs_base and base is None):
        merged = _average(recipe, name, tensors)
    elif base is None or base.shape == tensors[0].shape:
        merged = _apply(recipe, name, tensors, base)
    else:
        rows = len(base)
        known = _apply(recipe, name, [tensor[:rows] for tensor in tensors], base)
        merged = torch.cat([known, _average(recipe, name, [tensor[rows:] for tensor in tensors])])
    merged = merged.to(tensors[0].dtype)
    if not is_finite(merged):
        raise overflowed(name, merged.dtype)
    return merged


def _apply(recipe: Recipe, name: str, tensors: Sequence[Tensor], base: Tensor | None) -> Tensor:
    method = find_method(recipe.method)
    seeds = [derive_seed(recipe.seed, model, name) for model in recipe.names]
    drawn = {"seeds": seeds} if method.random else {}
    return FUNCTIONS[recipe.method](tensors, base, recipe.coefficients, **recipe.settings, **drawn)


def _average(recipe: Recipe, name: str, tensors: Sequence[Tensor]) -> Tensor:
    """The weighted average of what the base lacks; there is no base that coefficients could add to."""
    total = math.fsum(recipe.coefficients)
    if abs(total) < 1e-6:
        raise InputError(
            f"the coefficients sum to 0, and {name}, or rows of it, is not in the base, so that they have to "
            "average it: choose coefficients with another sum"
        )
    return weighted_average(tensors, [coefficient / total for coefficient in recipe.coefficients])


def _match(model: Mapping[str, Tensor | TensorInfo], base: Mapping | None) -> dict[str, str]:
    if base is None:
        return {}
    matched = match_base(model, base)
    check_base_shapes(model, base, matched)
    return matched


def _check_inputs(name: str, tensors: Sequence[Tensor], base: Tensor | None, labels: Sequence[str]) -> None:
    # Looked at before and not after: a mask may hide a NaN.
    for tensor, label in zip(tensors, labels, strict=True):
        if not is_finite(tensor):
            raise not_finite(name, label)
    if base is not None and not base.is_floating_point():
        raise InputError(f"{name} holds integers in the base: give the model that these were fine-tuned from")
    if base is not None and not is_finite(base):
        raise not_finite(name, "the base")


def _same_tensors(first: Tensor, second: Tensor) -> bool:
    return first.dtype == second.dtype and torch.equal(first, second)


def _same_stored(first: TensorInfo, second: TensorInfo) -> bool:
    return (first.dtype, first.shape) == (second.dtype, second.shape) and same_bytes([first, second])
