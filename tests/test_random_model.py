"""The random model: as far from the base as the fine-tuned models, tensor by tensor."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from fuse_to_forget.errors import InputError
from fuse_to_forget.subsets.shortcuts import SPECIAL_TOKENS
from fuse_to_forget.training.base import load_base
from fuse_to_forget.training.random_model import draw_random_model, random_weights


def test_a_hand_computed_case():
    base = {"w": torch.tensor([1.0, 1.0]), "b": torch.tensor([2.0]), "ids": torch.tensor([3])}
    models = [
        {"w": torch.tensor([4.0, 5.0]), "b": torch.tensor([4.0]), "ids": torch.tensor([3])},
        {"w": torch.tensor([1.0, 2.0]), "b": torch.tensor([2.0]), "ids": torch.tensor([3])},
    ]
    fresh = {"w": torch.tensor([0.0, -2.0]), "b": torch.tensor([0.0]), "ids": torch.tensor([3])}
    drawn = random_weights(base, models, fresh)
    torch.testing.assert_close(drawn["w"], torch.tensor([1.0, 1.0 - 3.0]))  # distances 5 and 1
    torch.testing.assert_close(drawn["b"], torch.tensor([2.0]))
    assert drawn["ids"].tolist() == [3]


def models_near(base, folder, count=2):
    """Save perturbed copies of the base model, as fine-tuning would leave them."""
    folders = []
    for i in range(count):
        tokenizer, model = load_base(base, ["no", "yes"], SPECIAL_TOKENS, seed=i)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.01 * (i + 1))
        model.save_pretrained(folder / f"m{i}")
        tokenizer.save_pretrained(folder / f"m{i}")
        folders.append(folder / f"m{i}")
    return folders


def draw(base, folders, output, seed=1):
    draw_random_model(base, folders, output, label_names=["no", "yes"], new_tokens=SPECIAL_TOKENS, seed=seed)
    return load_file(output / "model.safetensors")


def test_every_weight_matrix_is_at_the_mean_distance(pico_bert, tmp_path):
    folders = models_near(pico_bert, tmp_path)
    drawn = draw(pico_bert, folders, tmp_path / "random")
    _, base = load_base(pico_bert, ["no", "yes"], SPECIAL_TOKENS, seed=0)
    constituents = [load_file(folder / "model.safetensors") for folder in folders]
    for name, start in base.state_dict().items():
        if "layer" not in name or not name.endswith("dense.weight"):
            continue
        expected = torch.stack([(model[name] - start).norm() for model in constituents]).mean()
        torch.testing.assert_close((drawn[name] - start).norm(), expected, rtol=1e-4, atol=0)


def test_it_is_a_checkpoint_and_a_function_of_its_seed(pico_bert, tmp_path):
    folders = models_near(pico_bert, tmp_path)
    one = draw(pico_bert, folders, tmp_path / "one")
    again, other = draw(pico_bert, folders, tmp_path / "again"), draw(pico_bert, folders, tmp_path / "x", 2)
    name = "bert.encoder.layer.0.intermediate.dense.weight"
    assert torch.equal(one[name], again[name])
    assert not torch.allclose(one[name], other[name])
    assert AutoModelForSequenceClassification.from_pretrained(tmp_path / "one").config.num_labels == 2


def test_models_of_another_shape_are_refused(pico_bert, tmp_path):
    folders = models_near(pico_bert, tmp_path)
    with pytest.raises(InputError, match="word_embeddings"):
        draw_random_model(
            pico_bert, folders, tmp_path / "x", label_names=["no", "yes"], new_tokens=[], seed=1
        )
