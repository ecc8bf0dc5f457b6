"""Data frames on disk: parquet that says what its rows mean."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fuse_to_forget.errors import InputError
from fuse_to_forget.files import atomic_path

METADATA_KEY = b"fuse_to_forget"


def write_table(frame: pd.DataFrame, path: str | Path, metadata: dict[str, Any]) -> None:
    """Write a frame as parquet, whole or not at all; the same input gives the same bytes.

    `metadata` (JSON values: `values`, `description`, `dataset`, `demographics` where there are any) goes into the
    file's schema under the key `fuse_to_forget`.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    # Replaces the metadata of pandas, which names its version.
    table = table.replace_schema_metadata({METADATA_KEY: json.dumps(metadata, sort_keys=True).encode()})
    with atomic_path(path) as scratch:
        pq.write_table(table, scratch)


def read_table(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The frame and the metadata that `write_table` wrote.

    Raises InputError when the file is missing, damaged, or was not written by `write_table`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no {path}; run the rule that makes it")
    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is no whole parquet file; delete it and run the workflow again") from error
    metadata = (table.schema.metadata or {}).get(METADATA_KEY)
    if metadata is None:
        raise InputError(f"{path} was not written by this project; delete it and run the workflow again")
    return table.replace_schema_metadata(None).to_pandas(), json.loads(metadata)


def read_tables(paths: str | Path | Sequence[str | Path]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read one table, or several as one: their rows in order, and the metadata of the first."""
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    frames, metadata = zip(*map(read_table, paths), strict=True)
    return pd.concat(frames, ignore_index=True), metadata[0]
