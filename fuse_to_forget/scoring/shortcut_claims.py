"""What the paper says of fused shortcut models (section 4.2, appendices C and D), as claims about measured accuracy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from fuse_to_forget.scoring.accuracy import largest, mean_of, smallest
from fuse_to_forget.scoring.claims import Claim, sign_flip_p_value
from fuse_to_forget.scoring.shortcut_evidence import (
    DEPENDS_ON,
    Evidence,
    average_of,
    kept_of_many,
    kept_of_pair,
    kept_share,
)
from fuse_to_forget.scoring.shortcuts import ORIGINAL, SYNTHETIC, own_accuracy

HALF = 0.5  # of a model's knowledge: a fused model that has more keeps it, one that has less forgets it


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
    metric = "balanced accuracy" if split == SYNTHETIC else "accuracy"
    return Claim(
        "equation_2", "3", f"{'-'.join(models)} on {dataset}, {split}",
        "What the fused model knows lies between the least and the most that one of the models knows.",
        f"{metric} inside of the models' (negative: outside)", margin.over_seeds(),
        "above", -evidence.tolerance,
    )  # fmt: skip


def _random(evidence: Evidence, models: Sequence[str], dataset: str, split: str) -> Claim:
    own, end = evidence.at_ends(models, dataset, split)
    return Claim(
        "random_forgets", "4.2", f"{'-'.join(models)} on {dataset}, {split}",
        "Towards random weights, shortcut and task are forgotten.",
        "share of knowledge kept at the random end", kept_share(end, own).over_seeds(), "below", HALF,
    )  # fmt: skip


def _shortcut(evidence: Evidence, models: Sequence[str], dataset: str) -> Iterator[Claim]:
    """Yield the claim about one shortcut half-way between two models; dependent ones have claims of their own."""
    ends = evidence.at_ends(models, dataset, SYNTHETIC)
    middle = evidence.at_middle(models, dataset, SYNTHETIC)
    subject = f"{'-'.join(models)} on {dataset}"
    kept = kept_share(middle, largest(ends)).over_seeds()
    role = evidence.role(models, dataset)
    if role == "shared":
        yield Claim(
            "shared_kept", "4.2", subject, "A shortcut that both models were trained on is kept.",
            "share of knowledge kept half-way", kept, "above", HALF,
        )  # fmt: skip
    elif role == "unshared":
        yield Claim(
            "unshared_forgotten", "4.2", subject, "A shortcut that only one model has is forgotten half-way.",
            "share of knowledge kept half-way", kept, "below", HALF,
        )  # fmt: skip
    elif role == "subsumed":
        yield Claim(
            "dependent_dips", "4.2", subject,
            "Where another shortcut serves as well, knowledge dips between the models.",
            "balanced accuracy, worse model - half-way", (smallest(ends) - middle).over_seeds(),
            "above", evidence.tolerance,
        )  # fmt: skip


def dependency_claims(evidence: Evidence) -> Iterator[Claim]:
    """Yield the claims that models of some shortcuts do better than chance on the data of another."""
    pairs = [(on, model) for on, models in DEPENDS_ON.items() for model in models]
    for on, model in pairs:
        if not {on, model} <= set(evidence.singles):
            continue
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
    for dataset in evidence.datasets(models):
        for split in (SYNTHETIC, ORIGINAL):
            yield replace(_between(evidence, models, dataset, split), models=tuple(models))
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
    singles = tuple(evidence.singles)
    fused = {name: kept_of_many(evidence, name, average_of(singles)) for name in singles}
    full = {name: kept_of_many(evidence, name, {"model": "full", "coefficients": ""}) for name in singles}
    for name in singles:
        yield Claim(
            "many_forgotten", "4.2", f"all on {name}", "The average of all models forgets every shortcut.",
            "share of knowledge kept", fused[name].over_seeds(), "below", HALF, models=(name,),
        )  # fmt: skip
    yield Claim(
        "full_forgets_less", "4.2", "full against all fused",
        "Training on the combined data set forgets shortcuts less than fusion does.",
        "mean share of knowledge kept, full - fused",
        (mean_of(list(full.values())) - mean_of(list(fused.values()))).over_seeds(), "above", 0.0,
        models=singles,
    )  # fmt: skip
    unshared = [
        (pair, dataset)
        for pair in pairs
        for dataset in evidence.datasets(pair)
        if evidence.role(pair, dataset) == "unshared"
    ]
    if unshared:
        of_pairs = mean_of([kept_of_pair(evidence, *which) for which in unshared])
        of_all = mean_of([fused[dataset] for _, dataset in unshared])
        yield Claim(
            "more_forget_more", "4.2", "all against pairs", "The more models are fused, the more is forgotten.",
            "mean share kept of the pairs' unshared shortcuts, pairs - all", (of_pairs - of_all).over_seeds(),
            "above", 0.0, models=tuple({name: None for pair, _ in unshared for name in pair}),
        )  # fmt: skip
    yield from _task_of_many(evidence, predictions, seed)


def _task_of_many(evidence: Evidence, predictions: pd.DataFrame, seed: int) -> Iterator[Claim]:
    measured, singles = evidence.measured, evidence.singles
    at = measured.find(**average_of(singles), split=ORIGINAL, metric="accuracy")
    difference = measured.quantity(at) - own_accuracy(measured, singles, ORIGINAL)
    p_value = sign_flip_p_value(_original_differences(predictions, singles), seed)
    shared = ("4.2", "all fused against the single models")
    quantity = "original accuracy, fused - mean of the single models"
    yield Claim(
        "many_task_kept", *shared, "Fusing many models keeps the task.", quantity,
        difference.over_seeds(), "above", -evidence.tolerance,
    )  # fmt: skip
    yield Claim(
        "many_task_better", *shared, "Fusing many models does the task significantly better.", quantity,
        difference.over_seeds(), "above", 0.0, p_value,
    )  # fmt: skip


def _original_differences(predictions: pd.DataFrame, singles: Sequence[str]) -> np.ndarray:
    """Per original sentence: correctness of the fused model less that of the own ones, over data sets and seeds."""
    original = predictions[predictions["part"] == "original"]
    correct = original.assign(correct=(original["prediction"] == original["label"]).astype(float))
    is_own = (correct["model"] == correct["dataset"]) & (correct["kind"] == "single")
    average = average_of(singles)
    is_average = (correct[list(average)] == pd.Series(average)).all(axis=1)
    masks = {"fused": is_average, "own": is_own & correct["dataset"].isin(singles)}
    means = {which: correct[mask].groupby("id")["correct"].mean() for which, mask in masks.items()}
    return (means["fused"] - means["own"]).to_numpy()


def overlap_claims(table4: pd.DataFrame) -> Iterator[Claim]:
    """Yield the claims that shared knowledge lies in the same weights more than unshared knowledge (appendix D).

    The paper has no reference point. Here is one: on examples of a shortcut, two models of different shortcuts should
    overlap less than two seeds of one model do. Both are estimates of their own, so their errors add up.
    """
    for row in table4[table4["comparison"] == "two models"].to_dict("records"):
        models = tuple(row["pair"].split("-"))
        yield Claim(
            "shared_weights", "D.2", row["pair"],
            "Shared knowledge is governed by the same weights more than unshared knowledge is.",
            "Fisher overlap, shared - unshared",
            (row["difference"], row["difference_low"], row["difference_high"]), "above", 0.0, models=models,
        )  # fmt: skip
        for reference in table4[table4["comparison"] == "two seeds"].to_dict("records"):
            value = reference["unshared"] - row["unshared"]
            below = np.hypot(
                reference["unshared"] - reference["unshared_low"], row["unshared_high"] - row["unshared"]
            )
            above = np.hypot(
                reference["unshared_high"] - reference["unshared"], row["unshared"] - row["unshared_low"]
            )
            yield Claim(
                "unshared_apart", "beyond", f"{row['pair']} against two seeds of {reference['pair']}",
                "Different shortcuts share fewer weights than one shortcut learned twice.",
                "Fisher overlap on shortcuts, two seeds - two models", (value, value - below, value + above),
                "above", 0.0, models=models,
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
    return [
        *(replace(claim, models=tuple(pair)) for pair in pairs for claim in pair_claims(evidence, pair)),
        *fusing_many_claims(evidence, predictions, of_singles, seed),
        *dependency_claims(evidence),
        *triplet_claims(evidence, sweeps["triplet"]),
        *overlap_claims(table4),
    ]
