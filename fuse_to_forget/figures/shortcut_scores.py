"""What the figures of the shortcut study read from its scores, and what they say about them in words."""

from collections.abc import Iterable
from fractions import Fraction

import pandas as pd

from fuse_to_forget.coefficients import parse_coefficients
from fuse_to_forget.errors import InputError
from fuse_to_forget.scoring.scores import ALL_SEEDS
from fuse_to_forget.scoring.selection import sweep_curves
from fuse_to_forget.scoring.shortcuts import ORIGINAL, SYNTHETIC

KNOWLEDGE = {SYNTHETIC: "synthetic", ORIGINAL: "original"}  # what a figure calls the two splits
MEAN = "mean"  # the data set that stands for all of them
CHANCE = 0.5
NOT_LEARNED = "not learned: the model's accuracy on synthetic dev stayed below the threshold of the stop rule"


def accuracies(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of accuracy over all seeds."""
    return scores[(scores["metric"] == "accuracy") & (scores["seed"] == ALL_SEEDS)]


def accuracy(scores: pd.DataFrame, model: str, dataset: str, split: str) -> pd.Series:
    """Return the row with the accuracy of a model; of a fused one, with all coefficients equal."""
    rows = accuracies(scores)
    rows = rows[(rows["model"] == model) & (rows["dataset"] == dataset) & (rows["split"] == split)]
    rows = rows[[_equal(text) for text in rows["coefficients"]]]
    if rows.empty:
        raise InputError(_missing(f"accuracy of the model {model} on {dataset} ({split})"))
    return rows.iloc[0]


def majority(scores: pd.DataFrame, dataset: str, split: str) -> float:
    """Return the accuracy of always predicting the more frequent label."""
    return float(accuracy(scores, "majority", dataset, split)["value"])


def pair_curve(scores: pd.DataFrame, pair: tuple[str, str], dataset: str, split: str) -> pd.DataFrame:
    """Return the accuracies along a pair's sweep, with a column `alpha`: the coefficient of the second model."""
    rows = sweep_curves(accuracies(scores), *pair, split)
    rows = rows[rows["dataset"] == dataset]
    if rows.empty:
        raise InputError(_missing(f"sweep {pair[0]}-{pair[1]} on {dataset} ({split})"))
    return rows


def simplex(scores: pd.DataFrame, names: tuple[str, ...], dataset: str, split: str) -> pd.DataFrame:
    """Return the accuracies of every weighted average of `names`, with one column of coefficients per name."""
    model = "-".join(names)
    rows = accuracies(scores)
    rows = rows[(rows["model"] == model) & (rows["dataset"] == dataset) & (rows["split"] == split)]
    if len(rows) < len(names):
        raise InputError(_missing(f"sweep {model} on {dataset} ({split})"))
    coefficients = [parse_coefficients(text) for text in rows["coefficients"]]
    return rows.assign(**{name: [row[name] for row in coefficients] for name in names})


def marked(scores: pd.DataFrame, model: str, between: str = " ") -> str:
    """Return the name of a model, with a warning after it if not all of its seeds learned their shortcut."""
    failed = _failed(scores, model)
    if not failed:
        return model
    share = f":{between}{failed} of seeds" if failed < 1 else ""
    return f"{model}{between}(not learned{share})"


def footnote(scores: pd.DataFrame, models: Iterable[str]) -> str:
    """Return a sentence that explains the warnings of `marked`, empty if there are none among `models`."""
    return NOT_LEARNED if any(_failed(scores, model) for model in models) else ""


def summary(scores: pd.DataFrame, datasets: Iterable[str], splits: Iterable[str] = KNOWLEDGE) -> str:
    """Return numbers of examples and of seeds in words."""
    rows = accuracies(scores)
    rows = rows[rows["dataset"].isin(list(datasets))]
    counts = [f"{_range(rows.loc[rows['split'] == split, 'n'])} {KNOWLEDGE[split]}" for split in splits]
    return f"n = {', '.join(counts)} dev examples{seeds_text(scores)}"


def seeds_text(scores: pd.DataFrame) -> str:
    """Return ", 3 seeds", or nothing if the frame has no rows of single seeds."""
    seeds = scores.loc[scores["seed"] != ALL_SEEDS, "seed"].nunique()
    return f", {seeds} seed{'s' * (seeds > 1)}" if seeds else ""


def _range(counts: pd.Series) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _equal(coefficients: str) -> bool:
    """Tell if all coefficients are the same, as those of no fusion at all are."""
    values = parse_coefficients(coefficients).values()
    return not values or max(values) - min(values) < 1e-6


def _failed(scores: pd.DataFrame, model: str) -> Fraction:
    """Return the share of a model's seeds that did not learn; 0 where the scores do not tell."""
    rows = scores[
        (scores["metric"] == "learned") & (scores["model"] == model) & (scores["seed"] == ALL_SEEDS)
    ]
    return Fraction(1 - float(rows["value"].iloc[0])).limit_denominator(100) if len(rows) else Fraction(0)


def _missing(what: str) -> str:
    return f"the scores hold no {what}: add it to the study, or leave it out of the figure"
