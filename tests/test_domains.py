"""The domain study: its sources and splits, the parts of one domain, the head that models share, its config."""

import copy
import io
import tarfile

import pandas as pd
import pytest
from conftest import demographic_frame
from test_settings import SHIPPED, refusal, with_value

from fuse_to_forget.domains import Domains, domain_sources, domains_of, regmean_uses, simple_average
from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.domains import COLUMNS, read_domain, split_domains
from fuse_to_forget.sources.source_data import SourceData
from fuse_to_forget.studies import models
from fuse_to_forget.subsets.domains import non_iid_sample, skewed_part

SIZES = {"train": 60, "dev": 20, "test": 30}
ROWS = [
    ("1_1", "2.5", "Fine &amp; sharp"), ("1_2", "-0.6", "Too dull"), ("2_1", "0.5", "Neither"),
    ("2_2", "0.51", "fine, sharp!"), ("2_10", "-3", "It broke on the very first day"), ("2_11", "1.5", "fine - amp"),
]  # fmt: skip


def rated(folder, rows, **settings):
    with tarfile.open(folder / "hutto_ICWSM_2014.tar.gz", "w:gz") as archive:
        content = "".join("\t".join(row) + "\n" for row in rows).encode()
        info = tarfile.TarInfo("hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    source = {
        "kind": "rated_sentiment",
        "download": str(folder),
        "file": "amazonReviewSnippets",
        "threshold": 0.5,
    }
    return read_domain(source | settings)


def test_the_sign_of_the_rating_is_the_label_and_the_review_the_group(tmp_path):
    data = rated(tmp_path, ROWS)
    frame = data.splits["train"]
    assert data.label_names == ["negative", "positive"]
    assert frame["text"].tolist() == [
        "Fine & sharp",
        "Too dull",
        "It broke on the very first day",
        "fine - amp",
    ]
    assert frame["label"].tolist() == [1, 0, 0, 1]
    assert frame["id"].str.rpartition(":")[2].tolist() == ["1_1", "1_2", "2_10", "2_11"]
    assert frame["author"].str.rpartition(":")[2].tolist() == ["1", "1", "2", "2"]


def test_long_texts_are_left_out_and_texts_without_groups_have_none(tmp_path):
    assert "It broke" not in " ".join(rated(tmp_path, ROWS, max_words=6).splits["train"]["text"])
    numbered = [(number.replace("_", ""), rating, text) for number, rating, text in ROWS]
    assert "author" not in rated(tmp_path, numbered).splits["train"]
    with pytest.raises(InputError, match="leave no text of one label of amazonReviewSnippets"):
        rated(tmp_path, ROWS, threshold=2.0, max_words=5)


def texts(count, seed, shift=0):
    """Texts that none but the same rows of another call repeat, two to an author."""
    frame = demographic_frame(count, seed=seed)[["text", "label"]]
    numbers = range(shift, shift + count)
    frame["text"] += [f" n{number}" for number in numbers]
    return frame.assign(id=[f"r{n}" for n in numbers], author=[f"p{n // 2}" for n in numbers])


def words_of(texts):
    return texts.str.casefold().str.replace(r"[\W_]+", " ", regex=True).str.strip()


def source(frame, **splits):
    return SourceData({"train": frame} | splits, {}, ["bad", "good"], "tiny")


def test_splits_share_no_text_and_no_group_and_domains_share_no_text():
    first, second = texts(120, 1), texts(120, 2, shift=1000)
    alike = first.iloc[:40].assign(text=first["text"].str.upper() + "!")  # the same words in the other domain
    second = pd.concat([alike.assign(id="x" + alike["id"]), second], ignore_index=True)
    second["author"] = "q" + second["author"]
    splits = split_domains({"one": source(first), "two": source(second)}, SIZES | {"train": 500}, seed=3)
    rows = pd.concat(
        [frame.assign(split=split) for split, frames in splits.items() for frame in frames.values()]
    )
    words = words_of(rows["text"])
    assert not words.duplicated().any()
    assert not rows["id"].duplicated().any()
    assert (rows.groupby("group")["split"].nunique() == 1).all()
    assert (rows.groupby("group")["dataset"].nunique() == 1).all()
    kept = rows[words.isin(words_of(alike["text"]))]
    assert len(kept) == 40
    for split, frames in splits.items():
        assert list(frames) == ["one", "two"]
        for domain, frame in frames.items():
            assert frame.columns.tolist() == COLUMNS
            assert set(frame["dataset"]) == {domain}
            if split != "train":
                assert 0.5 * SIZES[split] <= len(frame) <= SIZES[split]


def test_a_text_of_several_splits_stays_in_test_and_splits_of_the_source_are_kept():
    train, test = texts(60, 1), texts(40, 2, shift=1000)
    leaked = test.iloc[:10].assign(id=[f"leak{i}" for i in range(10)], label=1)
    brought = source(pd.concat([train, leaked], ignore_index=True), test=test)
    splits = split_domains({"one": brought, "two": source(texts(120, 4, shift=5000))}, SIZES, seed=1)
    found = {split: set(frames["one"]["text"]) for split, frames in splits.items()}
    assert found["test"] <= set(test["text"])
    assert len(found["test"]) == SIZES["test"]
    assert not (found["train"] | found["dev"]) & set(test["text"])


def test_another_domain_more_changes_no_drawing_of_the_first():
    data = {"one": source(texts(120, 1)), "two": source(texts(120, 2, shift=1000))}
    more = data | {"three": source(texts(120, 3, shift=2000))}
    before, after = (split_domains(sources, SIZES, seed=1) for sources in (data, more))
    for split in SIZES:
        pd.testing.assert_frame_equal(before[split]["one"], after[split]["one"])


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (SourceData({"train": texts(90, 2)}, {}, ["good", "bad"], ""), "one and two have different labels"),
        (source(texts(50, 2)), "domain two has 50 texts, too few to hold out 50"),
        (source(texts(120, 2).assign(label=1)), "of the domain two lacks a label"),
    ],
)
def test_domains_that_do_not_fit_are_refused(second, message):
    with pytest.raises(InputError, match=message):
        split_domains({"one": source(texts(120, 1, shift=1000)), "two": second}, SIZES, seed=1)


def test_the_parts_of_a_domain_share_it_out_with_skewed_labels():
    train = pd.DataFrame({"id": [f"r{i}" for i in range(300)], "label": [1, 0, 0] * 100})
    sample = non_iid_sample(train, 150, seed=1)
    counts = sample["label"].value_counts()
    parts = [skewed_part(sample, part, 0.8, seed=1) for part in (1, 2)]
    assert sorted(pd.concat(parts)["id"]) == sorted(sample["id"])
    first = parts[0]["label"].value_counts()
    main = int(first[0] / counts[0] < first[1] / counts[1])
    assert (first[main], first[1 - main]) == (round(0.8 * counts[main]), round(0.2 * counts[1 - main]))
    assert len(non_iid_sample(train, 1000, seed=1)) == 300
    exact = pd.DataFrame({"id": range(100), "label": [0, 1] * 50})
    mains = {skewed_part(exact, 1, 0.8, seed)["label"].sum() for seed in range(8)}
    assert mains == {10, 40}  # of 50 of each label; which one is the main one depends on the seed


def test_all_models_of_one_head_start_from_the_same_and_a_training_keeps_it(tmp_path, pico_bert):
    import torch

    from fuse_to_forget.fusion.checkpoint import load_state_dict
    from fuse_to_forget.training.base import load_base
    from fuse_to_forget.training.head import draw_head

    names = ["bad", "good"]
    draw_head(pico_bert, tmp_path / "head", label_names=names, seed=1)
    draw_head(pico_bert, tmp_path / "again", label_names=names, seed=1)
    drawn = load_state_dict(tmp_path / "head")["classifier.weight"]
    assert torch.equal(drawn, load_state_dict(tmp_path / "again")["classifier.weight"])
    starts = [load_base(tmp_path / "head", names, seed=seed)[1].classifier.weight for seed in (5, 6)]
    assert all(torch.equal(start, drawn) for start in starts)
    own = [load_base(pico_bert, names, seed=seed)[1].classifier.weight for seed in (5, 6)]
    assert not torch.equal(*own)


def test_the_study_trains_each_domain_with_each_head_and_merges_every_set():
    study = Domains(["a", "b", "c"], ["same", "different"], "b")
    trained = study.trained()
    assert list(trained) == [
        "a_same",
        "b_same",
        "c_same",
        "a",
        "b",
        "c",
        "part1",
        "part2",
        "parts_full",
        "full",
    ]
    assert trained["c_same"] == ["c"]
    assert trained["part1"] == trained["parts_full"] == ["b"]
    assert trained["full"] == ["a", "b", "c"]
    same = [model for model in trained if study.has_same_head(model)]
    assert same == ["a_same", "b_same", "c_same", "part1", "part2", "parts_full"]
    sets = study.sets()
    assert len(sets) == 2 * (3 + 1) + 1
    assert sets["a_same-c_same"] == ["a_same", "c_same"]
    assert sets["a-b-c"] == ["a", "b", "c"]
    assert sets["part1-part2"] == ["part1", "part2"]


def test_the_shipped_study_has_the_four_embedded_domains():
    assert list(domain_sources(SHIPPED)) == ["movies", "products", "tweets", "editorials"]
    assert len(domains_of(SHIPPED).sets()) == 2 * (6 + 4 + 1) + 1
    assert models(SHIPPED)["domains"][-1] == "full"
    assert simple_average(SHIPPED) == "average"
    assert regmean_uses(SHIPPED) == ["regmean"]


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("domains.sources.0.source", "films", "'films' in domains.sources"),
        ("domains.sources", [{"domain": "a", "source": "rated_movies"}], "1 entries, but at least 2"),
        ("domains.sources.1.domain", "movies", "calls a domain 'movies' in domains.sources, which is taken"),
        ("domains.sources.1.domain", "part1", "calls a domain 'part1'"),
        ("domains.sources.1.domain", "a-b", "'a-b' must be a name of letters and digits"),
        ("domains.sources.1.source", "editorials", "(products), which has no labels"),
        ("domains.non_iid.skew", 1.2, "domains.non_iid.skew"),
        ("domains.non_iid.skew", 0.3, "domains.non_iid.skew"),
        ("domains.non_iid.domain", "books", "'books' in domains.non_iid, but there are only movies"),
        ("domains.heads", [], "domains.heads"),
        ("domains.methods", ["average", "regmaen"], "'regmaen' in domains.methods"),
        ("domains.methods", ["regmean"], "no plain average in domains.methods"),
        ("domains.base_model", "encodr", "encodr, which does not exist, in domains.base_model"),
        ("sources.rated_movies.file", "movies", "sources.rated_movies.file"),
        ("biases.source", "rated_movies", "'rated_sentiment' in biases.source"),
        ("shortcuts.source", "rated_movies", "'rated_sentiment' in shortcuts.source"),
    ],
)
def test_what_makes_no_sense_is_refused(place, value, expected):
    assert expected in refusal(with_value(place, value))


def test_a_method_is_not_called_as_what_it_is_compared_with():
    config = with_value("domains.methods", ["average", "single"])
    config["methods"]["uses"]["single"] = {"method": "regmean"}
    assert "calls a method 'single' in domains.methods" in refusal(config)


def test_the_head_is_no_domain():
    config = copy.deepcopy(SHIPPED)
    config["domains"]["sources"][0]["domain"] = "head"
    assert "calls a domain 'head'" in refusal(config)
