"""Sources of sentiment: the embedded movie-review snippets and SST-2."""

import io
import tarfile

import pandas as pd
import pytest
import yaml
from conftest import ROOT

from fuse_to_forget.errors import InputError
from fuse_to_forget.settings import check_config
from fuse_to_forget.sources.prepare import read_source
from fuse_to_forget.sources.snippets import read_snippets
from fuse_to_forget.sources.source_data import SourceData
from fuse_to_forget.sources.splits import complete_splits, hold_out
from fuse_to_forget.sources.sst2 import read_sst2

SNIPPETS = [
    ("1", "2.5", "A fine clich\u00e9 \u2013 truly."),
    ("2", "-0.6", "Too tepid"),
    ("3", "0.5", "Neither"),
    ("4", "-0.5", "Nor"),
    ("5", "0.51", "Lovely &amp; Amazing"),
    ("6", "-3", "... too TEPID!"),
    ("7", "1.5", "Neither!"),
    ("8", "-2", "..."),
]


def archive(folder, content, name="movieReviewSnippets"):
    with tarfile.open(folder / "hutto_ICWSM_2014.tar.gz", "w:gz") as opened:
        info = tarfile.TarInfo(f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
        info.size = len(content)
        opened.addfile(info, io.BytesIO(content))
    return folder


@pytest.fixture
def snippets(tmp_path):
    return archive(tmp_path, "".join("\t".join(row) + "\r\n" for row in SNIPPETS).encode())


def test_snippets_beyond_the_threshold_are_labelled_once_each(snippets):
    frame = read_snippets(snippets, 0.5)
    assert frame.to_dict("list") == {
        "id": ["snippet:1", "snippet:2", "snippet:5", "snippet:7"],
        "text": ["A fine clich\u00e9 \u2013 truly.", "Too tepid", "Lovely & Amazing", "Neither!"],
        "label": [1, 0, 1, 1],
    }
    # at 0 a text counts as repeated that the other threshold leaves out
    assert read_snippets(snippets, 0)["id"].str[-1].tolist() == list("12345")


def test_longer_snippets_than_asked_for_are_dropped(snippets):
    assert read_snippets(snippets, 0.5, max_words=5)["id"].str[-1].tolist() == list("1257")
    assert read_snippets(snippets, 0.5, max_words=2)["id"].str[-1].tolist() == list("27")
    source = {"kind": "snippets", "download": str(snippets), "threshold": 0.5, "max_words": 2}
    assert (
        read_source(source).description
        == "2 snippets of movie reviews of at most 2 words (negative or positive)"
    )
    with pytest.raises(InputError, match=r"max_words 1 leave no negative snippet.*raise `max_words`"):
        read_snippets(snippets, 0.5, max_words=1)


def test_the_snippets_source_has_names_and_no_demographics(snippets):
    data = read_source({"kind": "snippets", "download": str(snippets), "threshold": 0.5})
    assert data.metadata() == {
        "values": {"label": ["negative", "positive"]},
        "description": "4 snippets of movie reviews (negative or positive)",
    }


@pytest.mark.parametrize(("threshold", "left_out"), [(2.7, "positive"), (3.5, "negative")])
def test_a_threshold_that_leaves_one_label_or_none_is_refused(snippets, threshold, left_out):
    with pytest.raises(
        InputError, match=f"{threshold} and max_words None leave no {left_out} snippet.*lower"
    ):
        read_snippets(snippets, threshold)


@pytest.mark.parametrize("content", [b"1\t0.7\n", b"1\tgood\ta\n", b"1\t0.7\t\xff\n"])
def test_damaged_snippets_are_told_in_one_sentence(tmp_path, content):
    with pytest.raises(InputError, match=r"damaged movieReviewSnippets.*again") as caught:
        read_snippets(archive(tmp_path, content), 0.5)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="holds no hutto"):
        read_snippets(tmp_path / "absent", 0.5)
    with pytest.raises(InputError, match="holds no file"):
        read_snippets(archive(tmp_path, content, name="tweets"), 0.5)


ROWS = [('a " fine film ', 1), ("null", 0), ("dull", 0), ("dull", 0)]


def glue(folder, train=ROWS, **others):
    folder.mkdir(exist_ok=True)
    for split, rows in {"train": train, **others}.items():
        lines = [f"{text}\t{label}\n" for text, label in [("sentence", "label"), *rows]]
        (folder / f"{split}.tsv").write_text("".join(lines))
    return folder


def hub(folder, **splits):
    (folder / "data").mkdir(parents=True)
    for split, rows in splits.items():
        frame = pd.DataFrame(rows, columns=["sentence", "label"]).rename_axis("idx").reset_index()
        frame.to_parquet(folder / f"data/{split}-00000-of-00001.parquet")
    return folder


def test_both_layouts_of_sst2_give_the_same_splits(tmp_path, capsys):
    dev = [("fine", 1), ("poor", 0)]
    tsv = glue(tmp_path / "glue", dev=dev, test_labeled=dev)
    (tsv / "test.tsv").write_text("index\tsentence\n0\tunknown\n")
    parquet = hub(tmp_path / "hub", train=ROWS, validation=dev, test=[("unknown", -1)] * 2)
    one = read_source({"kind": "sst2", "path": str(tsv)})
    assert "test.tsv has no labels and is left out" in capsys.readouterr().out
    other = read_source({"kind": "sst2", "download": str(parquet)})
    assert "test-00000-of-00001.parquet has no labels" in capsys.readouterr().out
    assert list(one.splits) == list(other.splits) == ["train", "dev"]
    for split, frame in one.splits.items():
        pd.testing.assert_frame_equal(frame, other.splits[split])
    assert one.splits["train"].to_dict("list") == {
        "id": ["sst2/train:1", "sst2/train:2", "sst2/train:3", "sst2/train:4"],
        "text": ['a " fine film', "null", "dull", "dull"],
        "label": [1, 0, 0, 0],
    }
    assert one.metadata() == other.metadata()
    assert one.metadata()["description"] == "SST-2 (negative or positive), 4 in train, 2 in dev"
    assert "demographics" not in one.metadata()


def test_a_labelled_test_of_sst2_is_kept(tmp_path):
    assert read_sst2(glue(tmp_path, test=[("poor", 0)]))["test"]["id"].tolist() == ["sst2/test:1"]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([("a", 1), ("b", 2), ("c", -1)], "label '2' in row 2, and 2 rows in all"),
        ([("a", 1), ("b", "")], "label '' in row 2"),
        ([("a", 1), (" ", 0)], "empty text in row 2"),
        ([], "holds no rows"),
    ],
)
def test_bad_rows_of_sst2_are_named(tmp_path, rows, sentence):
    with pytest.raises(InputError, match=rf"dev\.tsv.*{sentence}") as caught:
        read_sst2(glue(tmp_path, dev=rows))
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_sst2_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"neither train\.tsv nor data/train-00000-of-00001\.parquet"):
        read_sst2(tmp_path)
    (tmp_path / "train.tsv").write_text("text\tlabel\na\t1\n")
    with pytest.raises(InputError, match=r"no column 'sentence', only 'text', 'label'"):
        read_sst2(tmp_path)
    (tmp_path / "train.tsv").write_text("index\tsentence\n0\ta\n")
    with pytest.raises(InputError, match="no column 'label'"):
        read_sst2(tmp_path)
    with pytest.raises(InputError, match="one folder"):
        read_source({"kind": "sst2"})


def test_a_table_needs_no_attributes(tmp_path):
    table = pd.DataFrame({"post": ["a", "b"], "mood": ["bad", "good"]})
    table.to_csv(tmp_path / "posts.csv", index=False)
    columns, values = {"text": "post", "label": "mood"}, {"label": ["bad", "good"]}
    data = read_source(
        {"kind": "columns", "train": str(tmp_path / "posts.csv"), "columns": columns, "values": values}
    )
    assert data.attributes == {}
    assert list(data.splits["train"].columns) == ["id", "text", "label"]
    assert "demographics" not in data.metadata()


def labelled(rows, name="a", **columns):
    ids = [f"{name}{i}" for i in range(rows)]
    return pd.DataFrame({"id": ids, "text": ids, "label": [i % 2 for i in range(rows)], **columns})


def test_without_attributes_rows_are_held_out_by_label_and_authors_together():
    rest, held = hold_out(labelled(100), 0.2, seed=1, by_author=False)
    assert (len(rest), len(held), held["label"].sum()) == (80, 20, 10)
    frame = labelled(100, author=[str(i % 20) for i in range(100)])
    rest, held = hold_out(frame, 0.2, seed=1, by_author=True)
    assert not set(rest["author"]) & set(held["author"])
    assert len(held) == 20


def test_no_test_is_made_or_kept_where_none_is_wanted(capsys):
    names = ["negative", "positive"]
    train, test = labelled(100), labelled(100)  # a test that shares every id and text
    made = complete_splits(SourceData({"train": train, "test": test}, {}, names, "made up"), 0.1, None, 1)
    assert {split: len(frame) for split, frame in made.items()} == {"train": 90, "dev": 10}
    assert capsys.readouterr().out == ""
    other = labelled(50, "b")
    kept = complete_splits(SourceData({"train": train, "test": other}, {}, names, "made up"), 0.1, 0.2, 1)
    assert kept["dev"].equals(made["dev"])  # the same draw, with a test or without


SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
COMMIT = {"repo": "org/data", "revision": "a" * 40}


@pytest.mark.parametrize(
    ("section", "entry", "sentence"),
    [
        ("sources", {"kind": "sst2", "path": "a"}, None),
        ("sources", {"kind": "sst2", "download": "a"}, None),
        ("sources", {"kind": "sst2", "path": "a", "download": "b"}, "unknown key 'path'.*kind, download"),
        ("sources", {"kind": "sst2"}, "lacks the key 'path' in sources.mine"),
        ("sources", {"kind": "sst2", "paht": "a"}, "did you mean 'path'"),
        ("sources", {"kind": "snippets", "download": "a", "threshold": 0}, None),
        ("sources", {"kind": "snippets", "download": "a"}, "lacks the key 'threshold'"),
        ("sources", {"kind": "snippets", "download": "a", "threshold": -1}, "in sources.mine.threshold"),
        ("sources", {"kind": "snippets", "download": "a", "threshold": 4}, "in sources.mine.threshold"),
        (
            "sources",
            {"kind": "snippets", "download": "a", "threshold": 0, "max_words": 0},
            "in sources.mine.max_words",
        ),
        ("downloads", COMMIT | {"repo_type": "dataset"}, None),
        ("downloads", COMMIT | {"repo_type": "space"}, "in downloads.mine.repo_type"),
    ],
)
def test_the_schema_knows_the_entries(section, entry, sentence):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config[section]["mine"] = entry
    if sentence is None:
        check_config(config, SCHEMA)
    else:
        with pytest.raises(InputError, match=sentence):
            check_config(config, SCHEMA)
