"""Greedy soup: average only the models that help (Wortsman et al., ICML 2022, recipe 1; arXiv:2203.05482)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fuse_to_forget.errors import InputError


@dataclass(frozen=True)
class Step:
    """One model that was tried: the `score` of the average of what was kept before and it, and whether it was kept."""

    name: str
    score: float
    kept: bool


@dataclass(frozen=True)
class Soup:
    """The models whose plain average is the soup, its score, and every step, in the order in which they were tried."""

    names: tuple[str, ...]
    score: float
    history: tuple[Step, ...]


def greedy_soup(names: Sequence[str], score: Callable[[tuple[str, ...]], float]) -> Soup:
    """Try models from the best to the worst; keep each with which the average scores no lower than without it.

    `score(names)` is how good the plain average of these models is on dev, larger is better; it is asked for each
    model alone and then for each step. Models of one score are tried in the order of `names`. The soup scores at least
    what the best model does.

    Raises InputError for no models, a name that comes twice, or a score that is undefined.
    """
    if not names or len(set(names)) < len(names):
        raise InputError(f"The models of a soup are {list(names)}: give at least one, each once")
    alone = {name: _score(score, (name,)) for name in names}
    best, *others = sorted(names, key=lambda name: -alone[name])
    soup, reached = (best,), alone[best]
    history = [Step(best, reached, True)]
    for name in others:
        value = _score(score, (*soup, name))
        history.append(Step(name, value, value >= reached))
        if history[-1].kept:
            soup, reached = (*soup, name), value
    return Soup(soup, reached, tuple(history))


def _score(score: Callable[[tuple[str, ...]], float], names: tuple[str, ...]) -> float:
    value = float(score(names))
    if math.isnan(value):
        raise InputError(f"The score of {' + '.join(names)} is undefined: leave out what cannot be scored")
    return value
