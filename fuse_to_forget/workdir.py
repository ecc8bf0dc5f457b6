"""One run at a time in a working directory, and no lock that outlives its run."""

import fcntl
import os
import socket
from pathlib import Path

from fuse_to_forget.errors import InputError

ORPHANS = "orphans"  # in .snakemake: a killed run may have left jobs on the cluster
_held: list[int] = []  # descriptors stay open, and locked, until the process ends however it ends


def release_stale_lock(workdir: str | Path = ".", *, cluster: bool = False) -> None:
    """Remove Snakemake's lock on `workdir` if the run that left it was killed.

    Snakemake's lock is files, which survive `kill -9`. Beside them this holds a lock of the operating system, which
    ends with its process: whoever gets it knows that no other run is alive here. Where it cannot be had, or
    the file system has no such locks, nothing is removed and Snakemake's own lock decides.
    The jobs of a run on a `cluster` outlive it: there ORPHANS is left to say so, and the lock of another host, which
    may have locks of its own, is left to the user.
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
    stale = list((folder / "locks").glob("*.lock"))
    here, holder = socket.gethostname(), os.read(descriptor, 1024).decode(errors="replace")
    if stale and cluster:
        if holder != here:
            return
        (folder / ORPHANS).touch()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, here.encode(), 0)
    for lock in stale:
        lock.unlink(missing_ok=True)


def check_cache(folder: str | None) -> None:
    """Refuse `--cache` without a place to keep results; Snakemake itself would fail at the first cached job.

    Raises InputError if `folder`, the value of SNAKEMAKE_OUTPUT_CACHE, is none, or one that cannot be written to; a URL
    is not looked at.
    """
    if not folder:
        raise InputError(
            "--cache needs a place: set the environment variable SNAKEMAKE_OUTPUT_CACHE to a folder that all who share "
            "results can write to, or run without --cache."
        )
    if "://" not in folder and not (os.path.isdir(folder) and os.access(folder, os.W_OK)):
        raise InputError(
            f"SNAKEMAKE_OUTPUT_CACHE is set to {folder}, which is no folder that can be written to; make it, or name "
            "another."
        )
