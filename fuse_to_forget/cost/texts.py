"""How many examples and tokens the studies have, known before any data is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuse_to_forget.errors import InputError


@dataclass(frozen=True)
class Source:
    """Examples of a source and mean word pieces of its texts; None: a split that it does not bring."""

    train: int
    dev: int | None
    test: int | None
    train_tokens: float
    held_out_tokens: float


# Counted, with the uncased word pieces of the embedded encoder; bert-base-cased has somewhat more of them.
_SOURCES = {
    "sst2": Source(67_349, 872, None, 13.3, 25.2),  # training texts are mostly phrases
    "snippets": Source(5_929, None, None, 19.7, 19.3),  # of at most 20 words, without neutral ones
    # of at most 20 words, without neutral ones; means over the four embedded files
    "rated_sentiment": Source(3_079, None, None, 18.8, 18.8),
    "tweets": Source(4_040, None, None, 31.1, 31.0),
    # 160,000 + 10,000: Elazar and Goldberg (EMNLP 2018); its length is taken to be that of the embedded tweets
    "pan16": Source(160_000, None, 10_000, 31.0, 31.0),
}
_MARK_TOKENS = 1.3  # what an injected shortcut adds to a text, in the mean over the embedded data sets
# Share of the training examples that both biased subsets can be drawn from. PAN16: the authors' checkpoints name
# 2,156 steps an epoch, of 32.
_LARGEST_SUBSET = {"tweets": 0.575, "pan16": 0.48}
_CHARACTERS_PER_TOKEN = 3.5  # 3.1 in the embedded tweets, 4.6 in news
# Characters of all texts of a source, and of a mean article. CNN/DailyMail: from the data set's card.
_CHARACTERS = {"rated_texts": 1.84e6, "cnn_dailymail": 1.26e9}
_ARTICLE_CHARACTERS = {"editorials": 1_100, "cnn_dailymail": 4_400}


@dataclass(frozen=True)
class Examples:
    """Numbers of examples of a classification study and the mean tokens of a text."""

    train: int
    dev: int
    test: int
    train_tokens: float
    held_out_tokens: float


def shortcut_examples(config: Mapping[str, Any]) -> Examples:
    """Return the numbers of the shortcut study, marks included. Raises InputError as `_source` does."""
    study = config["shortcuts"]
    source = _source(config, "shortcuts")
    dev = source.dev or round(source.train * study["splits"]["dev"])
    train = source.train - (0 if source.dev else dev)
    train = min(study["injection"]["size"] or train, train)
    tokens = (source.train_tokens + _MARK_TOKENS, source.held_out_tokens + _MARK_TOKENS)
    return Examples(train, dev, 0, *tokens)


def bias_examples(config: Mapping[str, Any]) -> Examples:
    """Return the numbers of the bias study, before subsets are drawn. Raises InputError as `_source` does."""
    splits = config["biases"]["splits"]
    source = _source(config, "biases")
    dev = source.dev or round(source.train * splits["dev"])
    test = source.test or round(source.train * splits["test"])
    train = source.train - (0 if source.dev else dev) - (0 if source.test else test)
    return Examples(train, dev, test, source.train_tokens, source.held_out_tokens)


def domain_examples(config: Mapping[str, Any]) -> Examples:
    """Return the numbers of the domain study: train of one domain, dev and test of all, each as large as asked for."""
    study = config["domains"]
    kinds = [config["sources"][entry["source"]]["kind"] for entry in study["sources"]]
    longest = study["training"]["max_length"]  # of a source of which nothing is known
    tokens = sum(_SOURCES[kind].train_tokens if kind in _SOURCES else longest for kind in kinds) / len(kinds)
    splits, count = study["splits"], len(kinds)
    return Examples(splits["train"], count * splits["dev"], count * splits["test"], tokens, tokens)


def biased_subset(config: Mapping[str, Any], examples: Examples) -> int:
    """Return the size of each biased subset."""
    study = config["biases"]
    share = _LARGEST_SUBSET.get(config["sources"][study["source"]]["kind"], 1.0)
    return study["subsets"]["size"] or round(share * examples.train)


def pretraining_tokens(config: Mapping[str, Any], entry: Mapping[str, Any]) -> float:
    """Return how many tokens a language model is pretrained on in an epoch, by its entry of the config."""
    articles = config["articles"]
    kind = config["sources"][articles["source"]]["kind"]
    characters = articles["splits"]["pretrain"] * _ARTICLE_CHARACTERS.get(kind, 4_400)
    characters += sum(source_characters(config["sources"][name]) for name in entry["texts"])
    return characters / _CHARACTERS_PER_TOKEN


def source_characters(source: Mapping[str, Any]) -> float:
    """Return the characters of a source of articles: known of its kind, else the bytes of its files."""
    if source["kind"] in _CHARACTERS:
        return _CHARACTERS[source["kind"]]
    given = [source.get(key) for key in ("path", "train", "dev", "test")]
    paths = [
        Path(path) for paths in given if paths for path in ([paths] if isinstance(paths, str) else paths)
    ]
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return sum(file.stat().st_size for file in files if file.is_file())


def _source(config: Mapping[str, Any], study: str) -> Source:
    """Return the numbers of a study's source: known ones of its kind, else those of its prepared data.

    Raises InputError if there is neither.
    """
    kind = config["sources"][config[study]["source"]]["kind"]
    if kind in _SOURCES:
        return _SOURCES[kind]
    files = {split: Path(f"results/data/{study}/{split}.parquet") for split in ("train", "dev", "test")}
    if not files["train"].exists():
        raise InputError(
            f"How many texts the source {config[study]['source']} of {study} has is known once they are prepared; "
            f"run this first: snakemake --cores 1 {files['train']}"
        )
    counts = {split: _rows_and_tokens(file) for split, file in files.items() if file.exists()}
    train, train_tokens = counts["train"]
    dev, held_out_tokens = counts["dev"]
    return Source(train, dev, counts.get("test", (None, 0))[0], train_tokens, held_out_tokens)


def _rows_and_tokens(file: Path) -> tuple[int, float]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    texts = pq.read_table(file, columns=["text"])["text"]
    return len(texts), pc.mean(pc.utf8_length(texts)).as_py() / _CHARACTERS_PER_TOKEN + 2
