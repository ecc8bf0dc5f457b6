"""Gram matrices are those of inputs captured one example at a time, and statistics survive a file."""

import copy
import json
from dataclasses import replace

import pytest
import torch
from conftest import save_pico_bert
from safetensors.torch import save_file
from small_models import LABELS, MODELS, TOKEN_IDS, made
from transformers.pytorch_utils import Conv1D

from fuse_to_forget.errors import InputError
from fuse_to_forget.statistics import store
from fuse_to_forget.statistics.fisher import fisher_statistics, next_tokens
from fuse_to_forget.statistics.grams import gram_statistics
from fuse_to_forget.statistics.store import (
    FORMAT,
    check_model,
    of_model,
    read_statistics,
    write_statistics,
)


def gram_oracle(model, token_ids):
    """X'X / N in float64 from inputs captured one example at a time, without padding."""
    model = copy.deepcopy(model).double().eval()
    rows = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear | Conv1D):
            module.register_forward_hook(
                lambda module, args, output, key=f"{name}.weight": rows.setdefault(key, []).append(
                    args[0].flatten(0, -2)
                )
            )
    with torch.no_grad():
        for ids in token_ids:
            model(input_ids=torch.tensor([ids]))
    stacked = {name: torch.cat(own) for name, own in rows.items()}
    return {name: x.T @ x / len(x) for name, x in stacked.items()}


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_grams_are_those_of_inputs_captured_one_example_at_a_time(family, batch_size):
    model = made(family)
    statistics = gram_statistics(model, TOKEN_IDS, batch_size=batch_size)
    expected = gram_oracle(model, TOKEN_IDS)
    tied = {"gpt2": ["lm_head.weight"], "masked bert": ["cls.predictions.decoder.weight"]}.get(family, [])
    assert list(statistics.left_out) == tied
    assert statistics.tensors.keys() == expected.keys() - set(tied)
    for name, gram in statistics.tensors.items():
        assert gram.dtype == torch.float32
        assert torch.allclose(gram.double(), expected[name], rtol=1e-4, atol=1e-5 * expected[name].max()), (
            name
        )
    conv1d = [name for name in expected if name.startswith("transformer.h.")] if "gpt2" in family else []
    assert sorted(statistics.transposed) == sorted(conv1d)
    assert (statistics.examples, statistics.tokens) == (7, sum(map(len, TOKEN_IDS)))


def test_padding_counts_only_if_asked_for():
    model = made("bert")
    name = "bert.encoder.layer.0.attention.self.query.weight"
    without, padded = (
        gram_statistics(model, TOKEN_IDS, batch_size=7, padding=padding).tensors[name]
        for padding in (False, True)
    )
    rows = []
    hook = model.get_submodule(name.removesuffix(".weight")).register_forward_pre_hook(
        lambda module, args: rows.append(args[0].flatten(0, 1).double())
    )
    ids = torch.tensor([own + [0] * (11 - len(own)) for own in TOKEN_IDS])
    with torch.no_grad():
        model.eval()(input_ids=ids, attention_mask=(ids != 0).long())
    hook.remove()
    assert torch.allclose(padded.double(), rows[0].T @ rows[0] / 77, atol=1e-4)
    assert not torch.allclose(without, padded, rtol=0.05)


def test_a_layer_that_is_called_twice_has_the_rows_of_both_calls():
    model = made("bert")
    apart = gram_oracle(model, TOKEN_IDS)
    model.bert.encoder.layer[1] = model.bert.encoder.layer[0]
    shared = gram_statistics(model, TOKEN_IDS, batch_size=2)
    names = [name for name in apart if ".layer.0." in name]
    assert sorted(shared.left_out) == sorted(names)  # two names in the state dict: averaging keeps them equal
    looped = copy.deepcopy(made("bert"))
    looped.bert.encoder.layer = torch.nn.ModuleList([looped.bert.encoder.layer[0]])
    loop = Twice(looped.bert.encoder.layer[0])
    looped.bert.encoder.layer[0] = loop
    grams = gram_statistics(looped, TOKEN_IDS, batch_size=2).tensors
    expected = gram_oracle(looped, TOKEN_IDS)
    assert all(torch.allclose(grams[n].double(), expected[n], rtol=1e-4, atol=1e-4) for n in grams)


class Twice(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, hidden, *args, **options):
        return self.layer(self.layer(hidden, *args, **options), *args, **options)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("kind", ["gram", "fisher"])
def test_the_model_is_left_as_it_was(kind, fails):
    model = made("gpt2").train()
    model.transformer.h[0].eval()
    modes = [module.training for module in model.modules()]
    weights = copy.deepcopy(model.state_dict())
    token_ids = [*TOKEN_IDS, [99]] if fails else TOKEN_IDS  # not in the vocabulary

    def collect():
        if kind == "gram":
            return gram_statistics(model, token_ids, batch_size=2)
        return fisher_statistics(model, token_ids, next_tokens(token_ids), labels="gold", batch_size=2)

    if fails:
        with pytest.raises(IndexError):
            collect()
    else:
        assert all(
            torch.equal(x, y) for x, y in zip(*(collect().tensors.values() for _ in range(2)), strict=True)
        )
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())


def test_inputs_that_are_no_rows_are_refused():
    model = made("bert")
    model.bert.pooler.dense.register_forward_pre_hook(lambda module, args: (args[0][:1],))
    with pytest.raises(
        InputError, match=r"pooler.dense.weight have shape \(1, 16\) for a batch of \(4, 11\)"
    ):
        gram_statistics(model, TOKEN_IDS, batch_size=4)
    assert len([h for m in model.modules() for h in m._forward_pre_hooks]) == 1


@pytest.mark.parametrize(
    ("token_ids", "message"), [([], "no examples"), ([[2, 3], []], "Example 1 .* no tokens")]
)
def test_examples_without_tokens_are_refused(token_ids, message):
    model = made("bert")
    with pytest.raises(InputError, match=message):
        gram_statistics(model, token_ids, batch_size=2)
    with pytest.raises(InputError, match=message):
        fisher_statistics(model, token_ids, LABELS[: len(token_ids)], labels="gold", batch_size=2)


def test_broken_models_are_refused():
    model = made("bert")
    model.classifier.weight.data[0, 0] = torch.nan
    with pytest.raises(InputError, match="of the model hold NaN"):
        fisher_statistics(model, TOKEN_IDS, LABELS, labels="gold", batch_size=2)
    model.bert.pooler.dense.bias.data[0] = torch.inf
    model.bert.embeddings.LayerNorm.weight.data[0] = torch.nan
    with pytest.raises(InputError, match="of the model hold NaN"):
        gram_statistics(model, TOKEN_IDS, batch_size=2)


@pytest.fixture
def collected():
    return gram_statistics(made("gpt2"), TOKEN_IDS, batch_size=2)


def test_a_file_holds_all_of_it(tmp_path, collected):
    model = save_pico_bert(tmp_path / "models" / "biased")
    fisher = fisher_statistics(made("gpt2"), TOKEN_IDS, next_tokens(TOKEN_IDS), labels="hard", batch_size=2)
    for statistics in (of_model(collected, model), fisher):
        write_statistics(statistics, tmp_path / "statistics.safetensors")
        back = read_statistics(tmp_path / "statistics.safetensors")
        assert replace(back, tensors={}) == replace(statistics, tensors={})
        assert back.tensors.keys() == statistics.tensors.keys()
        assert all(torch.equal(back.tensors[n], tensor) for n, tensor in statistics.tensors.items())
    assert of_model(collected, model).model == "biased"
    assert fisher.tied == {"lm_head.weight": "transformer.wte.weight"}


def test_statistics_of_another_checkpoint_are_told(tmp_path, collected):
    first, second = (save_pico_bert(tmp_path / str(seed), seed=seed) for seed in range(2))
    check_model(of_model(collected, first), first)
    with pytest.raises(InputError, match=r"are those of 0, not of .*1"):
        check_model(of_model(collected, first), second)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"examples": 0}, "0 examples"),
        ({"tokens": 0}, "0 tokens"),
        ({"tensors": {}}, "0 parameters"),
        ({"tensors": {"a": torch.tensor([[torch.nan]])}}, "a of .* hold NaN"),
        ({"tensors": {"a": torch.ones(2, 3)}}, r"Gram matrix of a .* shape \(2, 3\)"),
        ({"tensors": {"a": -torch.eye(2)}}, "negative mean squares"),
    ],
)
def test_what_would_be_refused_is_not_written(tmp_path, collected, change, message):
    file = tmp_path / "statistics.safetensors"
    with pytest.raises(InputError, match=message):
        write_statistics(replace(collected, **change), file)
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_what_was_there(tmp_path, collected, monkeypatch):
    file = tmp_path / "statistics.safetensors"
    write_statistics(collected, file)

    def disk_full(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(store, "save_file", disk_full)
    with pytest.raises(OSError, match="No space"):
        write_statistics(replace(collected, tokens=9999), file)
    assert list(tmp_path.iterdir()) == [file]
    assert read_statistics(file).tokens == collected.tokens


def test_the_same_statistics_are_the_same_bytes(tmp_path, collected):
    written = set()
    for number in range(12):
        write_statistics(collected, tmp_path / str(number))
        written.add((tmp_path / str(number)).read_bytes())
    assert len(written) == 1


def facts(**changed):
    return {"kind": "gram", "examples": 1, "tokens": 2, "settings": {}, "tied": {}} | changed


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"format": "pt"}, "no statistics but other tensors"),
        ({}, "no statistics but other tensors"),
        ({FORMAT: "{"}, "metadata of .* damaged"),
        ({FORMAT: "[]"}, "metadata of .* damaged"),
        ({FORMAT: json.dumps(facts(more=1))}, "metadata of .* damaged"),
        ({FORMAT: json.dumps(facts(kind="mean"))}, "metadata of .* damaged"),
        ({FORMAT: json.dumps(facts(examples="1"))}, "metadata of .* damaged"),
        ({FORMAT: json.dumps(facts(tied=["a"]))}, "metadata of .* damaged"),
        ({FORMAT: json.dumps(facts(left_out=3))}, "metadata of .* damaged"),
        ({FORMAT: json.dumps(facts(examples=0))}, "are of 0 examples"),
    ],
)
def test_other_files_are_refused(tmp_path, metadata, message):
    file = tmp_path / "statistics.safetensors"
    save_file({"a": torch.eye(2)}, file, metadata=metadata)
    with pytest.raises(InputError, match=message):
        read_statistics(file)
    sound = {FORMAT: json.dumps(facts())}  # so it was the metadata that was refused
    save_file({"a": torch.eye(2)}, file, metadata=sound)
    assert read_statistics(file).tokens == 2


def test_damaged_and_missing_files_are_refused(tmp_path, collected):
    file = tmp_path / "statistics.safetensors"
    with pytest.raises(InputError, match="no statistics at"):
        read_statistics(file)
    write_statistics(collected, file)
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(InputError, match="truncated or damaged"):
        read_statistics(file)
