"""The tidy table of scores: one row per measurement."""

from pathlib import Path

import pandas as pd

from fuse_to_forget.files import atomic_path
from fuse_to_forget.results import read_csv

COLUMNS = [
    "study", "model", "kind", "method", "coefficients", "dataset", "split", "attribute", "metric",
    "value", "low", "high", "n", "seed",
]  # fmt: skip
ALL_SEEDS = "all"  # in the column `seed`: the mean over seeds, its interval over seeds and examples


def write_scores(scores: pd.DataFrame, path: str | Path) -> None:
    """Write scores as CSV with every digit; the file appears whole or not at all."""
    with atomic_path(path) as scratch:
        scores[COLUMNS].to_csv(scratch, index=False, lineterminator="\n")


def read_scores(path: str | Path) -> pd.DataFrame:
    """Read what `write_scores` wrote, columns of text as text (empty, not NaN); raises InputError if it is damaged."""
    text = [
        "study",
        "model",
        "kind",
        "method",
        "coefficients",
        "dataset",
        "split",
        "attribute",
        "metric",
        "seed",
    ]
    numbers = ["value", "low", "high"]
    scores = read_csv(path, COLUMNS, dtype=dict.fromkeys(text, str) | dict.fromkeys(numbers, float))
    return scores.fillna(dict.fromkeys(text, ""))
