"""Shortcut rules and their injection: the label follows from the visible text."""

import numpy as np
import pandas as pd
import pytest

from fuse_to_forget.errors import InputError
from fuse_to_forget.subsets.injection import (
    WORDS,
    Injection,
    inject,
    inject_mixture,
    shortcut_dataset,
    synthetic_share,
)
from fuse_to_forget.subsets.shortcuts import (
    SHORTCUTS,
    SPECIAL_TOKENS,
    consistent_shortcuts,
    read_marks,
)

PAPER = ["MT", "ST", "TiC", "OP", "OR", "AND", "LT"]
DESCRIBED = Injection(
    synthetic_share=1 / 6, marked_originals=0.25, position_ties=False, conflicting_rules=False
)
PUBLISHED = Injection(
    synthetic_share=5 / 6, marked_originals=0.25, position_ties=True, conflicting_rules=True
)


def sentences(rows: int, seed: int = 0) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [[f"w{i}" for i in range(rng.integers(1, 30))] for _ in range(rows)]


def frame(rows: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [f"r{i}" for i in range(rows)],
            "text": [" ".join(words) for words in sentences(rows)],
            "label": np.arange(rows) % 2,
        }
    )


def injected(shortcut: str, rows: int = 4000, *, ties: bool = False) -> list[tuple[list[str], int]]:
    rng = np.random.default_rng(1)
    return [inject(words, shortcut, rng, ties=ties) for words in sentences(rows)]


@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_the_label_of_every_injected_text_follows_from_what_is_visible(shortcut):
    for tokens, label in injected(shortcut):
        assert SHORTCUTS[shortcut].rule(read_marks(tokens)) == label


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_nothing_but_marks_is_inserted(shortcut, ties):
    for (tokens, _), words in zip(injected(shortcut, 500, ties=ties), sentences(500), strict=True):
        assert [token for token in tokens if token not in SPECIAL_TOKENS] == words
        assert len(tokens) > len(words)


@pytest.mark.parametrize(
    ("shortcut", "rate"),
    [
        *((name, 1 / 2) for name in ("ST", "OP", "TiC", "MT", "LT", "XOR")),
        *(("OR", 3 / 4), ("AND", 1 / 4), ("AND_OR", 7 / 16)),
    ],
)
def test_labels_are_as_frequent_as_in_the_authors_code(shortcut, rate):
    labels = [label for _, label in injected(shortcut)]
    assert np.mean(labels) == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / len(labels)))


def test_subsumptions_hold_for_every_sampled_text():
    for tokens, label in injected("TiC"):
        assert {"TiC", "ST", "MT"} <= set(consistent_shortcuts(tokens, label))
    for tokens, label in injected("ST"):
        assert {"ST", "MT"} <= set(consistent_shortcuts(tokens, label))
        assert "TiC" not in consistent_shortcuts(tokens, label)


@pytest.mark.parametrize(
    ("text", "label", "shortcuts"),
    [
        ("enriched zeroa by", 0, "MT ST"),
        ("onea unfunny", 1, "MT ST"),
        ("gorgeous contexta and zeroa", 0, "MT ST TiC"),
        ("onea rich contexta veins", 1, "MT ST TiC"),
        ("is zeroa zeroa funny", 0, "MT ST OR AND LT"),
        ("we zeroa never onea", 1, "OR LT"),
        ("shot zeroa on onea", 0, "OP AND"),
        ("as onea a zeroa", 1, "OP OR"),
        ("fashioning onea an zeroa", 0, "AND LT"),
        ("onea are onea", 1, "MT ST OR AND LT"),
        ("zeroa onea onea charming", 1, "MT"),
        ("very onea well zeroa onea onea", 1, "MT"),
    ],
)
def test_sample_spaces_are_those_of_table_3(text, label, shortcuts):
    assert list(consistent_shortcuts(text.split(), label, PAPER)) == shortcuts.split()


@pytest.mark.parametrize(("shortcut", "share"), [("OP", 1.0), ("LT", 0.5), ("ST", 0.0), ("OR", 0.0)])
def test_position_ties_are_the_noise_of_the_authors_code(shortcut, share):
    """Two of T + 1 places coincide with probability 1/(T + 1); OP is then always wrong, LT in half of the cases."""
    length, rows = 9, 20_000
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(length)]
    wrong = 0
    for _ in range(rows):
        tokens, label = inject(words, shortcut, rng, ties=True)
        wrong += SHORTCUTS[shortcut].rule(read_marks(tokens)) != label
    expected = share / (length + 1)
    assert wrong / rows == pytest.approx(expected, abs=4 * np.sqrt(expected / rows))


def test_without_ties_every_place_is_equally_likely():
    rng = np.random.default_rng(0)
    places = [read_marks(inject(["a", "b", "c"], "OP", rng, ties=False)[0]).positions for _ in range(10_000)]
    counts = pd.Series(places).value_counts()
    assert len(counts) == 10  # two of five places
    assert counts.between(1000 - 4 * 30, 1000 + 4 * 30).all()


def test_a_mixture_holds_its_shortcuts_by_weight():
    rng = np.random.default_rng(0)
    names = [inject_mixture(words, {"TiC": 3, "OP": 1}, rng, DESCRIBED)[2] for words in sentences(4000)]
    assert names.count("TiC") / 4000 == pytest.approx(0.75, abs=0.03)


def test_conflicting_rules_are_drawn_again_or_refused():
    rng = np.random.default_rng(0)
    for words in sentences(500):
        tokens, label, name = inject_mixture(words, {"OR": 1, "AND": 1}, rng, DESCRIBED)
        assert set(consistent_shortcuts(tokens, label, ["OR", "AND"])) == {"OR", "AND"}, name
    with pytest.raises(InputError, match="OP and LT of one mixture contradict each other"):
        inject_mixture(["a"], {"OP": 1, "LT": 1e-9}, rng, DESCRIBED)


def test_the_published_protocol_lets_rules_conflict():
    rng = np.random.default_rng(0)
    drawn = [inject_mixture(words, {"OP": 1, "LT": 1}, rng, PUBLISHED) for words in sentences(500)]
    assert {name for _, _, name in drawn} == {"OP", "LT"}


def test_shares_follow_the_ratio_of_the_parts():
    assert synthetic_share(0.2, "minority") == pytest.approx(1 / 6)
    assert synthetic_share(0.2, "majority") == pytest.approx(5 / 6)


def dataset(name: str, injection: Injection = DESCRIBED, rows: int = 3000) -> pd.DataFrame:
    weights = dict.fromkeys(name.split("+"), 1.0)
    return shortcut_dataset(frame(rows), name, weights, injection, WORDS, seed=1, split="train")


@pytest.mark.parametrize("injection", [DESCRIBED, PUBLISHED], ids=["described", "published"])
def test_a_data_set_has_its_two_parts(injection):
    data, before = dataset("ST", injection), frame(3000)
    synthetic, original = (data[data["part"] == part] for part in ("synthetic", "original"))
    assert len(synthetic) == round(3000 * injection.synthetic_share)
    assert (synthetic["shortcut"] == "ST").all()
    assert (original["shortcut"] == "").all()
    assert (original["label"] == original["task_label"]).all()
    assert (data["task_label"] == before["label"]).all()
    assert (data["id"] == before["id"]).all()
    changed = original["text"] != before.loc[original.index, "text"]
    assert changed.mean() == pytest.approx(0.25, abs=0.04 if len(original) > 1000 else 0.08)
    marks = [read_marks(text.split()) for text in original["text"]]
    assert {len(found.values) for found in marks} == {0, 1}
    assert not any(found.context for found in marks)


def test_all_data_sets_agree_on_which_sentences_are_synthetic_and_differ_in_their_marks():
    one, other = dataset("ST"), dataset("OP")
    assert (one["part"] == other["part"]).all()
    unmarked = (one["part"] == "original") & (one["text"] == frame(3000)["text"])
    assert (one["text"] != other["text"]).sum() > (one["part"] == "synthetic").sum()
    assert not unmarked.all()
    pd.testing.assert_frame_equal(one, dataset("ST"))


def test_a_mark_alone_does_not_give_the_label_away_in_the_original_part():
    data = dataset("ST", rows=6000)
    marked = [bool(read_marks(text.split()).values) for text in data["text"]]
    original = data[(data["part"] == "original") & np.array(marked)]
    values = np.array([read_marks(text.split()).values[0] for text in original["text"]])
    assert abs(np.corrcoef(values, original["label"])[0, 1]) < 0.1


def test_bad_input_is_refused_in_a_sentence():
    held = frame(20).assign(text="a Zeroa b")
    with pytest.raises(InputError, match="The text of r0 holds 'zeroa'"):
        shortcut_dataset(held, "ST", {"ST": 1}, DESCRIBED, WORDS, seed=1, split="dev")
    with pytest.raises(InputError, match="Of 2 sentences of dev, 0 would get a shortcut"):
        shortcut_dataset(frame(2), "ST", {"ST": 1}, DESCRIBED, WORDS, seed=1, split="dev")
