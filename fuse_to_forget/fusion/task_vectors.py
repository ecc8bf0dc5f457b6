"""Fusion of task vectors: what fine-tuning added to the base, thinned out, then summed.

Every function takes the tensors of one name, from `models` fine-tuned from one `base`, all of one shape,
and a coefficient for each; it returns base + scale * (something of c_i (x_i - base)), in float32 or, if an
input is float64, in that. Inputs are never changed. Magnitudes are ranked within the tensor, not over the
whole model. Values as large as the threshold are kept, so the result does not depend on where a value stands.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Generator, Tensor

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.average import accumulation_dtype
from fuse_to_forget.fusion.chunks import WORKERS, by_pieces, smallest


def task_arithmetic(
    tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float], *, scale: float
) -> Tensor:
    """base + scale * sum_i c_i (x_i - base): Ilharco et al., 2023."""
    return _moved(tensors, base, scale, lambda deltas: _weighted_sum(deltas, coefficients))


def ties(
    tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float], *, density: float, scale: float
) -> Tensor:
    """TIES-Merging (Yadav et al., 2023, algorithm 1): trim, elect signs, average what agrees with them.

    Of each task vector only the `density` largest magnitudes are kept. The elected sign of a position is
    that of sum_i c_i d_i; the mean there is over the models whose kept value has that sign, weighted by
    the coefficients. Where no value is kept, or the sum is 0, the base stays.
    """
    count = base.numel()
    dropped = count - max(1, round(density * count))
    lows = [_size(tensor, base, tensors, dropped) for tensor in tensors]

    def combine(deltas: Iterator[Tensor]) -> Tensor:
        kept = [delta.mul_(delta.abs() >= low) for delta, low in zip(deltas, lows, strict=True)]
        return _disjoint_mean(kept, coefficients)

    return _moved(tensors, base, scale, combine)


def breadcrumbs(
    tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float], *,
    drop_smallest: float, drop_largest: float, scale: float,
) -> Tensor:  # fmt: skip
    """Model Breadcrumbs (Davari & Belilovsky, 2024): task arithmetic without both tails of magnitudes.

    Of each task vector the `drop_smallest` share of smallest and the `drop_largest` share of largest
    magnitudes count as 0. Raises InputError if the two shares leave nothing.
    """
    if drop_smallest + drop_largest >= 1:
        raise InputError(
            f"drop_smallest and drop_largest are {drop_smallest} and {drop_largest}: choose them so that "
            "their sum is less than 1"
        )
    count = base.numel()
    low = min(round(drop_smallest * count), count - 1)
    high = max(count - 1 - round(drop_largest * count), low)
    bounds = [[_size(tensor, base, tensors, rank) for rank in (low, high)] for tensor in tensors]

    def combine(deltas: Iterator[Tensor]) -> Tensor:
        kept = (_between(delta, *own) for delta, own in zip(deltas, bounds, strict=True))
        return _weighted_sum(kept, coefficients)

    return _moved(tensors, base, scale, combine)


def dare_linear(
    tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float], *,
    density: float, scale: float, seeds: Sequence[int],
) -> Tensor:  # fmt: skip
    """DARE (Yu et al., 2024, section 3): task arithmetic on task vectors thinned out at random.

    Each value is kept with probability `density` and then divided by it, so that its expectation is what it
    was. `seeds` has one seed for each model, here and below.
    """
    draws = _generators(seeds)

    def combine(deltas: Iterator[Tensor]) -> Tensor:
        kept = (_keep_at_random(delta, density, own) for delta, own in zip(deltas, draws, strict=True))
        return _weighted_sum(kept, coefficients)

    return _moved(tensors, base, scale, combine, workers=1)


def dare_ties(
    tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float], *,
    density: float, scale: float, seeds: Sequence[int],
) -> Tensor:  # fmt: skip
    """DARE with the sign election of TIES: the sum over the models whose value has the elected sign.

    Unlike in `ties` the sum is not divided by the coefficients of the values that remain: dividing by
    `density` makes up for dropped values already, and doing so twice would make every value too large.
    """
    draws = _generators(seeds)

    def combine(deltas: Iterator[Tensor]) -> Tensor:
        kept = [
            _keep_at_random(delta, density, own).mul_(coefficient)
            for delta, coefficient, own in zip(deltas, coefficients, draws, strict=True)
        ]
        elected = _sum(kept).sign_()
        for value in kept:
            value.mul_(value.sign() == elected)
        return _sum(kept)

    return _moved(tensors, base, scale, combine, workers=1)


def della(
    tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float], *,
    density: float, spread: float, scale: float, seeds: Sequence[int],
) -> Tensor:  # fmt: skip
    """DELLA (Deep et al., 2024): drop small values more often than large ones, elect signs, average.

    Within a row (or a vector) the probability p of being dropped grows evenly by rank, from
    1 - density - spread/2 for the largest magnitude to 1 - density + spread/2 for the smallest; what is
    kept is divided by 1 - p. The mean is that of `ties`. Raises InputError if a probability would leave [0, 1).
    """
    if not (density - spread / 2 > 0 and density + spread / 2 <= 1):
        raise InputError(
            f"density is {density} and spread {spread}: choose them so that density - spread/2 is more than "
            "0 and density + spread/2 at most 1"
        )
    draws = _generators(seeds)
    row = base[0].numel() if base.dim() > 1 else base.numel()

    def combine(deltas: Iterator[Tensor]) -> Tensor:
        kept = [
            _keep_at_random(delta, _probabilities(delta.view(-1, row), density, spread), own)
            for delta, own in zip(deltas, draws, strict=True)
        ]
        return _disjoint_mean(kept, coefficients)

    return _moved(tensors, base, scale, combine, unit=row, workers=1)


def sign_consensus(tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float]) -> Tensor:
    """base + sum_i c_i (x_i - base) where all models moved in the same direction, else base.

    The strictest form of the sign election of TIES (Yadav et al., 2023). A value that did not move agrees
    with none; a model with coefficient 0 has no say. Without a base there is no direction to agree on.
    """
    voters = [tensor for tensor, c in zip(tensors, coefficients, strict=True) if c]
    weights = [c for c in coefficients if c]

    def combine(deltas: Iterator[Tensor]) -> Tensor:
        total, signs = 0, 0
        for delta, coefficient in zip(deltas, weights, strict=True):
            signs = delta.sign().add_(signs)
            total = delta.mul_(coefficient).add_(total)
        return total.mul_(signs.abs_() == len(voters))

    return _moved(voters, base, 1.0, combine, common_dtype(base, tensors))


def common_dtype(base: Tensor, tensors: Sequence[Tensor]) -> torch.dtype:
    """The dtype that everything is accumulated in."""
    return accumulation_dtype({base.dtype, *(tensor.dtype for tensor in tensors)})


def _moved(
    tensors: Sequence[Tensor],
    base: Tensor,
    scale: float,
    combine: Callable[[Iterator[Tensor]], Tensor],
    dtype: torch.dtype | None = None,
    unit: int = 1,
    workers: int = WORKERS,
) -> Tensor:
    """base + scale * combine(x_i - base), piece by piece, of a multiple of `unit` elements each.

    `combine` gets the task vectors of one piece, new and each made when it is asked for, in the order of the models,
    and returns a new tensor or one of them. What it draws depends on the order of the pieces: that needs one worker.
    """
    dtype = dtype or common_dtype(base, tensors)

    def move(base: Tensor, *parts: Tensor) -> Tensor:
        base = base.to(dtype)
        return combine(part.to(dtype) - base for part in parts).mul_(scale).add_(base)

    return by_pieces(move, [base, *tensors], dtype, unit, workers)


def _size(tensor: Tensor, base: Tensor, tensors: Sequence[Tensor], rank: int) -> float:
    """The magnitude in one task vector that `rank` others precede when they are sorted."""
    dtype = common_dtype(base, tensors)

    return smallest(lambda part, own: (part.to(dtype) - own.to(dtype)).abs_(), [tensor, base], rank, dtype)


def _between(delta: Tensor, low: float, high: float) -> Tensor:
    sizes = delta.abs()
    return delta.mul_((sizes >= low) & (sizes <= high))


def _generators(seeds: Sequence[int]) -> list[Generator]:
    # Drawn on the processor: an accelerator's generator gives other numbers.
    return [Generator().manual_seed(seed) for seed in seeds]


def _keep_at_random(delta: Tensor, probability: float | Tensor, generator: Generator) -> Tensor:
    """Keep each value with its probability, divided by that; in place."""
    draws = torch.rand(delta.shape, generator=generator).to(delta.device)
    return delta.mul_(draws < probability).div_(probability)


def _probabilities(rows: Tensor, density: float, spread: float) -> Tensor:
    """The probability of each value of rows (r, n) to be kept, by the rank of its magnitude in its row; flat."""
    order = rows.abs().argsort(dim=1, stable=True)
    even = torch.linspace(-0.5, 0.5, rows.shape[1], device=rows.device).expand(rows.shape)
    ranks = torch.zeros_like(rows, dtype=even.dtype)
    if rows.shape[1] > 1:
        ranks.scatter_(1, order, even)
    return ranks.mul_(spread).add_(density).flatten()


def _disjoint_mean(kept: Sequence[Tensor], coefficients: Sequence[float]) -> Tensor:
    """The weighted mean over the models whose value has the sign of the weighted sum; 0 where there is none."""
    weighted = [value * coefficient for value, coefficient in zip(kept, coefficients, strict=True)]
    elected = _sum(weighted).sign_()
    total, weights = torch.zeros_like(elected), torch.zeros_like(elected)
    for value, part, coefficient in zip(kept, weighted, coefficients, strict=True):
        agrees = value.sign() == elected
        total.add_(part.mul_(agrees))
        weights.add_(agrees, alpha=coefficient)
    return total.div_(weights.masked_fill_(weights == 0, 1))


def _weighted_sum(values: Iterable[Tensor], coefficients: Sequence[float]) -> Tensor:
    """The sum of c_i x_i, in the memory of the values."""
    parts = (value.mul_(coefficient) for value, coefficient in zip(values, coefficients, strict=True))
    total = next(parts)
    for part in parts:
        total.add_(part)
    return total


def _sum(values: Sequence[Tensor]) -> Tensor:
    total = torch.zeros_like(values[0])
    for value in values:
        total.add_(value)
    return total
