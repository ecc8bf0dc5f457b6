"""Statements of the paper as hypotheses: a measured quantity, its interval, a bound, and the verdict."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import permutation_test

COLUMNS = [
    "claim", "section", "subject", "statement", "quantity", "value", "low", "high", "expected", "p_value",
    "verdict", "not_learned", "n_seeds",
]  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """One statement: it is supported if the interval of the quantity lies on the right side of `bound`.

    `claim` names the kind of statement, `subject` the models and data it is about; `models` are those whose
    failure to learn takes the ground from it.
    """

    claim: str
    section: str
    subject: str
    statement: str
    quantity: str
    estimate: tuple[float, float, float]  # value, low, high
    direction: Literal["above", "below"]
    bound: float
    p_value: float | None = None
    models: tuple[str, ...] = ()


def verdict(low: float, high: float, direction: str, bound: float) -> str:
    """Return supported, contradicted (the interval lies on the wrong side) or undecided (it holds the bound).

    An interval that touches the bound is undecided, and so is NaN.
    """
    if direction == "below":
        low, high, bound = -high, -low, -bound
    if low > bound:
        return "supported"
    return "contradicted" if high < bound else "undecided"


def claims_table(claims: Iterable[Claim], unlearned: Collection[str], seeds: int) -> pd.DataFrame:
    """Lay out claims, one row each, in the columns COLUMNS.

    `not_learned` names those models of a claim that did not learn what they were trained for; its verdict is
    then undecided.
    """
    rows = []
    for claim in claims:
        value, low, high = claim.estimate
        lacking = [model for model in claim.models if model in unlearned]
        sign = {"above": ">", "below": "<"}[claim.direction]
        rows.append(
            {
                "claim": claim.claim,
                "section": claim.section,
                "subject": claim.subject,
                "statement": claim.statement,
                "quantity": claim.quantity,
                "value": value,
                "low": low,
                "high": high,
                "expected": f"{sign} {claim.bound:g}",
                "p_value": claim.p_value,
                "verdict": "undecided" if lacking else verdict(low, high, claim.direction, claim.bound),
                "not_learned": " ".join(lacking),
                "n_seeds": seeds,
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def sign_flip_p_value(differences: np.ndarray, seed: int) -> float:
    """Return the two-sided p value of the mean of paired differences, shape (units,), being 0.

    Permutation test on the signs (Fisher's randomization test), 9,999 draws by `seed`; exact for few units.
    """
    if not np.any(differences):
        return 1.0
    result = permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)
