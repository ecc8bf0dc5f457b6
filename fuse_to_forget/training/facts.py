"""What trainings wrote down of themselves: `{model}/seed{seed}/training.json`, beside the weights."""

from collections.abc import Iterable
from pathlib import Path

from fuse_to_forget.results import read_record


def learned(files: Iterable[str | Path]) -> dict[tuple[str, str], bool]:
    """Return, by model and seed, whether trainings reached the accuracy of their stop rule, from `training.json`."""
    found = {}
    for file in map(Path, files):
        model, seed = file.parent.parent.name, file.parent.name.removeprefix("seed")
        found[model, seed] = bool(read_record(file, "learned")["learned"])
    return found
