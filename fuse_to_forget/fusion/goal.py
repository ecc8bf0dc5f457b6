"""What a selection is for: one metric to make small or large, and bounds on others."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fuse_to_forget.errors import InputError

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Goal:
    """What is wanted of `metric` (minimize or maximize it); `at_least` and `at_most` are bounds by metric.

    For example the least bias at an accuracy no lower than .65: Goal("dp", at_least={"accuracy": 0.65}).
    """

    metric: str
    direction: Literal["minimize", "maximize"] = "minimize"
    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.direction not in ("minimize", "maximize"):
            raise InputError(f"There is no direction {self.direction!r}: choose minimize or maximize")

    def check(self, metrics: Metrics) -> None:
        """Raise InputError unless there are all metrics that this goal is about."""
        for metric in (self.metric, *self.at_least, *self.at_most):
            if metric not in metrics:
                raise InputError(
                    f"There is no metric {metric!r} to select by: choose among {', '.join(metrics)}"
                )

    def loss(self, metrics: Metrics) -> float:
        """The metric, or its negative: smaller is better; infinite where it is undefined."""
        value = float(metrics[self.metric]) * (1 if self.direction == "minimize" else -1)
        return math.inf if math.isnan(value) else value

    def violation(self, metrics: Metrics) -> float:
        """How far bounds are broken, relative to each and summed: 0 if all hold, infinite if a metric is undefined."""
        missing = [(bound, bound - float(metrics[metric])) for metric, bound in self.at_least.items()]
        missing += [(bound, float(metrics[metric]) - bound) for metric, bound in self.at_most.items()]
        if math.isnan(float(metrics[self.metric]) + sum(miss for _, miss in missing)):
            return math.inf
        return sum(max(miss, 0.0) / (abs(bound) or 1.0) for bound, miss in missing)

    def trade_off(self, metrics: Metrics) -> list[float]:
        """The loss and what bounds are on, in their order, as numbers of which smaller is better."""
        bounded = [-float(metrics[metric]) for metric in self.at_least]
        bounded += [float(metrics[metric]) for metric in self.at_most]
        return [self.loss(metrics), *(math.inf if math.isnan(value) else value for value in bounded)]

    def bounds(self) -> str:
        """The bounds in words."""
        least = [f"{metric} at least {bound:.4g}" for metric, bound in self.at_least.items()]
        most = [f"{metric} at most {bound:.4g}" for metric, bound in self.at_most.items()]
        return " and ".join(least + most)
