"""Hostile models and data run nothing, write nothing outside of their place, and are refused in one sentence."""

import io
import json
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from test_bad_input import Runs

from fuse_to_forget.__main__ import main
from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.checkpoint import load_state_dict, open_checkpoint
from fuse_to_forget.fusion.fuse import fuse
from fuse_to_forget.parquet import read_table
from fuse_to_forget.prediction.classifier import load_classifier
from fuse_to_forget.pretrained import open_config, open_tokenizer
from fuse_to_forget.sources.pan import read_pan
from fuse_to_forget.sources.prepare import read_source
from fuse_to_forget.sources.tabular import read_columns
from fuse_to_forget.subsets.sequences import check_length, load_tokenizer
from fuse_to_forget.subsets.wordpieces import load_wordpieces
from fuse_to_forget.tables.page import write_with_page
from fuse_to_forget.training.base import load_base

DEEP = 10**5


def refused(function: Callable, *arguments: object) -> str:
    """Assert that the call is refused in one sentence of one line; return it."""
    with pytest.raises(InputError) as told:
        function(*arguments)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 600
    return str(told.value)


def as_base(folder: Path) -> object:
    return load_base(folder, ["no", "yes"], seed=1)


@pytest.fixture
def model(tmp_path, pico_bert):
    """A small model of a user, which a test makes hostile."""
    return Path(shutil.copytree(pico_bert, tmp_path / "model"))


@pytest.fixture
def ran(tmp_path):
    """What hostile code would make; the test fails if it is there at the end."""
    yield tmp_path / "ran"
    assert not (tmp_path / "ran").exists()


def test_a_pickle_among_the_authors_data_runs_nothing(tmp_path, ran):
    for name, content in {"tuple": [(0, Runs(ran), 0, 0, 0)], "list": Runs(ran)}.items():
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(content))
        told = refused(read_source, {"kind": "pan16", "train": str(tmp_path / f"{name}.pkl")})
        assert "nothing in it was run" in told


def test_pickled_weights_are_not_opened(model, pico_bert, tmp_path, ran, capsys):
    (model / "model.safetensors").unlink()
    torch.save({"weight": Runs(ran)}, model / "pytorch_model.bin")
    assert "safetensors" in refused(as_base, model)
    assert "safetensors" in refused(load_classifier, model)
    for models in ([model, pico_bert], [pico_bert, model]):
        assert main(["fuse", *map(str, models), "--output", str(tmp_path / "fused"), "--no-progress"]) == 1
        assert "holds pickled weights (pytorch_model.bin)" in capsys.readouterr().err
    assert not (tmp_path / "fused").exists()


def test_pickled_weights_beside_safetensors_are_neither_opened_nor_copied(model, pico_bert, tmp_path, ran):
    torch.save({"weight": Runs(ran)}, model / "pytorch_model.bin")
    _, opened = as_base(model)
    for name, weight in load_file(pico_bert / "model.safetensors").items():
        assert torch.equal(opened.state_dict()[f"bert.{name}"], weight)
    fused = fuse([model, pico_bert], tmp_path / "fused")
    assert list(fused.glob("*.bin")) == []


def with_code(folder: Path, ran: Path, *, known: bool) -> None:
    """Let config and tokenizer of a model name code in its own folder, with or without a type that is known."""
    (folder / "hostile.py").write_text(f"import os\nos.mkdir({str(ran)!r})\n")
    classes = {
        "AutoConfig": "HostileConfig",
        "AutoModel": "HostileModel",
        "AutoTokenizer": "HostileTokenizer",
    }
    classes["AutoModelForSequenceClassification"] = "HostileModel"
    own = {name: f"hostile.{value}" for name, value in classes.items()}
    config = json.loads((folder / "config.json").read_text()) | {"auto_map": own}
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["auto_map"] = {"AutoTokenizer": [None, own["AutoTokenizer"]]}
    if not known:
        config["model_type"] = "hostile"
        settings["tokenizer_class"] = "HostileTokenizer"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


@pytest.mark.parametrize("known", [True, False], ids=["of a known type", "of a type of its own"])
def test_code_that_a_model_brings_is_not_run_whatever_is_answered(
    model, pico_bert, tmp_path, ran, known, monkeypatch, capsys
):
    with_code(model, ran, known=known)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 9))
    for opened in (open_config, open_tokenizer, load_classifier, as_base):
        if known:
            opened(model)  # as the library's own class
        else:
            assert f"The model {model} cannot be" in refused(opened, model)
    assert "[y/N]" not in capsys.readouterr().out
    fused = fuse([model, pico_bert], tmp_path / "fused")
    assert list(fused.glob("*.py")) == []


def test_a_tokenizer_that_brings_code_is_not_run(model, ran):
    with_code(model, ran, known=False)
    for opened in (load_tokenizer, load_wordpieces, as_base, lambda folder: check_length(folder, 8)):
        assert f"The model {model} cannot be" in refused(opened, model)


def header(file: Path, entries: object, data: bytes = bytes(64), length: int | None = None) -> None:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    file.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)


def entry(begin: object, end: object, shape: object = (8,), dtype: object = "F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


LYING = {
    "a length beyond the file": ({"w": entry(0, 32)}, 2**63),
    "a length beyond memory": ({"w": entry(0, 32)}, 2**40),
    "an end beyond the file": ({"w": entry(0, 2**40, (2**38,))}, None),
    "a begin before the data": ({"w": entry(-32, 0)}, None),
    "tensors that overlap": ({"v": entry(0, 32), "w": entry(16, 48), "x": entry(48, 64, (4,))}, None),
    "one range twice": ({"v": entry(0, 64, (16,)), "w": entry(0, 64, (16,))}, None),
    "a gap": ({"v": entry(0, 16, (4,)), "w": entry(32, 64)}, None),
    "bytes left over": ({"w": entry(0, 32)}, None),
    "a shape of other bytes": ({"w": entry(0, 64, (2**20, 2**20))}, None),
    "a negative shape": ({"w": entry(0, 64, (-4, -4))}, None),
    "a shape of nothing and much": ({"v": entry(0, 0, (0, 2**70)), "w": entry(0, 64, (16,))}, None),
    "offsets that are no integers": ({"w": entry(0.0, 64.0, (16,))}, None),
    "a dtype that is no name": ({"w": entry(0, 64, (16,), ["F32"])}, None),
    "no table": ([1, 2], None),
    "tables 10^5 deep": (b'{"w":' * DEEP + b"1" + b"}" * DEEP, None),
}


@pytest.mark.parametrize("lie", LYING)
def test_a_header_that_lies_is_refused(model, pico_bert, tmp_path, lie):
    entries, length = LYING[lie]
    header(model / "model.safetensors", entries, length=length)
    place = f"{model / 'model.safetensors'} is truncated or damaged"
    for opened in (load_state_dict, as_base):
        assert place in refused(opened, model)
    assert place in refused(fuse, [pico_bert, model], tmp_path / "fused")
    assert not (tmp_path / "fused").exists()


@pytest.mark.parametrize("shard", ["../secret.safetensors", "/etc/passwd", "..", 7, ["w"], None])
def test_an_index_that_names_files_elsewhere_is_refused(model, tmp_path, shard):
    save_file({"w": torch.ones(2)}, tmp_path / "secret.safetensors")
    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": shard}}))
    for opened in (open_checkpoint, as_base):
        assert "which is no file beside it" in refused(opened, model)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    "content", [b'{"a":' * DEEP + b"1" + b"}" * DEEP, b"[" * DEEP, b"[]", b"\x80\x81", b"<html>", b""],
    ids=["deep", "open", "a list", "bytes", "a page", "empty"],
)  # fmt: skip
def test_json_that_is_none_is_refused(model, pico_bert, tmp_path, name, content):
    (model / name).write_bytes(content)
    for opened in (open_config, as_base):
        assert f"{model / name} " in refused(opened, model)
    assert f"{model / name} " in refused(fuse, [model, pico_bert], tmp_path / "fused")


BILLION_LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "ha" * 10}">' for i in range(10))


@pytest.mark.parametrize(
    "declaration", [BILLION_LAUGHS, '<!ENTITY l9 SYSTEM "{secret}">'], ids=["bomb", "external"]
)
def test_entities_of_an_author_are_not_expanded(tmp_path, capsys, declaration):
    (tmp_path / "secret").write_text("a password")
    pan = tmp_path / "pan"
    pan.mkdir()
    (pan / "truth.txt").write_text("a1:::MALE:::18-24\n")
    doctype = f"<!DOCTYPE author [{declaration.replace('{secret}', (tmp_path / 'secret').as_uri())}]>"
    (pan / "a1.xml").write_text(f"{doctype}<author><document>&l9;</document></author>")
    assert f"{pan / 'a1.xml'} declares a document type" in refused(read_pan, pan)
    assert "password" not in capsys.readouterr().out


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet", ".csv.gz"])
def test_a_table_that_is_something_else_is_refused(tmp_path, ran, ending):
    columns, values = {"text": "text", "label": "label"}, {"label": [0, 1]}
    others = {
        "pickle": pickle.dumps(Runs(ran)),
        "program": b"\x7fELF" + bytes(range(256)) * 9,
        "page": b"<!doctype html>\n<script>1</script>\n",
        "zeros": bytes(500),
        "deep": b"[" * DEEP,
    }
    for name, content in others.items():
        path = tmp_path / f"{name}{ending}"
        path.write_bytes(content)
        assert str(path) in refused(read_columns, path, columns, values)


def test_a_result_that_is_another_table_is_refused(tmp_path, ran):
    path = tmp_path / "train.parquet"
    for content in (pickle.dumps(Runs(ran)), b"PAR1" + bytes(200) + b"PAR1", b"PAR1"):
        path.write_bytes(content)
        assert f"{path} is no whole parquet file; delete it" in refused(read_table, path)


def test_markup_in_a_text_is_shown_and_not_run(tmp_path):
    script = "<script>alert('x')</script>"
    table = pd.DataFrame({"example": [f"a {script} b", "&lt;"], script: [1.5, 2]})
    write_with_page(table, tmp_path / "table.csv", tmp_path / "table.html", f"Table {script}")
    page = (tmp_path / "table.html").read_text()
    assert script not in page
    assert page.count("&lt;script&gt;") >= 3
    assert "&amp;lt;" in page
