"""Fine-tuning of a sequence classifier with transformers.Trainer."""

import json
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    EvalPrediction,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
    set_seed,
)

from fuse_to_forget.errors import InputError
from fuse_to_forget.files import atomic_path
from fuse_to_forget.training.checkpoints import resumable_checkpoint
from fuse_to_forget.training.sampling import EpochSeededLengthSampler


class TrainingSettings(TypedDict):
    """What the config says of fine-tuning; `checkpoint_interval` is a share of all steps, 0 to 1."""

    epochs: int
    learning_rate: float
    batch_size: int
    weight_decay: float
    max_length: int
    checkpoint_interval: float


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
    label_names: list[str],
    seed: int,
    identity: dict,
) -> None:
    """Fine-tune `base_model` on `train` (columns text, label) and save a Hugging Face checkpoint at `output`.

    The folder appears whole; beside the model it holds `training_curve.csv` (loss and dev accuracy by step) and
    `training.json` (`identity`, sizes, final dev accuracy). A killed job goes on from `checkpoints`, with
    the same result as an undisturbed one; they are removed at the end. The head is drawn by `seed`.
    Raises InputError if `base_model` is no checkpoint of an encoder with a tokenizer.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    set_seed(seed)  # before the model is made: its head is new
    tokenizer, model = _load_base(base_model, label_names)
    trainer = _Trainer(
        model=model,
        args=_arguments(checkpoints, settings, seed),
        train_dataset=_tokenized(train, tokenizer, settings["max_length"]),
        eval_dataset=_tokenized(dev, tokenizer, settings["max_length"]),
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        compute_metrics=_accuracy,
    )
    resume = resumable_checkpoint(checkpoints, identity)
    print(f"resuming from {resume.name}" if resume else "starting afresh", flush=True)
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    with atomic_path(output) as scratch:
        _save(
            trainer, tokenizer, scratch, identity | {"train_examples": len(train), "dev_examples": len(dev)}
        )


def _load_base(base_model: str | Path, label_names: list[str]):
    names = dict(enumerate(label_names))
    try:
        tokenizer = AutoTokenizer.from_pretrained(base_model, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(
            base_model,
            num_labels=len(names),
            id2label=names,
            label2id={name: i for i, name in names.items()},
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
        )
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"The base model {base_model} cannot be loaded as a text classifier ({reason}); "
            "name a checkpoint folder with config.json, tokenizer files and safetensors weights."
        ) from error
    return tokenizer, model


def _arguments(checkpoints: str | Path, settings: TrainingSettings, seed: int) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=settings["epochs"],
        learning_rate=settings["learning_rate"],
        per_device_train_batch_size=settings["batch_size"],
        per_device_eval_batch_size=2 * settings["batch_size"],
        weight_decay=settings["weight_decay"],
        bf16=torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        seed=seed,
        eval_strategy="epoch",
        save_strategy="steps",
        save_steps=settings["checkpoint_interval"],
        save_total_limit=1,
        logging_steps=10,
        report_to=[],
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def _tokenized(frame: pd.DataFrame, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    encoded = tokenizer(frame["text"].tolist(), truncation=True, max_length=max_length)
    return Dataset.from_dict({**encoded, "labels": frame["label"].tolist()})


def _accuracy(evaluation: EvalPrediction) -> dict[str, float]:
    return {"accuracy": float(np.mean(evaluation.predictions.argmax(axis=-1) == evaluation.label_ids))}


def _save(trainer: Trainer, tokenizer: PreTrainedTokenizerBase, folder: Path, facts: dict) -> None:
    trainer.model.save_pretrained(folder, max_shard_size="1000GB")  # one file: the workflow names it
    tokenizer.save_pretrained(folder)
    curve = pd.DataFrame(trainer.state.log_history)
    columns = [
        c
        for c in ("step", "epoch", "loss", "learning_rate", "grad_norm", "eval_loss", "eval_accuracy")
        if c in curve
    ]
    curve[columns].to_csv(folder / "training_curve.csv", index=False, lineterminator="\n")
    facts = facts | {"dev_accuracy": float(curve["eval_accuracy"].dropna().iloc[-1])}
    (folder / "training.json").write_text(json.dumps(facts, indent=1, sort_keys=True))
