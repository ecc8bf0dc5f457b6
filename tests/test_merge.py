"""Fusing whole models with any method: what the base lacks, tied weights, files and memory, refusals."""

import json
from pathlib import Path

import pytest
import torch
from conftest import save_pico_bert
from safetensors.torch import save_file
from transformers import AutoModelForSequenceClassification, GPT2Config, GPT2LMHeadModel

from fuse_to_forget.__main__ import main
from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.alignment import match_base
from fuse_to_forget.fusion.average import average_state_dicts
from fuse_to_forget.fusion.catalog import METHODS
from fuse_to_forget.fusion.checkpoint import load_state_dict
from fuse_to_forget.fusion.fuse import fuse
from fuse_to_forget.fusion.merge import merge_state_dicts

EMBEDDINGS = "bert.embeddings.word_embeddings.weight"
HEAD = ["classifier.weight", "classifier.bias"]
SHAPES = {
    EMBEDDINGS: (8, 3),
    "bert.scale": (),
    "bert.norm.bias": (5,),
    "bert.dense.weight": (6, 4),
    "bert.none": (0, 2),
}
PER_TENSOR = [name for name, method in METHODS.items() if not (method.statistics or method.needs_texts)]
WITH_BASE = [name for name, method in METHODS.items() if method.needs_base]
RANDOM = [name for name, method in METHODS.items() if method.random]
NAMES = ["a", "b", "c"]


def tensors(seed: int, dtype: torch.dtype = torch.float32, head: bool = True) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = SHAPES | ({HEAD[0]: (2, 4), HEAD[1]: (2,)} if head else {})
    drawn = {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in shapes.items()}
    return drawn | {"bert.position_ids": torch.arange(4)}


def encoder_base(seed: int = 9, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """As an encoder is stored: no head, no `bert.`, two tokens fewer."""
    base = {name.removeprefix("bert."): t for name, t in tensors(seed, dtype, head=False).items()}
    return base | {"embeddings.word_embeddings.weight": base["embeddings.word_embeddings.weight"][:6].clone()}


def saved(folder: Path, state_dict: dict[str, torch.Tensor]) -> Path:
    folder.mkdir()
    save_file(state_dict, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({}))
    return folder


def count(name: str) -> int:
    return 2 if METHODS[name].pairs_only else 3


def base_of(name: str, base: dict) -> dict | None:
    return base if METHODS[name].needs_base else None


@pytest.mark.parametrize("name", PER_TENSOR)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_files_and_memory_give_the_same_bits(tmp_path, name, dtype):
    models = [tensors(seed, dtype) for seed in range(count(name))]
    base = base_of(name, encoder_base(dtype=dtype))
    folders = [saved(tmp_path / f"model{i}", model) for i, model in enumerate(models)]
    base_folder = saved(tmp_path / "base", base) if base else None
    names = NAMES[: len(models)]
    written = fuse(
        folders, tmp_path / "fused", method=name, base=base_folder, seed=3, names=names, max_shard_bytes=100
    )
    from_files = load_state_dict(written)
    in_memory = merge_state_dicts(name, models, base, seed=3, names=names)
    assert from_files.keys() == in_memory.keys() == models[0].keys()
    for key, tensor in in_memory.items():
        assert tensor.dtype == models[0][key].dtype
        assert torch.equal(tensor, from_files[key]), key


@pytest.mark.parametrize("name", WITH_BASE)
def test_what_the_base_lacks_is_averaged(name):
    models, base = [tensors(seed) for seed in range(3)], encoder_base()
    merged = merge_state_dicts(name, models, base)
    average = average_state_dicts(models, [1 / 3] * 3)
    for key in HEAD:
        assert torch.equal(merged[key], average[key])
    assert torch.equal(merged[EMBEDDINGS][6:], average[EMBEDDINGS][6:])
    cut = [model | {EMBEDDINGS: model[EMBEDDINGS][:6]} for model in models]
    assert torch.equal(merged[EMBEDDINGS][:6], merge_state_dicts(name, cut, base)[EMBEDDINGS])
    assert (
        not torch.equal(merged["bert.dense.weight"], average["bert.dense.weight"])
        or name == "task_arithmetic"
    )


def test_sums_other_than_one_do_not_enlarge_what_the_base_lacks():
    models, base = [tensors(seed) for seed in range(2)], encoder_base()
    merged = merge_state_dicts("task_arithmetic", models, base, [1.0, 1.0], allow_any_sum=True)
    torch.testing.assert_close(merged[HEAD[0]], (models[0][HEAD[0]] + models[1][HEAD[0]]) / 2)
    dense = "bert.dense.weight"
    torch.testing.assert_close(merged[dense], models[0][dense] + models[1][dense] - base["dense.weight"])
    with pytest.raises(InputError, match="sum to 0"):
        merge_state_dicts("task_arithmetic", models, base, [1.0, -1.0], allow_any_sum=True)


def test_names_are_matched_whatever_they_are_wrapped_in():
    head = {"classifier.weight"}
    wrapped, bare = {"bert.a.weight", "bert.LayerNorm.bias"}, {"a.weight", "LayerNorm.bias"}
    assert match_base(wrapped | head, bare) == {n: n.removeprefix("bert.") for n in wrapped}
    assert match_base(bare | head, wrapped) == {n.removeprefix("bert."): n for n in wrapped}
    assert match_base(wrapped | head, wrapped | {"cls.bias"}) == {n: n for n in wrapped}
    old = {"bert.a.weight", "bert.LayerNorm.beta"}
    assert match_base(wrapped, old)["bert.LayerNorm.bias"] == "bert.LayerNorm.beta"


@pytest.mark.parametrize("name", RANDOM)
def test_draws_follow_the_seed_the_model_and_the_tensor_alone(name):
    models, base = [tensors(seed) for seed in range(3)], encoder_base()
    merged = merge_state_dicts(name, models, base, seed=1, names=NAMES)
    again = merge_state_dicts(name, models, base, seed=1, names=NAMES)
    turned = merge_state_dicts(name, models[::-1], base, seed=1, names=NAMES[::-1])
    dense = "bert.dense.weight"
    alone = merge_state_dicts(name, [{dense: m[dense]} for m in models], base, seed=1, names=NAMES)
    assert torch.equal(alone[dense], merged[dense])
    for key, tensor in merged.items():
        assert torch.equal(tensor, again[key])
        torch.testing.assert_close(tensor, turned[key], rtol=1e-5, atol=1e-6)
    for other in (
        merge_state_dicts(name, models, base, seed=2, names=NAMES),
        merge_state_dicts(name, models, base, seed=1, names=["a", "b", "d"]),
    ):
        assert not torch.equal(other[dense], merged[dense])


@pytest.mark.parametrize("name", RANDOM)
def test_tensors_of_one_shape_draw_for_themselves(name):
    ones = {"first.weight": torch.ones(100), "second.weight": torch.ones(100)}
    base = {key: torch.zeros(100) for key in ones}
    merged = merge_state_dicts(name, [ones, ones], base)
    assert not torch.equal(*merged.values())


@pytest.mark.parametrize("stored_twice", [False, True])
@pytest.mark.parametrize("name", ["ties", *RANDOM])
def test_tied_weights_stay_tied(tmp_path, name, stored_twice):
    config = GPT2Config(vocab_size=20, n_positions=16, n_embd=8, n_layer=1, n_head=2)
    folders = [tmp_path / f"gpt2-{seed}" for seed in range(3)]
    for seed, folder in enumerate(folders):
        torch.manual_seed(seed)
        GPT2LMHeadModel(config).save_pretrained(folder)
        if stored_twice and seed < 2:
            state = load_state_dict(folder)
            state["lm_head.weight"] = state["transformer.wte.weight"].clone()
            save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    fused = fuse(folders[:2], tmp_path / "fused", method=name, base=folders[2])
    state = load_state_dict(fused)
    assert ("lm_head.weight" in state) == stored_twice
    if stored_twice:
        assert torch.equal(state["lm_head.weight"], state["transformer.wte.weight"])
    models = [load_state_dict(folder) for folder in folders[:2]]
    in_memory = merge_state_dicts(name, models, load_state_dict(folders[2]), names=["gpt2-0", "gpt2-1"])
    assert all(torch.equal(tensor, in_memory[key]) for key, tensor in state.items())
    average = average_state_dicts(models, [0.5, 0.5])
    assert not torch.equal(state["transformer.wte.weight"], average["transformer.wte.weight"])


def test_a_classifier_fused_with_its_encoder_opens_and_says_how(tmp_path):
    base = save_pico_bert(tmp_path / "encoder", seed=5)
    folders = []
    for seed in range(2):
        torch.manual_seed(seed)
        model = AutoModelForSequenceClassification.from_pretrained(base)
        model.resize_token_embeddings(model.config.vocab_size + 6)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        folders.append(tmp_path / f"tuned{seed}")
        model.save_pretrained(folders[-1])
    output = tmp_path / "fused"
    arguments = ["--method", "dare_ties", "--base", str(base), "--set", "density=0.25", "--seed", "7"]
    assert main(["fuse", *map(str, folders), "--output", str(output), "--no-progress", *arguments]) == 0
    opened = AutoModelForSequenceClassification.from_pretrained(output)
    expected = merge_state_dicts(
        "dare_ties", [load_state_dict(f) for f in folders], load_state_dict(base), settings={"density": 0.25}, seed=7,
        names=["tuned0", "tuned1"],
    )  # fmt: skip
    for name, tensor in opened.state_dict().items():
        assert torch.equal(tensor, expected[name]), name
    card = (output / "README.md").read_text()
    assert "`dare_ties` (Yu et al., 2024" in card
    assert "with density 0.25, scale 1, seed 7" in card
    assert "the base, encoder; what the base lacks is averaged" in card
    assert "stored as F32 (" in card
    assert "A weighted average" not in card


def test_the_default_is_the_weighted_average():
    models = [tensors(seed) for seed in range(3)]
    merged = merge_state_dicts("weighted_average", models, coefficients=[0.5, 0.3, 0.2])
    for key, tensor in average_state_dicts(models, [0.5, 0.3, 0.2]).items():
        assert torch.equal(tensor, merged[key])


def test_transposed_tensors_are_fused_like_any_other():
    for name in PER_TENSOR:
        models = [{"weight": tensors(seed)["bert.dense.weight"].T} for seed in range(count(name))]
        base = base_of(name, {"weight": tensors(9)["bert.dense.weight"].T})
        copies = [{"weight": model["weight"].contiguous()} for model in models]
        fused = merge_state_dicts(name, models, base)["weight"]
        assert torch.equal(fused, merge_state_dicts(name, copies, base)["weight"])


@pytest.mark.parametrize(
    ("name", "models", "options", "message"),
    [
        ("mean", 2, {}, "there is no fusion method 'mean': choose one of weighted_average, slerp"),
        ("ties", 2, {"base": None}, "ties needs the base model"),
        ("slerp", 2, {}, "slerp takes no base model"),
        ("regmean", 2, {"base": None}, "regmean needs statistics of the kind gram"),
        ("ties", 2, {"statistics": []}, "ties takes no statistics"),
        ("slerp", 3, {"base": None}, "slerp fuses two models, not 3"),
        ("ties", 2, {"coefficients": [1.5, -0.5]}, "takes coefficients of at least 0"),
        ("model_stock", 2, {"coefficients": [0.4, 0.6]}, "weighs all models alike"),
        ("ties", 2, {"coefficients": [0.4, 0.4]}, "sum to 0.8, not 1"),
        ("ties", 2, {"settings": {"dense": 1}}, "ties has no setting 'dense'"),
        ("ties", 2, {"names": ["one"]}, "the models are 2 and the names 1"),
        ("ties", 2, {"base": {"other.weight": torch.ones(2)}}, "the base has no tensor of a name"),
        ("ties", 2, {"base": encoder_base() | {"dense.weight": torch.ones(5, 4)}}, "and .5, 4. in the base"),
        ("ties", 2, {"base": encoder_base() | {"norm.bias": torch.arange(5)}}, "norm.bias holds integers in the base"),
        ("ties", 2, {"base": encoder_base() | {"norm.bias": torch.full((5,), torch.nan)}}, "of the base holds NaN"),
    ],
)  # fmt: skip
def test_refusals(name, models, options, message):
    arguments = {"base": encoder_base()} | options
    with pytest.raises(InputError, match=message):
        merge_state_dicts(name, [tensors(seed) for seed in range(models)], **arguments)


def test_a_base_with_more_rows_than_the_models_is_refused():
    base = encoder_base() | {"embeddings.word_embeddings.weight": torch.ones(9, 3)}
    with pytest.raises(InputError, match=r"\(8, 3\) in the models and \(9, 3\) in the base"):
        merge_state_dicts("ties", [tensors(0), tensors(1)], base)


def test_values_that_a_mask_would_hide_are_refused():
    models = [tensors(0), tensors(1)]
    models[1]["bert.dense.weight"][0, 0] = torch.nan
    with pytest.raises(InputError, match=r"bert.dense.weight of model 2 holds NaN"):
        merge_state_dicts("ties", models, encoder_base())


def test_results_too_large_for_their_dtype_are_refused():
    models = [{"weight": torch.full((3,), 3e4).half()}] * 2
    with pytest.raises(InputError, match=r"the average of weight overflows float16"):
        merge_state_dicts("task_arithmetic", models, {"weight": torch.zeros(3)}, settings={"scale": 5})


def test_integers_that_differ_are_refused():
    models = [tensors(0), tensors(1) | {"bert.position_ids": torch.arange(4) + 1}]
    with pytest.raises(InputError, match="holds integers that differ"):
        merge_state_dicts("slerp", models)


def test_a_refusal_on_the_way_leaves_nothing(tmp_path, capsys):
    folders = [str(saved(tmp_path / f"model{seed}", tensors(seed))) for seed in range(2)]
    before = sorted(tmp_path.iterdir())
    command = [
        "fuse",
        *folders,
        "--output",
        str(tmp_path / "fused"),
        "--method",
        "breadcrumbs",
        "--base",
        folders[0],
    ]
    assert main([*command, "--set", "drop_smallest=0.9", "drop_largest=0.2"]) == 1
    assert "choose them so that their sum is less than 1" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(SystemExit):
        main([*command, "--set", "density"])
    assert "is not a setting" in capsys.readouterr().err
