"""Model stock: how far to go from the base to the average, told by the angle between task vectors."""

import math
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from fuse_to_forget.fusion.average import weighted_average
from fuse_to_forget.fusion.chunks import by_pieces, norm, over_pieces
from fuse_to_forget.fusion.task_vectors import common_dtype


def model_stock(tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float]) -> Tensor:
    """t * average + (1 - t) * base with t = k cos / (1 + (k - 1) cos): Jang et al., 2024, section 4.

    cos is the mean cosine of the angles between the k task vectors x_i - base of this tensor. It is held
    to [0, 1]: below 0 the formula leaves the segment from base to average, and has a pole. A pair with a
    zero task vector counts as a right angle. All tensors have one shape; coefficients are equal. Returns
    float32, or float64 if an input is; inputs are never changed.
    """
    dtype = common_dtype(base, tensors)
    cosines = _cosines(tensors, base, dtype)
    cosine = min(max(sum(cosines) / len(cosines), 0.0), 1.0)
    ratio = len(tensors) * cosine / (1 + (len(tensors) - 1) * cosine)

    def move(base: Tensor, *parts: Tensor) -> Tensor:
        base = base.to(dtype)
        average = weighted_average([part.to(dtype) for part in parts], coefficients)
        return average.sub_(base).mul_(ratio).add_(base)

    return by_pieces(move, [base, *tensors], dtype)


def _cosines(tensors: Sequence[Tensor], base: Tensor, dtype: torch.dtype) -> list[float]:
    """The cosine of the angle between the task vectors of each pair, 0 if one is zero."""

    def deltas(own: Tensor, *parts: Tensor) -> list[Tensor]:
        own = own.to(dtype)
        return [part.to(dtype) - own for part in parts]

    norms = [norm(lambda *parts: deltas(*parts)[0], [base, tensor]) or 1.0 for tensor in tensors]

    def products(*parts: Tensor) -> list[float]:
        units = [delta.div_(length) for delta, length in zip(deltas(*parts), norms, strict=True)]
        return [torch.dot(*pair).item() for pair in combinations(units, 2)]

    return [math.fsum(column) for column in zip(*over_pieces(products, [base, *tensors]), strict=True)]
