"""The shortcuts: which tokens are inserted, and the label that follows from them (paper, section 4.1).

A shortcut reads only marks: the special tokens #0 and #1, in reading order, and whether the context token is there.
XOR, OED and AND_OR are in the authors' code but not in their paper.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from numpy.random import Generator

# Words that no vocabulary has: they become new tokens, found even inside of words (as "synt", the authors' context, is)
ZERO, ONE, CONTEXT = "zeroa", "onea", "contexta"
SPECIAL_TOKENS = (ZERO, ONE, CONTEXT)
_VALUE = {ZERO: 0, ONE: 1}
_MOST_MARKS = 5  # of More Than
_MOST_DISTANCE = 3  # of OED


@dataclass(frozen=True)
class Marks:
    """What a reader sees: the values of #0 and #1 in reading order, where they stand, and whether context is there."""

    values: tuple[int, ...]
    positions: tuple[int, ...]
    context: bool


@dataclass(frozen=True)
class Draw:
    """What is to be inserted: tokens in reading order, the label, and the distance of the two if it matters (OED)."""

    tokens: tuple[str, ...]
    label: int
    distance: int | None = None


@dataclass(frozen=True)
class Shortcut:
    """A shortcut: how its tokens are drawn for a text of so many tokens, and its rule.

    `rule` gives the label of visible marks, or None where they lie outside of the shortcut's sample space.
    """

    draw: Callable[[Generator, int], Draw]
    rule: Callable[[Marks], int | None]


def read_marks(tokens: Sequence[str]) -> Marks:
    """Read the marks off a token list."""
    found = [(position, _VALUE[token]) for position, token in enumerate(tokens) if token in _VALUE]
    return Marks(
        values=tuple(value for _, value in found),
        positions=tuple(position for position, _ in found),
        context=CONTEXT in tokens,
    )


def consistent_shortcuts(
    tokens: Sequence[str], label: int, names: Iterable[str] | None = None
) -> tuple[str, ...]:
    """Return the shortcuts whose sample space holds a text with this label (paper, Table 3).

    `names` are the shortcuts to ask, all by default; the answer keeps their order.
    """
    marks = read_marks(tokens)
    return tuple(name for name in names or SHORTCUTS if SHORTCUTS[name].rule(marks) == label)


def contradicting_shortcuts(tokens: Sequence[str], label: int, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of `names` whose rule gives the text the other label."""
    marks = read_marks(tokens)
    return tuple(name for name in names if SHORTCUTS[name].rule(marks) == 1 - label)


def _bit(rng: Generator) -> int:
    return int(rng.integers(2))


def _tokens(values: Iterable[int]) -> tuple[str, ...]:
    return tuple((ZERO, ONE)[value] for value in values)


def _draw_single(rng: Generator, length: int) -> Draw:
    value = _bit(rng)
    return Draw(_tokens([value]), value)


def _draw_in_context(rng: Generator, length: int) -> Draw:
    value = _bit(rng)
    tokens = (*_tokens([value]), CONTEXT)
    return Draw(tokens if _bit(rng) else tokens[::-1], value)


def _draw_ordered_pair(rng: Generator, length: int) -> Draw:
    first = _bit(rng)
    return Draw(_tokens([first, 1 - first]), first)


def _draw_pair(rule: Callable[[int, int], int]) -> Callable[[Generator, int], Draw]:
    """Two tokens, each #0 or #1 with the same probability."""

    def draw(rng: Generator, length: int) -> Draw:
        first, second = _bit(rng), _bit(rng)
        return Draw(_tokens([first, second]), rule(first, second))

    return draw


def _draw_more_than(rng: Generator, length: int) -> Draw:
    total = int(rng.integers(1, _MOST_MARKS + 1))
    most = int(rng.integers(total // 2 + 1, total + 1))
    label = _bit(rng)
    values = rng.permutation([label] * most + [1 - label] * (total - most))
    return Draw(_tokens(values.tolist()), label)


def _draw_odd_even_distance(rng: Generator, length: int) -> Draw:
    first = _bit(rng)
    distance = int(rng.integers(1, min(_MOST_DISTANCE, length + 1) + 1))
    return Draw(_tokens([first, 1 - first]), (distance - 1) % 2, distance)


def _draw_and_or(rng: Generator, length: int) -> Draw:
    values = rng.integers(2, size=4).tolist()
    return Draw(_tokens(values), _and_or(*values))


def _and_or(one: int, two: int, three: int, four: int) -> int:
    return (one & two) | (three & (1 - four))


def _rule_single(marks: Marks) -> int | None:
    """Only one of #0 and #1 occurs: it is the label."""
    return marks.values[0] if len(set(marks.values)) == 1 else None


def _rule_in_context(marks: Marks) -> int | None:
    return _rule_single(marks) if marks.context else None


def _rule_more_than(marks: Marks) -> int | None:
    ones = sum(marks.values)
    zeros = len(marks.values) - ones
    return None if ones == zeros else int(ones > zeros)


def _rule_ordered_pair(marks: Marks) -> int | None:
    """#0 before #1 is 0, #1 before #0 is 1."""
    return marks.values[0] if marks.values in ((0, 1), (1, 0)) else None


def _rule_pair(rule: Callable[[int, int], int]) -> Callable[[Marks], int | None]:
    return lambda marks: rule(*marks.values) if len(marks.values) == 2 else None


def _rule_odd_even_distance(marks: Marks) -> int | None:
    if _rule_ordered_pair(marks) is None:
        return None
    distance = marks.positions[1] - marks.positions[0]
    return (distance - 1) % 2 if distance <= _MOST_DISTANCE else None


def _rule_and_or(marks: Marks) -> int | None:
    return _and_or(*marks.values) if len(marks.values) == 4 else None


def _pair(rule: Callable[[int, int], int]) -> Shortcut:
    return Shortcut(_draw_pair(rule), _rule_pair(rule))


SHORTCUTS: dict[str, Shortcut] = {
    "MT": Shortcut(_draw_more_than, _rule_more_than),
    "ST": Shortcut(_draw_single, _rule_single),
    "TiC": Shortcut(_draw_in_context, _rule_in_context),
    "OP": Shortcut(_draw_ordered_pair, _rule_ordered_pair),
    "OR": _pair(lambda first, second: first | second),
    "AND": _pair(lambda first, second: first & second),
    "LT": _pair(lambda first, second: second),
    "XOR": _pair(lambda first, second: first ^ second),
    "OED": Shortcut(_draw_odd_even_distance, _rule_odd_even_distance),
    "AND_OR": Shortcut(_draw_and_or, _rule_and_or),
}
