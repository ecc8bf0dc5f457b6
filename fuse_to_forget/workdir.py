"""One run at a time in a working directory, and no lock that outlives its run."""

import fcntl
import os
from pathlib import Path

_held: list[int] = []  # descriptors stay open, and locked, until the process ends however it ends


def release_stale_lock(workdir: str | Path = ".") -> None:
    """Remove Snakemake's lock on `workdir` if the run that left it was killed.

    Snakemake's lock is files, which survive `kill -9`. Beside them this holds a lock of the operating system, which
    ends with its process: whoever gets it knows that no other run is alive here. Where it cannot be had, or
    the file system has no such locks, nothing is removed and Snakemake's own lock decides.
    """
    folder = Path(workdir) / ".snakemake"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "running.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return
    _held.append(descriptor)
    for stale in (folder / "locks").glob("*.lock"):
        stale.unlink(missing_ok=True)
