"""Figures 9 to 12: memorization and perplexity by the number of models (appendix E), and loss against recitation."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fuse_to_forget.errors import InputError
from fuse_to_forget.figures.style import (
    FAINT,
    FIRST,
    NEUTRAL,
    SECOND,
    draw_curve,
    explain,
    percent,
    use_style,
)
from fuse_to_forget.runs import BASE, DEV, MAIN, SHARED, Run
from fuse_to_forget.scoring.memorization_groups import OWN, singles_of, totals_of
from fuse_to_forget.scoring.scores import ALL_SEEDS

COLORS = {"fused": SECOND, "full": FIRST, "single": NEUTRAL}
MARKERS = {OWN: "o", SHARED: "s", DEV: "D"}
NAMES = {"alr": "average likelihood ratio", "perplexity": "perplexity on dev"}


class Point(NamedTuple):
    """Where a curve goes through: at so many models, what this model has on this data set."""

    models: int
    model: str
    dataset: str


Curves = Mapping[tuple[str, str], Sequence[Point]]  # (kind, data set) -> points


def curves_by_count(runs: Mapping[str, Run], datasets: Sequence[str]) -> Curves:
    """Return the curves of Figures 9 and 10: ever more models fused, or trained on together; one alone is a single."""
    main = runs[MAIN]
    first = {dataset: Point(1, singles_of(main), dataset) for dataset in datasets}
    return {
        (kind, dataset): [first[dataset]]
        + [Point(len(name), main.model(name, kind), dataset) for name in names]
        for kind, names in (("fused", main.fused), ("full", main.full))
        for dataset in datasets
    }


def curves_by_total(runs: Mapping[str, Run], datasets: Sequence[str]) -> Curves:
    """Return the curves of Figures 11 and 12: ever more models that share out the same sequences; full has them all."""
    main = runs[MAIN]
    whole = main.model(main.singles, "full")
    found: dict[tuple[str, str], list[Point]] = {}
    for dataset in datasets:
        for run in totals_of(runs):
            number = len(run.singles)
            models = {"single": singles_of(run), "fused": run.model(run.singles, "fused"), "full": whole}
            for kind, model in models.items():
                found.setdefault((kind, dataset), []).append(Point(number, model, dataset))
    return found


def draw_by_models(scores: pd.DataFrame, curves: Curves, metric: str, title: str, *, level: float) -> Figure:
    """Draw a metric by the number of models, over all seeds, with intervals (`level`) and the base model's value.

    Raises InputError for a model without scores.
    """
    use_style()
    figure, axes = plt.subplots(figsize=(7.0, 4.4), layout="constrained")
    for (kind, dataset), points in curves.items():
        rows = pd.DataFrame([_cell(scores, point.model, point.dataset, metric) for point in points])
        name = kind if dataset == DEV else f"{kind}, {dataset}"
        style = {"color": COLORS[kind], "marker": MARKERS[dataset], "label": name}
        linestyle = "--" if dataset == SHARED else "-"
        numbers = [point.models for point in points]
        draw_curve(axes, numbers, rows["value"], rows["low"], rows["high"], linestyle=linestyle, **style)
    base = 1.0 if metric == "alr" else _cell(scores, BASE, DEV, metric)["value"]
    axes.axhline(base, color=FAINT, linewidth=1.0, linestyle=":", label="base model")
    axes.set_ylabel(NAMES[metric])
    axes.set_xlabel("number of models")
    axes.set_xticks(sorted({point.models for points in curves.values() for point in points}))
    _legend(axes)
    explain(figure, f"{title}\nbands: {percent(level)} intervals")
    return figure


def _legend(axes: Axes) -> None:
    """Name the curves above the panel: here they lie too close together to be named where they are."""
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False, ncols=4, fontsize=8)


def _cell(scores: pd.DataFrame, model: str, dataset: str, metric: str) -> pd.Series:
    where = (scores["model"] == model) & (scores["dataset"] == dataset) & (scores["metric"] == metric)
    found = scores[where & (scores["seed"] == ALL_SEEDS)]
    if found.empty:
        raise InputError(f"The scores hold no {metric} of {model} on {dataset}; score that model too.")
    return found.iloc[0][["value", "low", "high"]]


def draw_extraction(scores: pd.DataFrame, runs: Mapping[str, Run], *, level: float) -> Figure:
    """Draw, for the single, fused and full models of the main run, ALR against tokens recited word for word.

    Averaged models have been reported to look less overfitted in loss and yet to be more extractable: then fused
    models would lie above the line between the others. `level` is the coverage of the intervals.
    """
    use_style()
    figure, axes = plt.subplots(figsize=(7.0, 4.6), layout="constrained")
    for point, kind in _models_to_extract_from(runs[MAIN]):
        x, y = (_cell(scores, point.model, point.dataset, metric) for metric in ("alr", "verbatim_tokens"))
        smallest = point.models <= 2
        _cross(axes, x, y, color=COLORS[kind], marker=MARKERS[point.dataset], markersize=2 + 2 * point.models,
               label=f"{kind}, {point.dataset}" if smallest else None)  # fmt: skip
    axes.axvline(1.0, color=FAINT, linewidth=1.0, linestyle=":")
    axes.set_xlabel("average likelihood ratio (left: more memorised)")
    axes.set_ylabel("tokens recited after the prefix, mean")
    _legend(axes)
    explain(figure, f"loss against recitation; the larger, the more models\nbars: {percent(level)} intervals")
    return figure


def _models_to_extract_from(run: Run) -> Iterator[tuple[Point, str]]:
    """Yield each point of the figure, with the kind of its models."""
    for dataset in (OWN, SHARED):
        yield Point(1, singles_of(run), dataset), "single"
        for kind, names in (("fused", run.fused), ("full", run.full)):
            for name in names:
                yield Point(len(name), run.model(name, kind), dataset), kind


def _cross(axes: Axes, x: pd.Series, y: pd.Series, **look: object) -> None:
    axes.errorbar(
        x["value"], y["value"], xerr=_arms(x), yerr=_arms(y), linestyle="none", elinewidth=0.8, **look
    )


def _arms(cell: pd.Series) -> np.ndarray:
    """Return how far the interval reaches below and above the value, shape (2, 1)."""
    arms = np.array([[cell["value"] - cell["low"]], [cell["high"] - cell["value"]]])
    return np.maximum(arms, 0.0)  # of few resamples, the interval need not hold the value
