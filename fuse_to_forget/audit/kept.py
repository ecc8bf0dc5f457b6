"""What fused models kept and what they forgot: each measure between the base, 0, and the models that know it, 1."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from fuse_to_forget.audit.plan import BASE, SINGLES, DataSet
from fuse_to_forget.scoring.accuracy import Accuracies, Quantity, mean_of

SHARED, UNSHARED, BIAS, CONTROL = "shared", "unshared", "bias", "control"
FORGETTABLE = (UNSHARED, BIAS)
_MAIN = ("accuracy", "alr", "dp")  # of each kind of knowledge, what the figure shows
_NAMES = ["model", "kind", "method", "coefficients"]
_MEASURE = ["dataset", "knowledge", "attribute", "metric"]
COLUMNS = [*_NAMES, *_MEASURE, "value", "low", "high", "kept", "kept_low", "kept_high", "n", "note"]
_NOTHING = (math.nan, math.nan, math.nan)


def kept_and_forgotten(
    measured: Accuracies,
    sets: Mapping[str, DataSet],
    models: Sequence[str],
    labels: Sequence[str],
    left_out: Mapping[str, str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table of all measures, columns COLUMNS, and a summary with a row for each model.

    Rows come in the order of `models` and of `labels`, those of the methods that were tried.
    `kept` is (value - base) / (reference - base), with the mean of the single models that know the set, or are biased
    in the attribute, for reference: 0 is like the base, 1 like them. It is missing where nobody knows it and where the
    reference cannot be told from the base. All resamples are paired.
    Rows of the model SINGLES hold these means. Of methods that were `left_out` there is one row, whose note says why.
    The summary means `kept` over what is `shared`, and over what is `unshared` or a bias: `forgettable`.
    """
    rows, points = [], []
    measures = list(_measures(measured, sets, models))
    for named, quantities in _quantities(measured, measures, models, labels):
        shares: dict[bool, list[Quantity]] = {True: [], False: []}
        for measure, quantity in zip(measures, quantities, strict=True):
            if quantity is None:  # nothing to recite, or nobody to take the mean of
                continue
            kept = _kept(quantity, measure)
            row = named | {key: measure[key] for key in (*_MEASURE, "n")} | {"note": measure["note"]}
            rows.append(row | _numbers("value", quantity) | _numbers("kept", kept))
            if kept is not None and measure["metric"] in _MAIN:
                shares[measure["knowledge"] in FORGETTABLE].append(kept)
        forgettable, shared = (mean_of(shares[side]) if shares[side] else None for side in (True, False))
        what = {"forgettable_is": _forgettable(measures)}
        points.append(named | _numbers("shared", shared) | _numbers("forgettable", forgettable) | what)
    fused = {"model": "-".join(models), "kind": "fused", "coefficients": ""}
    rows += [fused | {"method": label, "note": f"left out: {reason}"} for label, reason in left_out.items()]
    return pd.DataFrame(rows, columns=COLUMNS), pd.DataFrame(points)


def _forgettable(measures: Sequence[Mapping]) -> str:
    found = [kind for kind in FORGETTABLE if any(measure["knowledge"] == kind for measure in measures)]
    return " and ".join({UNSHARED: "unshared knowledge", BIAS: "bias"}[kind] for kind in found)


def _measures(measured: Accuracies, sets: Mapping[str, DataSet], models: Sequence[str]) -> Iterator[dict]:
    """Yield what was measured, once for each data set, attribute and metric, with its base and reference."""
    keys = measured.rows[["dataset", "attribute", "metric"]].drop_duplicates().to_dict("records")
    for key in sorted(keys, key=lambda key: list(sets).index(key["dataset"])):
        own = sets[key["dataset"]]
        known_to = own.attributes[key["attribute"]] if key["attribute"] else own.known_to
        found = measured.find(**key)
        base = measured.quantity(measured.find(**key, model=BASE))
        measure = key | {"knowledge": _knowledge(key["attribute"], known_to, models), "note": ""}
        measure |= {"n": int(measured.rows["n"].iloc[found[0]]), "base": base, "reference": None, "gap": None}
        if known_to:
            alone = [measured.quantity(measured.find(**key, model=name)) for name in known_to]
            measure["reference"] = mean_of(alone)
            gap = measure["reference"] - base
            if _is_clear(gap):
                measure["gap"] = gap
            else:
                measure["note"] = "kept is blank: single models and base are too close to tell"
        yield measure


def _knowledge(attribute: str, known_to: Sequence[str], models: Sequence[str]) -> str:
    if attribute:
        return BIAS
    return CONTROL if not known_to else SHARED if set(known_to) == set(models) else UNSHARED


def _is_clear(gap: Quantity) -> bool:
    """Whether a difference is told from 0 by the percentile interval and by its mirror image, the basic one.

    A gap between groups is never below 0, whatever the resample, so that the percentile interval alone never holds 0.
    """
    value, low, high = gap.over_seeds()
    return min(low, 2 * value - high) > 0 or max(high, 2 * value - low) < 0


def _quantities(
    measured: Accuracies, measures: Sequence[dict], models: Sequence[str], labels: Sequence[str]
) -> Iterator[tuple[dict[str, str], list[Quantity | None]]]:
    """Yield each model's names and its quantities in the order of the measures: base, singles, their mean, fused."""
    alone, mean_rank = [BASE, *models], 1 + len(models)
    mean = dict(zip(_NAMES, (SINGLES, "single", "mean", ""), strict=True))
    found = [mean, *measured.rows[_NAMES].drop_duplicates().to_dict("records")]

    def rank(named: Mapping[str, str]) -> int:
        if named is mean:
            return mean_rank
        single = named["kind"] in ("base", "single")
        return alone.index(named["model"]) if single else mean_rank + 1 + labels.index(named["method"])

    for named in sorted(found, key=rank):
        if named is mean:
            yield named, [measure["reference"] for measure in measures]
            continue
        keys = [{key: measure[key] for key in ("dataset", "attribute", "metric")} for measure in measures]
        places = [measured.find(**named, **key) for key in keys]
        yield named, [measured.quantity(place) if len(place) else None for place in places]


def _kept(quantity: Quantity, measure: Mapping) -> Quantity | None:
    return None if measure["gap"] is None else (quantity - measure["base"]) / measure["gap"]


def _numbers(name: str, quantity: Quantity | None) -> dict[str, float]:
    value, low, high = _NOTHING if quantity is None else quantity.over_seeds()
    low, high = (end if np.isfinite(end) else math.nan for end in (low, high))
    prefix = "" if name == "value" else f"{name}_"
    return {name: value, f"{prefix}low": low, f"{prefix}high": high}
