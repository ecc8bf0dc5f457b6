"""The folders of the PAN author profiling tasks."""

import pytest

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.pan import read_pan
from fuse_to_forget.sources.prepare import read_source

PAN14 = (
    '<author type="twitter" lang="en" url="http://x"><documents count="2">'
    '<document id="1" url="u"><![CDATA[@you <b>Hi</b> there &amp; <3]]></document>'
    '<document id="2" url="u"></document></documents></author>'
)
PAN15 = '<author id="a2">\n<document><![CDATA[plain words]]></document>\n</author>'
PAN16 = (
    '\ufeff<?xml version="1.0" encoding="UTF-8"?>\n<author lang="en"><documents>\n'
    "<document><![CDATA[caf\u00e9 RT @x: yes]]></document></documents></author>"
)
TRUTH = (
    "a1:::MALE:::35-49\na2:::F:::25-34:::0.2:::0.1:::0:::0:::0.3\na3:::FEMALE:::65-xx\na4:::male:::xx-xx\n"
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "truth.txt").write_text("\ufeff" + TRUTH, encoding="utf-8")
    (tmp_path / "a1.xml").write_text(PAN14, encoding="utf-8")
    (tmp_path / "a2.xml").write_text(PAN15, encoding="utf-8")
    (tmp_path / "a3_en_xx_xx.xml").write_text(PAN16, encoding="utf-8")
    (tmp_path / "a4.xml").write_text(PAN15, encoding="utf-8")
    return tmp_path


def test_the_layouts_of_three_years_are_read(folder, capsys):
    frame = read_pan(folder)
    assert list(frame.columns) == ["id", "text", "label", "gender", "age", "author"]
    assert frame["text"].tolist() == ["Hi there & <3", "plain words", "caf\u00e9 yes"]
    assert frame["label"].tolist() == [1, 0, 1]
    assert frame["gender"].tolist() == [0, 1, 1]
    assert frame["age"].tolist() == [1, 0, 1]
    assert frame["author"].tolist() == ["a1", "a2", "a3"]
    assert "skipped 1 authors of unknown age and 1 empty documents" in capsys.readouterr().out


def test_a_truth_file_with_a_language_in_its_name_is_found(folder):
    (folder / "truth.txt").rename(folder / "truth-en.txt")
    assert len(read_pan(folder)) == 3


def test_a_file_cut_in_half_names_the_file_and_line(folder):
    (folder / "a2.xml").write_text(PAN15[:40])
    with pytest.raises(InputError, match=r"a2\.xml, line 2: not well-formed"):
        read_pan(folder)


def test_a_document_type_is_refused(folder):
    bomb = '<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;">]>' + PAN15.replace(
        "<![CDATA[plain words]]>", "&y;"
    )
    (folder / "a2.xml").write_text(bomb)
    with pytest.raises(InputError, match=r"a2\.xml declares a document type"):
        read_pan(folder)


@pytest.mark.parametrize(
    "line", ["garbage", "a1:::X:::35-49", "a1:::M", "a1:::M:::12", ":::M:::35-49", "z" * 500]
)
def test_a_line_of_nonsense_names_its_number(folder, line):
    (folder / "truth.txt").write_text(f"{TRUTH}\n{line}\n")
    with pytest.raises(InputError, match=r"truth\.txt, line 6: ") as caught:
        read_pan(folder)
    assert len(str(caught.value)) < 400


def test_authors_and_files_must_match(folder):
    (folder / "a9.xml").write_text(PAN15)
    with pytest.raises(InputError, match=r"a9\.xml belongs to no author"):
        read_pan(folder)
    (folder / "a9.xml").unlink()
    (folder / "a2.xml").unlink()
    with pytest.raises(InputError, match=r"1 authors without an XML file.*'a2'"):
        read_pan(folder)


def test_files_without_text_say_to_download_the_tweets(folder):
    for path in folder.glob("*.xml"):
        path.write_text('<author><document id="1" url="u"/></author>')
    with pytest.raises(InputError, match="download the tweets"):
        read_pan(folder)


def test_the_source_recognises_the_folder(folder, tmp_path):
    data = read_source({"kind": "pan16", "path": str(folder)})
    assert list(data.splits) == ["train"]
    assert data.demographics == "recorded"
    both = read_source({"kind": "pan16", "train": str(folder), "test": str(folder)})
    assert not set(both.splits["train"]["id"]) & set(both.splits["test"]["id"])
    (tmp_path / "empty").mkdir()
    for path in ("empty", "absent"):
        with pytest.raises(InputError, match="PAN folder"):
            read_source({"kind": "pan16", "path": str(tmp_path / path)})
