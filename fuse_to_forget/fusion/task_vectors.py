"""Fusion of task vectors: what fine-tuning added to the base, thinned out, then summed.

Every function takes the tensors of one name, from `models` fine-tuned from one `base`, all of one shape,
and a coefficient for each; it returns base + scale * (something of c_i (x_i - base)), in float32 or, if an
input is float64, in that. Inputs are never changed. Magnitudes are ranked within the tensor, not over the
whole model. Values as large as the threshold are kept, so the result does not depend on where a value stands.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.average import accumulation_dtype


def task_arithmetic(
    tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float], *, scale: float
) -> Tensor:
    """base + scale * sum_i c_i (x_i - base): Ilharco et al., 2023."""
    base = widened(base, tensors)
    return _weighted_sum(deltas(tensors, base), coefficients).mul_(scale).add_(base)


def ties(
    tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float], *, density: float, scale: float
) -> Tensor:
    """TIES-Merging (Yadav et al., 2023, algorithm 1): trim, elect signs, average what agrees with them.

    Of each task vector only the `density` largest magnitudes are kept. The elected sign of a position is
    that of sum_i c_i d_i; the mean there is over the models whose kept value has that sign, weighted by
    the coefficients. Where no value is kept, or the sum is 0, the base stays.
    """
    base = widened(base, tensors)
    kept = [keep_largest(delta, density) for delta in deltas(tensors, base)]
    return _disjoint_mean(kept, coefficients).mul_(scale).add_(base)


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
    base = widened(base, tensors)
    kept = (_without_tails(delta, drop_smallest, drop_largest) for delta in deltas(tensors, base))
    return _weighted_sum(kept, coefficients).mul_(scale).add_(base)


def dare_linear(
    tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float], *,
    density: float, scale: float, seeds: Sequence[int],
) -> Tensor:  # fmt: skip
    """DARE (Yu et al., 2024, section 3): task arithmetic on task vectors thinned out at random.

    Each value is kept with probability `density` and then divided by it, so that its expectation is what it
    was. `seeds` has one seed for each model, here and below.
    """
    base = widened(base, tensors)
    drawn = zip(deltas(tensors, base), seeds, strict=True)
    kept = (_keep_at_random(delta, density, seed) for delta, seed in drawn)
    return _weighted_sum(kept, coefficients).mul_(scale).add_(base)


def dare_ties(
    tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float], *,
    density: float, scale: float, seeds: Sequence[int],
) -> Tensor:  # fmt: skip
    """DARE with the sign election of TIES: the sum over the models whose value has the elected sign.

    Unlike in `ties` the sum is not divided by the coefficients of the values that remain: dividing by
    `density` makes up for dropped values already, and doing so twice would make every value too large.
    """
    base = widened(base, tensors)
    kept = [
        _keep_at_random(delta, density, seed).mul_(coefficient)
        for delta, coefficient, seed in zip(deltas(tensors, base), coefficients, seeds, strict=True)
    ]
    elected = _sum(kept).sign_()
    for value in kept:
        value.mul_(value.sign() == elected)
    return _sum(kept).mul_(scale).add_(base)


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
    base = widened(base, tensors)
    kept = []
    for delta, seed in zip(deltas(tensors, base), seeds, strict=True):
        kept.append(_keep_at_random(delta, _probabilities(delta, density, spread), seed))
    return _disjoint_mean(kept, coefficients).mul_(scale).add_(base)


def sign_consensus(tensors: Sequence[Tensor], base: Tensor, coefficients: Sequence[float]) -> Tensor:
    """base + sum_i c_i (x_i - base) where all models moved in the same direction, else base.

    The strictest form of the sign election of TIES (Yadav et al., 2023). A value that did not move agrees
    with none; a model with coefficient 0 has no say. Without a base there is no direction to agree on.
    """
    base = widened(base, tensors)
    total, signs = torch.zeros_like(base), torch.zeros_like(base)
    voters = [tensor for tensor, c in zip(tensors, coefficients, strict=True) if c]
    for delta, coefficient in zip(deltas(voters, base), [c for c in coefficients if c], strict=True):
        signs.add_(delta.sign())
        total.add_(delta.mul_(coefficient))
    return total.mul_(signs.abs_() == len(voters)).add_(base)


def widened(base: Tensor, tensors: Sequence[Tensor]) -> Tensor:
    """The base in the dtype that everything is accumulated in."""
    return base.to(accumulation_dtype({base.dtype, *(tensor.dtype for tensor in tensors)}))


def deltas(tensors: Sequence[Tensor], base: Tensor) -> Iterator[Tensor]:
    """Yield each x_i - base as a new tensor, in the dtype of `base`."""
    return (tensor.to(base.dtype) - base for tensor in tensors)


def keep_largest(delta: Tensor, density: float) -> Tensor:
    """Set all but the `density` largest magnitudes to 0, in place; at least one is kept, and all equal to it."""
    count = delta.numel()
    dropped = count - max(1, round(density * count))
    return _mask(delta, lambda sizes: sizes >= _smallest(sizes, dropped))


def _without_tails(delta: Tensor, drop_smallest: float, drop_largest: float) -> Tensor:
    count = delta.numel()
    low = min(round(drop_smallest * count), count - 1)
    high = max(count - 1 - round(drop_largest * count), low)
    return _mask(delta, lambda s: (s >= _smallest(s, low)) & (s <= _smallest(s, high)))


def _mask(delta: Tensor, kept: Callable[[Tensor], Tensor]) -> Tensor:
    sizes = delta.abs().flatten()
    return delta.mul_(kept(sizes).view_as(delta))


def _smallest(values: Tensor, rank: int) -> Tensor:
    """The value that `rank` others precede when a vector is sorted."""
    return values.kthvalue(rank + 1).values


def _keep_at_random(delta: Tensor, probability: float | Tensor, seed: int) -> Tensor:
    """Keep each value with its probability, divided by that; in place."""
    # Drawn on the processor: an accelerator's generator gives other numbers.
    draws = torch.rand(delta.shape, generator=torch.Generator().manual_seed(seed)).to(delta.device)
    return delta.mul_(draws < probability).div_(probability)


def _probabilities(delta: Tensor, density: float, spread: float) -> Tensor:
    """The probability of each value to be kept: by the rank of its magnitude, per row (r, n) or vector (n,)."""
    rows = delta.abs().reshape(delta.shape[0] if delta.dim() > 1 else 1, -1)
    order = rows.argsort(dim=1, stable=True)
    even = torch.linspace(-0.5, 0.5, rows.shape[1], device=delta.device).expand_as(rows)
    ranks = torch.empty_like(even).scatter_(1, order, even) if rows.shape[1] > 1 else torch.zeros_like(even)
    return ranks.mul_(spread).add_(density).view_as(delta)


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
