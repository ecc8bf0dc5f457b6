"""Jobs that a killed run left on a SLURM cluster, where they would go on writing beside those of the next run."""

import re
import shutil
import subprocess
import time
from pathlib import Path

from fuse_to_forget.errors import InputError
from fuse_to_forget.workdir import ORPHANS

# Snakemake's executor plugin gives all jobs of a run one name of its own, after the user's prefix if there is one
_JOB_NAME = re.compile(r"(?:.*_)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LISTING = ["squeue", "--me", "--noheader", "--format=%A|%j|%Z"]


def has_slurm() -> bool:
    """Return whether this machine can list and cancel SLURM jobs."""
    return shutil.which("squeue") is not None and shutil.which("scancel") is not None


def jobs_of(listing: str, workdir: str | Path) -> list[str]:
    """Return the ids of Snakemake's jobs in a listing of `id|name|working directory` that run in `workdir`."""
    rows = (line.split("|", 2) for line in listing.splitlines() if line.count("|") >= 2)
    here = Path(workdir).resolve()
    return [job for job, name, folder in rows if _JOB_NAME.fullmatch(name) and Path(folder).resolve() == here]


def cancel_orphans(workdir: str | Path = ".", *, patience: float = 300) -> list[str]:
    """Cancel what a killed run in `workdir` left in the queue, if it left anything; return the jobs' ids.

    Trainings save a checkpoint when they are told to leave, from which the next run goes on. Waits `patience` seconds
    for the jobs to end. Raises InputError if some still have not.
    """
    marker = Path(workdir) / ".snakemake" / ORPHANS
    if not marker.exists():
        return []
    orphans = left = _listed(workdir)
    if orphans:
        subprocess.run(["scancel", *orphans], check=True)
    deadline = time.monotonic() + patience
    while left:
        if time.monotonic() > deadline:
            raise InputError(
                f"The SLURM jobs {' '.join(left)} of an earlier run in this folder do not end though they were "
                "cancelled; look at them with squeue, and run again when they are gone."
            )
        time.sleep(0.5)
        left = _listed(workdir)
    marker.unlink()
    return orphans


def _listed(workdir: str | Path) -> list[str]:
    listing = subprocess.run(_LISTING, check=True, capture_output=True, text=True)
    return jobs_of(listing.stdout, workdir)
