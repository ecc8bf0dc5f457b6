"""Articles in four splits that share none: pretrain, train, dev, and test, the control that nobody trains on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.seeds import derive_seed
from fuse_to_forget.sources.articles import (
    read_article_table,
    read_cnn_dailymail,
    read_editorials,
    read_rated_texts,
)
from fuse_to_forget.sources.hutto import drop_repeats
from fuse_to_forget.sources.splits import SPLITS

SET_APART = ("pretrain", "dev", "test")


@dataclass(frozen=True)
class Articles:
    """Frames (columns `id`, `text`) of the splits that a source provides, and what they are, in words."""

    splits: dict[str, pd.DataFrame]
    description: str


def read_articles(source: Mapping[str, Any]) -> Articles:
    """Read the splits that a source of articles provides; `split_articles` adds the missing ones.

    `source["kind"]` is one of
    - `editorials`: the embedded editorials in the folder `download`;
    - `rated_texts`: the other texts beside them, those of `files`;
    - `articles`: tables under `train`, `dev` and `test` with `columns` as in `read_article_table`;
    - `cnn_dailymail`: CNN/DailyMail in the folder `path` or `download`.

    Raises InputError for an unknown kind and whatever the readers refuse.
    """
    readers: dict[str, Callable[[], dict[str, pd.DataFrame]]] = {
        "editorials": lambda: {"train": read_editorials(source["download"])},
        "rated_texts": lambda: {"train": read_rated_texts(source["download"], source["files"])},
        "articles": lambda: _read_tables(source),
        "cnn_dailymail": lambda: read_cnn_dailymail(source.get("path") or source["download"]),
    }
    kind = source["kind"]
    if kind not in readers:
        raise InputError(
            f"The source kind {kind!r} is no source of articles; choose one of {', '.join(readers)}"
        )
    splits = readers[kind]()
    sizes = ", ".join(f"{len(frame)} {name}" for name, frame in splits.items())
    return Articles(splits, f"{kind}: articles, {sizes}")


def _read_tables(source: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    files = {split: Path(source[split]) for split in SPLITS if source.get(split)}
    if "train" not in files:
        raise InputError("The source articles names no file; give the path of a table under `train`")
    return {split: read_article_table(path, source["columns"], split) for split, path in files.items()}


def split_articles(
    splits: Mapping[str, pd.DataFrame], sizes: Mapping[str, int], seed: int
) -> dict[str, pd.DataFrame]:
    """The splits pretrain, train, dev and test; the missing ones are drawn from train, `sizes` articles each.

    Articles with the words of an earlier one are left out, so that no two splits hold the same text; how many
    is printed. A size of 0 makes an empty split. Each split keeps the order of its rows.

    Raises InputError when an id is in two splits, and when train has too few articles.
    """
    splits = _without_repeats(splits)
    missing = [name for name in SET_APART if name not in splits]
    train = splits["train"]
    wanted = sum(sizes[name] for name in missing)
    if wanted >= len(train):
        listing = ", ".join(f"{sizes[name]} for {name}" for name in missing)
        raise InputError(
            f"The source has {len(train)} different articles in train, but {listing} are to be held out of them; "
            "give more articles or hold out fewer"
        )
    order = np.random.default_rng(derive_seed(seed, "articles")).permutation(len(train))
    start = 0
    for name in missing:
        rows = np.sort(order[start : start + sizes[name]])
        splits[name] = train.iloc[rows].reset_index(drop=True)
        start += sizes[name]
    splits["train"] = train.iloc[np.sort(order[start:])].reset_index(drop=True)
    return splits


def _without_repeats(splits: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    for one, other in combinations(splits, 2):
        shared = splits[one]["id"][splits[one]["id"].isin(splits[other]["id"])]
        if len(shared):
            raise InputError(
                f"The splits {one} and {other} overlap in {len(shared)} ids, such as {shared.iloc[0]!r}; "
                "give each article to one split"
            )
    # train comes last, so that a text that is also held out leaves train
    names = [name for name in (*SET_APART, "train") if name in splits]
    joined = pd.concat([splits[name].assign(split=name) for name in names], ignore_index=True)
    different = drop_repeats(joined)
    if len(different) < len(joined):
        print(f"Note: {len(joined) - len(different)} articles repeat others and are left out.", flush=True)
    return {
        name: different.loc[different["split"] == name, ["id", "text"]].reset_index(drop=True)
        for name in names
    }
