"""What every workflow script does around its one library call."""

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
    except OSError as error:
        if error.errno not in (28, 122):  # ENOSPC, EDQUOT
            raise
        _leave(
            f"The disk is full: {error.filename or 'an output'} could not be written; free some space and run again."
        )


def _leave(sentence: str) -> None:
    print(f"error: {sentence}", file=sys.stderr, flush=True)
    sys.exit(1)
