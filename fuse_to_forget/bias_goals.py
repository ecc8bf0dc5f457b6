"""What coefficients of the bias study are chosen for: `biases.selection` of the config."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

from fuse_to_forget.entries import check_name
from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.goal import Goal, Metrics

OVERALL = ("accuracy", "balanced_accuracy", "f1")  # larger is better
OF_GROUPS = ("dp", "tpr_gap")  # smaller is better; of each attribute, of the worst one, and their mean
LARGEST, MEAN = "largest", "mean"
CHOSEN, SOUP = "chosen", "soup"  # how tables call the two fused models that are reported on test
TAKEN = (LARGEST, MEAN, CHOSEN, SOUP)  # names that no attribute can have
PLACE = "biases.selection"


def metric_names(attributes: Sequence[str]) -> list[str]:
    """Return the names of all metrics that there are a goal and bounds of, for example `dp_gender`, `dp_largest`."""
    return [*OVERALL, *(f"{metric}_{of}" for metric in OF_GROUPS for of in (*attributes, LARGEST, MEAN))]


def check_selection(selection: Mapping[str, Any], attributes: Sequence[str]) -> None:
    """Raise InputError for a metric that there is not, and for one that is named twice, as goal or with a bound."""
    known = metric_names(attributes)
    named = {f"{PLACE}.goal": selection["goal"]}
    named |= {f"{PLACE}.bounds.{i}": bound["metric"] for i, bound in enumerate(selection["bounds"])}
    for place, metric in named.items():
        check_name("metric", metric, place, known)
    metrics = list(named.values())
    for metric in metrics:
        if metrics.count(metric) > 1:
            raise InputError(
                f"The config names the metric {metric!r} twice in {PLACE}; name each once, as goal or in bounds."
            )


def goal_of(selection: Mapping[str, Any], singles: Sequence[Metrics]) -> Goal:
    """Return the goal that the section asks for; `worse_by` counts from the mean of the `singles`' metrics."""
    bounds: dict[str, dict[str, float]] = {"at_least": {}, "at_most": {}}
    for bound in selection["bounds"]:
        name = bound["metric"]
        ((side, value),) = ((key, bound[key]) for key in bound if key != "metric")
        if side == "worse_by":
            larger_is_better = name in OVERALL
            side = "at_least" if larger_is_better else "at_most"
            mean = sum(float(own[name]) for own in singles) / len(singles)
            value = mean - value if larger_is_better else mean + value
        bounds[side][name] = value
    return Goal(selection["goal"], _direction(selection["goal"]), **bounds)


def goal_columns(goal: Goal) -> dict[str, str | float]:
    """Return what a table says of a goal, the same in each row: `goal`, and bounds such as `accuracy_at_least`."""
    least = {f"{metric}_at_least": bound for metric, bound in goal.at_least.items()}
    return {"goal": goal.metric} | least | {f"{metric}_at_most": b for metric, b in goal.at_most.items()}


def goal_of_row(row: Mapping[Hashable, Any]) -> Goal:
    """Return the goal that a row of a table was made for: what `goal_columns` wrote."""
    bounds = {
        side: {str(key).removesuffix(f"_{side}"): row[key] for key in row if str(key).endswith(f"_{side}")}
        for side in ("at_least", "at_most")
    }
    return Goal(row["goal"], _direction(row["goal"]), **bounds)


def _direction(metric: str) -> Literal["minimize", "maximize"]:
    return "maximize" if metric in OVERALL else "minimize"
