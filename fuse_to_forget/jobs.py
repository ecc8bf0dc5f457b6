"""What every workflow script does around its one library call."""

import errno
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from fuse_to_forget.errors import InputError
from fuse_to_forget.gpu import take_gpus


@contextmanager
def job(log: str, gpus: int = 0) -> Iterator[None]:
    """Run a script's body with everything it prints, children and C libraries included, going to `log`.

    What the library says of its progress goes there and, after the job's name, to the terminal as well. A job that asks
    for `gpus` waits until it has them for itself (`take_gpus`).
    Bad input ends the process with exit code 1 and its one sentence in the log; so do a full disk and Ctrl-C.
    Any other exception leaves its traceback there.
    """
    terminal = os.dup(sys.stderr.fileno())
    try:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(file, sys.stdout.fileno())
        os.dup2(file, sys.stderr.fileno())
        _report({file: "", terminal: f"{job_name(log)}: "})
        take_gpus(gpus)
        yield
    except InputError as error:
        _leave(str(error), terminal)
    except KeyboardInterrupt:
        _leave("Interrupted; run again to go on.", terminal)
    except Exception as error:
        if not disk_is_full(error):
            raise
        _leave(
            "The disk is full, so an output could not be written; free some space and run again.", terminal
        )


def job_name(log: str) -> str:
    """Name a job by its log: logs/finetune/shortcuts/ST_seed1.log is "finetune shortcuts/ST_seed1"."""
    return log.removeprefix("logs/").removesuffix(".log").replace("/", " ", 1)


def _report(files: Mapping[int, str]) -> None:
    """Write what the library logs to open files, each with its prefix."""
    logger = logging.getLogger("fuse_to_forget")
    logger.setLevel(logging.INFO)
    for file, prefix in files.items():
        logger.addHandler(_Lines(file, prefix))


class _Lines(logging.Handler):
    """Writes each message as a line, at one stroke, so that the lines of jobs that run side by side do not mix."""

    def __init__(self, file: int, prefix: str) -> None:
        super().__init__()
        self.file, self.prefix = file, prefix

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # a terminal that was closed ends no job
            os.write(self.file, f"{self.prefix}{record.getMessage()}\n".encode())


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


def _leave(sentence: str, terminal: int) -> None:
    try:
        print(f"error: {sentence}", file=sys.stderr, flush=True)
    except OSError:  # no room for the log itself
        os.write(terminal, f"error: {sentence}\n".encode())
    sys.exit(1)
