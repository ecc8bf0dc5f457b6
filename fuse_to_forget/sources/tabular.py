"""Read the user's tables: CSV, TSV, JSON lines and parquet files with columns that the user names."""

import json
import zlib
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fuse_to_forget.errors import InputError

MAX_CHARACTERS = 100_000
OPTIONAL_ROLES = ("id", "author")
FORMATS = ".csv, .tsv, .jsonl (each also .gz) and .parquet"
# An empty field is missing; words such as "NA" or "null" are text.
TEXT_OPTIONS = {"dtype": "str", "keep_default_na": False, "na_values": [""], "encoding": "utf-8-sig"}


def read_columns(
    path: str | Path,
    columns: dict[str, str | None],
    values: dict[str, list],
    id_prefix: str | None = None,
) -> pd.DataFrame:
    """Read a table into a prepared frame: `id`, `text`, `label`, one column per attribute, maybe `author`.

    `columns` maps a role to the name of a column: `text`, `label`, any number of protected attributes, and
    optionally `id` and `author` (None leaves one out). `values` gives, for the label and for each attribute,
    the two values that become 0 and 1; values are compared as strings. Ids default to
    `{id_prefix}:{row}`, the prefix to the file's name without its endings; rows count from 1 below the
    header. In a .tsv a quote is an ordinary character, except where it encloses a whole field.

    Raises InputError for a file that is missing, empty or unreadable, a missing column, a missing, empty or
    too long text, a missing or unexpected value, and an id that occurs twice.
    """
    path = Path(path)
    roles = {role: name for role, name in columns.items() if name is not None}
    _check_roles(roles, values)
    table = read_rows(path)
    check_columns(path, table, roles)
    frame = pd.DataFrame({"id": row_ids(path, table, roles, id_prefix)})
    frame["text"] = checked_texts(path, table[roles["text"]])
    for role in ["label", *(role for role in roles if role != "label")]:
        if role not in ("text", *OPTIONAL_ROLES):
            frame[role] = _codes(path, role, table[roles[role]], [str(value) for value in values[role]])
    if "author" in roles:
        frame["author"] = _present(path, "author", table[roles["author"]])
    return frame


def check_columns(path: Path, table: pd.DataFrame, roles: dict[str, str]) -> None:
    """Raise InputError where a table lacks a column that `roles` (role -> column) names."""
    for role, name in roles.items():
        if name not in table.columns:
            raise InputError(
                f"{path} has no column {name!r} (named under `columns: {role}`); "
                f"it has {', '.join(map(repr, table.columns))}"
            )


def _check_roles(roles: dict[str, str], values: dict[str, list]) -> None:
    for role in ("text", "label"):
        if role not in roles:
            raise InputError(f"`columns` names no {role}; add `{role}:` with the name of a column")
    needed = [role for role in roles if role not in ("text", *OPTIONAL_ROLES)]
    for role in needed:
        if role not in values:
            raise InputError(
                f"`values` names no values of {role}; add `{role}:` with the two that become 0 and 1"
            )
    for role in needed:
        pair = values[role]
        if len({str(value) for value in pair}) != 2 or len(pair) != 2:
            raise InputError(
                f"`values: {role}` is {pair}; name exactly two different values, for 0 and for 1"
            )


def read_rows(path: Path) -> pd.DataFrame:
    """All columns of a table in one of the known formats, as the file has them.

    Raises InputError for a file that is missing, empty, without rows or unreadable.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; give a file with a header and at least one row")
    table = _parse(path)
    if table.empty:
        raise InputError(f"{path} holds no rows; give a file with a header and at least one row")
    return table


def _parse(path: Path) -> pd.DataFrame:
    endings = [ending.lower() for ending in path.suffixes]
    kind = next((e for e in reversed(endings) if e not in (".gz", ".bz2", ".xz", ".zst")), "")
    try:
        match kind:
            case ".parquet":
                return pq.ParquetFile(path).read().to_pandas()
            case ".jsonl":
                return pd.read_json(path, lines=True, dtype=False)
            case ".csv":
                return _with_columns(path, pd.read_csv(path, **TEXT_OPTIONS))
            case ".tsv":
                # 3 is csv.QUOTE_NONE: a lone quote would otherwise swallow the rows up to the next one.
                return _unquote(_with_columns(path, pd.read_csv(path, sep="\t", quoting=3, **TEXT_OPTIONS)))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error}); convert it to UTF-8") from error
    except (ValueError, OSError, EOFError, zlib.error, pa.ArrowException) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} cannot be read ({_reason(path, kind, error)}); it may be cut short or in another format"
        ) from error
    raise InputError(f"{path} is in no known format; give one of {FORMATS}")


def _reason(path: Path, kind: str, error: Exception) -> str:
    """The parser's message in one line; for JSON lines the number of the first bad line."""
    if kind == ".jsonl" and path.suffix.lower() == ".jsonl":
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                try:
                    json.loads(line or "null")
                except (ValueError, RecursionError) as bad:
                    return f"line {number}: {bad}"
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _with_columns(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    # pandas takes the first columns for an index where the rows have more fields than the header.
    if not isinstance(table.index, pd.RangeIndex):
        raise InputError(
            f"{path} has rows with more fields than its header; quote fields that hold a separator"
        )
    return table


def _unquote(table: pd.DataFrame) -> pd.DataFrame:
    def unquote(column: pd.Series) -> pd.Series:
        quoted = column.str.fullmatch(r'"(?:[^"]|"")*"').fillna(False).astype(bool)
        inner = column.str.slice(1, -1).str.replace('""', '"', regex=False)
        return column.where(~quoted, inner)

    return table.rename(columns=lambda name: str(name).strip('"')).apply(unquote)


def as_strings(column: pd.Series) -> pd.Series:
    """Values as strings; a whole number stored as a float (as where a value is missing) has no ".0"."""
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():  # infinities fail this
        column = column.astype("Int64")
    return column.astype("str").where(column.notna())


def _present(path: Path, role: str, column: pd.Series) -> pd.Series:
    missing = column.isna().to_numpy()
    if missing.any():
        raise InputError(
            f"{path} has no {role} in row {missing.argmax() + 1} and in {missing.sum()} rows in all "
            f"(column {column.name!r}); fill it in or leave these rows out"
        )
    return as_strings(column)


def checked_texts(path: Path, column: pd.Series) -> pd.Series:
    """The texts of a column, stripped; raises InputError where one is missing, empty or too long."""
    texts = _present(path, "text", column).str.strip()
    empty = (texts == "").to_numpy()
    if empty.any():
        raise InputError(
            f"{path} has an empty text in row {empty.argmax() + 1} and in {empty.sum()} rows in all; "
            "leave these rows out"
        )
    lengths = texts.str.len().to_numpy()
    if lengths.max() > MAX_CHARACTERS:
        raise InputError(
            f"{path} has a text of {lengths[lengths > MAX_CHARACTERS][0]} characters in row "
            f"{(lengths > MAX_CHARACTERS).argmax() + 1}, more than {MAX_CHARACTERS}; shorten or split it"
        )
    return texts


def _codes(path: Path, role: str, column: pd.Series, pair: list[str]) -> pd.Series:
    found = _present(path, role, column)
    unexpected = (~found.isin(pair)).to_numpy()
    if unexpected.any():
        counts = found.value_counts()
        listing = ", ".join(f"{value[:40]!r} ({count} rows)" for value, count in counts.head(6).items())
        more = f" and {len(counts) - 6} more" if len(counts) > 6 else ""
        row = unexpected.argmax()
        raise InputError(
            f"{path}: the {role} column {column.name!r} holds {listing}{more}, but two values are expected, "
            f"{pair[0]!r} and {pair[1]!r}; the first other one is {found.iloc[row][:40]!r} in row {row + 1}: "
            f"name the two values under `values: {role}`, or leave the other rows out of the file"
        )
    return (found == pair[1]).astype("int64")


def row_ids(path: Path, table: pd.DataFrame, roles: dict[str, str], prefix: str | None) -> pd.Series:
    """The ids of a table's rows: its column under the role `id`, or `{prefix}:{row}`; see `read_columns`.

    Raises InputError for an id that is missing or occurs twice.
    """
    if "id" not in roles:
        rows = pd.Series(range(1, len(table) + 1)).astype("str")
        return (prefix or path.name.split(".")[0]) + ":" + rows
    ids = _present(path, "id", table[roles["id"]])
    repeated = ids.duplicated().to_numpy()
    if repeated.any():
        row = repeated.argmax()
        raise InputError(
            f"{path} has the id {ids.iloc[row]!r} twice, the second time in row {row + 1} "
            f"({repeated.sum()} repeated rows in all); make the ids unique or set `columns: id` to null"
        )
    return ids
