"""Choosing the coefficient of a pair (paper, section 5.2, footnote 2)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fuse_to_forget.coefficients import parse_coefficients
from fuse_to_forget.scoring.scores import ALL_SEEDS


def sweep_curves(scores: pd.DataFrame, first: str, second: str, split: str) -> pd.DataFrame:
    """Return the sweep from `first` to `second` on one split, over all seeds: score rows with a column `alpha`."""
    rows = scores[(scores["model"] == f"{first}-{second}") & (scores["split"] == split)]
    rows = rows[rows["seed"] == ALL_SEEDS]
    alphas = [parse_coefficients(text)[second] for text in rows["coefficients"]]
    return rows.assign(alpha=alphas).sort_values("alpha", kind="stable")


def select_alphas(scores: pd.DataFrame, first: str, second: str, split: str) -> dict[str, float]:
    """Return the alpha that serves each of the two biases, chosen on the curves of `split`."""
    curves = sweep_curves(scores, first, second, split)
    by_metric = {
        metric: {
            attribute: curves[(curves["metric"] == metric) & (curves["attribute"] == attribute)]
            for attribute in (first, second)
        }
        for metric in ("dp", "tpr_gap")
    }
    alphas = by_metric["dp"][first]["alpha"].to_numpy()
    values = {
        metric: {attribute: part["value"].to_numpy() for attribute, part in parts.items()}
        for metric, parts in by_metric.items()
    }
    return {attribute: nearest_to_crossing(alphas, values, attribute) for attribute in (first, second)}


def nearest_to_crossing(
    alphas: np.ndarray, curves: Mapping[str, Mapping[str, np.ndarray]], attribute: str
) -> float:
    """Return one alpha for all metrics: nearest a crossing of the two attributes' curves, least biased in `attribute`.

    `curves` maps metric -> attribute -> values at `alphas`. The candidates are the grid points on either side of each
    crossing, of any metric; where curves never cross, the point at which they are closest. The ends of the grid
    are no fused models, so the points next to them stand in for them. Among the candidates the one with the
    smallest sum of the metrics for `attribute` is taken (the smaller alpha if two tie).
    """
    candidates: set[int] = set()
    for by_attribute in curves.values():
        one, other = by_attribute.values()
        candidates |= _beside_crossings(one - other)
    last = len(alphas) - 1
    candidates = {min(max(i, 1), last - 1) for i in candidates} if last > 1 else candidates
    bias = sum(by_attribute[attribute] for by_attribute in curves.values())
    return float(alphas[min(sorted(candidates), key=lambda i: bias[i])])


def _beside_crossings(difference: np.ndarray) -> set[int]:
    """Indices of the grid points that enclose each change of sign; a zero is a crossing at its own point."""
    sign = np.sign(difference)
    found = {int(i) for i in np.flatnonzero(sign == 0)}
    for i in np.flatnonzero(sign[:-1] * sign[1:] < 0):
        found |= {int(i), int(i) + 1}
    return found or {int(np.argmin(np.abs(difference)))}
