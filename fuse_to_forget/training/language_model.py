"""Fine-tuning of causal and masked language models with transformers.Trainer (paper, section 6)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    DataCollatorForLanguageModeling,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from fuse_to_forget.errors import InputError
from fuse_to_forget.files import atomic_path
from fuse_to_forget.objectives import AUTO_MODELS, Objective, check_objective
from fuse_to_forget.pretrained import open_tokenizer, open_weights
from fuse_to_forget.seeds import derive_seed
from fuse_to_forget.subsets.sequences import context_length
from fuse_to_forget.training.arguments import training_arguments
from fuse_to_forget.training.checkpoints import resumable_checkpoint
from fuse_to_forget.training.interruption import SaveWhenTold, leave_when_told
from fuse_to_forget.training.progress import report_progress
from fuse_to_forget.training.results import save_training, training_curve
from fuse_to_forget.training.sampling import EpochSeededLengthSampler

_NO_LABEL = -100  # the value that the models' losses leave out


class LanguageModelSettings(TypedDict):
    """What the config says of training; `checkpoint_interval` is a share of all steps, 0 to 1."""

    epochs: float
    learning_rate: float
    batch_size: int
    weight_decay: float
    checkpoint_interval: float


def finetune_language_model(
    base_model: str | Path,
    train: pd.DataFrame,
    dev: pd.DataFrame,
    output: str | Path,
    checkpoints: str | Path,
    settings: LanguageModelSettings,
    *,
    objective: Objective,
    seed: int,
    identity: dict,
) -> None:
    """Fine-tune `base_model` on the token sequences of `train` (section 6) and save a checkpoint at `output`.

    `train` and `dev` have a column `input_ids`, lists of token ids that may differ in length. The causal loss is that
    of each next token; the masked loss that of 15 % of the ordinary tokens (of these 80 % masked, 10 % random, 10 %
    kept), drawn anew each epoch for `train` and once for `dev`. Losses are in nats per predicted token.
    The learning rate falls linearly to 0.
    The folder appears whole; beside the model it holds `training_curve.csv` (train and dev loss by step) and
    `training.json` (`identity`, sizes, final dev loss). A killed job goes on from `checkpoints` to the same weights
    as an undisturbed one.
    Raises InputError if `base_model` is no checkpoint for `objective`, or if a sequence is longer than its context,
    has a token that it does not know, or nothing to predict.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    tokenizer, model = _load(base_model, objective, seed)
    ignored = tokenizer.all_special_ids if objective == "masked" else []
    train_ids = _sequences(train, "training", model, ignored)
    dev_ids = _sequences(dev, "dev", model, ignored)
    order = EpochSeededLengthSampler([len(ids) for ids in train_ids], settings["batch_size"], seed)
    batches = _Batches(tokenizer, objective, order)
    told = SaveWhenTold()
    trainer = _Trainer(
        model=model,
        args=training_arguments(checkpoints, settings, seed, len(train_ids)),
        train_dataset=Dataset.from_dict({"input_ids": train_ids}),
        eval_dataset=batches.labelled_once(dev_ids),
        data_collator=batches,
        callbacks=[told, _NoCheckpointAtTheEnd()],
    )
    report_progress(trainer)
    resume = resumable_checkpoint(checkpoints, identity)
    print(f"resuming from {resume.name}" if resume else "starting afresh", flush=True)
    with leave_when_told(told):
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    facts = identity | {"train_sequences": len(train_ids), "dev_sequences": len(dev_ids)}
    # the last step is always evaluated
    dev_loss = float(training_curve(trainer)["eval_loss"].dropna().iloc[-1])
    facts |= {"dev_loss": dev_loss, "epochs": trainer.state.epoch}
    with atomic_path(output) as scratch:
        save_training(trainer, tokenizer, scratch, facts)


class _Batches:
    """Collator: pads on the right with attention 0 and no label, and draws masks for masked training.

    Masks are a function of (seed, epoch, tokens of the batch). Transformers' collator draws them from a generator
    that moves on with each batch read, and a job that resumes skips batches unread.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, objective: Objective, order: EpochSeededLengthSampler
    ) -> None:
        self.order = order
        # any token will do, as it is neither attended to nor predicted: GPT-2 has none of its own
        self.pad = next(i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if i is not None)
        self.special = torch.tensor(tokenizer.all_special_ids)
        self.masker = DataCollatorForLanguageModeling(tokenizer) if objective == "masked" else None

    def __call__(self, examples: Sequence[dict[str, list[int]]]) -> dict[str, Tensor]:
        """Return `input_ids`, `attention_mask` and `labels`, each (batch, longest sequence), int64."""
        ids = _padded(examples, "input_ids", self.pad)
        lengths = torch.tensor([len(example["input_ids"]) for example in examples])
        attended = torch.arange(ids.shape[1]) < lengths[:, None]
        if "labels" in examples[0]:
            labels = _padded(examples, "labels", _NO_LABEL)
        else:
            ids, labels = self._labelled(ids, attended, f"epoch {self.order.epoch}")
        return {"input_ids": ids, "attention_mask": attended.long(), "labels": labels}

    def labelled_once(self, sequences: Sequence[np.ndarray]) -> Dataset:
        """Return a dataset whose labels, and masks, are the same at each evaluation."""
        columns = {"input_ids": [], "labels": []}
        for i, sequence in enumerate(sequences):
            ids = torch.from_numpy(sequence)[None]
            ids, labels = self._labelled(ids, torch.ones_like(ids).bool(), f"dev {i}")
            columns["input_ids"].append(ids[0].numpy())
            columns["labels"].append(labels[0].numpy())
        return Dataset.from_dict(columns)

    def _labelled(self, ids: Tensor, attended: Tensor, occasion: str) -> tuple[Tensor, Tensor]:
        """Return what the model sees and what it is to predict, which a causal model shifts by itself."""
        if self.masker is None:
            labels = ids.masked_fill(~attended, _NO_LABEL)
            # never predicted, but the Trainer counts it when it takes GPT-2's mean loss
            labels[:, 0] = _NO_LABEL
            return ids, labels
        seed = derive_seed(self.order.seed, "mask", occasion, str(ids.tolist()))
        self.masker.generator = torch.Generator().manual_seed(seed)
        fixed = torch.isin(ids, self.special) | ~attended
        labels = torch.full_like(ids, _NO_LABEL)
        while (labels == _NO_LABEL).all():  # without any mask the mean loss is NaN, and so are its gradients
            shown, labels = self.masker.torch_mask_tokens(ids.clone(), special_tokens_mask=fixed)
        return shown, labels


def _padded(examples: Sequence[dict[str, list[int]]], column: str, value: int) -> Tensor:
    rows = [torch.tensor(example[column]) for example in examples]
    return pad_sequence(rows, batch_first=True, padding_value=value)


class _Trainer(Trainer):
    """The Trainer with a sampler that can be resumed exactly, and that tells the collator the epoch."""

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> EpochSeededLengthSampler:
        return self.data_collator.order


class _NoCheckpointAtTheEnd(TrainerCallback):
    """Leaves out the Trainer's last checkpoint: gone on from, it takes one more step of a broken epoch."""

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if state.global_step >= state.max_steps:
            control.should_save = False


def _load(
    base_model: str | Path, objective: Objective, seed: int
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Load tokenizer and language model in float32; sets the global seeds, for a head that the base may lack."""
    set_seed(seed)
    purpose = f"loaded as a {objective} language model"
    tokenizer = open_tokenizer(base_model, purpose)
    model = open_weights(AUTO_MODELS[objective], base_model, purpose, dtype=torch.float32)
    if objective == "masked" and tokenizer.mask_token is None:
        raise InputError(
            f"The tokenizer of {base_model} has no mask token, so the model cannot be trained as a masked language "
            "model; choose the causal objective or another base model."
        )
    check_objective(model.config, objective, base_model)
    return tokenizer, model


def _sequences(
    frame: pd.DataFrame, name: str, model: PreTrainedModel, ignored: Sequence[int]
) -> list[np.ndarray]:
    """Return the sequences as int64 arrays; `ignored` are tokens that a masked model is never to predict."""
    sequences = [np.asarray(ids, dtype=np.int64) for ids in frame["input_ids"]]
    if not sequences:
        raise InputError(f"The {name} data hold no sequence; give at least one.")
    context, vocabulary = context_length(model.config), model.config.vocab_size
    least = 1 if ignored else 2  # nothing comes before the first token, so a causal model does not predict it
    for row, ids in enumerate(sequences):
        place = f"Sequence {row} of the {name} data"
        if np.isin(ids, ignored, invert=True).sum() < least:
            raise InputError(f"{place} has no token to predict; leave it out.")
        if len(ids) > context:
            raise InputError(
                f"{place} has {len(ids)} tokens, but the model's context only {context}; cut it shorter."
            )
        if ids.min() < 0 or ids.max() >= vocabulary:
            raise InputError(
                f"{place} has a token outside the model's vocabulary (0 to {vocabulary - 1}); "
                "tokenise it with the base model's own tokenizer."
            )
    return sequences
