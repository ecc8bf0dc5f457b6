"""Which tensor of a base model each tensor of its fine-tuned models comes from.

A fine-tuned model need not have the names of its base: `transformers` stores an encoder as
`embeddings…` and the classifier made of it as `bert.embeddings…`, and old checkpoints call the weight and
bias of a layer norm gamma and beta. It may also have what the base lacks: a head, and rows of embeddings
for tokens that were added.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from fuse_to_forget.errors import InputError

# One row or value for each token: what grows with the vocabulary, and what models tie to one another.
VOCABULARY = re.compile(
    r"(^|\.)((word_embeddings|wte|embed_tokens|shared|lm_head|predictions\.decoder|vocab_projector)\.weight"
    r"|(lm_head|predictions|predictions\.decoder|vocab_projector)\.bias)$"
)
_NORM_NAMES = {"gamma": "weight", "beta": "bias"}
Stored = TypeVar("Stored")


def match_base(names: Iterable[str], base_names: Iterable[str]) -> dict[str, str]:
    """Map names of the models' tensors to names in the base, where there is one.

    Names are compared as they are and with the first part, such as `bert.`, taken off or put on; what
    matches most is used. Raises InputError if nothing does.
    """
    names, stored = list(names), {_current(name): name for name in base_names}
    current = {name: _current(name) for name in names}
    readings = [current]
    readings += [{n: c.removeprefix(p) for n, c in current.items()} for p in _prefixes(current.values())]
    readings += [{n: p + c for n, c in current.items()} for p in _prefixes(stored)]
    best = max(readings, key=lambda reading: sum(name in stored for name in reading.values()))
    matched = {name: stored[sought] for name, sought in best.items() if sought in stored}
    if not matched:
        raise InputError(
            "the base has no tensor of a name that the models have: give the model that they were fine-tuned from"
        )
    return matched


def check_base_shapes(model: Mapping[str, Any], base: Mapping[str, Any], matched: Mapping[str, str]) -> None:
    """Raise InputError unless each tensor has its base's shape, or is a vocabulary's with more rows."""
    for name, base_name in sorted(matched.items()):
        shape, base_shape = tuple(model[name].shape), tuple(base[base_name].shape)
        if shape != base_shape and not _has_more_rows(name, shape, base_shape):
            raise InputError(
                f"{name} has shape {shape} in the models and {base_shape} in the base: give the model that "
                "they were fine-tuned from"
            )


def tied_copies(
    models: Sequence[Mapping[str, Stored]],
    matched: Mapping[str, str],
    equal: Callable[[Stored, Stored], bool],
) -> dict[str, str]:
    """Map each second name of a tied weight to its first: one that the base has, if any.

    Tied are embeddings and heads that are `equal` in every model. They must be fused alike, though a base
    stores but one of them and random methods draw by name.
    """
    names = sorted(filter(VOCABULARY.search, models[0]), key=lambda name: (name not in matched, name))
    copies: dict[str, str] = {}
    for position, name in enumerate(names):
        for first in names[:position]:
            if first not in copies and all(equal(model[first], model[name]) for model in models):
                copies[name] = first
                break
    return copies


def _has_more_rows(name: str, shape: tuple[int, ...], base_shape: tuple[int, ...]) -> bool:
    return (
        bool(VOCABULARY.search(name))
        and len(shape) == len(base_shape) > 0
        and shape[1:] == base_shape[1:]
        and shape[0] > base_shape[0]
    )


def _current(name: str) -> str:
    return re.sub(r"LayerNorm\.(gamma|beta)$", lambda m: f"LayerNorm.{_NORM_NAMES[m[1]]}", name)


def _prefixes(names: Iterable[str]) -> list[str]:
    return sorted({name.partition(".")[0] + "." for name in names})
