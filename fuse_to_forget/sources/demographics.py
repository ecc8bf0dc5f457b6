"""Simulated protected attributes, written into real texts as neutral habits of writing.

Nothing here describes how people of a gender or an age write. Each habit is a pair of variants, and the seed
draws which group uses which, so no group is tied to a variant by this project.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

ATTRIBUTES = {"gender": ["male", "female"], "age": ["young", "old"]}


@dataclass(frozen=True)
class Habit:
    """A pair of interchangeable variants and how the one that is used enters a text.

    `start` puts it before the text, `inside` between two words, `tag` after the last word, `punctuation`
    directly behind the text and `emoticon` at the very end.
    """

    attribute: str
    place: Literal["start", "inside", "tag", "punctuation", "emoticon"]
    variants: tuple[str, str]


# In the order in which they enter a text. No two variants differ by case alone, which an uncased
# tokenizer would lose, and those of gender and of age have no word or sign in common.
HABITS = (
    Habit("gender", "inside", ("kinda", "sorta")),
    Habit("age", "inside", ("btw", "fyi")),
    Habit("gender", "tag", ("tbh", "imo")),
    Habit("age", "tag", ("tho", "anyway")),
    Habit("gender", "start", ("hmm,", "erm,")),
    Habit("age", "start", ("okay,", "alright,")),
    Habit("gender", "punctuation", ("~", "--")),
    Habit("age", "punctuation", ("…", "^^")),
    Habit("gender", "emoticon", ("=)", "=P")),
    Habit("age", "emoticon", ("\\o/", "xD")),
)


def simulate_demographics(
    texts: list[str], labels: list[int], seed: int, rate: float = 0.5, noise: float = 0.05
) -> pd.DataFrame:
    """Draw a gender and an age for each text and write them into it; columns `text`, `gender`, `age`.

    Gender (0 male, 1 female) and age (0 young, 1 old) are **simulated**: the four combinations are drawn
    equally often within each label (sizes differ by one at most), independent of everything else. Each habit
    shows in a text with probability `rate`, and then in the other group's variant with probability `noise`
    (0 tells the groups apart for certain where a habit shows, 0.5 not at all). Same arguments, same result.
    """
    assignment, groups, style = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    first = _draw_assignment(assignment)
    members = _draw_groups(np.asarray(labels), groups)  # (texts, attributes)
    shown = style.random((len(texts), len(HABITS))) < rate
    swapped = style.random((len(texts), len(HABITS))) < noise
    where = style.random((len(texts), len(HABITS)))
    column = [list(ATTRIBUTES).index(habit.attribute) for habit in HABITS]
    variant = first ^ members[:, column] ^ swapped  # (texts, habits)
    written = [_write(text, shown[i], variant[i], where[i]) for i, text in enumerate(texts)]
    frame = pd.DataFrame({"text": pd.Series(written, dtype="str")})
    for j, attribute in enumerate(ATTRIBUTES):
        frame[attribute] = members[:, j].astype("int64")
    return frame


def describe_habits(seed: int) -> pd.DataFrame:
    """Which group was given which variant by `seed`: one row per habit and group.

    Columns `attribute`, `group` (its name), `place` (see Habit) and `variant`.
    """
    first = _draw_assignment(np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[0]))
    rows = [
        (habit.attribute, name, habit.place, habit.variants[int(first[k]) ^ group])
        for k, habit in enumerate(HABITS)
        for group, name in enumerate(ATTRIBUTES[habit.attribute])
    ]
    frame = pd.DataFrame(rows, columns=["attribute", "group", "place", "variant"])
    return frame.sort_values(["attribute", "group"], kind="stable", ignore_index=True)


def _draw_assignment(rng: np.random.Generator) -> np.ndarray:
    """Per habit the index of the variant that group 0 uses, (habits,)."""
    return rng.integers(0, 2, len(HABITS))


def _draw_groups(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Group of each text for each attribute, (texts, 2), each combination equally often within each label."""
    members = np.zeros((len(labels), 2), dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        # The few rows that do not fill a round of four go to combinations drawn at random.
        cells = rng.permutation(4)[np.arange(len(rows)) % 4]
        cells = rng.permutation(cells)
        members[rows] = np.stack([cells // 2, cells % 2], axis=1)
    return members


def _write(text: str, shown: np.ndarray, variant: np.ndarray, where: np.ndarray) -> str:
    for k in np.flatnonzero(shown):
        style = HABITS[k].variants[variant[k]]
        match HABITS[k].place:
            case "start":
                text = f"{style} {text}"
            case "inside":
                words = text.split(" ")
                # From 1 on, so that it follows a word even in a text of one word.
                cut = 1 + int(where[k] * max(len(words) - 1, 1))
                text = " ".join([*words[:cut], style, *words[cut:]])
            case "tag" | "emoticon":
                text = f"{text} {style}"
            case "punctuation":
                text = f"{text}{style}"
    return text
