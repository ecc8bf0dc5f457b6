"""Fisher-weighted averaging: each weight of each model counts by how sure its model is of it (Matena & Raffel, 2022).

https://arxiv.org/abs/2111.09832: theta = sum_i c_i F_i theta_i / sum_i c_i F_i, element by element.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.catalog import FISHER, FLOOR
from fuse_to_forget.fusion.chunks import by_pieces, norm
from fuse_to_forget.fusion.with_statistics import Merge, check_weights, merge_in_memory
from fuse_to_forget.statistics.store import Statistics, check_together

Normalize = Literal["none", "model", "parameter"]


def fisher_average(
    tensors: Sequence[Tensor],
    fishers: Sequence[Tensor],
    coefficients: Sequence[float],
    *,
    floor: float = FLOOR,
) -> Tensor:
    """Average tensors of one shape weighted by c_i (F_i + floor); F_i has that shape too.

    The floor, 1e-10 in the code of Jin et al. (ICLR 2023), decides where there is little information: far above
    all F_i the result is the weighted average, which it also is where all F_i and the floor are 0. Only the
    coefficients' ratios count. Computed in float64; returned in the first tensor's dtype, on its device.

    Raises InputError for shapes that do not fit, negative coefficients, and information or a floor that is negative.
    """
    check_weights(coefficients)
    if not (math.isfinite(floor) and floor >= 0):
        raise InputError(f"the floor of the Fisher information is {floor}: give 0 or a small number")
    first, total = tensors[0], sum(coefficients)
    shares = [coefficient / total for coefficient in coefficients]
    for position, (tensor, fisher) in enumerate(zip(tensors, fishers, strict=True), start=1):
        if tensor.shape != fisher.shape or (fisher < 0).any():
            raise InputError(
                f"the tensor of model {position} has shape {tuple(tensor.shape)} and its Fisher information shape "
                f"{tuple(fisher.shape)}, or some of that is negative: collect statistics of this model"
            )

    def weigh(*parts: Tensor) -> Tensor:
        values = [part.double() for part in parts[: len(tensors)]]
        average = sum(share * value for share, value in zip(shares, values, strict=True))
        moved, weights = torch.zeros_like(average), torch.zeros_like(average)
        for share, value, fisher in zip(shares, values, parts[len(tensors) :], strict=True):
            weight = (fisher.double() + floor) * share
            weights += weight
            moved += weight * (value - average)
        # Without any information nothing moves away from the average.
        return average + moved / weights.where(weights > 0, 1)

    return by_pieces(weigh, [*tensors, *(fisher.to(first.device) for fisher in fishers)], first.dtype)


def fisher_state_dicts(
    state_dicts: Sequence[Mapping[str, Tensor]],
    statistics: Sequence[Statistics],
    coefficients: Sequence[float] | None = None,
    *,
    floor: float = FLOOR,
    normalize: Normalize = "none",
) -> dict[str, Tensor]:
    """Merge state dicts in memory; the result has the first one's names, shapes, dtypes and order.

    `normalize` divides a model's information, before the floor is added, by its Euclidean norm over all parameters
    ("model") or over each ("parameter"), so that a model that is less sure altogether, or was trained longer, counts
    as much as the others; no information stays none. Parameters that were left out of the statistics and
    integer buffers are averaged as `average_state_dicts` does. The inputs are never changed.

    Raises InputError for what `average_state_dicts` refuses, for negative coefficients, and for statistics that are
    missing, not finite, of no examples, or of a model of another shape.
    """
    settings = {"floor": floor, "normalize": normalize}
    return merge_in_memory(fisher_plan, state_dicts, statistics, coefficients, **settings)


def fisher_plan(
    names: Collection[str],
    statistics: Sequence[Statistics],
    coefficients: Sequence[float],
    *,
    floor: float,
    normalize: Normalize = "none",
) -> tuple[Collection[str], Merge]:
    """Return which of the tensors called `names` are weighted by their information, and how; for `with_statistics`."""
    check_together(statistics, FISHER, len(coefficients))
    sources = _sources(names, statistics[0])
    norms = [_norms(own, normalize) for own in statistics]

    def merge(name: str, tensors: list[Tensor]) -> Tensor:
        source = sources[name]
        fishers = [own.tensors[source] / norm[source] for own, norm in zip(statistics, norms, strict=True)]
        return fisher_average(tensors, fishers, coefficients, floor=floor)

    return sources, merge


def _sources(names: Collection[str], statistics: Statistics) -> dict[str, str]:
    """Return the names of tensors to be merged -> the name that their information has."""
    sources = {}
    for name in names:
        source = statistics.tied.get(name, name)
        if source in statistics.tensors:
            sources[name] = source
        elif source not in statistics.left_out:
            raise InputError(f"There is no Fisher information of {name}: collect it from these models")
    if unknown := sorted(statistics.tensors.keys() - set(sources.values())):
        raise InputError(
            f"There is Fisher information of {unknown[0]}, which the models lack: collect it from them"
        )
    return sources


def _norms(statistics: Statistics, normalize: Normalize) -> dict[str, float]:
    """Return what to divide each parameter's information by; 1 where that is 0."""
    if normalize not in ("none", "model", "parameter"):
        raise InputError(f"There is no normalisation {normalize!r}: choose none, model or parameter")
    if normalize == "none":
        return dict.fromkeys(statistics.tensors, 1.0)
    norms = {name: norm(Tensor.double, [tensor]) for name, tensor in statistics.tensors.items()}
    if normalize == "model":
        norms = dict.fromkeys(norms, math.hypot(*norms.values()))
    return {name: norm or 1.0 for name, norm in norms.items()}
