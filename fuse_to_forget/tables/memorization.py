"""Tables 2, 5, 6 and 7: memorization of single, fused and full language models (section 6, appendix E)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from fuse_to_forget.runs import BASE, DEV, SHARED, Run
from fuse_to_forget.scoring.scores import ALL_SEEDS

PERPLEXITY = "perplexity"
Row = tuple[dict[str, str | float], str, Sequence[str]]  # key columns, model, data sets that the paper prints


def few_rows(run: Run, letters: str, **keys: float) -> Iterator[Row]:
    """Yield the rows of Table 2, and of one number of epochs in Table 6: singles, all of them fused, and full."""
    subsets = [*letters, SHARED]
    for letter in letters:
        yield keys | {"model": letter}, run.model(letter), subsets
    for kind in ("fused", "full"):
        yield keys | {"model": kind}, run.model(letters, kind), subsets


def all_rows(run: Run) -> Iterator[Row]:
    """Yield the rows of Tables 5 and 7: singles, and ever more of them fused, and trained on together."""
    for letter in run.singles:
        yield {"model": letter}, run.model(letter), [*run.singles, SHARED]
    for kind, names in (("fused", run.fused), ("full", run.full)):
        for name in names:
            yield {"model": f"{kind}_{name}"}, run.model(name, kind), [*name, SHARED]


def epochs_rows(runs: Iterable[Run]) -> Iterator[Row]:
    """Yield the rows of Table 6, most epochs first, of those runs that differ from the main one in their epochs."""
    for run in sorted((run for run in runs if "epochs" in run.suffix), key=lambda run: -run.epochs):
        yield from few_rows(run, run.singles, epochs=run.epochs)


def memorization_table(scores: pd.DataFrame, rows: Sequence[Row], datasets: Sequence[str]) -> pd.DataFrame:
    """Lay out average likelihood ratios on `datasets` and perplexity on dev, the base model first.

    Values are means over seeds; after the paper's columns come `*_low`, `*_high` and `n_seeds`. Cells of subsets that
    a fused or full model has no part of are empty, as in the paper.
    Raises KeyError for a model without scores.
    """
    n_seeds = scores.loc[scores["seed"] != ALL_SEEDS, "seed"].nunique()
    cells = scores[scores["seed"] == ALL_SEEDS].set_index(["model", "dataset", "metric"])[
        ["value", "low", "high"]
    ]
    base: Row = (dict.fromkeys(rows[0][0]) | {"model": BASE}, BASE, datasets)
    table = [_row(cells, *row, datasets) | {"n_seeds": n_seeds} for row in (base, *rows)]
    values = [*datasets, PERPLEXITY]
    ends = [f"{value}_{end}" for value in values for end in ("low", "high")]
    return pd.DataFrame(table)[[*rows[0][0], *values, *ends, "n_seeds"]]


def _row(
    cells: pd.DataFrame,
    keys: Mapping[str, str | float],
    model: str,
    shown: Sequence[str],
    datasets: Sequence[str],
) -> dict:
    row = dict(keys)
    for name in datasets:
        value = cells.loc[(model, name, "alr")] if name in shown else pd.Series(dtype=float)
        row |= {name: value.get("value")} | {f"{name}_{end}": value.get(end) for end in ("low", "high")}
    value = cells.loc[(model, DEV, PERPLEXITY)]
    return row | {PERPLEXITY: value["value"]} | {f"{PERPLEXITY}_{end}": value[end] for end in ("low", "high")}


def extraction_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Lay out, for every model and data set, how much is remembered in loss and how much is recited word for word.

    Columns `model, kind, dataset`, then the mean over seeds of each metric with its interval, `n` and `n_seeds`.
    """
    metrics = ["alr", "alr_worst_decile", "attack_auc", "attack_tpr_at_1_fpr", "extraction_rate"]
    metrics += ["verbatim_tokens", "verbatim_longest"]
    keys = ["model", "kind", "dataset"]
    part = scores[(scores["seed"] == ALL_SEEDS) & scores["metric"].isin(metrics)]
    wide = part.pivot_table(index=keys, columns="metric", values=["value", "low", "high"], sort=False)
    table = pd.DataFrame(index=wide.index)
    for metric in metrics:
        for column, name in (
            (("value", metric), metric),
            (("low", metric), f"{metric}_low"),
            (("high", metric), f"{metric}_high"),
        ):
            table[name] = wide[column] if column in wide else float("nan")
    table["n"] = part.groupby(keys)["n"].max()
    n_seeds = scores.loc[scores["seed"] != ALL_SEEDS, "seed"].nunique()
    return table.assign(n_seeds=n_seeds).reset_index()
