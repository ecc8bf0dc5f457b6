"""Hold out dev and test splits that a source does not bring along."""

from itertools import combinations

import numpy as np
import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.source_data import SourceData

SPLITS = ("train", "dev", "test")


def hold_out(
    frame: pd.DataFrame, share: float, seed: int, by_author: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split a prepared frame at random into the rest and a held-out part of about `share` of its rows.

    By row, every combination of label and attributes is held out in the same proportion (to within one row).
    By author, all rows of an author stay together and every combination of attributes is held out in about
    the same proportion of rows. Both parts keep the order of the rows.

    Raises InputError when either part would be empty.
    """
    rng = np.random.default_rng(seed)
    attributes = [name for name in frame.columns if name not in ("id", "text", "label", "author")]
    if by_author:
        chosen = _choose_authors(frame, attributes, share, rng)
    else:
        chosen = _choose_rows(frame, ["label", *attributes], share, rng)
    if chosen.all() or not chosen.any():
        unit = f"{frame['author'].nunique()} authors" if by_author else f"{len(frame)} rows"
        raise InputError(
            f"A share of {share} of {unit} leaves a split empty; give more data or another share"
        )
    return frame[~chosen].reset_index(drop=True), frame[chosen].reset_index(drop=True)


def _choose_rows(
    frame: pd.DataFrame, strata: list[str], share: float, rng: np.random.Generator
) -> np.ndarray:
    """Systematic sampling of the rows sorted by stratum and, within it, at random."""
    n = len(frame)
    stratum = frame.groupby(strata, sort=True).ngroup().to_numpy()
    order = np.lexsort((rng.random(n), stratum))
    steps = np.floor(np.arange(n + 1) * share + rng.random())
    chosen = np.zeros(n, dtype=bool)
    chosen[order] = np.diff(steps) > 0
    return chosen


def _choose_authors(
    frame: pd.DataFrame, attributes: list[str], share: float, rng: np.random.Generator
) -> np.ndarray:
    """In each stratum, the first authors of a random order whose rows come nearest to the share."""
    authors = frame.groupby("author", sort=True)[attributes].first()
    authors["rows"] = frame["author"].value_counts().reindex(authors.index)
    authors = authors.iloc[rng.permutation(len(authors))]
    groups = [group for _, group in authors.groupby(attributes, sort=True)] if attributes else [authors]
    held_out: list[str] = []
    for group in groups:
        reached = np.concatenate([[0], group["rows"].cumsum()])
        held_out += list(group.index[: np.abs(reached - share * reached[-1]).argmin()])
    return frame["author"].isin(held_out).to_numpy()


def complete_splits(
    source: SourceData, dev_share: float, test_share: float | None, seed: int
) -> dict[str, pd.DataFrame]:
    """The splits `train`, `dev` and `test`; a missing test and then a missing dev is held out of train.

    Shares count from the rows of train as provided. Where train has an `author` column, no author is on both
    sides of a split made here. Texts and authors that splits share are counted and printed. A `test_share` of
    None asks for no test: none is held out, and one that the source provides is left out.

    Raises InputError when there is no train, a split comes out empty, or an id is in two splits.
    """
    splits = dict(source.splits)
    if "train" not in splits:
        raise InputError("The source provides no train split; name its training data under `train`")
    shares = {"test": test_share, "dev": dev_share}
    if test_share is None:
        del shares["test"]
    missing = {name: share for name, share in shares.items() if name not in splits}
    left = 1.0
    for name, share in missing.items():
        train = splits["train"]
        child = int(np.random.SeedSequence([seed, SPLITS.index(name)]).generate_state(1)[0])
        splits["train"], splits[name] = hold_out(train, share / left, child, by_author="author" in train)
        left -= share
    splits = {name: splits[name] for name in SPLITS if name in ("train", *shares)}
    _check_ids(splits)
    _report_overlaps(splits)
    return splits


def _common(one: pd.Series, other: pd.Series) -> pd.Series:
    """The distinct values that both columns hold."""
    # The lookup table is what takes time and memory, so it is made of the smaller column.
    larger, smaller = (one, other) if len(one) > len(other) else (other, one)
    return larger[larger.isin(smaller)].drop_duplicates()


def _check_ids(splits: dict[str, pd.DataFrame]) -> None:
    for one, other in combinations(splits, 2):
        shared = _common(splits[one]["id"], splits[other]["id"])
        if len(shared):
            raise InputError(
                f"The splits {one} and {other} share {len(shared)} ids, such as {shared.iloc[0]!r}; "
                "give each example to one split, or set `columns: id` to null if ids count anew in each file"
            )


def _report_overlaps(splits: dict[str, pd.DataFrame]) -> None:
    for one, other in combinations(splits, 2):
        for column in ("text", "author"):
            if column in splits[one] and column in splits[other]:
                shared = _common(splits[one][column], splits[other][column])
                rows = int(splits[other][column].isin(shared).sum())
                if rows:
                    print(
                        f"Note: {len(shared)} {column}s of {other} ({rows} rows) are also in {one}.",
                        flush=True,
                    )


def limit(frame: pd.DataFrame, size: int | None, seed: int) -> pd.DataFrame:
    """Return `size` rows drawn at random, in their order, or all of them for None.

    Raises InputError when there are fewer.
    """
    if size is None:
        return frame
    if size > len(frame):
        raise InputError(f"Of {len(frame)} training examples {size} are wanted; ask for fewer, or for all")
    rows = np.sort(np.random.default_rng(seed).permutation(len(frame))[:size])
    return frame.iloc[rows].reset_index(drop=True)
