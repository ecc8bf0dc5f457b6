"""What every training here asks of transformers.Trainer."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments


def training_arguments(
    checkpoints: str | Path,
    settings: Mapping[str, Any],
    seed: int,
    examples: int,
    evaluations_per_epoch: int = 1,
) -> TrainingArguments:
    """Return the Trainer's arguments: AdamW, a learning rate that falls linearly to 0, checkpoints to resume from.

    `settings` holds `epochs, learning_rate, batch_size, weight_decay` and `checkpoint_interval`, a share of all steps.
    bf16 where the device has it.
    """
    return TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=settings["epochs"],
        learning_rate=settings["learning_rate"],
        per_device_train_batch_size=settings["batch_size"],
        per_device_eval_batch_size=2 * settings["batch_size"],
        weight_decay=settings["weight_decay"],
        bf16=torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        seed=seed,
        # Not by epoch: that evaluation would come after the checkpoint of the same step, and move the random state, so
        # that a job resumed from there would end with other bytes.
        eval_strategy="steps",
        # rounded up, so that the last evaluation of an epoch does not fall just before its end
        eval_steps=math.ceil(math.ceil(examples / settings["batch_size"]) / evaluations_per_epoch),
        save_strategy="steps",
        save_steps=settings["checkpoint_interval"],
        save_total_limit=1,
        logging_steps=1,  # a mean over several would lack those before a checkpoint when a job goes on from there
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
