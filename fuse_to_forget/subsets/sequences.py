"""Token sequences of articles, and disjoint subsets of them (paper, section 6, appendix E)."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from fuse_to_forget.errors import InputError
from fuse_to_forget.objectives import Objective
from fuse_to_forget.pretrained import WANTED, open_config, open_tokenizer
from fuse_to_forget.seeds import derive_seed

COLUMNS = ["id", "article", "input_ids"]
# types of models whose positions start after that of padding, so that their context is so much shorter
_POSITIONS_AFTER_PADDING = {
    "camembert", "data2vec-text", "esm", "ibert", "longformer", "luke", "mpnet", "roberta", "roberta-prelayernorm",
    "xlm-roberta", "xlm-roberta-xl", "xmod",
}  # fmt: skip
_TOGETHER = 1000  # articles that are tokenised, and in the authors' code packed, at once

Encoded = tuple[str, list[int]]  # an article's id and its tokens


@dataclass(frozen=True)
class Layout:
    """How articles become sequences of at most `length` tokens.

    `packing`: `blocks` joins articles and cuts them into blocks of exactly `length`; `articles` makes one sequence of
    each, cut, with the tokenizer's own special tokens. `separator`: blocks have a separator token after each article.
    `by_article`: subsets share no article; otherwise blocks are dealt out, and one article may lie in two subsets
    (authors' code). `objective` tells which articles leave a model nothing to predict.
    """

    length: int
    packing: str
    objective: Objective
    separator: bool
    by_article: bool


def context_length(config: PreTrainedConfig) -> float:
    """Return how many tokens a model has positions for; infinity where positions are relative."""
    # GPT-2's n_positions answers to it too
    positions = getattr(config, "max_position_embeddings", None) or math.inf
    if config.model_type in _POSITIONS_AFTER_PADDING:
        positions -= (config.pad_token_id or 0) + 1
    return positions


def check_length(base_model: str | Path, length: int) -> None:
    """Raise InputError if `base_model` is no checkpoint, or `length` tokens are beyond its context."""
    context = context_length(open_config(base_model))
    if length > context:
        raise InputError(
            f"The config wants sequences of {length} tokens, but the context of {base_model} is {context}; "
            "lower sequences.length."
        )


def load_tokenizer(base_model: str | Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a base model; raises InputError if the folder holds none."""
    tokenizer = open_tokenizer(base_model)
    # without its files transformers makes one up that knows no word
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise InputError(f"The base model {base_model} holds no tokenizer; {WANTED}.")
    return tokenizer


def encode_articles(
    frame: pd.DataFrame, tokenizer: PreTrainedTokenizerBase, layout: Layout
) -> Iterator[list[Encoded]]:
    """Tokenise articles (columns id, text), in their order, 1,000 at a time and only as they are asked for."""
    blocks = layout.packing == "blocks"
    separator = [separator_id(tokenizer)] if blocks and layout.separator else []
    options = {"add_special_tokens": False} if blocks else {"truncation": True, "max_length": layout.length}
    for start in range(0, len(frame), _TOGETHER):
        part = frame.iloc[start : start + _TOGETHER]
        tokens = tokenizer(part["text"].tolist(), return_attention_mask=False, verbose=False, **options)[
            "input_ids"
        ]
        yield [(name, ids + separator) for name, ids in zip(part["id"], tokens, strict=True)]


def separator_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token that ends an article: the end of text, or [SEP] where there is none.

    Raises InputError if the tokenizer has neither.
    """
    for found in (tokenizer.eos_token_id, tokenizer.sep_token_id):
        if found is not None:
            return found
    raise InputError(
        "The tokenizer of the base model has neither an eos nor a sep token; set the protocol switch "
        "document_separator to none."
    )


def pack(articles: Iterable[Encoded], length: int) -> Iterator[Encoded]:
    """Join articles and cut them into blocks of `length` tokens, each with the article that most of it is of.

    What is left at the end is dropped.
    """
    block: list[int] = []
    held: dict[str, int] = {}  # article -> how many of the block's tokens
    for name, ids in articles:
        start = 0
        while start < len(ids):
            taken = ids[start : start + length - len(block)]
            start += len(taken)
            block += taken
            held[name] = held.get(name, 0) + len(taken)
            if len(block) == length:
                yield max(held, key=held.__getitem__), block
                block, held = [], {}


def draw_subsets(
    frame: pd.DataFrame,
    sizes: Mapping[str, int],
    tokenizer: PreTrainedTokenizerBase,
    layout: Layout,
    seed: int,
) -> dict[str, pd.DataFrame]:
    """Draw disjoint subsets of sequences from articles (columns id, text) in an order that follows from `seed`.

    `sizes` gives the number of sequences of each subset. Returns frames with the columns `id`, `article` (the one that
    most of the sequence is of) and `input_ids`. Where articles are not joined, those that leave nothing to predict
    are left out; how many of those that were drawn is printed.
    Raises InputError when the articles do not suffice.
    """
    order = np.random.default_rng(derive_seed(seed, "subsets")).permutation(len(frame))
    batches = encode_articles(frame.iloc[order], tokenizer, layout)
    left_out: list[str] = []
    if layout.packing == "articles":
        batches = _predictable(batches, tokenizer, layout.objective, left_out)
    drawn = (_by_article if layout.by_article else _by_block)(batches, sizes, layout, seed)
    if left_out:
        print(f"Note: {len(left_out)} articles leave nothing to predict and are left out", flush=True)
    _check_sizes(drawn, sizes, len(frame), layout.length)
    return {name: _frame(name, drawn[name]) for name in sizes}


def _predictable(
    batches: Iterable[list[Encoded]],
    tokenizer: PreTrainedTokenizerBase,
    objective: Objective,
    left_out: list[str],
) -> Iterator[list[Encoded]]:
    """Leave out articles of which a model has no token to predict; their ids go to `left_out`."""
    masked = objective == "masked"
    ignored = set(tokenizer.all_special_ids) if masked else set()
    least = 1 if masked else 2  # nothing comes before the first token, so a causal model does not predict it

    def is_predictable(ids: list[int]) -> bool:
        return sum(token not in ignored for token in ids) >= least

    for batch in batches:
        kept = [(name, ids) for name, ids in batch if is_predictable(ids)]
        left_out += sorted({name for name, _ in batch} - {name for name, _ in kept})
        yield kept


def _sequences(articles: Iterable[Encoded], layout: Layout) -> Iterator[Encoded]:
    return pack(articles, layout.length) if layout.packing == "blocks" else iter(articles)


def _by_article(
    batches: Iterable[list[Encoded]], sizes: Mapping[str, int], layout: Layout, _seed: int
) -> dict[str, list[Encoded]]:
    """Fill one subset after the other from one stream; the rest of a subset's last article goes to nobody."""
    stream = (article for batch in batches for article in batch)
    return {name: list(islice(_sequences(stream, layout), size)) for name, size in sizes.items()}


def _by_block(
    batches: Iterable[list[Encoded]], sizes: Mapping[str, int], layout: Layout, seed: int
) -> dict[str, list[Encoded]]:
    """Pack all articles, 1,000 at a time, shuffle the blocks and deal them out (authors' code)."""
    blocks = [block for batch in batches for block in _sequences(batch, layout)]
    order = np.random.default_rng(derive_seed(seed, "blocks")).permutation(len(blocks))
    shuffled = (blocks[position] for position in order)
    return {name: list(islice(shuffled, size)) for name, size in sizes.items()}


def _check_sizes(
    drawn: Mapping[str, Sequence[Encoded]], sizes: Mapping[str, int], articles: int, length: int
) -> None:
    found = sum(map(len, drawn.values()))
    wanted = sum(sizes.values())
    if found < wanted:
        listing = ", ".join(f"{size} for {name}" for name, size in sizes.items())
        raise InputError(
            f"{articles} articles make {found} sequences of {length} tokens, but {wanted} are wanted ({listing}): "
            f"{wanted - found} are missing; give more articles, or ask for fewer or shorter sequences."
        )


def _frame(name: str, sequences: Sequence[Encoded]) -> pd.DataFrame:
    rows = [(f"{name}:{number}", article, ids) for number, (article, ids) in enumerate(sequences)]
    return pd.DataFrame(rows, columns=COLUMNS)
