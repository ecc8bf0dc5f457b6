"""Pickles: plain data comes through, and nothing else does."""

import os
import pickle
import struct
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.authors_pickles import read_authors_pickle
from fuse_to_forget.sources.prepare import read_source
from fuse_to_forget.sources.restricted_pickle import load_plain_pickle

ITEMS = [(None, "had one", 0, 0, 1), ([1, 2], ["had", "none"], 1, 1, 0)]


def dump(path: Path, value, protocol=4):
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_plain_containers_and_scalars_come_through(tmp_path, protocol):
    value = [(1, -2.5, "a\u00e9", b"x", None, True), {"k": [10**30]}, {1, 2}, frozenset({3})]
    if protocol < 4:
        value = value[:2] if protocol > 2 else [(1, -2.5, "a\u00e9", None, True), {"k": [10**30]}]
    assert load_plain_pickle(dump(tmp_path / "a.pkl", value, protocol)) == value


class Runs:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_would_run_code_is_refused_and_nothing_ran(tmp_path, protocol):
    path = dump(tmp_path / "a.pkl", [Runs(tmp_path / "ran")], protocol)
    with pytest.raises(InputError, match=rf"a\.pkl.*nothing in it was run.*{os.name}\.mkdir"):
        load_plain_pickle(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("value", [np.int64(1), np.arange(3), date(2024, 1, 1), Path("x"), print])
def test_any_other_object_is_refused_by_name(tmp_path, value):
    with pytest.raises(InputError, match="asks for the Python object"):
        load_plain_pickle(dump(tmp_path / "a.pkl", value))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        pickle.dumps(ITEMS)[:-5],
        b"\x80\x04\x96" + struct.pack("<Q", 1 << 40) + b".",  # a byte array of 1 TiB
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b".",  # bytes of 1 TiB
        b"\x80\x02Nr" + struct.pack("<I", 0x7FFFFFFF) + b".",  # memo number 2**31 - 1
        b"Np2147483647\n.",
        b"Np-5\n.",
        b"NNR.",
        b"\x80\x02]\x82\x01.",
    ],
)
def test_a_cut_or_absurd_pickle_is_told_in_one_sentence(tmp_path, content):
    path = tmp_path / "a.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.pkl was not loaded") as caught:
        load_plain_pickle(path)
    assert "\n" not in str(caught.value)


def test_a_persistent_id_is_refused(tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"Pelsewhere\n.")
    with pytest.raises(InputError, match="outside of the file"):
        load_plain_pickle(tmp_path / "a.pkl")


def test_the_authors_labels_are_turned_around(tmp_path):
    frame = read_authors_pickle(dump(tmp_path / "train.pkl", ITEMS))
    assert frame["text"].tolist() == ["had one", "had none"]
    assert frame["label"].tolist() == [1, 0]
    assert frame["gender"].tolist() == [0, 1]
    assert frame["age"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        ({}, "list of 5-tuples"),
        ([], "list of 5-tuples"),
        ([*ITEMS, (1, 2)], "item 3 is no tuple of 5"),
        ([(0, "x", 2, 0, 0)], "label of item 1 is '2'"),
        ([(0, "x", 0, 0, "young")], "age of item 1 is 'young'"),
        ([(0, 5, 0, 0, 0)], "text of item 1"),
        ([(0, ["x"] * 60_000, 0, 0, 0)], "text of item 1"),
    ],
)
def test_other_content_names_the_item(tmp_path, items, sentence):
    with pytest.raises(InputError, match=sentence):
        read_authors_pickle(dump(tmp_path / "train.pkl", items))


def test_a_folder_of_the_authors_pickles_is_told_apart(tmp_path):
    dump(tmp_path / "train.pkl", ITEMS)
    dump(tmp_path / "test.pkl", ITEMS)
    data = read_source({"kind": "pan16", "path": str(tmp_path)})
    assert list(data.splits) == ["train", "test"]
    assert data.attributes == {"gender": ["male", "female"], "age": ["young", "old"]}
    one = read_source({"kind": "pan16", "train": str(tmp_path / "test.pkl")})
    assert list(one.splits) == ["train"]
