"""What the paper says of fused shortcut models (section 4.2, appendices C and D), as claims about measured accuracy.

Shortcut knowledge is measured by balanced accuracy on synthetic dev: .5 is none, whatever the label rates. Of a
model's own knowledge u, a fused model keeps the share (u_fused - .5) / (u_own - .5).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fuse_to_forget.coefficients import format_coefficients, simplex_grid
from fuse_to_forget.scoring.accuracy import Accuracies, Quantity, largest, mean_of, smallest
from fuse_to_forget.scoring.claims import Claim, sign_flip_p_value
from fuse_to_forget.scoring.shortcuts import ORIGINAL, SYNTHETIC, own_accuracy

# Balanced accuracy half-way between none and all: from here on a model counts as having a shortcut
KNOWN = 0.75


@dataclass(frozen=True)
class Evidence:
    """Measured accuracies with what the study is made of; `tolerance` is the margin of `kept`."""

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

    def along(self, models: Sequence[str], dataset: str, split: str) -> list[Quantity]:
        """Return the utilization at every coefficient of a pair's sweep."""
        return [self.sweep(models, vector, dataset, split) for vector in simplex_grid(2, self.steps)]

    def middle(self, models: Sequence[str]) -> list[tuple[float, ...]]:
        """Return the grid points nearest to the plain average."""
        grid = np.array(simplex_grid(len(models), self.steps))
        distance = np.abs(grid - 1 / len(models)).sum(axis=1)
        return [tuple(map(float, vector)) for vector in grid[distance <= distance.min() + 1e-9]]

    def at_middle(self, models: Sequence[str], dataset: str, split: str) -> Quantity:
        """Return the utilization at the plain average, the mean of the nearest grid points."""
        return mean_of([self.sweep(models, vector, dataset, split) for vector in self.middle(models)])

    def at_ends(self, models: Sequence[str], dataset: str, split: str) -> list[Quantity]:
        """Return the utilization of each model of a sweep, alone."""
        corners = np.eye(len(models)).tolist()
        return [self.sweep(models, corner, dataset, split) for corner in corners]


def kept_share(fused: Quantity, own: Quantity) -> Quantity:
    """Return the share of a model's knowledge above chance that a fused model has."""
    return (fused - 0.5) / (own - 0.5)


def pair_claims(evidence: Evidence, models: Sequence[str]) -> Iterator[Claim]:
    """Yield the claims about the line between two models; `random` may be the second."""
    pair = "-".join(models)
    for dataset in evidence.datasets(models):
        for split in (SYNTHETIC, ORIGINAL):
            yield _between(evidence, models, dataset, split)
        if models[1] == "random":
            yield _random(evidence, models, dataset, SYNTHETIC)
            yield _random(evidence, models, dataset, ORIGINAL)
        else:
            yield from _shortcut(evidence, models, dataset)
    if models[1] != "random":
        middle = evidence.at_middle(models, "mean", ORIGINAL)
        worse = smallest(evidence.at_ends(models, "mean", ORIGINAL))
        yield Claim(
            "task_preserved", "4.2", pair, "The task is preserved half-way between two models.",
            "original accuracy, fused - worse model", (middle - worse).over_seeds(),
            "above", -evidence.tolerance,
        )  # fmt: skip


def _between(evidence: Evidence, models: Sequence[str], dataset: str, split: str) -> Claim:
    middle = evidence.at_middle(models, dataset, split)
    ends = evidence.at_ends(models, dataset, split)
    margin = smallest([middle - smallest(ends), largest(ends) - middle])
    return Claim(
        "equation_2", "3", f"{'-'.join(models)} on {dataset}, {split}",
        "What the fused model knows lies between the least and the most that one of the models knows.",
        "accuracy inside of the two models' (negative: outside)", margin.over_seeds(),
        "above", -evidence.tolerance,
    )  # fmt: skip


def _random(evidence: Evidence, models: Sequence[str], dataset: str, split: str) -> Claim:
    own, end = evidence.at_ends(models, dataset, split)
    return Claim(
        "random_forgets", "4.2", f"{'-'.join(models)} on {dataset}, {split}",
        "Towards random weights, shortcut and task are forgotten.",
        "share of knowledge kept at the random end", kept_share(end, own).over_seeds(), "below", 0.5,
    )  # fmt: skip


def _shortcut(evidence: Evidence, models: Sequence[str], dataset: str) -> Iterator[Claim]:
    """A shortcut that one model has is forgotten; one that both have by name is kept; else there is a dip."""
    ends = evidence.at_ends(models, dataset, SYNTHETIC)
    subject = f"{'-'.join(models)} on {dataset}"
    kept = kept_share(evidence.at_middle(models, dataset, SYNTHETIC), largest(ends)).over_seeds()
    if all(dataset in model.split("+") for model in models):
        yield Claim(
            "shared_kept", "4.2", subject, "A shortcut that both models were trained on is kept.",
            "share of knowledge kept half-way", kept, "above", 0.5,
        )  # fmt: skip
    elif min(end.observed.mean() for end in ends) < KNOWN:
        yield Claim(
            "unshared_forgotten", "4.2", subject, "A shortcut that only one model has is forgotten half-way.",
            "share of knowledge kept half-way", kept, "below", 0.5,
        )  # fmt: skip
    else:
        inner = evidence.along(models, dataset, SYNTHETIC)[1:-1]
        lowest = inner[int(np.argmin([quantity.observed.mean() for quantity in inner]))]
        yield Claim(
            "dependent_dips", "4.2", subject,
            "Where another shortcut serves as well, knowledge dips between the models.",
            "balanced accuracy, worse model - lowest point between",
            (smallest(ends) - lowest).over_seeds(), "above", evidence.tolerance,
        )  # fmt: skip


def dependency_claims(evidence: Evidence, on: str, others: Sequence[str]) -> Iterator[Claim]:
    """Yield the claims that models of `others` do better than chance on the data of the shortcut `on`."""
    for model in others:
        found = evidence.measured.find(
            model=model, coefficients="", dataset=on, split=SYNTHETIC, metric="balanced_accuracy"
        )
        yield Claim(
            "dependency", "C.2", f"{model} on {on}",
            "A model of one shortcut does better than chance on a shortcut that depends on it.",
            "balanced accuracy", evidence.measured.quantity(found).over_seeds(),
            "above", 0.5 + evidence.tolerance, models=(model,),
        )  # fmt: skip


def triplet_claims(evidence: Evidence, models: Sequence[str]) -> Iterator[Claim]:
    """Yield the claims about the triangle between three models (appendix C.3)."""
    name = "-".join(models)
    synthetic = evidence.at_middle(models, "mean", SYNTHETIC) - smallest(
        evidence.at_ends(models, "mean", SYNTHETIC)
    )
    original = evidence.at_middle(models, "mean", ORIGINAL) - smallest(
        evidence.at_ends(models, "mean", ORIGINAL)
    )
    yield Claim(
        "triplet_forgets", "C.3", name, "Around the average of three models the least is known of all shortcuts.",
        "mean balanced accuracy, centre - lowest corner", synthetic.over_seeds(), "below", 0.0,
        models=tuple(models),
    )  # fmt: skip
    yield Claim(
        "triplet_task", "C.3", name, "Around the average of three models the task is preserved.",
        "mean original accuracy, centre - lowest corner", original.over_seeds(), "above", -evidence.tolerance,
        models=tuple(models),
    )  # fmt: skip


def fusing_many_claims(
    evidence: Evidence, predictions: pd.DataFrame, pairs: Sequence[Sequence[str]], seed: int
) -> Iterator[Claim]:
    """Yield the claims about the average of all single models, the single models and the full model (Figure 4)."""
    singles, measured = evidence.singles, evidence.measured
    average = format_coefficients({name: 1 / len(singles) for name in singles})
    find = {
        "own": lambda name: {"model": name, "coefficients": ""},
        "full": lambda name: {"model": "full", "coefficients": ""},
        "fused": lambda name: {"model": "-".join(singles), "coefficients": average},
    }

    def kept(which: str, name: str) -> Quantity:
        where = {"dataset": name, "split": SYNTHETIC, "metric": "balanced_accuracy"}
        own, other = (measured.quantity(measured.find(**find[w](name), **where)) for w in ("own", which))
        return kept_share(other, own)

    for name in singles:
        yield Claim(
            "many_forgotten", "4.2", f"all on {name}", "The average of all models forgets every shortcut.",
            "share of knowledge kept", kept("fused", name).over_seeds(), "below", 0.5,
            models=(name,),
        )  # fmt: skip
    fused, full = (mean_of([kept(which, name) for name in singles]) for which in ("fused", "full"))
    yield Claim(
        "full_forgets_less", "4.2", "full against all fused",
        "Training on the combined data set forgets shortcuts less than fusion does.",
        "mean share of knowledge kept, full - fused", (full - fused).over_seeds(), "above", 0.0,
    )  # fmt: skip
    of_pairs = mean_of([half for pair in pairs for half in _kept_of_pair(evidence, pair)])
    yield Claim(
        "more_forget_more", "4.2", "all against pairs", "The more models are fused, the more is forgotten.",
        "mean share of unshared knowledge kept, pairs - all", (of_pairs - fused).over_seeds(), "above", 0.0,
    )  # fmt: skip
    yield from _task_of_many(evidence, predictions, find["fused"]("")["model"], seed)


def _kept_of_pair(evidence: Evidence, pair: Sequence[str]) -> list[Quantity]:
    """Shares kept half-way of those shortcuts of a pair that only one of its models has."""
    kept = []
    for dataset in evidence.datasets(pair):
        ends = evidence.at_ends(pair, dataset, SYNTHETIC)
        if min(end.observed.mean() for end in ends) < KNOWN:
            kept.append(kept_share(evidence.at_middle(pair, dataset, SYNTHETIC), largest(ends)))
    return kept


def _task_of_many(evidence: Evidence, predictions: pd.DataFrame, fused: str, seed: int) -> Iterator[Claim]:
    measured, singles = evidence.measured, evidence.singles
    at = measured.find(model=fused, split=ORIGINAL, metric="accuracy")
    difference = measured.quantity(at) - own_accuracy(measured, singles, ORIGINAL)
    p_value = sign_flip_p_value(_original_differences(predictions, singles, fused), seed)
    shared = ("4.2", "all fused against the single models")
    quantity = "original accuracy, fused - mean of the single models"
    yield Claim(
        "many_task_kept", *shared, "Fusing many models keeps the task.", quantity,
        difference.over_seeds(), "above", -evidence.tolerance, p_value,
    )  # fmt: skip
    yield Claim(
        "many_task_better", *shared, "Fusing many models does the task significantly better.", quantity,
        difference.over_seeds(), "above", 0.0, p_value,
    )  # fmt: skip


def _original_differences(predictions: pd.DataFrame, singles: Sequence[str], fused: str) -> np.ndarray:
    """Per original sentence: correctness of the fused model less that of the own ones, over data sets and seeds."""
    original = predictions[predictions["part"] == "original"]
    correct = original.assign(correct=(original["prediction"] == original["label"]).astype(float))
    is_own = (correct["model"] == correct["dataset"]) & (correct["kind"] == "single")
    masks = {"fused": correct["model"] == fused, "own": is_own & correct["dataset"].isin(singles)}
    means = {which: correct[mask].groupby("id")["correct"].mean() for which, mask in masks.items()}
    return (means["fused"] - means["own"]).to_numpy()


def overlap_claims(table4: pd.DataFrame) -> Iterator[Claim]:
    """Yield the claims that shared knowledge lies in the same weights more than unshared knowledge (appendix D)."""
    for row in table4[table4["comparison"] == "two models"].to_dict("records"):
        yield Claim(
            "shared_weights", "D.2", row["pair"],
            "Shared knowledge is governed by the same weights more than unshared knowledge is.",
            "Fisher overlap, shared - unshared",
            (row["difference"], row["difference_low"], row["difference_high"]), "above", 0.0,
            models=tuple(row["pair"].split("-")),
        )  # fmt: skip


def shortcut_claims(
    evidence: Evidence,
    predictions: pd.DataFrame,
    table4: pd.DataFrame,
    sweeps: Mapping[str, Sequence],
    seed: int,
) -> list[Claim]:
    """Return all claims of the study, in the order of the paper; `sweeps` is the config's entry."""
    pairs = [pair for figure in ("figure2", "figure3", "figure6") for pair in sweeps[figure]]
    of_singles = [pair for pair in pairs if set(pair) <= set(evidence.singles)]
    others = [name for name in ("TiC", "ST") if name in evidence.singles and "OR" in evidence.singles]
    return [
        *(replace(claim, models=tuple(pair)) for pair in pairs for claim in pair_claims(evidence, pair)),
        *fusing_many_claims(evidence, predictions, of_singles, seed),
        *dependency_claims(evidence, "OR", others),
        *triplet_claims(evidence, sweeps["triplet"]),
        *overlap_claims(table4),
    ]
