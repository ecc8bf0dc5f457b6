"""Texts as the word pieces of a tokenizer: what the authors' code inserts marks between."""

from pathlib import Path

from fuse_to_forget.pretrained import open_tokenizer
from fuse_to_forget.subsets.injection import Tokenization


def load_wordpieces(base_model: str | Path) -> Tokenization:
    """Split texts into a base model's word pieces between [CLS] and [SEP], and join them again without these two.

    A mark may so fall inside a word, and places before and after [CLS] (or [SEP]) come to the same, so that a mark
    stands at either end of the text twice as often as elsewhere. Joining normalises spaces, as decoding does.
    """
    tokenizer = open_tokenizer(base_model)
    ends = (tokenizer.cls_token, tokenizer.sep_token)

    def split(text: str) -> list[str]:
        return [ends[0], *tokenizer.tokenize(text), ends[1]]

    def join(tokens: list[str]) -> str:
        return tokenizer.convert_tokens_to_string([token for token in tokens if token not in ends])

    return Tokenization(split, join)
