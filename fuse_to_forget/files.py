"""Files that appear whole or not at all."""

import glob
import hashlib
import os
import shutil
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yield a scratch path beside `target`; rename it to `target` when the block succeeds.

    The block writes a file or makes a folder there. If it raises, the scratch path is removed and
    `target` is left as it was. A folder that stands at `target` is replaced. What a killed process of this
    machine left of an earlier attempt is removed first.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # writers of one target, on one machine or several, never share a scratch path
    prefix = f".{target.name}.{socket.gethostname()}-"
    for stale in target.parent.glob(f"{glob.escape(prefix)}*.part"):
        if not _is_running(int(stale.stem.rpartition("-")[2])):
            remove(stale)
    scratch = target.with_name(f"{prefix}{os.getpid()}.part")
    remove(scratch)
    try:
        yield scratch
        _make_readable(scratch)
        if target.is_dir() and scratch.is_dir():
            remove(target)
        os.replace(scratch, target)
    finally:
        remove(scratch)


def _make_readable(path: Path) -> None:
    """Give what safetensors writes, which only its owner may read, the mode of any other new file."""
    umask = os.umask(0)
    os.umask(umask)
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file() and not file.is_symlink() and stat.S_IMODE(file.stat().st_mode) == 0o600:
            file.chmod(0o666 & ~umask)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def remove(path: Path) -> None:
    """Remove a file or a folder tree, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def folder_of(given: str | Path | Sequence[str | Path]) -> Path:
    """Return a folder that is given by its path, or by those of files that lie in it."""
    return Path(given) if isinstance(given, str | Path) else Path(given[0]).parent


def checkpoint_digest(given: str | Path | Sequence[str | Path]) -> str:
    """Return a sha256 of the names and contents of a checkpoint's files: those in its folder, or those given instead.

    Folders in that folder do not count: when two runs store a download at once, Snakemake's output cache puts one into
    the other.
    """
    files = Path(given).iterdir() if isinstance(given, str | Path) else map(Path, given)
    shown = sorted(file for file in files if file.is_file() and not file.name.startswith("."))
    digests = "".join(f"{file.name}\0{file_digest(file)}\0" for file in shown)
    return hashlib.sha256(digests.encode()).hexdigest()


def file_digest(path: str | Path) -> str:
    """Return the sha256 of a file, or of the names and contents of all files in a folder tree.

    Links are followed, for Snakemake's output cache makes links of what it holds; hidden files, such as its
    time stamps, do not count.
    """
    path = Path(path)
    digest = hashlib.sha256()
    tree = [Path(folder, name) for folder, _, names in os.walk(path, followlinks=True) for name in names]
    shown = sorted(file for file in tree if not file.name.startswith("."))
    for file in shown if path.is_dir() else [path]:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        digest.update(f"{file.relative_to(path)}\0{content}\0".encode())
    return digest.hexdigest()
