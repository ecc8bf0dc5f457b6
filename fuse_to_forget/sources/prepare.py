"""Read a data source as the configuration names it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.authors_pickles import read_authors_pickle
from fuse_to_forget.sources.demographics import ATTRIBUTES, simulate_demographics
from fuse_to_forget.sources.pan import find_truth, read_pan
from fuse_to_forget.sources.snippets import read_snippets
from fuse_to_forget.sources.source_data import SourceData
from fuse_to_forget.sources.splits import SPLITS
from fuse_to_forget.sources.sst2 import read_sst2
from fuse_to_forget.sources.tabular import OPTIONAL_ROLES, read_columns
from fuse_to_forget.sources.tweets import read_tweets

MENTION_NAMES = ["no mention", "mention"]
SENTIMENT_NAMES = ["negative", "positive"]


def read_source(source: dict[str, Any]) -> SourceData:
    """Read the splits that a source provides; `complete_splits` adds the missing ones.

    `source["kind"]` is one of
    - `tweets`: the embedded tweets with **simulated** gender and age; `seed`, `rate` and `noise` as in
      `simulate_demographics`; `download` is the folder additional_resources of vaderSentiment 0.5;
    - `pan16`: `path`, a PAN folder (XML files and truth) or a folder with the authors' train.pkl and
      test.pkl; or one such folder or .pkl file per split under `train`, `dev` and `test`;
    - `columns`: tables under `train`, `dev` and `test` (each a path or a list of paths) with `columns` and
      `values` as in `read_columns`;
    - `snippets`: the embedded movie-review snippets; `threshold` and `max_words` as in `read_snippets`,
      `download` as for `tweets`;
    - `sst2`: SST-2 in the folder `path` or `download`, in a layout that `read_sst2` knows.

    Raises InputError for an unknown kind, a missing entry and whatever the readers refuse.
    """
    readers: dict[str, Callable[[], SourceData]] = {
        "tweets": lambda: _read_simulated(source),
        "pan16": lambda: _read_pan16(source),
        "columns": lambda: _read_tables(source),
        "snippets": lambda: _read_snippets(source),
        "sst2": lambda: _read_sst2(source),
    }
    kind = source.get("kind")
    if kind not in readers:
        raise InputError(f"The source kind {kind!r} is unknown; choose one of {', '.join(readers)}")
    return readers[kind]()


def _read_simulated(source: dict[str, Any]) -> SourceData:
    tweets = read_tweets(source["download"])
    simulated = simulate_demographics(
        tweets["text"].tolist(),
        tweets["label"].tolist(),
        **{name: source[name] for name in ("seed", "rate", "noise")},
    )
    frame = tweets.assign(**{name: simulated[name] for name in simulated})
    return SourceData(
        splits={"train": frame},
        attributes={name: list(names) for name, names in ATTRIBUTES.items()},
        label_names=MENTION_NAMES,
        description=f"{len(frame)} tweets (had a mention or not) with simulated gender and age",
        demographics="simulated",
    )


def _read_pan16(source: dict[str, Any]) -> SourceData:
    paths = {name: source[name] for name in SPLITS if source.get(name)} or _find_splits(source.get("path"))
    splits = {name: _read_recorded(Path(path)) for name, path in paths.items()}
    # An author may count anew in each folder, and two pickles may have one name.
    splits = {name: frame.assign(id=f"{name}/" + frame["id"]) for name, frame in splits.items()}
    return SourceData(
        splits=splits,
        attributes={name: list(names) for name, names in ATTRIBUTES.items()},
        label_names=MENTION_NAMES,
        description=f"PAN author profiling texts (had a mention or not), {_sizes(splits)}",
        demographics="recorded",
    )


def _find_splits(path: str | Path | None) -> dict[str, Path]:
    if path is None:
        raise InputError(
            "The source pan16 has no `path`; give a PAN folder or the folder of the authors' pickles"
        )
    path = Path(path)
    pickles = {name: path / f"{name}.pkl" for name in SPLITS if (path / f"{name}.pkl").is_file()}
    return pickles or {"train": path}


def _read_recorded(path: Path) -> pd.DataFrame:
    if path.is_file() and path.suffix == ".pkl":
        return read_authors_pickle(path)
    if path.is_dir() and find_truth(path):
        return read_pan(path)
    what = "is neither" if path.exists() else "does not exist, so it is neither"
    raise InputError(
        f"{path} {what} a PAN folder (XML files, truth.txt) nor of the authors' pickles (train.pkl); "
        "for a table use `kind: columns` and name its columns"
    )


def _read_tables(source: dict[str, Any]) -> SourceData:
    columns, values = source.get("columns", {}), source.get("values", {})
    files = [(name, Path(path)) for name in SPLITS for path in _as_list(source.get(name))]
    if not files:
        raise InputError("The source columns names no file; give the path of a table under `train`")
    names = [path.name.split(".")[0] for _, path in files]
    frames: dict[str, list[pd.DataFrame]] = {}
    for k, (split, path) in enumerate(files):
        # Files of one name in several folders would otherwise share their ids.
        prefix = names[k] if names.count(names[k]) == 1 else f"{split}{k + 1}/{names[k]}"
        frames.setdefault(split, []).append(read_columns(path, columns, values, id_prefix=prefix))
    splits = {name: _concatenate(name, parts) for name, parts in frames.items()}
    roles = [role for role, name in columns.items() if name is not None]
    attributes = [role for role in roles if role not in ("text", "label", *OPTIONAL_ROLES)]
    return SourceData(
        splits=splits,
        attributes={name: [str(value) for value in values[name]] for name in attributes},
        label_names=[str(value) for value in values["label"]],
        description=f"tables of the user, {_sizes(splits)}",
        demographics="recorded" if attributes else None,
    )


def _read_snippets(source: dict[str, Any]) -> SourceData:
    max_words = source.get("max_words")
    frame = read_snippets(source["download"], source["threshold"], max_words)
    length = f" of at most {max_words} words" if max_words else ""
    description = f"{len(frame)} snippets of movie reviews{length} (negative or positive)"
    return SourceData({"train": frame}, {}, SENTIMENT_NAMES, description)


def _read_sst2(source: dict[str, Any]) -> SourceData:
    folders = [source[key] for key in ("path", "download") if source.get(key)]
    if len(folders) != 1:
        raise InputError("The source sst2 needs one folder; give its `path`, or the name of a `download`")
    splits = read_sst2(folders[0])
    return SourceData(splits, {}, SENTIMENT_NAMES, f"SST-2 (negative or positive), {_sizes(splits)}")


def _as_list(paths: str | list[str] | None) -> list[str]:
    if paths is None:
        return []
    return [paths] if isinstance(paths, str | Path) else list(paths)


def _concatenate(split: str, parts: list[pd.DataFrame]) -> pd.DataFrame:
    frame = pd.concat(parts, ignore_index=True)
    repeated = frame["id"][frame["id"].duplicated()]
    if len(repeated):
        raise InputError(
            f"The files of {split} share {len(repeated)} ids, such as {repeated.iloc[0]!r}; "
            "make the ids unique or set `columns: id` to null"
        )
    return frame


def _sizes(splits: dict[str, pd.DataFrame]) -> str:
    return ", ".join(f"{len(frame)} in {name}" for name, frame in splits.items())
