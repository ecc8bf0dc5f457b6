"""Labelled text of several domains, in splits that share no text and no group of texts."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.seeds import derive_seed
from fuse_to_forget.sources.prepare import read_source
from fuse_to_forget.sources.rated_sentiment import read_rated_sentiment
from fuse_to_forget.sources.source_data import SourceData
from fuse_to_forget.sources.splits import complete_splits, limit

PRECEDENCE = ("test", "dev", "train")  # which split keeps a text that several hold
COLUMNS = ["id", "text", "label", "dataset", "group"]


def read_domain(source: Mapping[str, Any]) -> SourceData:
    """Read a source of the kind `rated_sentiment`, or of one that `read_source` knows."""
    if source["kind"] != "rated_sentiment":
        return read_source(dict(source))
    settings = {name: source[name] for name in ("file", "threshold", "max_words") if name in source}
    return read_rated_sentiment(source["download"], **settings)


def split_domains(
    sources: Mapping[str, SourceData], sizes: Mapping[str, int], seed: int
) -> dict[str, dict[str, pd.DataFrame]]:
    """Return split -> domain -> frame with the columns COLUMNS, each split of at most `sizes[split]` rows.

    `dataset` is the domain, `group` what must stay together and is resampled together: the author, review or article
    where one is known, else the text itself. dev and test are held out of train where a source does not bring them.
    A text of the same words (case and punctuation aside) is kept once, in test before dev before train, and in the
    first domain that has it.

    Raises InputError for domains of different labels, and one that is too small or comes out without one of them.
    """
    _check_labels(sources)
    parts = []
    for domain, source in sources.items():
        for split, frame in _own_splits(domain, source, sizes, derive_seed(seed, domain)).items():
            group = frame["author"] if "author" in frame else frame["id"]
            named = frame.assign(group=f"{domain}/" + group, id=f"{domain}/" + frame["id"], dataset=domain)
            parts.append(named[COLUMNS].assign(split=split))
    rows = _each_text_once(pd.concat(parts, ignore_index=True))
    splits: dict[str, dict[str, pd.DataFrame]] = {}
    for split in PRECEDENCE:
        for domain in sources:
            own = rows[(rows["split"] == split) & (rows["dataset"] == domain)]
            own = own[COLUMNS].reset_index(drop=True)
            if own["label"].nunique() < 2:
                raise InputError(
                    f"The split {split} of the domain {domain} lacks a label; give it more texts"
                )
            size = min(sizes[split], len(own))
            splits.setdefault(split, {})[domain] = limit(own, size, derive_seed(seed, domain, split))
    return splits


def _check_labels(sources: Mapping[str, SourceData]) -> None:
    first = next(iter(sources))
    for domain, source in sources.items():
        if source.label_names != sources[first].label_names:
            raise InputError(
                f"The domains {first} and {domain} have different labels ({', '.join(sources[first].label_names)}; "
                f"{', '.join(source.label_names)}); give the same labels to all, in the same order"
            )


def _own_splits(
    domain: str, source: SourceData, sizes: Mapping[str, int], seed: int
) -> dict[str, pd.DataFrame]:
    """Return the splits of one domain, those that it lacks held out in about the sizes wanted."""
    count = len(source.splits["train"])
    wanted = sum(sizes[split] for split in ("dev", "test") if split not in source.splits)
    if wanted >= count:
        raise InputError(
            f"The domain {domain} has {count} texts, too few to hold out {wanted} of them for dev and test; "
            "ask for fewer in domains.splits, or give more"
        )
    return complete_splits(source, sizes["dev"] / count, sizes["test"] / count, seed)


def _each_text_once(rows: pd.DataFrame) -> pd.DataFrame:
    words = rows["text"].str.casefold().str.replace(r"[\W_]+", " ", regex=True).str.strip()
    order = rows["split"].map(PRECEDENCE.index).sort_values(kind="stable").index
    repeated = words[order].duplicated()
    if repeated.any():
        print(f"Note: {repeated.sum()} texts repeat others and are left out.", flush=True)
    return rows.loc[repeated.index[~repeated]]
