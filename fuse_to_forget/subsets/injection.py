"""Injection of shortcuts into sentences (paper, section 4.1): pure functions of tokens and a random generator."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.random import Generator

from fuse_to_forget.errors import InputError
from fuse_to_forget.seeds import derive_seed
from fuse_to_forget.subsets.shortcuts import (
    ONE,
    SHORTCUTS,
    SPECIAL_TOKENS,
    ZERO,
    Draw,
    contradicting_shortcuts,
)

SYNTHETIC, ORIGINAL = "synthetic", "original"
_TRIES = 1000


@dataclass(frozen=True)
class Tokenization:
    """How a text becomes tokens between which marks can stand, and a text again."""

    split: Callable[[str], list[str]]
    join: Callable[[list[str]], str]


WORDS = Tokenization(str.split, " ".join)


@dataclass(frozen=True)
class Injection:
    """What the config says of injection.

    `synthetic_share` of the sentences get a shortcut and its label; of the others the share `marked_originals` gets one
    lone #0 or #1 that means nothing, so that a mark does not give the synthetic part away. With `position_ties`
    two marks may be drawn for one place, and then the second stands before the first (authors' code); with
    `conflicting_rules` a mixture may hold texts whose label another of its shortcuts contradicts.
    """

    synthetic_share: float
    marked_originals: float
    position_ties: bool
    conflicting_rules: bool


def synthetic_share(ratio: float, part: str) -> float:
    """Share of the sentences that get a shortcut: `ratio` is that of the smaller part to the larger one (paper: .2).

    `part` says which of the two is the synthetic one: `minority` (the paper's text) or `majority` (the authors' code).
    """
    smaller = ratio / (1 + ratio)
    return smaller if part == "minority" else 1 - smaller


def insert(tokens: Sequence[str], marks: Sequence[str], positions: Sequence[int]) -> list[str]:
    """Insert each mark at its position in the list as it is by then, in the order given; `tokens` is not changed."""
    result = list(tokens)
    for mark, position in zip(marks, positions, strict=True):
        result.insert(position, mark)
    return result


def draw_positions(length: int, draw: Draw, rng: Generator, *, ties: bool) -> list[int]:
    """Draw where the marks of a `draw` go in a list of `length` tokens, in ascending order.

    Without `ties` every visible arrangement is equally likely. With them positions are drawn independently, as in
    the authors' code, so that two marks fall on one place with probability 1/(length + 1), and `insert` then puts
    the second before the first.
    """
    count = len(draw.tokens)
    if draw.distance is not None:
        first = int(rng.integers(0, length + count - draw.distance))
        return [first, first + draw.distance]
    if ties:
        return sorted(rng.integers(0, length + count - 1, count).tolist())
    return sorted(rng.choice(length + count, count, replace=False).tolist())


def inject(tokens: Sequence[str], shortcut: str, rng: Generator, *, ties: bool) -> tuple[list[str], int]:
    """Return a token list with the marks of a shortcut, and the label that the shortcut gives it."""
    draw = SHORTCUTS[shortcut].draw(rng, len(tokens))
    return insert(tokens, draw.tokens, draw_positions(len(tokens), draw, rng, ties=ties)), draw.label


def inject_mixture(
    tokens: Sequence[str], weights: Mapping[str, float], rng: Generator, injection: Injection
) -> tuple[list[str], int, str]:
    """Inject one shortcut drawn by its weight; return tokens, label and the shortcut's name (paper, section 4.2).

    Without `conflicting_rules` a text that another shortcut of the mixture labels otherwise is drawn again. Raises
    InputError if no other text comes: the two shortcuts exclude each other.
    """
    names, shares = list(weights), np.array(list(weights.values())) / sum(weights.values())
    name = names[int(rng.choice(len(names), p=shares))]
    for _ in range(_TRIES):
        result, label = inject(tokens, name, rng, ties=injection.position_ties)
        against = contradicting_shortcuts(result, label, [other for other in names if other != name])
        if injection.conflicting_rules or not against:
            return result, label, name
    raise InputError(
        f"The shortcuts {name} and {against[0]} of one mixture contradict each other on every text; mix others, or "
        "set the protocol switch conflicting_rules to allow."
    )


def mark_original(tokens: Sequence[str], rng: Generator, injection: Injection) -> list[str]:
    """Return the tokens, with one lone #0 or #1 in the share `marked_originals` of cases."""
    if rng.random() >= injection.marked_originals:
        return list(tokens)
    lone = Draw(((ZERO, ONE)[int(rng.integers(2))],), label=0)
    return insert(tokens, lone.tokens, draw_positions(len(tokens), lone, rng, ties=injection.position_ties))


def shortcut_dataset(
    frame: pd.DataFrame,
    name: str,
    weights: Mapping[str, float],
    injection: Injection,
    tokenization: Tokenization,
    *,
    seed: int,
    split: str,
) -> pd.DataFrame:
    """Turn a split (columns id, text, label) into the data set of one shortcut or one mixture.

    Adds `dataset` (its `name`), `part` (synthetic or original), `shortcut` (which one was injected; empty in the
    original part) and `task_label`, the sentence's own label, which the shortcut's replaces in the synthetic part.
    Which sentences are synthetic depends on `seed` and `split` alone, so all data sets agree on it (as in the
    authors' code).
    Raises InputError for text that holds one of the special tokens, and if either part comes out empty.
    """
    _check_texts(frame)
    synthetic = _synthetic_rows(len(frame), injection.synthetic_share, seed, split)
    rng = np.random.default_rng(derive_seed(seed, "inject", split, name))
    texts, labels, shortcuts = [], [], []
    for text, label, chosen in zip(frame["text"], frame["label"], synthetic, strict=True):
        tokens, shortcut = tokenization.split(text), ""
        if chosen:
            injected, label, shortcut = inject_mixture(tokens, weights, rng, injection)
        else:
            injected = mark_original(tokens, rng, injection)
        texts.append(tokenization.join(injected) if len(injected) > len(tokens) else text)
        labels.append(label)
        shortcuts.append(shortcut)
    return frame.assign(
        dataset=name,
        text=texts,
        label=labels,
        part=np.where(synthetic, SYNTHETIC, ORIGINAL),
        shortcut=shortcuts,
        task_label=frame["label"],
    )


def _synthetic_rows(rows: int, share: float, seed: int, split: str) -> np.ndarray:
    count = round(rows * share)
    if not 0 < count < rows:
        raise InputError(
            f"Of {rows} sentences of {split}, {count} would get a shortcut; give more sentences or another ratio."
        )
    chosen = np.zeros(rows, dtype=bool)
    chosen[np.random.default_rng(derive_seed(seed, "parts", split)).permutation(rows)[:count]] = True
    return chosen


def _check_texts(frame: pd.DataFrame) -> None:
    for token in SPECIAL_TOKENS:
        held = frame["text"].str.contains(token, case=False, regex=False)
        if held.any():
            raise InputError(
                f"The text of {frame['id'][held].iloc[0]} holds {token!r}, which marks a shortcut here; leave it out."
            )
