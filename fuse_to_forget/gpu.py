"""GPUs: whether this machine has one, and which one a job gets; found out without torch, which takes seconds."""

import fcntl
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA, AMD, and any under WSL

_log = logging.getLogger(__name__)
_held: list[int] = []  # descriptors stay open, and locked, until the process ends however it ends


def has_gpu() -> bool:
    """Return whether this machine has a GPU that torch may use."""
    return sys.platform == "darwin" or any(Path(device).exists() for device in DEVICES)


def take_gpus(wanted: int) -> None:
    """Keep `wanted` of several NVIDIA cards for this process until it ends, and hide the others from it.

    Snakemake counts GPUs but hands out none, so without this each job would use all of them. Sets
    CUDA_VISIBLE_DEVICES: to be called before anything asks CUDA for a device. While other jobs of the same user have
    the cards it waits. Nothing changes for a job that wants none, or where at most one card is visible, as in most
    jobs of a scheduler; where an allocation holds several, its jobs share them out among themselves.
    """
    cards = visible_cards()
    if wanted < 1 or len(cards) < 2:
        return
    taken = _lock_some(cards, wanted)
    if not taken:
        _log.info("waiting for a GPU: other jobs have %s", ", ".join(cards))
    while not taken:
        time.sleep(1)
        taken = _lock_some(cards, wanted)
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)
    _log.info("on GPU %s", ", ".join(taken))


def visible_cards() -> list[str]:
    """Return the NVIDIA cards that this process may use, as CUDA_VISIBLE_DEVICES calls them: numbers or UUIDs."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    if names is None:  # numbered from 0, whichever of a machine's devices a container has
        return [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]
    # CUDA, too, reads the list up to the first name that is none
    return list(takewhile(lambda name: name not in ("", "-1"), map(str.strip, names.split(","))))


def _lock_some(cards: Sequence[str], wanted: int) -> list[str]:
    """Return `wanted` cards, or all there are, now locked by this process; none if too few are free."""
    # In an allocation "0" may be another card than in the next one on the same machine.
    owner = "-".join(filter(None, (str(os.getuid()), os.environ.get("SLURM_JOB_ID"))))
    folder = Path(tempfile.gettempdir()) / f"fuse-to-forget-gpus-{owner}"
    folder.mkdir(mode=0o700, exist_ok=True)
    locks: dict[str, int] = {}
    for card in cards:
        file = os.open(folder / f"{card.replace('/', '-')}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        locks[card] = file
        if len(locks) == min(wanted, len(cards)):
            _held.extend(locks.values())
            return list(locks)
    for file in locks.values():
        os.close(file)  # all or nothing: two jobs that each held a part would wait for ever
    return []
