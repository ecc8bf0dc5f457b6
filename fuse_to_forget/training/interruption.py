"""Preemption: a training that is told to leave saves a checkpoint first."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

# What a cluster sends before it takes a node away, what it can be asked to send before time is up, and Ctrl-C.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class SaveWhenTold(TrainerCallback):
    """Ends training after the present step, with a checkpoint, once `told` is set."""

    def __init__(self) -> None:
        self.told: str | None = None
        self.leaving = False
        self.left_at: int | None = None  # the step that was saved

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Called by the Trainer after each step; the last one is the end anyway."""
        if self.told and state.global_step < state.max_steps:
            self.leaving = control.should_save = control.should_training_stop = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Called by the Trainer after a checkpoint; there is none if the stop rule ended training at this step."""
        if self.leaving:
            self.left_at = state.global_step


@contextmanager
def leave_when_told(callback: SaveWhenTold) -> Iterator[None]:
    """Within the block SIGNALS tell `callback`; a training that left for it ends the process.

    The exit code is 75 (EX_TEMPFAIL: try again), and nothing after the block runs. Signals reach the main thread of a
    process only; elsewhere the block changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def tell(number: int, frame: FrameType | None) -> None:
        callback.told = signal.Signals(number).name

    before = {number: signal.signal(number, tell) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if callback.left_at is not None:
        print(f"{callback.told}: checkpoint saved at step {callback.left_at}; run again to go on", flush=True)
        sys.exit(os.EX_TEMPFAIL)
