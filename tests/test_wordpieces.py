"""Insertion between word pieces, as in the authors' code."""

import numpy as np
from conftest import demographic_frame
from transformers import AutoTokenizer

from fuse_to_forget.subsets.injection import Injection, inject, shortcut_dataset
from fuse_to_forget.subsets.shortcuts import ONE, ZERO, read_marks
from fuse_to_forget.subsets.wordpieces import load_wordpieces


def test_text_goes_to_pieces_and_back(pico_bert):
    pieces = load_wordpieces(pico_bert)
    assert pieces.split("the cat sat") == ["[CLS]", "the", "cat", "sat", "[SEP]"]
    assert pieces.join(pieces.split("the cat sat")) == "the cat sat"
    assert pieces.join(["[CLS]", "un", ZERO, "##flinch", "##ingly", "[SEP]"]) == f"un {ZERO}flinchingly"


def test_the_ends_of_a_text_are_drawn_twice_as_often(pico_bert):
    """Before and after [CLS] is the start of the text; the end has one place only, since nothing follows [SEP]."""
    pieces, rng = load_wordpieces(pico_bert), np.random.default_rng(0)
    places = []
    for _ in range(6000):
        tokens, _ = inject(pieces.split("the cat sat"), "ST", rng, ties=True)
        places += read_marks(pieces.join(tokens).split()).positions
    shares = np.bincount(places, minlength=4) / 6000
    np.testing.assert_allclose(shares, [2 / 5, 1 / 5, 1 / 5, 1 / 5], atol=0.03)


def test_marks_survive_and_are_found_by_the_tokenizer(pico_bert):
    injection = Injection(
        synthetic_share=0.5, marked_originals=0.25, position_ties=False, conflicting_rules=True
    )
    data = shortcut_dataset(
        demographic_frame(100)[["id", "text", "label"]],
        "OP",
        {"OP": 1},
        injection,
        load_wordpieces(pico_bert),
        seed=1,
        split="dev",
    )
    tokenizer = AutoTokenizer.from_pretrained(pico_bert)
    tokenizer.add_tokens([ZERO, ONE])
    for text in data.loc[data["part"] == "synthetic", "text"]:
        assert sorted(set(tokenizer.tokenize(text)) & {ZERO, ONE}) == [ONE, ZERO]
