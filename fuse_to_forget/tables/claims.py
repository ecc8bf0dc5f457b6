"""Claims as a page: how many hold, which statement holds how often, and every single one."""

from pathlib import Path

import pandas as pd

from fuse_to_forget.tables.page import VERDICT, table_part, write_with_page

VERDICTS = ["supported", "contradicted", "undecided"]


def verdicts_by_statement(claims: pd.DataFrame) -> pd.DataFrame:
    """Count verdicts: a row per statement (and study, where the claims have one) in the order of the claims.

    Columns of the statement, then `supported`, `contradicted` and `undecided`.
    """
    keys = [key for key in ("study", "claim", "statement") if key in claims]
    counts = pd.get_dummies(claims[VERDICT], dtype=int).reindex(columns=VERDICTS, fill_value=0)
    return claims[keys].join(counts).groupby(keys, sort=False).sum().reset_index()


def write_claims(claims: pd.DataFrame, path: str | Path, page: str | Path, title: str) -> None:
    """Write claims as CSV, and their page; `claims` has at least the columns claim, statement and verdict."""
    counts = claims[VERDICT].value_counts()
    marks = " ".join(
        f'<span class="verdict {verdict}" data-shows="{verdict}">{counts.get(verdict, 0)} {verdict}</span>'
        for verdict in VERDICTS
    )
    singly = claims[[VERDICT, *claims.columns.drop([VERDICT, "statement"])]]
    parts = [
        f'<p class="counts">{len(claims)} claims: {marks}</p>',
        table_part(verdicts_by_statement(claims), "By statement"),
        table_part(singly, "One by one"),
    ]
    write_with_page(claims, path, page, title, parts)
