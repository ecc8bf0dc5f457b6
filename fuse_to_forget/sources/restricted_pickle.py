"""Read pickles that hold plain containers and scalars, and nothing that could run code."""

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

from fuse_to_forget.errors import InputError

# Memo numbers and the memory for them grow with the objects of a file, of at least one byte each.
MEMO_OPCODES = {"PUT", "BINPUT", "LONG_BINPUT"}


class _PlainUnpickler(pickle.Unpickler):
    """Admits no global and no persistent id, so only None, numbers, strings, bytes and plain containers."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for the Python object {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to an object outside of the file")


def load_plain_pickle(path: str | Path) -> Any:
    """Load a pickle of lists, tuples, dicts, sets, strings, bytes, numbers, booleans and None.

    Nothing of the file is ever run or imported.

    Raises InputError when the file is missing, is no whole pickle, or asks for any other object.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}; check the path")
    content = path.read_bytes()
    try:
        _check_sizes(content)
        # Python 2 wrote texts as bytes; UTF-8 is what such files hold.
        return _PlainUnpickler(io.BytesIO(content), encoding="utf-8", errors="replace").load()
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} was not loaded and nothing in it was run: {error}; "
            "save the data as plain lists, tuples, strings and integers, or as CSV"
        ) from error
    except Exception as error:  # a damaged pickle may raise nearly anything
        raise InputError(
            f"{path} was not loaded and nothing in it was run: it is no whole pickle "
            f"({' '.join(str(error).split()) or type(error).__name__}); get the file again"
        ) from error


def _check_sizes(content: bytes) -> None:
    """Walk the opcodes without running them: they end in a stop, and no size or number exceeds the file."""
    for opcode, argument, position in pickletools.genops(content):
        if opcode.name in MEMO_OPCODES and argument > len(content):
            raise ValueError(f"memo number {argument} at byte {position} is larger than the file")
