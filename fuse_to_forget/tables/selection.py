"""A selection of coefficients as a page: what was chosen, what it is worth on test, and every point on dev."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd

from fuse_to_forget.bias_goals import CHOSEN, SOUP
from fuse_to_forget.fusion.goal import Goal
from fuse_to_forget.tables.page import table_part, write_with_page

_CALLED = {CHOSEN: "chosen on dev", SOUP: "greedy soup"}
_MARKS = ["feasible", "front", CHOSEN, SOUP]


def write_selection(
    table: pd.DataFrame, goal: Goal, metrics: Sequence[str], path: str | Path, page: str | Path, title: str
) -> None:
    """Write the table of `selection_table` as CSV, and its page: on test all `metrics`, on dev those of the goal."""
    named = list(dict.fromkeys([goal.metric, *goal.at_least, *goal.at_most]))
    every = [*named, *(metric for metric in metrics if metric not in named)]
    test, dev = (table[table["split"] == split] for split in ("test", "dev"))
    ends = [f"{metric}{end}" for metric in every for end in ("", "_low", "_high")]
    tested = test.assign(model=test["model"].replace(_CALLED))[["model", "coefficients", *ends]]
    points = dev[["coefficients", "stage", *named]]
    marks = dev[_MARKS].astype(bool).replace({True: "yes", False: ""})
    seeds = int(table["n_seeds"].iloc[0])
    source = f"{table['dataset'].iloc[0]}; {seeds} training seed{'s' * (seeds > 1)}"
    parts = [
        f"<p>{escape(source)}</p>",
        table_part(tested, "On test"),
        table_part(points.join(marks), "Every point on dev"),
    ]
    write_with_page(table, path, page, title, parts)
