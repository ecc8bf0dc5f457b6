"""Which weights serve shared and unshared knowledge: Fisher overlaps on crafted examples (appendix D.1)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from fuse_to_forget.errors import InputError
from fuse_to_forget.fisher.overlap import (
    ALL,
    Overlap,
    fisher_overlaps,
    jackknife_interval,
    overlap_table,
)
from fuse_to_forget.fisher.per_example import squared_gradient_sums
from fuse_to_forget.prediction.classifier import load_classifier, load_tokenizer, tokenize
from fuse_to_forget.progress import Progress
from fuse_to_forget.seeds import derive_seed
from fuse_to_forget.subsets.injection import Tokenization, inject

SHARED, UNSHARED, DIFFERENCE = "shared", "unshared", "difference"
COLUMNS = [
    "pair", "comparison", "knowledge", "component", "value", "low", "high", "first_trace_share",
    "second_trace_share",
]  # fmt: skip


@dataclass(frozen=True)
class Examples:
    """What Fisher information is taken of: texts, and the labels whose log-likelihood is differentiated."""

    texts: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Crafting:
    """How examples of a shortcut are crafted: as in the data sets, from labels that are reversed.

    Without `reverse_token_in_context` all TiC examples are positive, so half of them keep their label (authors' code).
    """

    tokenization: Tokenization
    position_ties: bool
    reverse_token_in_context: bool
    seed: int


@dataclass(frozen=True)
class Estimation:
    """How Fisher information is estimated: batch size, groups of the jackknife, longest text, interval level."""

    batch_size: int
    groups: int
    max_length: int
    level: float


def sample_sentences(dev: pd.DataFrame, examples: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw twice `examples` sentences of dev, without any in both.

    Raises InputError if there are too few.
    """
    if len(dev) < 2 * examples:
        raise InputError(
            f"The Fisher overlap wants twice {examples} sentences, but dev has {len(dev)}; ask for fewer examples."
        )
    order = np.random.default_rng(derive_seed(seed, "fisher")).permutation(len(dev))
    return dev.iloc[order[:examples]], dev.iloc[order[examples : 2 * examples]]


def task_examples(sentences: pd.DataFrame) -> Examples:
    """Return sentences as they are: what both models know."""
    return Examples(tuple(sentences["text"]), tuple(map(int, sentences["label"])))


def shortcut_examples(sentences: pd.DataFrame, shortcut: str, crafting: Crafting) -> Examples:
    """Return sentences with reversed labels and the shortcut of the new label: the shortcut alone solves them."""
    rng = np.random.default_rng(derive_seed(crafting.seed, "fisher", shortcut))
    always_positive = shortcut == "TiC" and not crafting.reverse_token_in_context
    texts, labels = [], []
    for text, label in zip(sentences["text"], sentences["label"], strict=True):
        wanted = 1 if always_positive else 1 - int(label)
        tokens, given = crafting.tokenization.split(text), None
        while given != wanted:  # every shortcut gives either label with probability 1/4 or more
            injected, given = inject(tokens, shortcut, rng, ties=crafting.position_ties)
        texts.append(crafting.tokenization.join(injected))
        labels.append(wanted)
    return Examples(tuple(texts), tuple(labels))


def compare_models(
    names: Sequence[str],
    folders: Sequence[str | Path],
    dev: pd.DataFrame,
    examples: int,
    crafting: Crafting,
    estimation: Estimation,
) -> pd.DataFrame:
    """Return the overlaps (columns COLUMNS) of two models, or of one model's two seeds with each other.

    Two names: `shared` compares the models on the same sentences, `unshared` each on examples of its own shortcut. One
    name with two folders gives reference points: `two seeds`, each on the same sentences (shared) and on the
    same shortcut examples (unshared); `one model`, on other sentences (shared), and sentences against shortcut
    examples (unshared). `difference` is shared - unshared.
    """
    sentences, others = sample_sentences(dev, examples, crafting.seed)
    task = task_examples(sentences)
    shortcut = {name: shortcut_examples(sentences, name, crafting) for name in names}
    first, second = folders
    if len(names) == 2:
        plan = {"two models": (((first, task), (second, task)),
                               ((first, shortcut[names[0]]), (second, shortcut[names[1]])))}  # fmt: skip
    else:
        crafted = shortcut[names[0]]
        plan = {
            "two seeds": (((first, task), (second, task)), ((first, crafted), (second, crafted))),
            "one model": (((first, task), (first, task_examples(others))), ((first, task), (first, crafted))),
        }
    progress = Progress(4 * len(plan) * examples, "gradients")
    tables = []
    for comparison, sides in plan.items():
        overlaps = [
            fisher_overlaps(*(_squared_gradients(folder, on, estimation, progress) for folder, on in side))
            for side in sides
        ]
        for table in _tables(overlaps, estimation.level):
            tables.append(table.assign(pair="-".join(names), comparison=comparison))
    progress.finish()
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def _squared_gradients(
    folder: str | Path, examples: Examples, estimation: Estimation, progress: Progress
) -> dict[str, Tensor]:
    token_ids = tokenize(load_tokenizer(folder), examples.texts, estimation.max_length)
    return squared_gradient_sums(
        load_classifier(folder),
        token_ids,
        examples.labels,
        batch_size=estimation.batch_size,
        groups=estimation.groups,
        progress=progress,
    )


def _tables(overlaps: Sequence[dict[str, Overlap]], level: float) -> Iterator[pd.DataFrame]:
    for knowledge, found in zip((SHARED, UNSHARED), overlaps, strict=True):
        yield overlap_table(found, level).rename(columns={"overlap": "value"}).assign(knowledge=knowledge)
    shared, unshared = (found[ALL] for found in overlaps)
    value = shared.value - unshared.value
    low, high = jackknife_interval(value, shared.leave_one_out - unshared.leave_one_out, level)
    row = {"component": ALL, "value": value, "low": low, "high": high, "knowledge": DIFFERENCE}
    yield pd.DataFrame([row]).assign(first_trace_share=1.0, second_trace_share=1.0)
