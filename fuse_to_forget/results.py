"""Small files that earlier jobs wrote, read whole or refused."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fuse_to_forget.errors import InputError, first_line


def damaged(path: str | Path, detail: str) -> InputError:
    """Return the refusal of a result that something else cut short or overwrote."""
    return InputError(f"{path} is damaged ({detail}); delete it and run the workflow again")


def read_csv(path: str | Path, columns: Sequence[str], **options: Any) -> pd.DataFrame:
    """Read a CSV as pandas does with `options`; raise InputError if it is cut short or lacks one of `columns`.

    A file that ends after a whole line counts as whole.
    """
    content = Path(path).read_bytes()
    if not content.endswith(b"\n"):
        raise damaged(path, "its last line is cut short" if content else "it is empty")
    try:
        frame = pd.read_csv(io.BytesIO(content), **options)
    except ValueError as error:  # those of pandas' parser and of UTF-8 too
        raise damaged(path, first_line(error)) from error
    missing = [name for name in columns if name not in frame]
    if missing or frame.empty:
        raise damaged(path, f"it has no column {missing[0]}" if missing else "it has no rows")
    return frame


def read_record(path: str | Path, *keys: str) -> dict[str, Any]:
    """Read a JSON object such as training.json; raise InputError if it is none or lacks one of `keys`."""
    try:
        record = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise damaged(path, first_line(error)) from error
    missing = [key for key in keys if not isinstance(record, dict) or key not in record]
    if missing:
        raise damaged(path, f"it does not say {missing[0]}")
    return record
