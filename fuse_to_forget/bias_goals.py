"""What coefficients of the bias study are chosen for: the section `selection` of the config."""

from collections.abc import Mapping, Sequence
from typing import Any

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.goal import Goal, Metrics

OVERALL = ("accuracy", "balanced_accuracy", "f1")  # larger is better
OF_GROUPS = ("dp", "tpr_gap")  # smaller is better; of each attribute, of the worst one, and their mean
LARGEST, MEAN = "largest", "mean"


def metric_names(attributes: Sequence[str]) -> list[str]:
    """Return the names of all metrics that there are a goal and bounds of, for example `dp_gender`, `dp_largest`."""
    return [*OVERALL, *(f"{metric}_{of}" for metric in OF_GROUPS for of in (*attributes, LARGEST, MEAN))]


def check_selection(selection: Mapping[str, Any], attributes: Sequence[str]) -> None:
    """Raise InputError for a metric that there is not, and for a bound on what is the goal itself."""
    known, (goal,) = metric_names(attributes), selection["goal"].values()
    for place, names in (("goal", [goal]), ("bounds", selection["bounds"])):
        for name in names:
            if name not in known:
                raise InputError(
                    f"The config names {name!r} in selection.{place}, but there is no such metric; "
                    f"there are {', '.join(known)}."
                )
    if goal in selection["bounds"]:
        raise InputError(
            f"The config has {goal!r} in both selection.goal and selection.bounds; bound another metric."
        )


def goal_of(selection: Mapping[str, Any], singles: Sequence[Metrics]) -> Goal:
    """Return the goal that the section asks for; `worse_by` counts from the mean of the `singles`' metrics."""
    ((direction, metric),) = selection["goal"].items()
    bounds: dict[str, dict[str, float]] = {"at_least": {}, "at_most": {}}
    for name, ((side, value),) in (
        (name, tuple(bound.items())) for name, bound in selection["bounds"].items()
    ):
        if side == "worse_by":
            larger_is_better = name in OVERALL
            side = "at_least" if larger_is_better else "at_most"
            mean = sum(float(own[name]) for own in singles) / len(singles)
            value = mean - value if larger_is_better else mean + value
        bounds[side][name] = value
    return Goal(metric, direction, **bounds)
