"""Training subsets in which a label and a protected attribute go together (paper, section 5)."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TypedDict

import numpy as np
import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.seeds import derive_seed

Cell = tuple[int, int, int]  # label, biased attribute, other attribute


class Bias(TypedDict):
    """One bias: among examples of `label`, the share `ratio` has attribute value `group`.

    Among the other label the share is 1 - ratio, so `ratio` = .5 is no bias.
    """

    label: int
    group: int
    ratio: float


def cell_sizes(size: int, bias: Bias) -> dict[Cell, int]:
    """Return how many examples of each (label, biased attribute, other attribute) a subset of `size` has.

    The labels share `size` equally; within a label the biased attribute is split by the ratio and the
    other attribute equally, each to within one example. The sizes sum to `size` exactly.
    """
    sizes: dict[Cell, int] = {}
    for label, total in ((bias["label"], size - size // 2), (1 - bias["label"], size // 2)):
        share = bias["ratio"] if label == bias["label"] else 1 - bias["ratio"]
        favoured = round(total * share)
        for group, count, first in ((bias["group"], favoured, 0), (1 - bias["group"], total - favoured, 1)):
            sizes[label, group, first] = count - count // 2  # the odd one goes to alternating sides
            sizes[label, group, 1 - first] = count // 2
    return sizes


def named_biases(settings: Sequence[Mapping], values: Mapping[str, Sequence]) -> dict[str, Bias]:
    """Turn the config's biases (attribute, label, group by name, ratio) into numbers, by attribute.

    `values` maps `label` and each protected attribute to its two names. Raises InputError for a name that the
    data does not have.
    """
    biases: dict[str, Bias] = {}
    for setting in settings:
        attribute = setting["attribute"]
        if attribute not in values:
            known = ", ".join(name for name in values if name != "label")
            raise InputError(f"The config biases the attribute {attribute!r}, but the data has {known}.")
        biases[attribute] = Bias(
            label=_code(setting["label"], "label", values),
            group=_code(setting["group"], attribute, values),
            ratio=setting["ratio"],
        )
    return biases


def largest_size(frame: pd.DataFrame, biases: Mapping[str, Bias]) -> int:
    """Return the largest size at which each of the two biased subsets can be drawn from `frame`."""
    available = {name: _positions(frame, name, _other(name, biases)) for name in biases}

    def fits(size: int) -> bool:
        return all(
            len(available[name][cell]) >= count
            for name, bias in biases.items()
            for cell, count in cell_sizes(size, bias).items()
        )

    low, high = 0, len(frame)
    while low < high:  # cell sizes never shrink as the size grows
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def biased_subset(
    frame: pd.DataFrame,
    attribute: str,
    biases: Mapping[str, Bias],
    *,
    size: int,
    seed: int,
    values: Mapping[str, Sequence],
) -> pd.DataFrame:
    """Draw `size` rows in which `attribute` is biased and the other attribute is balanced within each label.

    `frame` has the column `label` and one for each of the two attributes in `biases`, all 0/1. Rows are drawn
    without replacement by `seed` and come in random order; `values` names the values for messages. The
    paper's subsets have the ratio .8 (section 5.1).

    Raises InputError naming the first cell that the data cannot supply, with wanted and available.
    """
    other = _other(attribute, biases)
    rng = np.random.default_rng(derive_seed(seed, "subset", attribute))
    positions = _positions(frame, attribute, other)
    drawn = []
    for cell, wanted in cell_sizes(size, biases[attribute]).items():
        if wanted > len(positions[cell]):
            names = zip(("label", attribute, other), cell, strict=True)
            described = ", ".join(f"{key} {values[key][value]}" for key, value in names)
            raise InputError(
                f"The {attribute}-biased subset wants {wanted} training examples with {described}, but the data "
                f"has {len(positions[cell])}; ask for a smaller size, a ratio nearer .5, or no size for the largest."
            )
        drawn.append(rng.permutation(positions[cell])[:wanted])
    order = rng.permutation(np.concatenate(drawn))
    return frame.iloc[order].reset_index(drop=True)


def union(subsets: Sequence[pd.DataFrame], *, seed: int) -> pd.DataFrame:
    """Return the rows of all subsets, each `id` once, in an order drawn by `seed`: the `full` training set."""
    rows = pd.concat(subsets, ignore_index=True).drop_duplicates("id", ignore_index=True)
    order = np.random.default_rng(derive_seed(seed, "subset", "full")).permutation(len(rows))
    return rows.iloc[order].reset_index(drop=True)


def _code(name: str | int, role: str, values: Mapping[str, Sequence]) -> int:
    names = [str(value) for value in values[role]]
    if str(name) not in names:
        raise InputError(f"The config names the {role} {name!r}, but the data has {' and '.join(names)}.")
    return names.index(str(name))


def _other(attribute: str, biases: Mapping[str, Bias]) -> str:
    return next(name for name in biases if name != attribute)


def _positions(frame: pd.DataFrame, attribute: str, other: str) -> dict[Cell, np.ndarray]:
    found = frame.groupby(["label", attribute, other]).indices
    return {cell: np.sort(found.get(cell, np.empty(0, dtype=int))) for cell in product((0, 1), repeat=3)}
