"""Resumable training checkpoints: which one to go on from, and when to start afresh."""

import json
import shutil
from pathlib import Path

from fuse_to_forget.files import atomic_path

_IDENTITY = "identity.json"


def resumable_checkpoint(folder: str | Path, identity: dict) -> Path | None:
    """Return the newest complete checkpoint of the job that `identity` describes, or None to start afresh.

    Checkpoints of another job (other data, code or settings) are removed, and so are those that a killed
    process left half-written: the Trainer writes trainer_state.json last.
    """
    folder = Path(folder)
    if _read_json(folder / _IDENTITY) != identity:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with atomic_path(folder / _IDENTITY) as scratch:
            scratch.write_text(json.dumps(identity, indent=1, sort_keys=True))
    checkpoints = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    for checkpoint in reversed(checkpoints):
        if _read_json(checkpoint / "trainer_state.json") is not None:
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def _read_json(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
