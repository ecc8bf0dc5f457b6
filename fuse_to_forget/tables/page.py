"""A table as a page that a browser shows: the report's view of a CSV."""

from pathlib import Path

import pandas as pd

from fuse_to_forget.files import atomic_path

_STYLE = """
body { font-family: sans-serif; margin: 2em; color: #333; }
table { border-collapse: collapse; }
th, td { padding: 0.3em 0.8em; text-align: right; vertical-align: top; border-bottom: 1px solid #e6e6e6; }
th { border-bottom: 2px solid #333; }
"""


def table_page(table: pd.DataFrame, title: str) -> str:
    """Return a complete HTML page with the table, numbers rounded to three digits and blanks for missing ones."""
    body = table.to_html(index=False, border=0, na_rep="", float_format="{:.3f}".format, justify="right")
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return f"<!doctype html><html><head>{head}</head><body><h1>{title}</h1>{body}</body></html>\n"


def write_with_page(table: pd.DataFrame, path: str | Path, page: str | Path, title: str) -> None:
    """Write a table as CSV with every digit, and its page; each file appears whole or not at all."""
    with atomic_path(path) as scratch:
        table.to_csv(scratch, index=False, lineterminator="\n")
    with atomic_path(page) as scratch:
        scratch.write_text(table_page(table, title), encoding="utf-8")
