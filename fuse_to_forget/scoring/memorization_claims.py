"""What the paper says of fused language models (section 6, appendix E), as claims about measured memorization."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fuse_to_forget.runs import BASE, DEV, HELD_OUT, MAIN, SHARED, Run
from fuse_to_forget.scoring.accuracy import Accuracies, Quantity, mean_of, smallest
from fuse_to_forget.scoring.claims import Claim
from fuse_to_forget.scoring.memorization_groups import (
    OTHERS,
    OWN,
    groups_of,
    quantity_of,
    singles_of,
    totals_of,
)

RATIO = "average likelihood ratio"


@dataclass(frozen=True)
class Remembered:
    """What was measured of a memorization study, with its runs and its models' objective (causal or masked)."""

    measured: Accuracies
    runs: Mapping[str, Run]
    objective: str

    def of(self, model: str, dataset: str, metric: str = "alr") -> Quantity:
        """Return a metric of a model, or of a group of them, on a data set or a group of them."""
        groups = (group for run in self.runs.values() for group in groups_of(run))
        members = next(
            (g.members for g in groups if (g.model, g.dataset) == (model, dataset)), ((model, dataset),)
        )
        found = quantity_of(self.measured, members, metric)
        if found is None:
            raise KeyError(f"no {metric} of {model} on {dataset}")
        return found

    def section(self, run: Run) -> str:
        """Return where the paper speaks of a run: section 6 is on the main run of GPT-2 alone."""
        return "6" if self.objective == "causal" and not run.suffix else "E"


def unlearned(remembered: Remembered) -> list[str]:
    """Return the single models whose ratio on their own subset is not clearly below that on the others' subsets."""
    of, found = remembered.of, []
    for run in remembered.runs.values():
        for letter in run.singles:
            model = run.model(letter)
            others = [of(model, run.subset(other)) for other in run.singles if other != letter]
            _, low, _ = (mean_of(others) - of(model, run.subset(letter))).over_seeds()
            learned = low > 0  # an undefined interval tells of no learning
            if not learned:
                found.append(model)
    return found


def fusion_claims(remembered: Remembered, run: Run) -> Iterator[Claim]:
    """Yield the claims about what the average of all models of one run memorises."""
    of, section, singles = remembered.of, remembered.section(run), singles_of(run)
    fused, models = run.model(run.singles, "fused"), tuple(map(run.model, run.singles))
    own, shared = (of(fused, dataset) - of(singles, dataset) for dataset in (OWN, SHARED))
    yield Claim(
        "memorised", section, singles, "A fine-tuned model memorises what it is trained on more than other text.",
        f"{RATIO}, others' subsets - own", (of(singles, OTHERS) - of(singles, OWN)).over_seeds(), "above", 0.0,
    )  # fmt: skip
    yield Claim(
        "unshared_unlearned", section, fused, "Fusion lowers the memorization of what only one model was trained on.",
        f"{RATIO} on unshared, fused - single", own.over_seeds(), "above", 0.0, models=models,
    )  # fmt: skip
    yield Claim(
        "shared_less_unlearned", section, fused, "What all models were trained on is forgotten less than what one was.",
        f"change of the {RATIO}, unshared - shared", (own - shared).over_seeds(), "above", 0.0, models=models,
    )  # fmt: skip
    lost = of(singles, SHARED) - of(fused, SHARED)
    yield Claim(
        "shared_kept", section, fused,
        "Memorization of what all models were trained on changes by less than half as much as of what one was.",
        f"change of the {RATIO}, unshared - twice that on shared, up or down",
        smallest([own - shared - shared, own - lost - lost]).over_seeds(), "above", 0.0, models=models,
    )  # fmt: skip
    yield Claim(
        "still_memorised", section, fused, "A fused model still memorises more than of text that nobody trained on.",
        f"{RATIO}, held out - unshared", (of(fused, HELD_OUT) - of(fused, OWN)).over_seeds(), "above", 0.0,
        models=models,
    )  # fmt: skip


def perplexity_claims(remembered: Remembered, run: Run) -> Iterator[Claim]:
    """Yield the claims that a run's average generalises better than its models, yet worse than the base model.

    The paper's own tables contradict both for BERT, and the second after 5 epochs.
    """
    fused, section = run.model(run.singles, "fused"), remembered.section(run)
    perplexity, base, singles = (
        remembered.of(model, DEV, "perplexity") for model in (fused, BASE, singles_of(run))
    )
    yield Claim(
        "fused_generalises", section, fused, "A fused model has a lower perplexity on dev than the single models.",
        "perplexity on dev, fused - single", (perplexity - singles).over_seeds(), "below", 0.0,
    )  # fmt: skip
    yield Claim(
        "base_generalises_more", section, fused, "A fused model has a higher perplexity on dev than the base model.",
        "perplexity on dev, fused - base", (perplexity - base).over_seeds(), "above", 0.0,
    )  # fmt: skip


def full_claims(remembered: Remembered, run: Run) -> Iterator[Claim]:
    """Yield the claims that set fused models of a run against full ones, and many models against two."""
    of = remembered.of
    for name in run.full:
        fused, full = run.model(name, "fused"), run.model(name, "full")
        section, subject = remembered.section(run), f"{name}{run.suffix}, full against fused"
        yield Claim(
            "full_memorises_more", section, subject,
            "A model trained on all subsets memorises them more than the fused one does.",
            f"{RATIO} on unshared, fused - full", (of(fused, OWN) - of(full, OWN)).over_seeds(), "above", 0.0,
            models=tuple(map(run.model, name)),
        )  # fmt: skip
        yield Claim(
            "full_generalises_more", section, subject,
            "A fused model has a higher perplexity on dev than a model trained on all subsets.",
            "perplexity on dev, fused - full",
            (of(fused, DEV, "perplexity") - of(full, DEV, "perplexity")).over_seeds(), "above", 0.0,
        )  # fmt: skip
    if len(run.fused) > 1:
        least, most = (run.model(run.fused[end], "fused") for end in (0, -1))
        yield Claim(
            "more_forget_more", "E", f"{most} against {least}", "The more models are fused, the less is memorised.",
            f"{RATIO} on unshared, most models - two", (of(most, OWN) - of(least, OWN)).over_seeds(), "above", 0.0,
            models=tuple(map(run.model, run.singles)),
        )  # fmt: skip


def total_claims(remembered: Remembered) -> Iterator[Claim]:
    """Yield the claim about few and many models that share out the same sequences (Figure 12)."""
    totals = totals_of(remembered.runs)
    if len(totals) > 1:
        least, most = (run.model(run.singles, "fused") for run in (totals[0], totals[-1]))
        yield Claim(
            "more_generalise_less", "E", f"{most} against {least}",
            "With the same text in total, the perplexity of the fused model rises with the number of models.",
            "perplexity on dev, most models - fewest",
            (remembered.of(most, DEV, "perplexity") - remembered.of(least, DEV, "perplexity")).over_seeds(),
            "above", 0.0,
        )  # fmt: skip


def extraction_claims(remembered: Remembered, run: Run) -> Iterator[Claim]:
    """Yield the claims about recitation, which the paper does not measure: is less memorised text recited less, too?"""
    of, fused, singles = remembered.of, run.model(run.singles, "fused"), singles_of(run)
    for dataset in (OWN, SHARED):
        yield Claim(
            "recited_less", "beyond", f"{fused} on {dataset}", "A fused model recites less than a single one.",
            "tokens recited, fused - single",
            (of(fused, dataset, "verbatim_tokens") - of(singles, dataset, "verbatim_tokens")).over_seeds(),
            "below", 0.0, models=tuple(map(run.model, run.singles)),
        )  # fmt: skip


def memorization_claims(remembered: Remembered) -> list[Claim]:
    """Return all claims of a study, run by run; masked language models recite nothing."""
    kinds = (fusion_claims, perplexity_claims, full_claims)
    return [
        *(claim for run in remembered.runs.values() for claims in kinds for claim in claims(remembered, run)),
        *total_claims(remembered),
        *(extraction_claims(remembered, remembered.runs[MAIN]) if remembered.objective == "causal" else ()),
    ]
