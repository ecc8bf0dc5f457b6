"""Small results that something cut short or overwrote are named, and never read as if they were whole."""

import pandas as pd
import pytest

from fuse_to_forget.errors import InputError
from fuse_to_forget.results import read_csv, read_record
from fuse_to_forget.scoring.scores import COLUMNS, read_scores, write_scores
from fuse_to_forget.training.facts import learned


@pytest.fixture
def scores(tmp_path):
    rows = pd.DataFrame([dict.fromkeys(COLUMNS, "")] * 3)
    write_scores(rows.assign(value=0.125, low=0.1, high=0.15, n=8), tmp_path / "scores.csv")
    return tmp_path / "scores.csv"


def refused(read, path, *arguments):
    with pytest.raises(InputError, match="delete it and run the workflow again") as told:
        read(path, *arguments)
    assert str(told.value).startswith(f"{path} is damaged (")
    assert "\n" not in str(told.value)


def test_scores_cut_within_a_line_at_any_byte(scores):
    whole = scores.read_bytes()
    assert len(read_scores(scores)) == 3
    ends = [i + 1 for i in range(len(whole)) if whole[i : i + 1] == b"\n"]
    for length in set(range(len(whole))) - set(ends[1:]):  # after the first line there are no rows yet
        scores.write_bytes(whole[:length])
        refused(read_scores, scores)


@pytest.mark.parametrize(
    "content", [b"", bytes(500), b"\x80\x81\n", b"rubbish\n", b"a,b\n1,2,3\n1\n", b"<html>\n<p>\n</html>\n"]
)
def test_scores_overwritten(scores, content):
    scores.write_bytes(content)
    refused(read_scores, scores)
    refused(read_csv, scores, ["claim"])


def test_scores_that_are_no_numbers(scores):
    scores.write_bytes(scores.read_bytes().replace(b"0.125", b"0.1x5"))
    refused(read_scores, scores)


@pytest.mark.parametrize("content", [b"", b'{"learned": tr', b"[]", b"{}", b"\x80", b"[" * 10**5])
def test_a_damaged_training_record(tmp_path, content):
    record = tmp_path / "model/seed1/training.json"
    record.parent.mkdir(parents=True)
    record.write_text('{"learned": true, "dataset": "d"}')
    assert learned([record]) == {("model", "1"): True}
    assert read_record(record, "dataset")["dataset"] == "d"
    record.write_bytes(content)
    refused(read_record, record, "learned")
    with pytest.raises(InputError, match="is damaged"):
        learned([record])
