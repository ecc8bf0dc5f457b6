"""The user's data of an audit: labelled examples with attributes, and texts."""

import pandas as pd
import pytest
from conftest import demographic_frame

from fuse_to_forget.audit.plan import ABSENT, DataSet
from fuse_to_forget.audit.reading import read_examples, read_texts
from fuse_to_forget.errors import InputError

COLUMNS = {"text": "text", "label": "label", "id": None, "author": None}


def read(tmp_path, table: pd.DataFrame, classes=("no", "yes"), attributes=()) -> pd.DataFrame:
    path = tmp_path / "data.csv"
    table.to_csv(path, index=False)
    return read_examples(
        {"set": DataSet(str(path), COLUMNS, ["a"], {key: ["a"] for key in attributes})}, classes
    )


def test_labels_are_names_or_numbers_of_the_classes(tmp_path):
    table = pd.DataFrame({"text": ["x", "y", "z"], "label": ["yes", "no", "yes"], "group": ["u", "v", "v"]})
    frame = read(tmp_path, table, attributes=["group"])
    assert frame["label"].tolist() == [1, 0, 1]
    assert frame["group"].tolist() == [0, 1, 1]
    assert read(tmp_path, table.assign(label=[2, 0, 1]), "abc")["label"].tolist() == [2, 0, 1]
    assert read(tmp_path, table.assign(label=[3, 1, 3]), [1, 3])["label"].tolist() == [1, 0, 1]
    assert read(tmp_path, table.assign(label=[True, False, True]), [False, True])["label"].tolist() == [
        1,
        0,
        1,
    ]


def test_what_yaml_takes_for_truth_values_is_said_to_need_quotes(tmp_path):
    table = pd.DataFrame({"text": ["x", "y"], "label": ["yes", "no"]})
    with pytest.raises(InputError, match=r"holds 'yes', but the classes are 'False', 'True' .*into quotes"):
        read(tmp_path, table, [False, True])


def test_sets_without_an_attribute_do_not_have_it(tmp_path):
    frame = demographic_frame(16)
    for name in ("one", "two"):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    sets = {
        "one": DataSet(str(tmp_path / "one.csv"), COLUMNS, ["a"], {"age": ["a"]}),
        "two": DataSet(str(tmp_path / "two.csv"), COLUMNS, ["a"]),
    }
    examples = read_examples(sets, ["0", "1"])
    assert (examples["age"] == ABSENT).tolist() == [False] * 16 + [True] * 16
    assert examples["id"].is_unique


@pytest.mark.parametrize(
    ("change", "attributes", "sentence"),
    [
        (
            {"label": "maybe"},
            [],
            "the label column 'label' holds 'maybe', but the classes are 'no', 'yes'",
        ),
        ({"label": None}, [], "no value of 'label' in row 1"),
        ({"group": "u"}, ["group"], r"the attribute 'group' has 1 values \('u'\)"),
        ({"group": ["u", "v", "w"]}, ["group"], "the attribute 'group' has 3 values"),
        ({}, ["age"], r"no column 'age' .* \[\] for none"),
    ],
)
def test_unusable_examples_are_refused(tmp_path, change, attributes, sentence):
    table = pd.DataFrame({"text": ["x", "y", "z"], "label": ["yes", "no", "yes"], "group": ["u", "v", "v"]})
    with pytest.raises(InputError, match=sentence):
        read(tmp_path, table.assign(**change), attributes=attributes)


@pytest.mark.parametrize(
    ("content", "texts"),
    [("a b\nc\n", ["a b", "c"]), ("a\nb\n\n\nc\n", ["a\nb", "c"]), ("a\r\n \r\nb", ["a", "b"])],
)
def test_plain_text_is_cut_at_blank_lines_or_else_at_lines(tmp_path, content, texts):
    (tmp_path / "t.txt").write_bytes(content.encode())
    found = read_texts("t", DataSet(str(tmp_path / "t.txt"), COLUMNS, []))
    assert found["text"].tolist() == texts
