"""What a finished training leaves: a checkpoint folder with the training's curve and facts beside the weights."""

import json
from pathlib import Path

import pandas as pd
from transformers import PreTrainedTokenizerBase, Trainer

_MEASURED = ("loss", "learning_rate", "grad_norm", "eval_loss")


def training_curve(trainer: Trainer) -> pd.DataFrame:
    """Return what was measured by step: loss, learning rate, gradient norm; loss and accuracies on dev."""
    history = pd.DataFrame(trainer.state.log_history)
    # in an order of our own: the Trainer's is another after it has gone on from a checkpoint
    measured = [*_MEASURED, *sorted(name for name in history if name.startswith("eval_accuracy"))]
    rows = history.reindex(columns=["step", "epoch", *measured])
    return rows.dropna(how="all", subset=measured)  # the Trainer's last row is of run times


def save_training(trainer: Trainer, tokenizer: PreTrainedTokenizerBase, folder: Path, facts: dict) -> None:
    """Write model and tokenizer to `folder`, and beside them `training_curve.csv` and `training.json`."""
    trainer.model.save_pretrained(folder, max_shard_size="1000GB")  # one file: the workflow names it
    tokenizer.save_pretrained(folder)
    training_curve(trainer).to_csv(folder / "training_curve.csv", index=False, lineterminator="\n")
    (folder / "training.json").write_text(json.dumps(facts, indent=1, sort_keys=True))
