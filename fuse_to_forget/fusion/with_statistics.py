"""Merging whole models with statistics, in memory or from files to files: some tensors merged, the rest averaged.

What is merged, and how, a method says by its plan: `plan(names, statistics, coefficients, **settings)` takes the names
of all tensors of floating-point numbers and returns those that it merges and the function (name, tensors) that merges
one. Memory beside the inputs and the result: the tensors and statistics of one name, a few times over in float64.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.average import average_state_dicts, check_finite
from fuse_to_forget.fusion.checkpoint import FLOATS, TensorInfo, opened, read_tensor
from fuse_to_forget.fusion.compatibility import check_coefficients, check_names, check_shapes
from fuse_to_forget.fusion.stream import average_files
from fuse_to_forget.fusion.writer import Shard, write_tensor
from fuse_to_forget.statistics.store import Statistics

Merge = Callable[[str, list[Tensor]], Tensor]
Plan = Callable[..., tuple[Iterable[str], Merge]]


def check_weights(coefficients: Sequence[float]) -> None:
    """Raise InputError unless coefficients weigh squares: none negative, some positive."""
    if min(coefficients) < 0 or sum(coefficients) <= 0:
        raise InputError(
            f"the coefficients are {list(coefficients)}, but what weighs information is never negative: give "
            "numbers from 0 to 1"
        )


def merge_in_memory(
    plan: Plan,
    state_dicts: Sequence[Mapping[str, Tensor]],
    statistics: Sequence[Statistics],
    coefficients: Sequence[float] | None,
    **settings: float | str | Sequence[str],
) -> dict[str, Tensor]:
    """Merge state dicts as a plan says; what it leaves out is averaged. The inputs are never changed.

    Raises InputError, naming the tensor, for models that differ, what the plan, its function or `average_state_dicts`
    refuses, and what is not finite.
    """
    coefficients = check_coefficients(coefficients, len(state_dicts))
    labels = [f"model {position}" for position in range(1, len(state_dicts) + 1)]
    check_names(state_dicts, labels)
    check_shapes(state_dicts, labels)
    floating = [name for name, tensor in state_dicts[0].items() if tensor.is_floating_point()]
    names, merge = plan(floating, statistics, coefficients, **settings)
    merged = {name: _merge_one(merge, name, [own[name] for own in state_dicts]) for name in names}
    rest = [{n: t for n, t in state_dict.items() if n not in merged} for state_dict in state_dicts]
    averaged = average_state_dicts(rest, coefficients)
    return {name: merged[name] if name in merged else averaged[name] for name in state_dicts[0]}


def merge_files_with_statistics(
    plan: Plan,
    models: Sequence[Mapping[str, TensorInfo]],
    statistics: Sequence[Statistics],
    coefficients: Sequence[float],
    settings: Mapping[str, float],
    labels: Sequence[str],
    folder: Path,
    shards: Sequence[Shard],
) -> Iterator[int]:
    """Merge the models' tensors into the laid-out `shards` of `folder`; yield the bytes done at each step.

    Statistics may be opened rather than read. Gives the bits of `merge_in_memory` and refuses what it does.
    """
    floating = [name for name, info in models[0].items() if info.dtype in FLOATS]
    names, merge = plan(floating, statistics, coefficients, **settings)
    names = set(names)
    rest = [
        replace(shard, offsets={name: begin for name, begin in shard.offsets.items() if name not in names})
        for shard in shards
    ]
    yield from average_files(models, labels, coefficients, folder, rest)
    for shard in shards:
        with opened(folder / shard.file, os.O_WRONLY) as target:
            for name in [name for name in shard.offsets if name in names]:
                merged = _merge_one(merge, name, [read_tensor(model[name]) for model in models])
                write_tensor(target, merged, shard.offsets[name])
                yield merged.nbytes


def _merge_one(merge: Merge, name: str, tensors: list[Tensor]) -> Tensor:
    try:
        merged = merge(name, tensors)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    check_finite(name, merged, tensors)
    return merged
