"""The table and the summary of an audit on disk, and the page that shows both."""

from pathlib import Path

import pandas as pd

from fuse_to_forget.audit.kept import COLUMNS
from fuse_to_forget.files import atomic_path
from fuse_to_forget.results import read_csv
from fuse_to_forget.tables.page import table_part, write_with_page

_TEXT = ("model", "kind", "method", "coefficients", "dataset", "knowledge", "attribute", "metric", "note")
_SIDES = ("shared", "forgettable")


def write_audit(
    table: pd.DataFrame,
    summary: pd.DataFrame,
    path: str | Path,
    summary_path: str | Path,
    page_path: str | Path,
) -> None:
    """Write what `kept_and_forgotten` returns as CSV with every digit, and a page of both, the summary first."""
    with atomic_path(summary_path) as scratch:
        summary.to_csv(scratch, index=False, lineterminator="\n")
    names = {side: f"{side}_kept" for side in _SIDES}
    names |= {f"{side}_{end}": f"{side}_kept_{end}" for side in _SIDES for end in ("low", "high")}
    shown = summary.drop(columns=["coefficients", "forgettable_is"]).rename(columns=names)
    left_out = table.loc[table["metric"].isna(), ["method", "note"]]
    parts = [
        table_part(
            shown, "Shared knowledge, and what is to be forgotten: 0 is like the base, 1 like who knows it"
        ),
        table_part(table[table["metric"].notna()].drop(columns="coefficients"), "Every measure"),
    ]
    if len(left_out):
        parts.insert(1, table_part(left_out, "Methods that were left out"))
    write_with_page(table, path, page_path, "Kept and forgotten", parts)


def read_kept(path: str | Path) -> pd.DataFrame:
    """Read the table that `write_audit` wrote, text as text; raises InputError if it is damaged."""
    table = read_csv(path, COLUMNS, dtype=dict.fromkeys(_TEXT, str))
    return table.fillna(dict.fromkeys(_TEXT, ""))


def read_summary(path: str | Path) -> pd.DataFrame:
    """Read the summary that `write_audit` wrote; raises InputError if it is damaged."""
    columns = [*_SIDES, "kind", "method", "forgettable_is"]
    return read_csv(path, columns, dtype=dict.fromkeys(_TEXT[:4], str)).fillna({"forgettable_is": ""})
