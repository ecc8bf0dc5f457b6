"""Whether a run can write where it has to, asked before any work."""

import os
from pathlib import Path

from fuse_to_forget.errors import InputError


def check_writable(*folders: str | Path) -> None:
    """Raise InputError if a folder, or the place where it would be made, cannot be written to; nothing is made."""
    for folder in map(Path, folders):
        place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        # unlike the permission bits, this holds for root and for file systems that are mounted read-only
        if not os.access(place, os.W_OK | os.X_OK):
            raise InputError(
                f"Nothing can be written to {place.absolute()}, where the run keeps {folder}; make it writable, or "
                "name another working directory with --directory."
            )
