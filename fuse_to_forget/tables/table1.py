"""Table 1: social biases of single, debiased, full and fused models."""

import pandas as pd

from fuse_to_forget.coefficients import parse_coefficients
from fuse_to_forget.scoring.scores import ALL_SEEDS
from fuse_to_forget.scoring.selection import select_alphas

METHODS = ["biased", "inlp", "leace", "full", "fused"]
METRICS = ["dp", "tpr_gap", "accuracy"]


def table1(scores: pd.DataFrame, first: str, second: str, *, select_on: str) -> pd.DataFrame:
    """Lay out Table 1 from the scores of the bias study.

    `first` and `second` are the biased attributes, and so the models, of the sweep. Alphas are chosen on
    the split `select_on`; every printed number is measured on `test`. One row per bias and method, biases
    by name, methods in the paper's order; values are means over seeds, `low`/`high` their intervals;
    `alpha` is the coefficient of `second` in the fused row, `dataset` says whether demographics are
    recorded or simulated.
    """
    alphas = select_alphas(scores, first, second, select_on)
    test = scores[scores["split"] == "test"]
    rows = []
    for bias in sorted((first, second)):
        for method in METHODS:
            alpha = {"biased": float(bias == second), "fused": alphas[bias]}.get(method)
            model = test[_is_row(test, bias, method, f"{first}-{second}", second, alpha)]
            rows.append(
                {"bias": bias, "method": method} | _cells(model, bias, alpha if method == "fused" else None)
            )
    table = pd.DataFrame(rows)
    intervals = [f"{metric}_{end}" for metric in METRICS for end in ("low", "high")]
    table = table[["bias", "method", *METRICS, "alpha", *intervals, "n_seeds"]]
    return table.assign(dataset=test["dataset"].iloc[0])


def _is_row(
    scores: pd.DataFrame, bias: str, method: str, pair: str, second: str, alpha: float | None
) -> pd.Series:
    """Mask of the score rows that one table row is made from."""
    if alpha is not None:
        coefficients = scores["coefficients"].fillna("").map(parse_coefficients).map(lambda c: c.get(second))
        return (scores["model"] == pair) & (coefficients == alpha)
    if method == "full":
        return (scores["model"] == "full") & (scores["kind"] == "full")
    return (scores["model"] == bias) & (scores["method"] == method)


def _cells(model: pd.DataFrame, bias: str, alpha: float | None) -> dict:
    cells: dict = {"alpha": alpha, "n_seeds": model.loc[model["seed"] != ALL_SEEDS, "seed"].nunique()}
    for metric in METRICS:
        row = model[(model["metric"] == metric) & (model["seed"] == ALL_SEEDS)]
        if metric != "accuracy":
            row = row[row["attribute"] == bias]
        cells |= {
            metric: row["value"].item(),
            f"{metric}_low": row["low"].item(),
            f"{metric}_high": row["high"].item(),
        }
    return cells
