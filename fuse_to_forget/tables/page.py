"""Tables as pages that a browser shows: what the report has of a CSV. Sorted by a click, readable without script."""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from fuse_to_forget.files import atomic_path
from fuse_to_forget.tables.page_look import SCRIPT, STYLE

VERDICT = "verdict"  # cells of this column are marked, and the table can be narrowed to one of them
_DIGITS = {"p_value": 4}  # the smallest p value of 9,999 permutations is .0001
_NOTE = "In brackets: the ends of the interval. Numbers are rounded; the CSV file of the same name has every digit."


def page(title: str, *parts: str) -> str:
    """Return a complete HTML page of `parts`, which are HTML."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    body = "\n".join([f"<h1>{escape(title)}</h1>", *parts, f"<script>{SCRIPT}</script>"])
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


def table_part(table: pd.DataFrame, heading: str = "") -> str:
    """Return a table as HTML, under a heading if there is one.

    A column with companions `*_low` and `*_high` (of `value`: `low` and `high`) takes them up, as in .542 (.512 to
    .571). Numbers have three digits after the point, fewer where all numbers of the column need fewer, two from 10 on
    and one from 100 on; missing ones are blank. `data-value` of a cell holds the number as it was.
    """
    intervals = _intervals(table)
    ends = {end for pair in intervals.values() for end in pair}
    columns = [column for column in table if column not in ends]
    numeric = [is_numeric_dtype(table[column]) for column in columns]
    head = "".join(map(_header, columns, numeric))
    cells = [
        _number_cells(table, column, intervals.get(column)) if number else _text_cells(table[column])
        for column, number in zip(columns, numeric, strict=True)
    ]
    rows = "\n".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
    html = f"<table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>"
    html = f"<p>{_NOTE}</p>\n{html}" if intervals else html
    return f"<h2>{escape(heading)}</h2>\n{html}" if heading else html


def write_with_page(
    table: pd.DataFrame, path: str | Path, page_path: str | Path, title: str, parts: Sequence[str] = ()
) -> None:
    """Write a table as CSV with every digit, and a page of it, or of `parts`; each file appears whole or not at all."""
    with atomic_path(path) as scratch:
        table.to_csv(scratch, index=False, lineterminator="\n")
    with atomic_path(page_path) as scratch:
        scratch.write_text(page(title, *(parts or [table_part(table)])), encoding="utf-8")


def _intervals(table: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Columns that have an interval, with the names of its ends."""
    names = {column: (f"{column}_low", f"{column}_high") for column in table} | {"value": ("low", "high")}
    return {column: ends for column, ends in names.items() if {column, *ends} <= set(table.columns)}


def _header(column: str, number: bool) -> str:
    kind = ' class="number"' if number else ""
    return f'<th scope="col"{kind}>{escape(column).replace("_", "_<wbr>")}</th>'


def _text_cells(column: pd.Series) -> list[str]:
    texts = ["" if pd.isna(value) else escape(str(value)) for value in column]
    if column.name == VERDICT:
        return [f'<td><span class="verdict {text}">{text}</span></td>' for text in texts]
    return [f"<td>{text}</td>" for text in texts]


def _number_cells(table: pd.DataFrame, column: str, ends: tuple[str, str] | None) -> list[str]:
    numbers = table[[column, *(ends or ())]].astype(float)
    digits = _digits(numbers, _DIGITS.get(column, 3))
    cells = []
    for value, *interval in numbers.itertuples(index=False, name=None):
        largest = max(map(abs, (value, *interval)))
        fewer = min(digits, 1 if largest >= 100 else 2 if largest >= 10 else digits)
        if pd.isna(value):
            cells.append('<td class="number"></td>')
            continue
        text = format_number(value, fewer)
        if ends and not pd.isna(interval).any():
            low, high = (format_number(end, fewer) for end in interval)
            text += f' <span class="interval">({low} to {high})</span>'
        cells.append(f'<td class="number" data-value="{value!r}">{text}</td>')
    return cells


def _digits(numbers: pd.DataFrame, most: int) -> int:
    """Digits after the point that the numbers of a column need when they are rounded to at most `most`."""
    exact = numbers.round(most)
    return next(
        d for d in range(most + 1) if ((numbers.round(d) - exact).abs().fillna(0) < 1e-9).all(axis=None)
    )


def format_number(value: float, digits: int) -> str:
    """Round to `digits` after the point, without a zero before it: -.075, 1.093, 20."""
    return re.sub(r"^(-?)0\.", r"\1.", f"{round(value, digits) + 0.0:.{digits}f}")
