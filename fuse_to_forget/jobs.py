"""What every workflow script does around its one library call."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from fuse_to_forget.errors import InputError


@contextmanager
def job(log: str) -> Iterator[None]:
    """Run a script's body with everything it prints, children and C libraries included, going to `log`.

    Bad input ends the process with exit code 1 and its one sentence in the log; so does a full disk.
    Any other exception leaves its traceback there.
    """
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(file, sys.stdout.fileno())
    os.dup2(file, sys.stderr.fileno())
    try:
        yield
    except InputError as error:
        _leave(str(error))
    except Exception as error:
        if not disk_is_full(error):
            raise
        _leave("The disk is full, so an output could not be written; free some space and run again.")


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an exception, or one that led to it, is a full disk or quota, however its library says so."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        # safetensors and torch.save raise errors of their own, without the system's error number
        if any(
            sign in str(error)
            for sign in ("No space left", "os error 122", "iostream error", "inline_container")
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def _leave(sentence: str) -> None:
    print(f"error: {sentence}", file=sys.stderr, flush=True)
    sys.exit(1)
