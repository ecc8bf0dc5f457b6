"""Averaging weights: what it computes and what it writes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
    GPT2Config,
    GPT2LMHeadModel,
)

from fuse_to_forget.fusion import stream
from fuse_to_forget.fusion.average import average_state_dicts, weighted_average
from fuse_to_forget.fusion.checkpoint import load_state_dict
from fuse_to_forget.fusion.fuse import fuse

PRECISION = {torch.float64: 1e-15, torch.float32: 1e-6, torch.bfloat16: 2**-8, torch.float16: 2**-11}
SHAPES = {"bias": (), "empty": (0, 3), "norm.weight": (7,), "dense.weight": (129, 257)}
ODD = stream.CHUNK * 2 + 13  # elements: crosses chunks, and no vector register divides it


def checkpoint(folder: Path, tensors: dict[str, torch.Tensor], **config: object) -> Path:
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def random_tensors(seed: int, dtype: torch.dtype = torch.float32, shapes: dict = SHAPES) -> dict:
    generator = torch.Generator().manual_seed(seed)
    return {n: torch.randn(shape, generator=generator).to(dtype) for n, shape in shapes.items()}


def random_checkpoints(folder: Path, count: int, dtype: torch.dtype = torch.float32, **options) -> list[Path]:
    return [checkpoint(folder / f"model{i}", random_tensors(i, dtype, **options)) for i in range(count)]


def oracle(models: list[Path], coefficients: list[float], name: str) -> np.ndarray:
    stored = [load_file(model / "model.safetensors")[name].double().numpy() for model in models]
    return sum(c * x for c, x in zip(coefficients, stored, strict=True))


def assert_same_bits(first: dict, second: dict) -> None:
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert tensor.dtype == second[name].dtype
        assert torch.equal(tensor, second[name]), name


@pytest.mark.parametrize("dtype", PRECISION, ids=str)
def test_average_equals_a_float64_oracle(tmp_path, dtype):
    models = random_checkpoints(tmp_path, 3, dtype)
    coefficients = [0.5, 0.2, 0.3]
    fused = load_state_dict(fuse(models, tmp_path / "fused", coefficients))
    for name, tensor in fused.items():
        expected = oracle(models, coefficients, name)
        scale = np.abs(expected).max(initial=0)
        assert tensor.dtype == dtype
        np.testing.assert_allclose(
            tensor.double().numpy(), expected, rtol=PRECISION[dtype], atol=1e-6 * scale
        )


def test_each_tensor_keeps_the_first_models_dtype(tmp_path):
    models = [
        checkpoint(tmp_path / str(dtype), random_tensors(seed, dtype)) for seed, dtype in enumerate(PRECISION)
    ]
    fused = load_state_dict(fuse(models[1:] + models[:1], tmp_path / "fused"))
    assert {tensor.dtype for tensor in fused.values()} == {torch.float32}
    coefficients = [0.25] * 4
    np.testing.assert_allclose(
        fused["dense.weight"].numpy(), oracle(models, coefficients, "dense.weight"), rtol=1e-6, atol=1e-7
    )


def test_accumulates_in_float32():
    # Summed in bfloat16, the small terms would be lost one by one.
    tensors = [torch.tensor([256.0]).bfloat16()] + [torch.tensor([1.0]).bfloat16()] * 8
    assert weighted_average(tensors, [1.0] * 9).item() == 264.0


def test_order_of_the_models_does_not_matter(tmp_path):
    models, coefficients = random_checkpoints(tmp_path, 4), [0.1, 0.2, 0.3, 0.4]
    forward = load_state_dict(fuse(models, tmp_path / "forward", coefficients))
    backward = load_state_dict(fuse(models[::-1], tmp_path / "backward", coefficients[::-1]))
    for name, tensor in forward.items():
        torch.testing.assert_close(tensor, backward[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "coefficients"),
    [(torch.bfloat16, c) for c in ([0.5, 0.5], [0.3, 0.7], [1.5, -0.5])]
    + [(torch.float16, [0.25, 0.75]), (torch.float32, [0.5, 0.5])],
    ids=str,
)
def test_a_model_fused_with_itself_is_itself(tmp_path, dtype, coefficients):
    (model,) = random_checkpoints(tmp_path, 1, dtype)
    assert_same_bits(
        load_state_dict(fuse([model, model], tmp_path / "fused", coefficients)), load_state_dict(model)
    )


@pytest.mark.parametrize("kept", [0, 1])
def test_a_coefficient_of_one_returns_that_model(tmp_path, kept):
    models = random_checkpoints(tmp_path, 2)
    coefficients = [float(kept == 0), float(kept == 1)]
    expected = load_state_dict(models[kept])
    assert_same_bits(load_state_dict(fuse(models, tmp_path / "fused", coefficients)), expected)
    assert_same_bits(average_state_dicts([load_state_dict(m) for m in models], coefficients), expected)


@pytest.mark.parametrize("dtype", PRECISION, ids=str)
def test_streaming_and_in_memory_agree_bit_for_bit(tmp_path, dtype):
    models = random_checkpoints(tmp_path, 3, dtype, shapes={"odd": (ODD,), "matrix": (31, 17)})
    coefficients = [0.7, 0.2, 0.1]
    fused = load_state_dict(fuse(models, tmp_path / "fused", coefficients))
    assert_same_bits(fused, average_state_dicts([load_state_dict(m) for m in models], coefficients))


def test_threads_and_chunks_do_not_change_a_bit(tmp_path, monkeypatch):
    models = random_checkpoints(tmp_path, 2, shapes={"odd": (ODD,)})
    expected = load_state_dict(fuse(models, tmp_path / "fused", [0.3, 0.7]))
    threads = torch.get_num_threads()
    for workers, chunk, span in [(1, 1001, 5000), (3, 4099, 70001)]:
        monkeypatch.setattr(stream, "WORKERS", workers)
        monkeypatch.setattr(stream, "CHUNK", chunk)
        monkeypatch.setattr(stream, "SPAN", span)
        output = fuse(models, tmp_path / f"fused{workers}", [0.3, 0.7])
        assert_same_bits(load_state_dict(output), expected)
    assert torch.get_num_threads() == threads


def test_sweep_reuses_its_buffers_and_leaves_inputs_alone():
    models = [random_tensors(seed) for seed in range(2)]
    before = [{name: tensor.clone() for name, tensor in model.items()} for model in models]
    out = average_state_dicts(models, [0.5, 0.5])
    addresses = [tensor.data_ptr() for tensor in out.values()]
    again = average_state_dicts(models, [0.1, 0.9], out)
    assert again is out
    assert [tensor.data_ptr() for tensor in out.values()] == addresses
    assert_same_bits(out, average_state_dicts(models, [0.1, 0.9]))
    for model, unchanged in zip(models, before, strict=True):
        assert_same_bits(model, unchanged)


def test_transposed_tensors_average_like_any_other():
    models = [{"weight": tensors["dense.weight"].T} for tensors in map(random_tensors, range(2))]
    fused = average_state_dicts(models, [0.5, 0.5])["weight"]
    torch.testing.assert_close(fused, (models[0]["weight"] + models[1]["weight"]) / 2)


def test_integer_buffers_are_taken_over(tmp_path):
    buffers = {"position_ids": torch.arange(512)[None], "mask": torch.tensor([True, False])}
    models = [checkpoint(tmp_path / f"m{i}", random_tensors(i) | buffers) for i in range(2)]
    fused = load_state_dict(fuse(models, tmp_path / "fused"))
    for name, buffer in buffers.items():
        assert fused[name].dtype == buffer.dtype
        assert torch.equal(fused[name], buffer)


def test_shards_in_and_out(tmp_path):
    models = random_checkpoints(tmp_path, 2, shapes={f"layer{i}": (100, 10 + i) for i in range(6)})
    single = fuse(models, tmp_path / "single")
    sharded = fuse(models, tmp_path / "sharded", max_shard_bytes=10_000)
    index = json.loads((sharded / "model.safetensors.index.json").read_text())
    files = sorted(set(index["weight_map"].values()))
    assert files == [f"model-{i:05d}-of-{len(files):05d}.safetensors" for i in range(1, len(files) + 1)]
    sizes = [sum(t.nbytes for t in load_file(sharded / file).values()) for file in files]
    assert len(files) == 4
    assert max(sizes) == 10_000
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in load_state_dict(single).values())
    assert not (sharded / "model.safetensors").exists()
    assert_same_bits(load_state_dict(sharded), load_state_dict(single))
    again = fuse([sharded, single], tmp_path / "again")
    assert_same_bits(load_state_dict(again), load_state_dict(single))


def test_files_are_what_the_safetensors_library_expects(tmp_path):
    tensors = random_tensors(0) | {"half": torch.ones(3).half(), "double": torch.ones(5).double()}
    model = checkpoint(tmp_path / "model", tensors)
    fused = fuse([model, model], tmp_path / "fused")
    with safe_open(fused / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
        assert_same_bits({name: file.get_tensor(name) for name in file.keys()}, tensors)  # noqa: SIM118


@pytest.fixture
def classifiers(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "a", "##s"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(vocab=str(tmp_path / "vocab.txt"))
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, num_labels=3,
    )  # fmt: skip
    folders = []
    for seed in range(3):
        torch.manual_seed(seed)
        folders.append(tmp_path / f"bert{seed}")
        BertForSequenceClassification(config).save_pretrained(folders[-1])
        tokenizer.save_pretrained(folders[-1])
        (folders[-1] / "trainer_state.json").write_text("{}")
        (folders[-1] / "optimizer.pt").write_bytes(b"state")
    return folders


def logits(model: BertForSequenceClassification, folder: Path) -> torch.Tensor:
    batch = AutoTokenizer.from_pretrained(folder)(
        ["a good film", "bad films"], padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        return model.eval()(**batch).logits


def test_fused_classifier_opens_and_predicts(tmp_path, classifiers):
    coefficients = [0.6, 0.3, 0.1]
    fused = fuse(classifiers, tmp_path / "fused", coefficients, max_shard_bytes=2000)
    opened = AutoModelForSequenceClassification.from_pretrained(fused)
    reference = AutoModelForSequenceClassification.from_pretrained(classifiers[0])
    averages = {name: oracle(classifiers, coefficients, name) for name in load_state_dict(classifiers[0])}
    reference.load_state_dict({n: torch.from_numpy(x).float() for n, x in averages.items()}, strict=True)
    torch.testing.assert_close(logits(opened, fused), logits(reference, fused), rtol=1e-5, atol=1e-6)
    single = fuse(classifiers, tmp_path / "single", coefficients)
    alike = AutoModelForSequenceClassification.from_pretrained(single)
    assert torch.equal(logits(alike, single), logits(opened, fused))


def test_only_what_belongs_to_the_model_is_copied(tmp_path, classifiers):
    config = json.loads((classifiers[0] / "config.json").read_text())
    (classifiers[0] / "config.json").write_text(json.dumps(config | {"_name_or_path": str(tmp_path)}))
    fused = fuse(classifiers, tmp_path / "fused")
    names = {file.name for file in fused.iterdir()}
    assert {
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
        "README.md",
    } <= names
    assert not names & {"trainer_state.json", "optimizer.pt", "training_args.bin"}
    for file in fused.glob("*.*"):
        assert str(tmp_path).encode() not in file.read_bytes(), file.name


def test_model_card(tmp_path, classifiers):
    fused = fuse(
        classifiers, tmp_path / "fused", [0.5, 0.25, 0.25], names=["shortcut A", "shortcut B", "plain"],
        data="Made for the test.", metrics={"accuracy": 0.875},
    )  # fmt: skip
    card = (fused / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\ntags:\n- merge\n")
    for line in [
        "| shortcut A | 0.5 |",
        "| plain | 0.25 |",
        "Made for the test.",
        "| accuracy | 0.875 |",
        "F32 (",
    ]:
        assert line in card
    unmeasured = (fuse(classifiers, tmp_path / "other") / "README.md").read_text()
    assert "| bert1 | 0.3333333333 |" in unmeasured
    assert "Not measured." in unmeasured


def test_card_names_models_of_the_hub_cache(tmp_path):
    snapshots = [tmp_path / f"models--lab--{name}" / "snapshots" for name in ("one", "two")]
    for seed, folder in enumerate(snapshots):
        folder.mkdir(parents=True)
        checkpoint(folder / "abc", random_tensors(seed))
    card = (fuse([folder / "abc" for folder in snapshots], tmp_path / "fused") / "README.md").read_text()
    assert "base_model:\n- lab/one\n- lab/two\n" in card
    assert "| lab/two | 0.5 |" in card


def test_tied_weights_stay_tied(tmp_path):
    config = GPT2Config(vocab_size=20, n_positions=16, n_embd=8, n_layer=2, n_head=2)
    folders = [tmp_path / "gpt2-0", tmp_path / "gpt2-1"]
    for seed, folder in enumerate(folders):
        torch.manual_seed(seed)
        GPT2LMHeadModel(config).save_pretrained(folder)
    both = load_state_dict(folders[1])
    assert "lm_head.weight" not in both
    save_file(
        both | {"lm_head.weight": both["transformer.wte.weight"].clone()}, folders[1] / "model.safetensors"
    )
    for number, models in enumerate([folders, folders[::-1]]):
        fused = GPT2LMHeadModel.from_pretrained(fuse(models, tmp_path / f"fused{number}"))
        assert fused.lm_head.weight is fused.transformer.wte.weight
        expected = oracle(folders, [0.5, 0.5], "transformer.wte.weight")
        np.testing.assert_allclose(fused.lm_head.weight.detach().numpy(), expected, rtol=1e-6, atol=1e-8)
