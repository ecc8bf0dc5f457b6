"""RegMean: the linear map closest, on every model's own inputs, to that model's (Jin et al., ICLR 2023, section 3).

https://arxiv.org/abs/2212.09849. With G_i = X_i'X_i / N_i the Gram matrix of the inputs of a layer in model i, the
weights W (out x in) that minimise sum_i c_i ||X_i W' - X_i W_i'||^2 / N_i solve sum_i c_i G_i W' = sum_i c_i G_i W_i'.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from torch import Tensor

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.catalog import GRAM, OFF_DIAGONAL
from fuse_to_forget.fusion.with_statistics import Merge, check_weights, merge_in_memory
from fuse_to_forget.statistics.store import Statistics, check_together

OUTPUTS = 4096  # that are solved for at a time


def regmean_linear(
    weights: Sequence[Tensor],
    grams: Sequence[Tensor],
    coefficients: Sequence[float],
    *,
    off_diagonal: float = OFF_DIAGONAL,
    transposed: bool = False,
) -> Tensor:
    """Merge the weights (o, i) of one linear layer, or (i, o) if `transposed`, with Gram matrices (i, i).

    Entries off the diagonals of the Gram matrices are multiplied with `off_diagonal`, 0 to 1. At 1 the result is the
    least-squares solution; at 0 each input's column is averaged by how large that input is in each model. The
    authors' configurations use 1, .9 and .1; .9 stays close to least squares and makes every system solvable in
    which no input is always zero. Where the inputs say nothing, the result is the weighted average. Only the
    coefficients' ratios count. Solved in float64; returned in the first weight's dtype, on its device.

    Raises InputError for shapes that do not fit, negative coefficients, and an `off_diagonal` out of range.
    """
    _check_linear(weights, grams, coefficients, off_diagonal, transposed)
    first, total = weights[0], sum(coefficients)
    shares = [coefficient / total for coefficient in coefficients]
    columns = [w if transposed else w.T for w in weights]  # each (i, o)
    left = torch.zeros(len(columns[0]), len(columns[0]), dtype=torch.float64, device=first.device)
    for share, gram in zip(shares, grams, strict=True):
        left.add_(_scaled(gram, off_diagonal, first.device), alpha=share)
    solve_for = factorized(left, len(left) * max(torch.finfo(gram.dtype).eps for gram in grams))
    merged = torch.empty_like(first, memory_format=torch.contiguous_format)
    target = merged if transposed else merged.T
    for begin in range(0, target.shape[1], OUTPUTS):
        some = slice(begin, begin + OUTPUTS)
        values = [own[:, some].double() for own in columns]
        average = sum(share * own for share, own in zip(shares, values, strict=True))
        right = torch.zeros_like(average)
        # Solving for the difference from the average leaves the average where there is nothing to solve.
        for share, gram, own in zip(shares, grams, values, strict=True):
            right.addmm_(_scaled(gram, off_diagonal, first.device), own - average, alpha=share)
        target[:, some] = average.add_(solve_for(right))
    return merged


def _scaled(gram: Tensor, off_diagonal: float, device: torch.device) -> Tensor:
    """The symmetric part of a Gram matrix with what is off its diagonal multiplied; float64."""
    gram = gram.to(device, torch.float64)
    scaled = (gram + gram.T).mul_(off_diagonal / 2)
    scaled.diagonal().add_((1 - off_diagonal) * gram.diagonal())
    return scaled


def factorized(matrix: Tensor, tolerance: float) -> Callable[[Tensor], Tensor]:
    """A function that solves A X = B for A (n, n), positive semidefinite, and B (n, m) in the range of A; float64.

    A is scaled to a unit diagonal first. If it is then singular to within `tolerance`, the solution is the smallest
    in the directions that are not.
    """
    scale = matrix.diagonal().clamp(min=0).sqrt()
    scale = torch.where(scale > 0, 1 / scale, 1)[:, None]
    scaled = (scale * matrix).mul_(scale.T)
    factor, failed = torch.linalg.cholesky_ex(scaled)
    # A squared pivot is the share of an input's square that the inputs before it do not explain.
    if not failed and factor.diagonal().square().min() > tolerance:
        return lambda right: scale * torch.cholesky_solve(scale * right, factor)
    values, vectors = torch.linalg.eigh(scaled)
    kept = values > tolerance * values[-1].clamp(min=torch.finfo(torch.float64).tiny)
    values, vectors = values[kept, None], vectors[:, kept]
    return lambda right: scale * (vectors @ ((vectors.T @ (scale * right)) / values))


def regmean_state_dicts(
    state_dicts: Sequence[Mapping[str, Tensor]],
    statistics: Sequence[Statistics],
    coefficients: Sequence[float] | None = None,
    *,
    off_diagonal: float = OFF_DIAGONAL,
    exclude: Sequence[str] = (),
) -> dict[str, Tensor]:
    """Merge state dicts in memory; the result has the first one's names, shapes, dtypes and order.

    Linear layers that have Gram matrices are merged by `regmean_linear`, those whose name one of the regular
    expressions `exclude` is found in and everything else (biases, LayerNorm, embeddings) by the weighted average.
    Every Gram matrix is a mean, so that models count by their coefficients, however much data they saw. The
    inputs are never changed.

    Raises InputError for what `average_state_dicts` refuses, for negative coefficients, and for statistics that are
    missing, not finite, of no examples, or of a model of another shape.
    """
    settings = {"off_diagonal": off_diagonal, "exclude": exclude}
    return merge_in_memory(regmean_plan, state_dicts, statistics, coefficients, **settings)


def regmean_plan(
    names: Collection[str],
    statistics: Sequence[Statistics],
    coefficients: Sequence[float],
    *,
    off_diagonal: float,
    exclude: Sequence[str] = (),
) -> tuple[list[str], Merge]:
    """Return which of the tensors called `names` RegMean merges, and how; for `with_statistics`."""
    check_together(statistics, GRAM, len(coefficients))
    if unknown := sorted(statistics[0].tensors.keys() - set(names)):
        raise InputError(
            f"There is a Gram matrix of {unknown[0]}, which the models lack: collect it from them"
        )
    merged = [n for n in statistics[0].tensors if not any(found(expression, n) for expression in exclude)]

    def merge(name: str, weights: list[Tensor]) -> Tensor:
        grams = [own.tensors[name] for own in statistics]
        transposed = name in statistics[0].transposed
        return regmean_linear(weights, grams, coefficients, off_diagonal=off_diagonal, transposed=transposed)

    return merged, merge


def found(expression: str, name: str) -> bool:
    """Whether a regular expression is found in a name; raises InputError if it is none."""
    try:
        return re.search(expression, name) is not None
    except re.error as error:
        raise InputError(f"{expression!r} is no regular expression ({error}): correct it") from None


def _check_linear(
    weights: Sequence[Tensor],
    grams: Sequence[Tensor],
    coefficients: Sequence[float],
    off_diagonal: float,
    transposed: bool,
) -> None:
    check_weights(coefficients)
    if not 0 <= off_diagonal <= 1:
        raise InputError(f"the scale off the diagonal is {off_diagonal}: give a number from 0 to 1")
    for position, (weight, gram) in enumerate(zip(weights, grams, strict=True), start=1):
        if weight.ndim != 2 or gram.shape != (weight.shape[not transposed],) * 2:
            raise InputError(
                f"the weight of model {position} has shape {tuple(weight.shape)} and its Gram matrix "
                f"{tuple(gram.shape)}: collect statistics of this model"
            )
