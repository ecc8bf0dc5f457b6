"""What fusing refuses, in which words, and that it leaves nothing behind."""

import errno
import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.average import average_state_dicts
from fuse_to_forget.fusion.fuse import fuse

BASE = {"embeddings.weight": torch.ones(6, 4), "layer.weight": torch.full((3, 4), 2.0)}


def checkpoint(folder: Path, tensors: dict = BASE, **config: object) -> Path:
    folder.mkdir(exist_ok=True)
    save_file(dict(tensors), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def first(tmp_path):
    return checkpoint(tmp_path / "first")


@pytest.fixture
def second(tmp_path):
    return checkpoint(tmp_path / "second")


def refused(tmp_path: Path, models: list, message: str, coefficients=None, **options) -> str:
    """Assert that fusing is refused with a message of that pattern, leaving no trace; return the message."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=message) as caught:
        fuse(models, tmp_path / "fused", coefficients, **options)
    assert sorted(tmp_path.rglob("*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_names(tmp_path, first):
    extra = {"pooler.bias": torch.ones(2), "pooler.weight": torch.zeros(2)}
    other = checkpoint(tmp_path / "other", BASE | extra)
    message = refused(tmp_path, [first, other], r"pooler\.bias .* \(1 of 2 names that differ\)")
    assert f"{other} has" in message
    assert f"{first} lacks" in message
    message = refused(tmp_path, [other, first], r"pooler\.bias")
    assert f"{other} has" in message


def test_shapes(tmp_path, first):
    other = checkpoint(tmp_path / "other", BASE | {"layer.weight": torch.ones(4, 3)})
    message = refused(tmp_path, [first, other], r"layer\.weight has shape \(3, 4\) .* \(4, 3\)")
    assert str(other) in message


def test_label_maps(tmp_path):
    models = [
        checkpoint(tmp_path / "a", id2label={"0": "negative", "1": "positive"}),
        checkpoint(tmp_path / "b", id2label={"0": "positive", "1": "negative"}),
    ]
    refused(tmp_path, models, "label map .*negative.*positive.*")
    checkpoint(tmp_path / "a", id2label={"1": "LABEL_1", "0": "LABEL_0"})
    assert fuse([tmp_path / "a", checkpoint(tmp_path / "c")], tmp_path / "fused").is_dir()


def test_vocabulary_sizes(tmp_path):
    models = [checkpoint(tmp_path / str(size), vocab_size=size) for size in (6, 7)]
    refused(tmp_path, models, "vocabularies differ: 6 tokens .* 7 in")


@pytest.mark.parametrize(
    ("file", "contents", "other"),
    [
        ("vocab.txt", "a\nb\n", "b\na\n"),
        ("vocab.json", '{"a": 0, "b": 1}', '{"a": 1, "b": 0}'),
        ("tokenizer.json", '{"model": {"vocab": {"a": 0}}}', '{"model": {"vocab": {"a": 1}}}'),
        ("tokenizer.json", '{"model": {"vocab": [["a", 0], ["b", 0]]}}', '{"model": {"vocab": [["b", 0], ["a", 0]]}}'),
        (
            "tokenizer.json",
            '{"model": {"vocab": {}}, "added_tokens": [{"id": 0, "content": "a"}]}',
            '{"model": {"vocab": {}}, "added_tokens": [{"id": 1, "content": "a"}]}',
        ),
    ],
)  # fmt: skip
def test_vocabularies(tmp_path, first, second, file, contents, other):
    (first / file).write_text(contents)
    (second / file).write_text(other)
    refused(tmp_path, [first, second], "vocabularies differ: token 'a' is number 0 in .*first")
    (second / file).write_text(contents + "\n")
    assert fuse([first, second], tmp_path / "fused").is_dir()


@pytest.mark.parametrize(
    ("coefficients", "message"),
    [
        ([0.5, 0.6], "sum to 1.1, not 1"),
        ([1.0], "models are 2 and the coefficients 1"),
        ([0.5, float("nan")], "coefficient of model 2 is nan"),
        ([float("inf"), 0.5], "coefficient of model 1 is inf"),
    ],
)
def test_coefficients(tmp_path, first, second, coefficients, message):
    refused(tmp_path, [first, second], message, coefficients)
    with pytest.raises(InputError, match=message):
        average_state_dicts([BASE, BASE], coefficients)


def test_non_finite_coefficients_are_no_matter_of_the_sum(tmp_path, first, second):
    refused(tmp_path, [first, second], "finite number", [1.0, 1e39], allow_any_sum=True)


def test_too_few_models(tmp_path, first):
    refused(tmp_path, [first], "at least two models, not 1")


def test_too_few_names(tmp_path, first, second):
    refused(tmp_path, [first, second], "models are 2 and the names 1", names=["a"])


def test_folders_without_safetensors(tmp_path, first):
    refused(tmp_path, [first, tmp_path / "nowhere"], "no checkpoint folder at .*nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(tmp_path, [first, empty], r"no model\.safetensors in .*empty")
    (empty / "pytorch_model.bin").write_bytes(b"")
    refused(tmp_path, [first, empty], r"only safetensors are read: .*save_pretrained")


def test_output_folders(tmp_path, first, second):
    with pytest.raises(InputError, match="both a model and the output"):
        fuse([first, second], tmp_path / "x" / ".." / "second")
    fused = tmp_path / "fused"
    fused.mkdir()
    assert fuse([first, second], fused).is_dir()
    refused(tmp_path, [first, second], "fused is not empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        fuse([first, second], tmp_path / "file")


@pytest.mark.parametrize("kept", [0, 4, 30, -1])
def test_truncated_weights(tmp_path, first, second, kept):
    weights = second / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    message = refused(tmp_path, [first, second], "truncated or damaged")
    assert str(weights) in message


@pytest.mark.parametrize(
    "header",
    [
        b"not json",
        b"[1, 2]",
        b'{"a": 3}',
        b'{"a": {"dtype": "F32", "shape": [2]}}',
        b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}',
        b"\xff\xfe",
    ],
)
def test_damaged_headers(tmp_path, first, second, header):
    weights = second / "model.safetensors"
    weights.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    assert str(weights) in refused(tmp_path, [first, second], "truncated or damaged")


def test_quantised_weights(tmp_path, first, second):
    header = b'{"a": {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}}'
    (second / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    refused(tmp_path, [first, second], "F8_E4M3 cannot be averaged")


def test_damaged_json(tmp_path, first, second):
    (second / "config.json").write_text("{")
    refused(tmp_path, [first, second], r"second/config\.json is not valid JSON")


def test_incomplete_shards(tmp_path, first, second):
    index = second / "model.safetensors.index.json"
    (second / "model.safetensors").rename(second / "one.safetensors")
    names = dict.fromkeys(BASE, "one.safetensors")
    index.write_text(json.dumps({"weight_map": names | {"b": "two.safetensors"}}))
    refused(tmp_path, [first, second], r"two\.safetensors, .* is missing")
    index.write_text(json.dumps({"weight_map": names | {"b": "one.safetensors"}}))
    refused(tmp_path, [first, second], r"b, listed in .* is not in one\.safetensors")
    index.write_text("{}")
    refused(tmp_path, [first, second], "no weight_map")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("coefficients", [[0.5, 0.5], [1.0, 0.0]])
def test_weights_that_are_not_finite(tmp_path, first, value, coefficients):
    weights = BASE["layer.weight"].clone()
    weights[1, 2] = value
    other = checkpoint(tmp_path / "other", BASE | {"layer.weight": weights})
    message = refused(tmp_path, [first, other], r"layer\.weight .* NaN or infinite", coefficients)
    assert str(other) in message
    with pytest.raises(InputError, match=r"layer\.weight of model 2 holds NaN"):
        average_state_dicts([BASE, BASE | {"layer.weight": weights}], coefficients)


def test_overflow_blames_no_model(tmp_path):
    large = {"weight": torch.full((4,), 60000.0).half()}
    models = [checkpoint(tmp_path / name, large) for name in "ab"]
    options = {"coefficients": [1.0, 1.0], "allow_any_sum": True}
    refused(tmp_path, models, "average of weight overflows float16 though every model is finite", **options)
    with pytest.raises(InputError, match="overflows float16"):
        average_state_dicts([large, large], **options)


def test_large_finite_weights_are_no_overflow(tmp_path):
    large = {"weight": torch.full((4,), 60000.0).half()}  # their sum, taken to check them, is infinite
    models = [checkpoint(tmp_path / name, large) for name in "ab"]
    assert fuse(models, tmp_path / "fused").is_dir()


def test_integers_that_differ(tmp_path):
    ids = [BASE | {"position_ids": torch.arange(4) + shift} for shift in (0, 1)]
    models = [checkpoint(tmp_path / name, tensors) for name, tensors in zip("ab", ids, strict=True)]
    refused(tmp_path, models, "position_ids holds integers that differ")
    with pytest.raises(InputError, match="position_ids holds integers that differ"):
        average_state_dicts(ids, [0.5, 0.5])
    checkpoint(tmp_path / "b", BASE | {"position_ids": torch.arange(4).float()})
    refused(tmp_path, models, "position_ids is I64 in .*, F32 in")


def test_second_names_that_are_not_tied(tmp_path, first):
    copy = BASE | {"head.weight": BASE["embeddings.weight"].clone()}
    tied = checkpoint(tmp_path / "tied", copy)
    assert fuse([first, tied], tmp_path / "fused").is_dir()
    shutil.rmtree(tmp_path / "fused")
    untied = checkpoint(tmp_path / "untied", copy, tie_word_embeddings=False)
    refused(tmp_path, [first, untied], r"head\.weight")
    own = checkpoint(tmp_path / "own", copy | {"head.weight": torch.zeros(6, 4)})
    refused(tmp_path, [first, own], r"head\.weight")


def test_state_dicts_that_differ():
    with pytest.raises(InputError, match=r"model 1 has a tensor layer\.weight that model 2 lacks"):
        average_state_dicts([BASE, {"embeddings.weight": BASE["embeddings.weight"]}], [0.5, 0.5])
    with pytest.raises(
        InputError, match=r"layer\.weight has shape \(3, 4\) in model 1 and \(12,\) in model 2"
    ):
        average_state_dicts([BASE, BASE | {"layer.weight": torch.ones(12)}], [0.5, 0.5])


def test_too_little_disk_is_seen_beforehand(tmp_path, first, second, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 90, 10))
    refused(tmp_path, [first, second], "it takes .* GB of disk, and 1e-08 GB are free")


def test_disk_that_fills_up_on_the_way(tmp_path, first, second, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    refused(tmp_path, [first, second], "it takes .* GB of disk, and it ran out on the way")


def test_file_that_shrinks_while_it_is_read(tmp_path, first, second, monkeypatch):
    monkeypatch.setattr(os, "preadv", lambda *_: 0)
    refused(tmp_path, [first, second], r"first/model\.safetensors ended while it was being read")
