"""Fusion along the sphere: tensors, flattened, as directions with a norm.

Both functions take the tensors of one name, all of one shape, and a coefficient for each, which count as
shares: c_i / sum_j c_j. Where there is no shortest way on the sphere, or hardly any way, the weighted
average is returned. Accumulated in float32, or in float64 if an input has that. Inputs are never changed.
"""

import math
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from fuse_to_forget.fusion.average import accumulation_dtype, weighted_average
from fuse_to_forget.fusion.chunks import norm, over_pieces

NEGLIGIBLE = 1e-6  # a sine, or a length on the unit sphere, that float32 cannot tell from 0
OPPOSITE = -0.9995  # a cosine beyond which two directions count as opposite, as in mergekit


def slerp(tensors: Sequence[Tensor], base: None, coefficients: Sequence[float]) -> Tensor:
    """Spherical linear interpolation of two tensors (Shoemake, 1985), with t the second one's share.

    sin((1-t) w) / sin(w) * x_1 + sin(t w) / sin(w) * x_2 with w the angle between them. The formula is
    applied to the tensors, not to their directions, as is usual for weights: for unequal norms the result's
    norm lies only near the interpolated one. (Nearly) parallel, opposite or zero tensors are averaged.
    """
    shares = _shares(coefficients)
    angle = _angle(tensors, _norms(tensors))
    # Close to opposite, both coefficients are huge, and so is the result if the norms differ. Biases of a head with two
    # classes that began at 0 are like that: they sum to 0, so that those of two models are parallel or opposite.
    if math.sin(angle) < NEGLIGIBLE or math.cos(angle) < OPPOSITE:
        return weighted_average(tensors, shares)
    # Each model's sine is that of its own share of the angle, since the shares sum to 1.
    return weighted_average(tensors, [math.sin(share * angle) / math.sin(angle) for share in shares])


def karcher(
    tensors: Sequence[Tensor], base: None, coefficients: Sequence[float], *, iterations: int, tolerance: float
) -> Tensor:
    """The Karcher (Frechet) mean of directions times the weighted mean of the norms.

    The direction minimises sum_i c_i w_i^2, with w_i its angle to model i, found by gradient steps on the
    sphere (Karcher, 1977; algorithm: Buss & Fillmore, 2001, A1) from the normalised weighted mean until a
    step is at most `tolerance` radians, or for `iterations` steps. Zero tensors have a norm but no
    direction. Directions that cancel out (their weighted mean is 0) have no mean and are averaged.
    """
    shares = _shares(coefficients)
    norms = _norms(tensors)
    directed = [i for i, (norm, share) in enumerate(zip(norms, shares, strict=True)) if norm and share]
    cosines = torch.eye(len(directed), dtype=torch.float64)
    for i, j in combinations(range(len(directed)), 2):
        pair = directed[i], directed[j]
        angle = _angle([tensors[k] for k in pair], [norms[k] for k in pair])
        cosines[i, j] = cosines[j, i] = math.cos(angle)
    weights = torch.tensor([shares[i] for i in directed], dtype=torch.float64)
    mean = _mean_direction(cosines, weights / weights.sum(), iterations, tolerance)
    if mean is None:
        return weighted_average(tensors, shares)
    length = math.fsum(share * own for share, own in zip(shares, norms, strict=True))
    combination = [0.0] * len(tensors)
    for i, weight in zip(directed, mean.tolist(), strict=True):
        combination[i] = weight * length / norms[i]
    return weighted_average(tensors, combination)


def _mean_direction(cosines: Tensor, weights: Tensor, iterations: int, tolerance: float) -> Tensor | None:
    """The Karcher mean of k unit vectors as coefficients of them, (k,); None where they cancel out.

    The mean lies in their span, so that their `cosines`, (k, k), are all that is needed of them; float64.
    """

    def length(vector: Tensor) -> float:
        return math.sqrt(max((vector @ cosines @ vector).item(), 0.0))

    if length(weights) < NEGLIGIBLE:
        return None
    mean = weights / length(weights)
    for _ in range(iterations):
        along = (cosines @ mean).clamp(-1, 1)  # the cosine of each unit vector and the mean
        sines = (1 - along**2).sqrt()
        stretch = weights * torch.where(sines > NEGLIGIBLE, along.acos() / sines, 1.0)
        step = stretch - (stretch * along).sum() * mean  # sum_i stretch_i (u_i - along_i mean)
        moved = length(step)
        if moved <= tolerance:
            break
        mean = math.cos(moved) * mean + math.sin(moved) / moved * step
        mean = mean / length(mean)
    return mean


def _angle(pair: Sequence[Tensor], norms: Sequence[float]) -> float:
    """The angle between two tensors in radians, 0 if one is zero."""
    if 0 in norms:
        return 0.0
    dtype = _dtype(pair)

    def lengths(*parts: Tensor) -> tuple[float, float]:
        first, second = (part.to(dtype) / length for part, length in zip(parts, norms, strict=True))
        along = torch.linalg.vector_norm(first + second).item()
        return torch.linalg.vector_norm(first.sub_(second)).item(), along

    # Exact for small angles too, where the cosine is 1 for all a float32 can tell (Kahan, 2006).
    difference, total = (math.hypot(*own) for own in zip(*over_pieces(lengths, pair), strict=True))
    return 2 * math.atan2(difference, total)


def _shares(coefficients: Sequence[float]) -> list[float]:
    total = math.fsum(coefficients)
    return [coefficient / total for coefficient in coefficients]


def _norms(tensors: Sequence[Tensor]) -> list[float]:
    dtype = _dtype(tensors)
    return [norm(lambda part: part.to(dtype), [tensor]) for tensor in tensors]


def _dtype(tensors: Sequence[Tensor]) -> torch.dtype:
    return accumulation_dtype({tensor.dtype for tensor in tensors})
