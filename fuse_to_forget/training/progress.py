"""Progress of a training with transformers.Trainer: steps, loss and the time left."""

from collections.abc import Mapping

from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from fuse_to_forget.progress import Progress


def report_progress(trainer: Trainer, *, may_stop: bool = False) -> None:
    """Have `trainer` log its progress; with `may_stop`, steps and time are upper limits."""
    trainer.remove_callback(PrinterCallback)  # a line a step
    trainer.add_callback(_ReportProgress(may_stop))


class _ReportProgress(TrainerCallback):
    def __init__(self, may_stop: bool) -> None:
        self.may_stop = may_stop

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.progress = Progress(state.max_steps, "steps", done=state.global_step, at_most=self.may_stop)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float],
        **_: object,
    ) -> None:
        if "loss" in logs:  # each step's; evaluations and the summary at the end are logged, too
            self.progress.advance(state.global_step - self.progress.done, f"loss {logs['loss']:.3g}")

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.progress.finish()
