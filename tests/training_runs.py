"""A training of seconds: eight steps an epoch of a random model on texts whose label can be read off one word."""

from pathlib import Path

from conftest import demographic_frame

from fuse_to_forget.training.classifier import finetune

SETTINGS = {
    "epochs": 3, "learning_rate": 2.0e-3, "batch_size": 16, "weight_decay": 0.0, "max_length": 32,
    "checkpoint_interval": 0.5,
}  # fmt: skip
STEPS_AN_EPOCH = 8


def train(base: Path, folder: Path, **settings) -> dict[str, bytes]:
    """Fine-tune `base` in `folder`; return the files of the model by name."""
    finetune(
        base,
        demographic_frame(16 * STEPS_AN_EPOCH),
        demographic_frame(40, seed=1).assign(shortcut="OP"),
        folder / "model",
        folder / "checkpoints",
        SETTINGS | settings,
        label_names=["no", "yes"],
        seed=1,
        identity={"job": "test"},
    )
    return {file.name: file.read_bytes() for file in (folder / "model").iterdir()}
