"""What the paper says of fused language models (section 6, appendix E), as claims about measured memorization."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fuse_to_forget.runs import DEV, HELD_OUT, MAIN, SHARED, Run
from fuse_to_forget.scoring.accuracy import Accuracies, Quantity
from fuse_to_forget.scoring.claims import Claim
from fuse_to_forget.scoring.memorization_groups import OTHERS, OWN, groups_of, quantity_of, singles_of

RATIO = "average likelihood ratio"


@dataclass(frozen=True)
class Remembered:
    """What was measured of a memorization study, with its runs."""

    measured: Accuracies
    runs: Mapping[str, Run]

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


def run_claims(remembered: Remembered, run: Run) -> Iterator[Claim]:
    """Yield the claims about the average of all models of one run."""
    of, singles = remembered.of, singles_of(run)
    fused = run.model(run.singles, "fused")
    own, shared = (of(fused, dataset) - of(singles, dataset) for dataset in (OWN, SHARED))
    section = "6" if not run.suffix else "E"
    yield Claim(
        "memorised", section, singles, "A fine-tuned model memorises what it is trained on more than other text.",
        f"{RATIO}, others' subsets - own", (of(singles, OTHERS) - of(singles, OWN)).over_seeds(), "above", 0.0,
    )  # fmt: skip
    yield Claim(
        "unshared_unlearned", section, fused, "Fusion lowers the memorization of what only one model was trained on.",
        f"{RATIO} on unshared, fused - single", own.over_seeds(), "above", 0.0,
    )  # fmt: skip
    yield Claim(
        "shared_less_unlearned", section, fused, "What all models were trained on is forgotten less than what one was.",
        f"change of the {RATIO}, unshared - shared", (own - shared).over_seeds(), "above", 0.0,
    )  # fmt: skip
    yield Claim(
        "still_memorised", section, fused, "A fused model still memorises more than of text that nobody trained on.",
        f"{RATIO}, held out - unshared", (of(fused, HELD_OUT) - of(fused, OWN)).over_seeds(), "above", 0.0,
    )  # fmt: skip
    yield Claim(
        "fused_generalises", section, fused, "A fused model has a lower perplexity on dev than the single models.",
        "perplexity on dev, fused - single",
        (of(fused, DEV, "perplexity") - of(singles, DEV, "perplexity")).over_seeds(), "below", 0.0,
    )  # fmt: skip


def full_claims(remembered: Remembered, run: Run) -> Iterator[Claim]:
    """Yield the claims that set fused models of the main run against full ones, and many models against two."""
    of = remembered.of
    for name in run.full:
        fused, full = run.model(name, "fused"), run.model(name, "full")
        yield Claim(
            "full_memorises_more", "6", f"{name}, full against fused",
            "A model trained on all subsets memorises them more than the fused one does.",
            f"{RATIO} on unshared, fused - full", (of(fused, OWN) - of(full, OWN)).over_seeds(), "above", 0.0,
        )  # fmt: skip
    if len(run.fused) > 1:
        least, most = (run.model(run.fused[end], "fused") for end in (0, -1))
        yield Claim(
            "more_forget_more", "E", f"{most} against {least}", "The more models are fused, the less is memorised.",
            f"{RATIO} on unshared, most models - two", (of(most, OWN) - of(least, OWN)).over_seeds(), "above", 0.0,
        )  # fmt: skip


def extraction_claims(remembered: Remembered, run: Run) -> Iterator[Claim]:
    """Yield the claims about recitation, which the paper does not measure: is less memorised text recited less, too?"""
    of, fused, singles = remembered.of, run.model(run.singles, "fused"), singles_of(run)
    for dataset in (OWN, SHARED):
        yield Claim(
            "recited_less", "beyond", f"{fused} on {dataset}", "A fused model recites less than a single one.",
            "tokens recited, fused - single",
            (of(fused, dataset, "verbatim_tokens") - of(singles, dataset, "verbatim_tokens")).over_seeds(),
            "below", 0.0,
        )  # fmt: skip


def memorization_claims(remembered: Remembered, objective: str) -> list[Claim]:
    """Return all claims of a study, in the order of the paper; masked language models recite nothing."""
    main = remembered.runs[MAIN]
    return [
        *(claim for run in remembered.runs.values() for claim in run_claims(remembered, run)),
        *full_claims(remembered, main),
        *(extraction_claims(remembered, main) if objective == "causal" else ()),
    ]
