"""Sources: the user's tables, splits and prepared files."""

import gzip

import numpy as np
import pandas as pd
import pytest

from fuse_to_forget.errors import InputError
from fuse_to_forget.parquet import read_table, write_table
from fuse_to_forget.sources.prepare import read_source
from fuse_to_forget.sources.source_data import SourceData
from fuse_to_forget.sources.splits import complete_splits, hold_out, limit
from fuse_to_forget.sources.tabular import MAX_CHARACTERS, read_columns

COLUMNS = {"text": "post", "label": "link", "gender": "sex", "author": None, "id": None}
VALUES = {"label": ["0", "1"], "gender": ["m", "f"]}


def table(rows=None):
    rows = rows or [("one, two", 0, "m"), ('say "hi"', 1, "f"), ("NA", 1, "m")]
    return pd.DataFrame(rows, columns=["post", "link", "sex"])


def write(frame, path):
    if ".csv" in path.name:
        frame.to_csv(path, index=False)
    elif ".tsv" in path.name:
        frame.to_csv(path, index=False, sep="\t")
    elif ".jsonl" in path.name:
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "tsv", "tsv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_every_format_gives_the_same_prepared_frame(tmp_path, ending):
    frame = read_columns(write(table(), tmp_path / f"posts.{ending}"), COLUMNS, VALUES)
    assert list(frame.columns) == ["id", "text", "label", "gender"]
    assert frame["id"].tolist() == ["posts:1", "posts:2", "posts:3"]
    assert frame["text"].tolist() == ["one, two", 'say "hi"', "NA"]
    assert frame["label"].tolist() == [0, 1, 1]
    assert frame["gender"].tolist() == [0, 1, 0]


def test_a_lone_quote_in_a_tsv_swallows_no_rows(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('post\tlink\tsex\n" odd\t0\tm\nplain\t1\tf\nend "\t1\tf\n')
    assert read_columns(path, COLUMNS, VALUES)["text"].tolist() == ['" odd', "plain", 'end "']


def test_values_compare_as_strings(tmp_path):
    frame = table().assign(link=[False, True, True])
    path = write(frame, tmp_path / "a.parquet")
    assert read_columns(path, COLUMNS, VALUES | {"label": [False, True]})["label"].tolist() == [0, 1, 1]
    path = write(table().assign(link=[0.0, 1.0, 1.0]), tmp_path / "b.parquet")
    assert read_columns(path, COLUMNS, VALUES | {"label": [1, 0]})["label"].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([("a", 0, "m"), ("b", 2, "f"), ("c", 1, "f"), ("d", 2, "f")], r"'2' \(2 rows\).*'2' in row 2"),
        ([("a", 0, "m"), ("b", 1, "x")], r"gender column 'sex'.*'x' in row 2"),
        ([("a", 0, "m"), (None, 1, "f")], "no text in row 2"),
        ([("a", 0, "m"), ("  ", 1, "f")], "empty text in row 2"),
        ([("a", 0, None), ("b", 1, "f")], "no gender in row 1"),
        ([("a", 0, "m"), ("b" * (MAX_CHARACTERS + 1), 1, "f")], "100001 characters in row 2"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_bad_value_names_its_row(tmp_path, ending, rows, sentence):
    with pytest.raises(InputError, match=sentence):
        read_columns(write(table(rows), tmp_path / f"a.{ending}"), COLUMNS, VALUES)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", None, "There is no file"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"post,link,sex\n", "no rows"),
        ("a.csv", b"text,link,sex\na,0,m\n", "no column 'post'.*'text', 'link', 'sex'"),
        ("a.csv", b"post,link,sex\na,0,m\nb,1,f,g\n", "cannot be read.*line 3"),
        ("a.csv", b"post,link,sex\na,b,0,m\n", "more fields than its header"),
        ("a.csv", b'post,link,sex\n"a,0,m\n', "cannot be read"),
        ("a.csv", b"post,link,sex\n\xff\xfe,0,m\n", "not UTF-8"),
        ("a.csv.gz", gzip.compress(b"post,link,sex\n" + b"a,0,m\n" * 99)[:-12], "cannot be read"),
        ("a.jsonl", b'{"post": "a", "link": 0, "sex": "m"}\n{"post": "b', "line 2"),
        ("a.parquet", b"PAR1 nonsense", "cannot be read"),
        ("a.xlsx", b"PK", "no known format"),
    ],
)
def test_an_unusable_file_is_told_in_one_sentence(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        read_columns(tmp_path / name, COLUMNS, VALUES)
    assert "\n" not in str(caught.value)


def test_values_must_be_two_and_ids_unique(tmp_path):
    path = write(table().assign(key=["x", "y", "x"]), tmp_path / "a.csv")
    with pytest.raises(InputError, match="exactly two"):
        read_columns(path, COLUMNS, VALUES | {"label": ["0", "1", "2"]})
    with pytest.raises(InputError, match="no values of gender"):
        read_columns(path, COLUMNS, {"label": ["0", "1"]})
    with pytest.raises(InputError, match="'x' twice, the second time in row 3"):
        read_columns(path, COLUMNS | {"id": "key"}, VALUES)


def prepared(rows=1000, authors=None, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": [f"{seed}:{i}" for i in range(rows)], "text": [f"t{i}" for i in range(rows)]})
    for name in ("label", "gender", "age"):
        frame[name] = rng.integers(0, 2, rows)
    if authors:
        frame["author"] = rng.integers(0, authors, rows).astype(str)
        for name in ("gender", "age"):
            frame[name] = frame.groupby("author")[name].transform("first")
    return frame


def test_rows_are_held_out_in_proportion_from_every_stratum():
    frame = prepared()
    rest, held = hold_out(frame, 0.2, seed=3, by_author=False)
    assert len(held) == 200
    assert set(rest["id"]) | set(held["id"]) == set(frame["id"])
    assert not set(rest["id"]) & set(held["id"])
    strata = ["label", "gender", "age"]
    expected = frame.groupby(strata).size() * 0.2
    assert (held.groupby(strata).size() - expected).abs().max() <= 1
    assert held.equals(hold_out(frame, 0.2, seed=3, by_author=False)[1])
    assert not held.equals(hold_out(frame, 0.2, seed=4, by_author=False)[1])


def test_no_author_is_on_both_sides():
    frame = prepared(authors=100)
    rest, held = hold_out(frame, 0.2, seed=3, by_author=True)
    assert not set(rest["author"]) & set(held["author"])
    assert 160 < len(held) < 240
    expected = frame.groupby(["gender", "age"]).size() * 0.2
    assert (held.groupby(["gender", "age"]).size() / expected).between(0.7, 1.3).all()


def test_holding_out_everything_or_nothing_is_refused():
    with pytest.raises(InputError, match="leaves a split empty"):
        hold_out(prepared(authors=1), 0.2, seed=3, by_author=True)


def source(splits):
    names = {"gender": ["male", "female"], "age": ["young", "old"]}
    return SourceData(splits, names, ["no", "yes"], "made up", "recorded")


def test_missing_splits_are_made_and_given_ones_kept(capsys):
    made = complete_splits(source({"train": prepared()}), 0.1, 0.2, seed=1)
    assert {name: len(frame) for name, frame in made.items()} == {"train": 700, "dev": 100, "test": 200}
    assert capsys.readouterr().out == ""
    given = prepared(100, seed=5)
    made = complete_splits(source({"train": prepared(), "test": given}), 0.1, 0.2, seed=1)
    assert {name: len(frame) for name, frame in made.items()} == {"train": 900, "dev": 100, "test": 100}
    assert made["test"].equals(given)


def test_shared_ids_are_refused_and_shared_texts_counted(capsys):
    frame = prepared()
    with pytest.raises(InputError, match="share 10 ids, such as '0:0'"):
        complete_splits(
            source({"train": frame, "dev": prepared(9, seed=1), "test": frame.head(10)}), 0.1, 0.1, 1
        )
    other = prepared(seed=1)
    splits = {"train": frame, "dev": other.tail(10), "test": other.head(10)}
    complete_splits(source(splits), 0.1, 0.1, 1)
    assert "10 texts of test (10 rows) are also in train" in capsys.readouterr().out


def test_prepared_data_keeps_its_metadata_and_its_bytes(tmp_path):
    frame, metadata = prepared(50, authors=5), {"attributes": {"age": ["young", "old"]}, "split": "dev"}
    write_table(frame, tmp_path / "a.parquet", metadata)
    write_table(frame.copy(), tmp_path / "b.parquet", dict(reversed(metadata.items())))
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    read, read_metadata = read_table(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(read, frame)
    assert read_metadata == metadata


def test_parquet_of_another_origin_or_cut_short_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    with pytest.raises(InputError, match="There is no "):
        read_table(path)
    prepared(5).to_parquet(path)
    with pytest.raises(InputError, match="not written by this project"):
        read_table(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="no whole parquet"):
        read_table(path)


def test_tables_of_the_user_become_splits_with_names(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(table(), tmp_path / folder / "posts.csv")
    files = {"train": str(tmp_path / "a/posts.csv"), "dev": None, "test": [str(tmp_path / "b/posts.csv")]}
    data = read_source({"kind": "columns", **files, "columns": COLUMNS, "values": VALUES})
    assert list(data.splits) == ["train", "test"]
    assert not set(data.splits["train"]["id"]) & set(data.splits["test"]["id"])
    assert data.attributes == {"gender": ["m", "f"]}
    assert data.label_names == ["0", "1"]
    assert data.demographics == "recorded"


def test_an_unknown_source_names_the_known_ones():
    with pytest.raises(InputError, match="tweets, pan16, columns"):
        read_source({"kind": "tweet"})
    with pytest.raises(InputError, match="names no file"):
        read_source({"kind": "columns", "columns": COLUMNS, "values": VALUES})


def test_a_limit_draws_rows_in_their_order_or_takes_all():
    frame = prepared()
    drawn = limit(frame, 10, seed=1)
    assert len(drawn) == 10
    assert frame["id"][frame["id"].isin(drawn["id"])].tolist() == drawn["id"].tolist()
    assert drawn["id"].tolist() == limit(frame, 10, seed=1)["id"].tolist()
    assert drawn["id"].tolist() != limit(frame, 10, seed=2)["id"].tolist()
    assert limit(frame, None, seed=1) is frame
    with pytest.raises(InputError, match=f"Of {len(frame)} training examples {len(frame) + 1} are wanted"):
        limit(frame, len(frame) + 1, seed=1)
