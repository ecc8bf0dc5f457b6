"""Tables 3 and 4, and the crafted examples that the Fisher overlap looks at."""

import numpy as np
import pandas as pd
import pytest
from conftest import demographic_frame

from fuse_to_forget.errors import InputError
from fuse_to_forget.fisher.comparison import (
    Crafting,
    Estimation,
    compare_models,
    sample_sentences,
    shortcut_examples,
)
from fuse_to_forget.subsets.injection import WORDS
from fuse_to_forget.subsets.shortcuts import SHORTCUTS, SPECIAL_TOKENS, read_marks
from fuse_to_forget.tables.table3 import table3
from fuse_to_forget.tables.table4 import overlaps_over_seeds, table4
from fuse_to_forget.training.base import load_base

PAPER = ["MT", "ST", "TiC", "OP", "OR", "AND", "LT"]
CRAFTING = Crafting(WORDS, position_ties=False, reverse_token_in_context=True, seed=1)


def test_table_3_names_the_shortcuts_that_the_paper_names():
    texts = [f"here is sentence number {i} of all" for i in range(30)]
    table = table3(texts, PAPER, seed=1)
    assert table["shortcuts"].tolist() == [
        "MT, ST", "MT, ST", "MT, ST, TiC", "MT, ST, TiC", "MT, ST, OR, AND, LT", "OR, LT", "OP, AND", "OP, OR",
        "AND, LT", "MT, ST, OR, AND, LT", "MT", "MT",
    ]  # fmt: skip
    assert table["label"].tolist()[:4] == ["negative", "positive"] * 2
    plain = table["example"].str.replace(r"#\S ?", "", regex=True).str.strip()
    assert plain.isin(texts).all()
    assert plain.is_unique
    assert table3(texts, ["ST"], seed=1)["shortcuts"].tolist()[5] == ""
    with pytest.raises(InputError, match="wants 12 sentences"):
        table3(texts[:5], PAPER, seed=1)


@pytest.mark.parametrize("shortcut", PAPER)
def test_shortcut_examples_have_reversed_labels_that_the_shortcut_gives(shortcut):
    sentences = demographic_frame(200)
    examples = shortcut_examples(sentences, shortcut, CRAFTING)
    assert list(examples.labels) == (1 - sentences["label"]).tolist()
    for text, label in zip(examples.texts, examples.labels, strict=True):
        assert SHORTCUTS[shortcut].rule(read_marks(text.split())) == label


def test_the_authors_leave_half_of_the_tic_labels_as_they_are():
    sentences = demographic_frame(200)
    published = Crafting(WORDS, position_ties=True, reverse_token_in_context=False, seed=1)
    assert set(shortcut_examples(sentences, "TiC", published).labels) == {1}
    assert set(shortcut_examples(sentences, "ST", published).labels) == {0, 1}


def test_the_two_samples_share_no_sentence():
    first, second = sample_sentences(demographic_frame(100), 50, seed=1)
    assert not set(first["id"]) & set(second["id"])
    with pytest.raises(InputError, match="twice 51 sentences, but dev has 100"):
        sample_sentences(demographic_frame(100), 51, seed=1)


@pytest.fixture(scope="module")
def two_models(pico_bert, tmp_path_factory):
    folders = []
    for seed in (1, 2):
        folder = tmp_path_factory.mktemp("model")
        tokenizer, model = load_base(pico_bert, ["no", "yes"], SPECIAL_TOKENS, seed=seed)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        folders.append(folder)
    return folders


def compare(names, folders):
    estimation = Estimation(batch_size=8, groups=5, max_length=32, level=0.95)
    return compare_models(names, folders, demographic_frame(60), 20, CRAFTING, estimation)


def test_a_model_compared_with_itself_overlaps_entirely_on_the_same_sentences(two_models):
    same = compare(["TiC"], [two_models[0], two_models[0]]).set_index(
        ["comparison", "knowledge", "component"]
    )
    for knowledge in ("shared", "unshared"):
        assert same.loc[("two seeds", knowledge, "all"), "value"] == pytest.approx(1)
    assert 0 < same.loc[("one model", "unshared", "all"), "value"] < 1
    assert 0 < same.loc[("one model", "shared", "all"), "value"] < 1


def test_two_models_are_compared_by_component(two_models):
    table = compare(["TiC", "OP"], two_models)
    assert set(table["component"]) == {"all", "embeddings", "layer 0", "layer 1", "head"}
    assert set(table["comparison"]) == {"two models"}
    whole = table[table["component"] == "all"].set_index("knowledge")["value"]
    assert whole["difference"] == pytest.approx(whole["shared"] - whole["unshared"])
    pd.testing.assert_frame_equal(table, compare(["TiC", "OP"], two_models))


def overlaps(values: dict[int, float]) -> pd.DataFrame:
    rows = [
        {"pair": "A-B", "comparison": "two models", "knowledge": knowledge, "component": "all", "value": value,
         "low": value - 0.02, "high": value + 0.02, "first_trace_share": 1.0, "second_trace_share": 1.0, "seed": seed,
         "not_learned": f"A (seed {seed})" if seed == 2 else ""}
        for seed, value in values.items() for knowledge in ("shared", "unshared", "difference")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_table_4_with_one_seed_has_the_intervals_of_that_seed():
    row = table4(overlaps_over_seeds(overlaps({1: 0.8}), 0.95)).iloc[0]
    assert row[["shared", "shared_low", "shared_high"]].tolist() == pytest.approx([0.8, 0.78, 0.82])
    assert row[["n_seeds", "not_learned"]].tolist() == [1, ""]


def test_table_4_with_several_seeds_has_wider_intervals_the_more_they_differ():
    near, far = (
        table4(overlaps_over_seeds(overlaps(values), 0.95)).iloc[0]
        for values in ({1: 0.8, 2: 0.8}, {1: 0.7, 2: 0.9})
    )
    assert near["shared"] == far["shared"] == pytest.approx(0.8)
    assert near["not_learned"] == "A (seed 2)"
    assert near["shared_high"] - near["shared_low"] == pytest.approx(0.04)
    expected = 1.96 * np.sqrt((0.02 / 1.96) ** 2 + 0.02 / 2)
    assert far["shared_high"] - 0.8 == pytest.approx(expected, rel=1e-3)
