"""What Jin et al. (2023) say of merged models of several domains, as claims about measured accuracies."""

from collections.abc import Iterator, Sequence

import pandas as pd

from fuse_to_forget.domains import PARTS, SAME, Domains
from fuse_to_forget.scoring.claims import Claim
from fuse_to_forget.scoring.domains import (
    GROWTH,
    HELD_OUT,
    IN_DOMAIN,
    MAIN,
    NON_IID,
    OUT_OF_DOMAIN,
    PAIRS,
    SINGLE,
)
from fuse_to_forget.scoring.scores import ALL_SEEDS

SECTION = "Jin et al."


def unlearned(scores: pd.DataFrame, domains: Domains) -> list[str]:
    """Return the single models that are not clearly better than chance (.5) on test of their own domain."""
    rows = scores[(scores["split"] == "test") & (scores["metric"] == MAIN) & (scores["seed"] == ALL_SEEDS)]
    low = rows.set_index(["model", "dataset"])["low"]
    singles = {model: own[0] for model, own in domains.trained().items() if len(own) == 1}
    return [model for model, domain in singles.items() if not low[model, domain] > 0.5]


def domain_claims(
    settings: pd.DataFrame, domains: Domains, regmean: Sequence[str], average: str
) -> list[Claim]:
    """Return all claims; `settings` is what `score_settings` returns, `regmean` the labels of RegMean's uses."""
    found = settings[settings["metric"] == MAIN]
    every = len(domains.names)
    return [
        *_regmean_claims(found, domains, regmean, average, every),
        *_generalisation_claims(found, domains, max(2, every - 1)),
    ]


def _estimate(row: pd.Series) -> tuple[float, float, float]:
    return row["value"], row["low"], row["high"]


def _singles(domains: Domains, setting: str, head: str) -> tuple[str, ...]:
    return PARTS if setting == NON_IID else tuple(domains.model(name, head) for name in domains.names)


def _regmean_claims(
    found: pd.DataFrame, domains: Domains, regmean: Sequence[str], average: str, every: int
) -> Iterator[Claim]:
    """Yield the claims that RegMean beats the plain average in-domain: pairs, all domains merged, and non-iid parts."""
    cases = [
        (setting, head, count) for setting, count in ((PAIRS, 2), (GROWTH, every)) for head in domains.heads
    ]
    for setting, head, count in [*cases, (NON_IID, SAME, 2)]:
        for label in regmean:
            rows = found[
                (found["setting"] == setting) & (found["head"] == head) & (found["models"] == count)
                & (found["method"] == label) & (found["where"] == IN_DOMAIN) & (found["against"] == average)
            ]  # fmt: skip
            for _, row in rows.iterrows():
                yield Claim(
                    "regmean_beats_average", SECTION, f"{label}: {setting} of {count}, {head} head",
                    "RegMean is better in-domain than the plain average.",
                    f"balanced accuracy in-domain, RegMean - {average}", _estimate(row), "above", 0.0,
                    models=_singles(domains, setting, head),
                )  # fmt: skip


def _generalisation_claims(found: pd.DataFrame, domains: Domains, count: int) -> Iterator[Claim]:
    """Yield the claims that models merged of all domains but one do better on it than the single models."""
    setting = HELD_OUT if count > 2 else PAIRS
    rows = found[
        (found["setting"] == setting) & (found["models"] == count) & (found["where"] == OUT_OF_DOMAIN)
        & (found["against"] == SINGLE)
    ]  # fmt: skip
    for _, row in rows.iterrows():
        yield Claim(
            "merging_generalises", SECTION, f"{row['method']}: {setting} of {count}, {row['head']} head",
            "On a domain that none was trained on, the merged model is better than the single ones.",
            "balanced accuracy out-of-domain, merged - single", _estimate(row), "above", 0.0,
            models=_singles(domains, setting, row["head"]),
        )  # fmt: skip
