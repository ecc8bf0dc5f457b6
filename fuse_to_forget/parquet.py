"""Data frames on disk: parquet with what the rows mean beside them."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fuse_to_forget.errors import InputError
from fuse_to_forget.files import atomic_path

_KEY = b"fuse_to_forget"


def write_table(frame: pd.DataFrame, path: str | Path, metadata: dict[str, Any]) -> None:
    """Write `frame` and `metadata` (JSON values) as parquet; the file appears whole or not at all."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({_KEY: json.dumps(metadata, sort_keys=True)})
    with atomic_path(path) as scratch:
        pq.write_table(table, scratch, compression="zstd")


def read_table(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read what `write_table` wrote: the frame and its metadata.

    Raises InputError if the file was not written so.
    """
    table = pq.read_table(path)
    metadata = (table.schema.metadata or {}).get(_KEY)
    if metadata is None:
        raise InputError(f"{path} does not say what its rows mean; delete it and run the workflow again.")
    return table.to_pandas(), json.loads(metadata)
