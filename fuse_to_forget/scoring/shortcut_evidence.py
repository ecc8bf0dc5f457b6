"""What was measured of fused shortcut models, as the claims of the paper ask for it, and what depends on what.

Shortcut knowledge is measured by balanced accuracy on synthetic dev: .5 is none, whatever the label rates. Of a
model's own knowledge u, a fused model keeps the share (u_fused - .5) / (u_own - .5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fuse_to_forget.coefficients import format_coefficients, simplex_grid
from fuse_to_forget.scoring.accuracy import Accuracies, Quantity, largest, mean_of
from fuse_to_forget.scoring.shortcuts import SYNTHETIC

# What the paper says depends on what, before any data: all examples of a shortcut belong to those that subsume it
# (Table 3), and models of some shortcuts do better than chance on another (appendix C.2).
SUBSUMED_BY = {"TiC": ("ST", "MT"), "ST": ("MT",)}
DEPENDS_ON = {"OR": ("TiC", "ST")}


@dataclass(frozen=True)
class Evidence:
    """Measured accuracies with what the study is made of; `tolerance` is how far from a bound accuracy may be."""

    measured: Accuracies
    singles: Sequence[str]
    steps: int
    tolerance: float

    def sweep(
        self, models: Sequence[str], coefficients: Sequence[float], dataset: str, split: str
    ) -> Quantity:
        """Return the utilization of one fused model of a sweep; `dataset` may be `mean`."""
        where = {
            "model": "-".join(models),
            "coefficients": format_coefficients(dict(zip(models, coefficients, strict=True))),
            "split": split,
            "metric": "balanced_accuracy" if split == SYNTHETIC else "accuracy",
        }
        if dataset != "mean":
            where["dataset"] = dataset
        return self.measured.quantity(self.measured.find(**where))

    def datasets(self, models: Sequence[str]) -> list[str]:
        """Return the data sets that a sweep was evaluated on."""
        rows = self.measured.rows
        return list(dict.fromkeys(rows["dataset"][rows["model"] == "-".join(models)]))

    def middle(self, models: Sequence[str]) -> list[tuple[float, ...]]:
        """Return the grid points nearest to the plain average."""
        grid = np.array(simplex_grid(len(models), self.steps))
        distance = np.abs(grid - 1 / len(models)).sum(axis=1)
        return [tuple(map(float, vector)) for vector in grid[distance <= distance.min() + 1e-9]]

    def at_middle(self, models: Sequence[str], dataset: str, split: str) -> Quantity:
        """Return the utilization at the plain average, the mean of the nearest grid points."""
        return mean_of([self.sweep(models, vector, dataset, split) for vector in self.middle(models)])

    def role(
        self, models: Sequence[str], dataset: str
    ) -> Literal["shared", "unshared", "subsumed", "dependent"]:
        """Return what the paper expects of a shortcut between two models: shared, unshared, subsumed or dependent.

        It is shared if both models were trained on it, by name, and unshared if only one was and no dependency says
        that the other one's shortcut serves as well.
        """
        parts = [model.split("+") for model in models]
        if all(dataset in names for names in parts):
            return "shared"
        if not all(len(names) == 1 for names in parts):
            return "unshared"  # of what two mixtures do not share, the paper makes no exception
        (other,) = (names[0] for names in parts if dataset not in names)
        if other in SUBSUMED_BY.get(dataset, ()):
            return "subsumed"
        return "dependent" if other in DEPENDS_ON.get(dataset, ()) else "unshared"

    def at_ends(self, models: Sequence[str], dataset: str, split: str) -> list[Quantity]:
        """Return the utilization of each model of a sweep, alone."""
        corners = np.eye(len(models)).tolist()
        return [self.sweep(models, corner, dataset, split) for corner in corners]


def kept_share(fused: Quantity, own: Quantity) -> Quantity:
    """Return the share of a model's knowledge above chance that a fused model has."""
    return (fused - 0.5) / (own - 0.5)


def average_of(singles: Sequence[str]) -> dict[str, str]:
    """Return the key columns of the plain average of all single models, which a triplet's sweep may hold too."""
    equal = dict.fromkeys(singles, 1 / len(singles))
    return {"model": "-".join(singles), "coefficients": format_coefficients(equal)}


def kept_of_many(evidence: Evidence, name: str, model: Mapping[str, str]) -> Quantity:
    """Share that a model keeps of what a shortcut's own model knows."""
    measured = evidence.measured
    where = {"dataset": name, "split": SYNTHETIC, "metric": "balanced_accuracy"}
    own = measured.quantity(measured.find(model=name, coefficients="", **where))
    return kept_share(measured.quantity(measured.find(**model, **where)), own)


def kept_of_pair(evidence: Evidence, pair: Sequence[str], dataset: str) -> Quantity:
    """Share that is kept half-way of a shortcut that only one model of a pair has."""
    ends = evidence.at_ends(pair, dataset, SYNTHETIC)
    return kept_share(evidence.at_middle(pair, dataset, SYNTHETIC), largest(ends))
