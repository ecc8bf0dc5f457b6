"""Model stock: how far to go from the base to the average, told by the angle between task vectors."""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from fuse_to_forget.fusion.average import weighted_average
from fuse_to_forget.fusion.task_vectors import deltas, widened


def model_stock(tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float]) -> Tensor:
    """t * average + (1 - t) * base with t = k cos / (1 + (k - 1) cos): Jang et al., 2024, section 4.

    cos is the mean cosine of the angles between the k task vectors x_i - base of this tensor. It is held
    to [0, 1]: below 0 the formula leaves the segment from base to average, and has a pole. A pair with a
    zero task vector counts as a right angle. All tensors have one shape; coefficients are equal. Returns
    float32, or float64 if an input is; inputs are never changed.
    """
    base = widened(base, tensors)
    moved = [delta.flatten() for delta in deltas(tensors, base)]
    cosines = [_cosine(first, second) for first, second in combinations(moved, 2)]
    cosine = min(max(sum(cosines) / len(cosines), 0.0), 1.0)
    ratio = len(tensors) * cosine / (1 + (len(tensors) - 1) * cosine)
    average = weighted_average([tensor.to(base.dtype) for tensor in tensors], coefficients)
    return average.sub_(base).mul_(ratio).add_(base)


def _cosine(first: Tensor, second: Tensor) -> float:
    norms = [torch.linalg.vector_norm(vector).item() for vector in (first, second)]
    if 0 in norms:
        return 0.0
    return torch.dot(first / norms[0], second / norms[1]).item()
