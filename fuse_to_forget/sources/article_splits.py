"""Articles in four splits that share none: pretrain, train, dev, and test, the control that nobody trains on."""

from collections.abc import Callable, Mapping, Sequence
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


def split_articles(data: Articles, sizes: Mapping[str, int], seed: int) -> Articles:
    """The splits pretrain, train, dev and test; the missing ones are drawn from train, `sizes` articles each.

    Articles without a word are left out, and those with the words of an earlier one, so that no two splits hold the
    same text; what dev, test and train share goes to the first of them. How many is printed, and the description
    says what splits shared. A size of 0 makes an empty split. Each split keeps the order of its rows.

    Raises InputError when an id is in two splits, when a split has no words or shares more than half of its articles
    with those before it, and when train has too few articles.
    """
    _check_ids(data.splits)
    splits, notes = _without_repeats(data.splits)
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
    return Articles(splits, "; ".join([data.description, *notes]))


def pretraining_texts(sources: Sequence[pd.DataFrame], held_apart: Sequence[pd.DataFrame]) -> list[str]:
    """The texts of `sources` that a base model may know: each once, none with the words of one in `held_apart`.

    `held_apart` are the splits that subsets are drawn from. How many texts are left out for them is printed.
    """
    different = drop_repeats(pd.concat(sources, ignore_index=True))
    texts = _without_words_of(held_apart, different)["text"].tolist()
    print(f"{len(different) - len(texts)} texts are also in train, dev or test and are left out", flush=True)
    return texts


def _check_ids(splits: Mapping[str, pd.DataFrame]) -> None:
    for one, other in combinations(splits, 2):
        shared = splits[one]["id"][splits[one]["id"].isin(splits[other]["id"])]
        if len(shared):
            raise InputError(
                f"The splits {one} and {other} overlap in {len(shared)} ids, such as {shared.iloc[0]!r}; "
                "give each article to one split"
            )


def _without_repeats(splits: Mapping[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Return the splits without repeats, and a note on each two of them that shared articles."""
    kept: dict[str, pd.DataFrame] = {}
    notes = []
    # train comes last, so that a text that is also held out leaves train
    for name in [name for name in (*SET_APART, "train") if name in splits]:
        own = _different(name, splits[name])
        left = _without_words_of(list(kept.values()), own)
        lost = own[~own["id"].isin(left["id"])]
        shares = {other: len(lost) - len(_without_words_of([kept[other]], lost)) for other in kept}
        if 2 * len(lost) > len(own):
            other = max(shares, key=shares.__getitem__)
            raise InputError(
                f"The splits {other} and {name} share {shares[other]} of the {len(own)} texts of {name}, which would "
                f"lose {len(lost)} of them; give each text to one split"
            )
        notes += [
            f"{share} of {name} that {other} has too left out" for other, share in shares.items() if share
        ]
        kept[name] = left
    for note in notes:
        print(f"Note: {note}", flush=True)
    return kept, notes


def _different(name: str, split: pd.DataFrame) -> pd.DataFrame:
    """Return the articles of one split that have words, each once."""
    worded = split[split["text"].str.contains(r"[^\W_]")]
    different = drop_repeats(worded)
    if different.empty:
        raise InputError(f"The split {name} holds no article with a word in it; give others")
    wordless, repeats = len(split) - len(worded), len(worded) - len(different)
    if wordless or repeats:
        print(
            f"Note: of {name}, {wordless} articles without a word and {repeats} that repeat another one of it "
            "are left out",
            flush=True,
        )
    return different


def _without_words_of(others: Sequence[pd.DataFrame], frame: pd.DataFrame) -> pd.DataFrame:
    """Return the different articles of `frame` whose words none of `others` has."""
    marked = [*(other.assign(own=False) for other in others), frame.assign(own=True)]
    different = drop_repeats(pd.concat(marked, ignore_index=True))
    return different.loc[different["own"], ["id", "text"]].reset_index(drop=True)
