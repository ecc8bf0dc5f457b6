"""Fine-tuning of a sequence classifier with transformers.Trainer."""

from collections.abc import Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

import pandas as pd
import torch
from datasets import Dataset
from transformers import DataCollatorWithPadding, PreTrainedTokenizerBase, Trainer

from fuse_to_forget.files import atomic_path
from fuse_to_forget.training.arguments import training_arguments
from fuse_to_forget.training.base import load_base
from fuse_to_forget.training.checkpoints import resumable_checkpoint
from fuse_to_forget.training.interruption import SaveWhenTold, leave_when_told
from fuse_to_forget.training.progress import report_progress
from fuse_to_forget.training.results import save_training
from fuse_to_forget.training.sampling import EpochSeededLengthSampler
from fuse_to_forget.training.stopping import (
    StopRule,
    StopWhenLearned,
    accuracy_by_group,
    group_accuracies,
)


class TrainingSettings(TypedDict):
    """What the config says of fine-tuning; `checkpoint_interval` is a share of all steps, 0 to 1.

    With a `stop` rule, `epochs` is the limit.
    """

    epochs: int
    learning_rate: float
    batch_size: int
    weight_decay: float
    max_length: int
    checkpoint_interval: float
    stop: NotRequired[StopRule]


class _Trainer(Trainer):
    """The Trainer with a sampler that can be resumed exactly."""

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> EpochSeededLengthSampler:
        lengths = [len(ids) for ids in self.train_dataset["input_ids"]]
        return EpochSeededLengthSampler(lengths, self.args.train_batch_size, self.args.seed)


def finetune(
    base_model: str | Path,
    train: pd.DataFrame,
    dev: pd.DataFrame,
    output: str | Path,
    checkpoints: str | Path,
    settings: TrainingSettings,
    *,
    label_names: Sequence[str],
    new_tokens: Sequence[str] = (),
    seed: int,
    identity: dict,
) -> None:
    """Fine-tune `base_model` on `train` (columns text, label) and save a Hugging Face checkpoint at `output`.

    The folder appears whole; beside the model it holds `training_curve.csv` (loss and dev accuracy by step) and
    `training.json` (`identity`, sizes, final dev accuracy). A killed job goes on from `checkpoints`, with
    the same result as an undisturbed one; they are removed at the end. Head and `new_tokens` are drawn by `seed`.
    If `dev` has a column `shortcut`, accuracy is also taken of each; a stop rule asks for it, and `training.json`
    then says whether all were `learned`.
    Raises InputError if `base_model` is no checkpoint of an encoder with a tokenizer.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    tokenizer, model = load_base(base_model, label_names, new_tokens, seed=seed)
    stop = settings.get("stop")
    told = SaveWhenTold()
    trainer = _Trainer(
        model=model,
        args=training_arguments(
            checkpoints, settings, seed, len(train), stop["evaluations_per_epoch"] if stop else 1
        ),
        train_dataset=_tokenized(train, tokenizer, settings["max_length"]),
        eval_dataset=_tokenized(dev, tokenizer, settings["max_length"]),
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        compute_metrics=accuracy_by_group(dev.get("shortcut")),
        callbacks=[told, *([StopWhenLearned(stop)] if stop else [])],
    )
    report_progress(trainer, may_stop=stop is not None)
    resume = resumable_checkpoint(checkpoints, identity)
    print(f"resuming from {resume.name}" if resume else "starting afresh", flush=True)
    with leave_when_told(told):
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    facts = identity | {"train_examples": len(train), "dev_examples": len(dev)} | _outcome(trainer, stop)
    with atomic_path(output) as scratch:
        save_training(trainer, tokenizer, scratch, facts)


def _tokenized(frame: pd.DataFrame, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    encoded = tokenizer(frame["text"].tolist(), truncation=True, max_length=max_length)
    return Dataset.from_dict({**encoded, "labels": frame["label"].tolist()})


def _outcome(trainer: Trainer, stop: StopRule | None) -> dict:
    """What training came to: dev accuracies of the final weights, epochs, and whether the shortcuts were learned."""
    history = trainer.state.log_history
    last = next((row for row in reversed(history) if "eval_accuracy" in row), {"step": -1})
    if last["step"] != trainer.state.global_step:
        trainer.evaluate()  # adds to the history
        last = next(row for row in reversed(history) if "eval_accuracy" in row)
    outcome = {"dev_accuracy": last["eval_accuracy"], "epochs": trainer.state.epoch}
    if stop:
        by_shortcut = group_accuracies(last)
        outcome |= {
            "dev_accuracy_by_shortcut": by_shortcut,
            "learned": min(by_shortcut.values()) >= stop["accuracy"],
        }
    return outcome
