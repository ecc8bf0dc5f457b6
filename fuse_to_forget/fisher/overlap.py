"""Do two models keep what they know in the same weights? (Zaman, Choshen & Srivastava, 2024, appendix D, eq. 10.)

With the diagonals f and g of two empirical Fisher matrices, each divided by its trace, half the squared Frechet
distance of Kirkpatrick et al. (2016) is 1 - sum sqrt(f g). The overlap is that sum: 0 for models that use
disjoint weights, 1 for equal diagonals, and the same whatever f and g are multiplied with.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.special import stdtrit
from torch import Tensor

from fuse_to_forget.errors import InputError

ALL, EMBEDDINGS, HEAD = "all", "embeddings", "head"
LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)\.")
EMBEDDING = re.compile(r"embed|(?:^|\.)w[tp]e\.")
CHUNK = 1 << 15  # elements of a tensor and all its groups; in float64 they stay in the processor's cache


@dataclass(frozen=True)
class Overlap:
    """The overlap of one component, and what it is when each of the G groups of examples is left out: (G,).

    The trace shares, 0 to 1, say how much of the trace of each model's whole diagonal the component holds. All
    are NaN where a model has no information at all.
    """

    value: float
    leave_one_out: np.ndarray
    first_trace_share: float
    second_trace_share: float


def component_of(name: str) -> str:
    """Return the component that a parameter belongs to: "embeddings", "layer 0", "layer 1", ... or "head"."""
    if layer := LAYER.search(name):
        return f"layer {layer[1]}"
    return EMBEDDINGS if EMBEDDING.search(name) else HEAD


def fisher_overlaps(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> dict[str, Overlap]:
    """Return the overlap of all parameters and of each component, in the order in which a model runs them.

    Both map a parameter's name to its sums of squared gradients by group, shape (groups, *parameter shape), as
    `squared_gradient_sums` returns them. A component is normalised by its own trace, so its overlap does not
    depend on how much of the information it holds. Group k is left out of both at once: that fits examples made
    from the same sentences, group by group, and independent ones.

    Raises InputError if names, shapes or groups differ, there is one group only, or sums are not finite.
    """
    _check(first, second)
    groups = len(next(iter(first.values())))
    sums: dict[str, np.ndarray] = {}
    for name in first:
        own = _sums(first[name], second[name])
        if not np.isfinite(own).all():
            raise InputError(
                f"The squared gradients of {name} hold NaN or infinite values: train that model again or leave it out"
            )
        for component in (ALL, component_of(name)):
            sums[component] = sums.get(component, np.zeros((groups + 1, 3))) + own
    return {component: _overlap(sums[component], sums[ALL]) for component in sorted(sums, key=_position)}


def overlap_table(overlaps: Mapping[str, Overlap], level: float) -> pd.DataFrame:
    """Lay out overlaps, one row each: component, overlap, low, high, first_trace_share, second_trace_share.

    `low` and `high` are the jackknife interval at `level`, cut to the range of an overlap.
    """
    rows = []
    for component, overlap in overlaps.items():
        interval = jackknife_interval(overlap.value, overlap.leave_one_out, level)
        low, high = np.clip(interval, 0, 1)
        shares = (overlap.first_trace_share, overlap.second_trace_share)
        rows.append((component, overlap.value, low, high, *shares))
    columns = ["component", "overlap", "low", "high", "first_trace_share", "second_trace_share"]
    return pd.DataFrame(rows, columns=columns)


def jackknife_interval(value: float, leave_one_out: np.ndarray, level: float) -> tuple[float, float]:
    """Return value -+ t s, s the delete-one-group jackknife's standard error, t Student's with G - 1 degrees.

    `leave_one_out`, shape (G,), holds the statistic without each group; the groups are about equally large. For
    the difference of two overlaps give the differences of both, which pairs what stems from the same examples.
    """
    groups = len(leave_one_out)
    error = np.sqrt((groups - 1) * leave_one_out.var())
    margin = stdtrit(groups - 1, (1 + level) / 2) * error
    return float(value - margin), float(value + margin)


def _check(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
    if different := sorted(first.keys() ^ second.keys()):
        raise InputError(
            f"Only one of the models has a parameter {different[0]}: compare models of one architecture"
        )
    for name in first:
        if first[name].shape != second[name].shape:
            raise InputError(
                f"The sums of {name} have shape {tuple(first[name].shape)} in the first model and "
                f"{tuple(second[name].shape)} in the second: compare models of one architecture by equal groups"
            )
    groups = {len(tensor) for tensor in first.values()}
    if len(groups) != 1 or min(groups) < 2:
        raise InputError(
            f"The sums are of {sorted(groups)} groups, but the jackknife needs one number of at least 2: "
            "ask for that many groups"
        )


def _sums(first: Tensor, second: Tensor) -> np.ndarray:
    """Return sum sqrt(f g), sum f and sum g of one tensor (columns), with all groups and without each (rows)."""
    groups = len(first)
    sums = torch.zeros(groups + 1, 3, dtype=torch.float64)
    size = CHUNK // groups
    for parts in zip(
        first.reshape(groups, -1).split(size, 1), second.reshape(groups, -1).split(size, 1), strict=True
    ):
        f, g = (_with_and_without(part.double()) for part in parts)
        sums += torch.stack([(f * g).sqrt_().sum(1), f.sum(1), g.sum(1)], dim=1)
    return sums.numpy()


def _with_and_without(part: Tensor) -> Tensor:
    """Return the sum of the rows of `part` (G, n), then the sums without each row: (G + 1, n)."""
    whole = part.sum(0, keepdim=True)
    # Where a group is the only one to have anything, rounding must not leave less than nothing.
    return torch.cat([whole, (whole - part).clamp_(min=0)])


def _overlap(sums: np.ndarray, whole: np.ndarray) -> Overlap:
    affinity, first, second = sums.T
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of a component without information
        # Never above 1 (Cauchy and Schwarz), but for rounding.
        values = np.minimum(affinity / np.sqrt(first * second), 1)
        shares = sums[0, 1:] / whole[0, 1:]
    return Overlap(float(values[0]), values[1:], *shares.tolist())


def _position(component: str) -> tuple[int, int]:
    """Where a component stands: all, embeddings, the layers by number, head."""
    if component in (ALL, EMBEDDINGS):
        return -2 + (component == EMBEDDINGS), 0
    return (1, 0) if component == HEAD else (0, int(component.split()[1]))
