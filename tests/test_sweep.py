"""A sweep predicts what each fused checkpoint would, and its ends are the two models."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import demographic_frame, save_pico_bert
from transformers import AutoModelForSequenceClassification

from fuse_to_forget.coefficients import parse_coefficients, simplex_grid
from fuse_to_forget.fusion.fuse import fuse
from fuse_to_forget.prediction.classifier import load_tokenizer, tokenize
from fuse_to_forget.prediction.splits import encode_splits, predict_splits
from fuse_to_forget.prediction.sweep import sweep


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folders = {}
    for seed, name in enumerate(("gender", "age")):
        folder = save_pico_bert(tmp_path_factory.mktemp(name) / "model", seed=seed)
        torch.manual_seed(seed)
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1.5)  # far from linear, so that the models differ
        model.save_pretrained(folder)
        folders[name] = folder
    return folders


@pytest.fixture(scope="module")
def splits():
    return {"dev": demographic_frame(30, seed=4), "test": demographic_frame(50, seed=5)}


@pytest.fixture(scope="module")
def rows(models, splits):
    return sweep(models, simplex_grid(2, 4), splits, batch_size=16, max_length=32, seed=1)


def test_one_row_for_each_coefficient_split_and_example(rows, splits):
    assert len(rows) == 5 * 80
    assert set(rows["model"]) == {"gender-age"}
    test = rows[
        (rows["split"] == "test")
        & (rows["coefficients"].map(parse_coefficients).map(lambda c: c["age"]) == 0.25)
    ]
    assert test["id"].tolist() == splits["test"]["id"].tolist()
    assert test["label"].tolist() == splits["test"]["label"].tolist()
    assert "text" not in rows


@pytest.mark.parametrize("end", ["gender", "age"])
def test_the_ends_are_the_single_models(rows, models, splits, end):
    alone = predict_splits(models[end], splits, batch_size=7, max_length=32, model=end, seed=1)
    at_end = rows[rows["coefficients"].map(parse_coefficients).map(lambda c: c[end]) == 1]
    assert at_end["probability"].to_numpy() == pytest.approx(alone["probability"].to_numpy(), abs=1e-5)


def test_between_the_ends_it_predicts_what_the_fused_checkpoint_does(rows, models, splits, tmp_path):
    fuse(list(models.values()), tmp_path / "fused", [0.75, 0.25])
    alone = predict_splits(tmp_path / "fused", splits, batch_size=16, max_length=32, model="fused", seed=1)
    between = rows[rows["coefficients"] == "gender=0.75 age=0.25"]
    assert between["probability"].to_numpy() == pytest.approx(alone["probability"].to_numpy(), abs=1e-5)
    assert np.ptp(rows.groupby("coefficients")["probability"].mean()) > 1e-3


def test_padding_and_order_change_nothing(models, splits):
    folder = models["gender"]
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    ids = tokenize(load_tokenizer(folder), splits["test"]["text"], 32)
    with torch.inference_mode():
        one_by_one = [model(input_ids=torch.tensor([row])).logits[0].softmax(-1)[1].item() for row in ids]
    batched = predict_splits(folder, {"test": splits["test"]}, batch_size=16, max_length=32)
    assert batched["probability"].to_numpy() == pytest.approx(one_by_one, abs=1e-5)


def test_representations_are_the_pooled_output(models, splits):
    encoded = encode_splits(models["age"], splits, batch_size=16, max_length=32)
    assert {split: x.shape for split, x in encoded.items()} == {"dev": (30, 32), "test": (50, 32)}
    assert np.abs(encoded["dev"]).max() <= 1  # tanh


def test_a_text_in_several_data_sets_gets_the_same_prediction_in_each(models, splits):
    dev = splits["dev"]
    twice = {"dev": pd.concat([dev.assign(dataset="A"), dev.assign(dataset="B")], ignore_index=True)}
    rows = sweep(models, [(0.5, 0.5)], twice, batch_size=16, max_length=32, seed=1)
    once = sweep(models, [(0.5, 0.5)], {"dev": dev}, batch_size=16, max_length=32, seed=1)
    for _, part in rows.groupby("dataset"):
        assert part["probability"].tolist() == once["probability"].tolist()
        assert part["id"].tolist() == dev["id"].tolist()
