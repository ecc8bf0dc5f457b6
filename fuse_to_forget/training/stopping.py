"""The stop rule of the paper: training goes on until the shortcut is learned (section 4.1)."""

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
from transformers import EvalPrediction, TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class StopRule(TypedDict):
    """Stop at the first evaluation at which each shortcut's dev accuracy is at least `accuracy`.

    Dev is evaluated `evaluations_per_epoch` times an epoch; nothing stops before `after_epochs` have passed.
    """

    accuracy: float
    after_epochs: float
    evaluations_per_epoch: int


def accuracy_by_group(groups: Sequence[str] | None) -> Callable[[EvalPrediction], dict[str, float]]:
    """Return a metric for the Trainer: `accuracy`, and `accuracy_<group>` of each group of dev examples."""
    names = None if groups is None else np.asarray(groups)

    def metrics(evaluation: EvalPrediction) -> dict[str, float]:
        correct = evaluation.predictions.argmax(axis=-1) == evaluation.label_ids
        found = {"accuracy": float(correct.mean())}
        if names is not None:
            found |= {f"accuracy_{name}": float(correct[names == name].mean()) for name in np.unique(names)}
        return found

    return metrics


def group_accuracies(metrics: dict[str, float]) -> dict[str, float]:
    """Return the accuracy of each group from what the Trainer made of `accuracy_by_group`."""
    prefix = "eval_accuracy_"
    return {name.removeprefix(prefix): value for name, value in metrics.items() if name.startswith(prefix)}


class StopWhenLearned(TrainerCallback):
    """Ends training by a `StopRule`."""

    def __init__(self, rule: StopRule) -> None:
        self.rule = rule

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **_: object,
    ) -> None:
        """Called by the Trainer after each evaluation."""
        learned = min(group_accuracies(metrics).values()) >= self.rule["accuracy"]
        if learned and state.epoch >= self.rule["after_epochs"] - 1e-9:
            control.should_training_stop = True
            control.should_save = False  # a job that resumed here would train past the stop
