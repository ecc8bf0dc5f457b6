"""Sources of articles, their splits, and the disjoint token sequences that are made of them."""

import io
import math
import tarfile
from collections import Counter

import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, PreTrainedTokenizerFast, RobertaConfig, RobertaForMaskedLM, T5Config

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.article_splits import Articles, pretraining_texts, read_articles, split_articles
from fuse_to_forget.subsets.sequences import (
    Layout,
    check_length,
    context_length,
    draw_subsets,
    load_tokenizer,
    pack,
)

GROUND_TRUTH = {
    "nytEditorialSnippets": "1_1\t0.4\tOne.\r\n1_2\t1\tTwo.\r\n10_1\t0\tTen.\r\n",
    "tweets": "1\t2\tHi there\r\n2\t1\tHi, there!\r\n",
    "amazonReviewSnippets": "1_1\t0.1\tgood\r\n1_2\t0.2\tplayer\r\n",
}


@pytest.fixture
def embedded(tmp_path):
    with tarfile.open(tmp_path / "hutto_ICWSM_2014.tar.gz", "w:gz") as archive:
        for name, content in GROUND_TRUTH.items():
            info = tarfile.TarInfo(f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
    return tmp_path


def articles(count, words=10, start=0):
    """Articles whose words name the article, so that no two share a token."""
    names = range(start, start + count)
    texts = [" ".join(f"w{n}x{k}" for k in range(words)) for n in names]
    return pd.DataFrame({"id": [f"n{n}" for n in names], "text": texts})


def word_tokenizer(frame, **special):
    words = dict.fromkeys(word for text in frame["text"] for word in text.split())
    vocabulary = {word: i for i, word in enumerate(["<unk>", *special.values(), *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", **special)


def test_sentences_of_an_editorial_or_a_review_are_one_article(embedded):
    read = read_articles({"kind": "editorials", "download": embedded}).splits["train"]
    assert read.to_dict("list") == {"id": ["editorial:1", "editorial:10"], "text": ["One. Two.", "Ten."]}
    source = {"kind": "rated_texts", "download": embedded, "files": ["tweets", "amazonReviewSnippets"]}
    assert read_articles(source).splits["train"]["text"].tolist() == ["Hi there", "good player"]


def test_tables_of_articles_are_read_by_split(tmp_path):
    articles(3).to_json(tmp_path / "a.jsonl.gz", orient="records", lines=True)
    articles(2, start=3).rename(columns={"text": "article"}).to_csv(tmp_path / "b.csv", index=False)
    source = {"kind": "articles", "train": tmp_path / "a.jsonl.gz", "columns": {"text": "text", "id": None}}
    assert read_articles(source).splits["train"]["id"].tolist() == ["train:1", "train:2", "train:3"]
    with pytest.raises(InputError, match=r"b.csv has no column 'text' .*'article'"):
        read_articles(source | {"test": tmp_path / "b.csv"})


def test_cnn_dailymail_is_read_as_the_hub_lays_it_out(tmp_path):
    (tmp_path / "3.0.0").mkdir()
    for name in ("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001"):
        frame = articles(2, start=len(name)).rename(columns={"text": "article"}).assign(highlights="h")
        frame.assign(id=name + frame["id"]).to_parquet(tmp_path / "3.0.0" / f"{name}.parquet")
    source = {"kind": "cnn_dailymail", "path": tmp_path}
    with pytest.raises(InputError, match=r"holds no 3\.0\.0/test-"):
        read_articles(source)
    articles(1).assign(article=" ").to_parquet(tmp_path / "3.0.0/test-0.parquet")
    assert {name: len(frame) for name, frame in read_articles(source).splits.items()} == {
        "train": 4, "dev": 2, "test": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "an empty text in row 2"), ("a" * 10**6, "a text of 1000000 characters in row 2")],
)
def test_an_empty_and_an_endless_article_are_told_in_one_sentence(tmp_path, text, sentence):
    frame = articles(3)
    frame.loc[1, "text"] = text
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    with pytest.raises(InputError, match=sentence) as caught:
        read_articles({"kind": "articles", "train": tmp_path / "a.jsonl", "columns": {"text": "text"}})
    assert "\n" not in str(caught.value)


def divided(sizes, seed=1, **splits):
    return split_articles(Articles(splits, "mine"), sizes, seed)


def test_splits_share_no_article_and_lose_none(capsys):
    frame = articles(40)
    more = pd.DataFrame({"id": ["again", "none"], "text": [frame["text"][0].upper() + "!", "_ ... _"]})
    sizes = {"pretrain": 5, "dev": 6, "test": 7}
    found = divided(sizes, train=pd.concat([frame, more]))
    assert {name: len(part) for name, part in found.splits.items()} == sizes | {"train": 22}
    assert sorted(name for part in found.splits.values() for name in part["id"]) == sorted(frame["id"])
    assert "of train, 1 articles without a word and 1 that repeat another" in capsys.readouterr().out
    assert found.description == "mine"
    assert not found.splits["dev"].equals(divided(sizes, seed=2, train=frame).splits["dev"])


def test_what_given_splits_share_leaves_the_later_one_and_is_told(capsys):
    dev, test, train = articles(6), articles(8, start=4), articles(20, start=5)
    for name, frame in (("dev", dev), ("test", test), ("train", train)):
        frame["id"] = name + frame["id"]
    found = divided({"pretrain": 0, "dev": 99, "test": 99}, train=train, test=test, dev=dev)
    assert {name: len(part) for name, part in found.splits.items()} == {
        "pretrain": 0, "dev": 6, "test": 6, "train": 13,
    }  # fmt: skip
    texts = [text for part in found.splits.values() for text in part["text"]]
    assert len(set(texts)) == len(texts)
    notes = ["2 of test that dev has too", "1 of train that dev has too", "6 of train that test has too"]
    assert found.description == "; ".join(["mine", *(f"{note} left out" for note in notes)])
    printed = capsys.readouterr().out
    assert all(note in printed for note in notes)


@pytest.mark.parametrize(
    ("dev", "train", "sentence"),
    [
        (articles(9), articles(9), "dev and train share 9 of the 9 texts of train, which would lose 9"),
        (articles(9), articles(12), "dev and train share 9 of the 12 texts of train"),
        (articles(2).assign(text="..."), articles(9, start=9), "The split dev holds no article with a word"),
    ],
)
def test_splits_that_are_nearly_the_same_or_without_a_word_are_refused(dev, train, sentence):
    with pytest.raises(InputError, match=sentence):
        divided({"pretrain": 0, "dev": 0, "test": 1}, train=train, dev=dev.assign(id="dev" + dev["id"]))


def test_overlapping_splits_and_too_few_articles_are_refused():
    sizes = {"pretrain": 5, "dev": 3, "test": 2}
    with pytest.raises(InputError, match=r"train and dev overlap in 2 ids, such as 'n0'"):
        divided(sizes, train=articles(9), dev=articles(2))
    with pytest.raises(
        InputError, match=r"has 10 different articles in train, but 5 for pretrain, 3 for dev, 2"
    ):
        divided(sizes, train=articles(10))


def test_a_base_model_is_pretrained_on_no_article_that_a_subset_may_hold():
    splits = divided({"pretrain": 3, "dev": 2, "test": 2}, train=articles(20)).splits
    others = articles(4, start=20)
    source = pd.concat([articles(20), others, others.assign(text=others["text"].str.upper() + "?")])
    held_apart = [
        splits[name].assign(text=splits[name]["text"].str.title()) for name in ("train", "dev", "test")
    ]
    texts = pretraining_texts([splits["pretrain"], source], held_apart)
    assert texts == [*splits["pretrain"]["text"], *others["text"]]
    assert pretraining_texts([source.iloc[:0], splits["pretrain"].iloc[:0]], held_apart) == []


def test_blocks_are_full_and_named_after_most_of_their_tokens():
    packed = list(pack([("a", [1, 2, 3]), ("b", [4, 5, 6, 7, 8]), ("c", [9])], length=4))
    assert packed == [("a", [1, 2, 3, 4]), ("b", [5, 6, 7, 8])]


@pytest.mark.parametrize("packing", ["blocks", "articles"])
def test_subsets_share_no_article_and_no_token(packing):
    frame = articles(60)
    tokenizer = word_tokenizer(frame, eos_token="<eos>")
    layout = Layout(length=7, packing=packing, objective="causal", separator=True, by_article=True)
    sizes = {"shared": 9, "A": 11, "B": 12}
    subsets = draw_subsets(frame, sizes, tokenizer, layout, seed=3)
    assert {name: len(part) for name, part in subsets.items()} == sizes
    owners = Counter()
    for part in subsets.values():
        assert {len(ids) for ids in part["input_ids"]} == {7}
        texts = [token for ids in part["input_ids"] for token in tokenizer.convert_ids_to_tokens(ids)]
        owners.update({word.split("x")[0] for word in texts if word != "<eos>"})
    assert set(owners.values()) == {1}


def test_every_article_is_followed_by_a_separator_if_wanted():
    frame = articles(6, words=3)
    tokenizer = word_tokenizer(frame, eos_token="<eos>")
    for separator, expected in ((True, 3), (False, 0)):
        layout = Layout(length=12, packing="blocks", objective="causal", separator=separator, by_article=True)
        (ids,) = draw_subsets(frame, {"A": 1}, tokenizer, layout, seed=1)["A"]["input_ids"]
        assert ids.count(tokenizer.eos_token_id) == expected


def test_the_authors_blocks_may_split_an_article_between_subsets():
    frame = articles(5, words=40)
    tokenizer = word_tokenizer(frame)
    layout = Layout(length=10, packing="blocks", objective="causal", separator=False, by_article=False)
    subsets = draw_subsets(frame, {"A": 10, "B": 10}, tokenizer, layout, seed=1)
    assert set(subsets["A"]["article"]) & set(subsets["B"]["article"])
    tokens = [ids for part in subsets.values() for ids in part["input_ids"]]
    assert len({tuple(ids) for ids in tokens}) == 20  # as blocks they are disjoint


def test_a_larger_share_for_fewer_models_is_drawn_from_the_same_articles():
    frame = articles(200, words=13)
    tokenizer = word_tokenizer(frame, eos_token="<eos>")
    layout = Layout(length=5, packing="blocks", objective="causal", separator=True, by_article=True)
    four = draw_subsets(frame, {"shared": 8, **dict.fromkeys("ABCD", 30)}, tokenizer, layout, seed=1)
    two = draw_subsets(frame, {"shared": 8, **dict.fromkeys("AB", 60)}, tokenizer, layout, seed=1)
    assert two["shared"].equals(four["shared"])
    assert set(two["A"]["article"]) | set(two["B"]["article"]) <= {
        article for name in "ABCD" for article in four[name]["article"]
    }


@pytest.mark.parametrize("by_article", [True, False])
def test_a_further_subset_changes_none_of_the_others(by_article):
    frame = articles(60, words=13)
    tokenizer = word_tokenizer(frame, eos_token="<eos>")
    layout = Layout(length=5, packing="blocks", objective="causal", separator=True, by_article=by_article)
    one = draw_subsets(frame, {"shared": 8, "A": 20}, tokenizer, layout, seed=1)
    two = draw_subsets(frame, {"shared": 8, "A": 20, "B": 30}, tokenizer, layout, seed=1)
    assert all(two[name].equals(one[name]) for name in one)


def test_too_small_a_corpus_is_told_in_one_sentence():
    frame = articles(4)
    layout = Layout(length=7, packing="blocks", objective="causal", separator=True, by_article=True)
    tokenizer = word_tokenizer(frame, eos_token="<eos>")
    with pytest.raises(
        InputError, match=r"4 articles make .* but 12 are wanted \(8 for A, 4 for B\): .* missing"
    ):
        draw_subsets(frame, {"A": 8, "B": 4}, tokenizer, layout, seed=1)
    with pytest.raises(InputError, match="neither an eos nor a sep token"):
        draw_subsets(frame, {"A": 1}, word_tokenizer(frame), layout, seed=1)


@pytest.mark.parametrize(("objective", "left_out"), [("causal", "one"), ("masked", "marks")])
def test_an_article_that_leaves_nothing_to_predict_is_in_no_subset(objective, left_out, capsys):
    frame = pd.concat([articles(4), pd.DataFrame({"id": ["one", "marks"], "text": ["w0x0", "<eos> <mask>"]})])
    tokenizer = word_tokenizer(frame, eos_token="<eos>", mask_token="<mask>")
    layout = Layout(length=8, packing="articles", objective=objective, separator=True, by_article=True)
    drawn = draw_subsets(frame, {"A": 3, "B": 2}, tokenizer, layout, seed=1)
    assert {name for part in drawn.values() for name in part["article"]} == set(frame["id"]) - {left_out}
    with pytest.raises(InputError, match="6 articles make 5 sequences of 8 tokens, but 6 are wanted"):
        draw_subsets(frame, {"A": 3, "B": 3}, tokenizer, layout, seed=1)
    assert "Note: 1 articles leave nothing to predict" in capsys.readouterr().out


def test_the_context_is_as_many_tokens_as_a_model_takes():
    size = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4}
    config = RobertaConfig(vocab_size=9, max_position_embeddings=14, **size)
    model = RobertaForMaskedLM(config)
    model(torch.full((1, context_length(config)), 5))
    with pytest.raises(RuntimeError, match="index 14 is out of"):
        model(torch.full((1, context_length(config) + 1), 5))
    assert context_length(RobertaConfig(max_position_embeddings=514)) == 512
    assert context_length(GPT2Config(n_positions=32)) == 32
    assert context_length(T5Config()) == math.inf


def test_a_base_model_that_cannot_be_opened_or_is_too_short_is_told_in_one_sentence(tmp_path):
    for opened in (lambda folder: check_length(folder, 8), load_tokenizer):
        with pytest.raises(InputError, match=rf"The model {tmp_path} cannot be opened .*config.json") as told:
            opened(tmp_path)
        assert "\n" not in str(told.value)
    GPT2Config(n_positions=32).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="holds no tokenizer; name"):
        load_tokenizer(tmp_path)
    check_length(tmp_path, 32)
    with pytest.raises(InputError, match=r"sequences of 33 tokens, but the context of .* is 32; lower"):
        check_length(tmp_path, 33)


def test_no_subset_holds_a_word_of_what_a_model_is_pretrained_on():
    splits = divided({"pretrain": 25, "dev": 5, "test": 5}, train=articles(80)).splits
    tokenizer = word_tokenizer(articles(80), eos_token="<eos>")
    layout = Layout(length=6, packing="blocks", objective="causal", separator=True, by_article=True)
    pretrained = {word for text in splits["pretrain"]["text"] for word in text.split()}
    for split, sizes in (("train", {"shared": 20, "A": 20}), ("dev", {"dev": 5}), ("test", {"held_out": 5})):
        for part in draw_subsets(splits[split], sizes, tokenizer, layout, seed=1).values():
            words = {word for ids in part["input_ids"] for word in tokenizer.convert_ids_to_tokens(ids)}
            assert not words & pretrained
