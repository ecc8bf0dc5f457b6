"""All models of a run read the same: a fused row is the likelihood of the average of its models' weights."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import WORDS, save_pico_bert
from transformers import BertForMaskedLM, GPT2Config, GPT2LMHeadModel

from fuse_to_forget.coefficients import parse_coefficients
from fuse_to_forget.prediction import memorization
from fuse_to_forget.prediction.likelihood import draw_maskings
from fuse_to_forget.prediction.memorization import Reading, read_with_all
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.memorization import Evaluation, measure_memorization

PREFIX = 3
SPECIAL = {0, 1, 2, 3, 4}  # of the tokenizer of conftest
CLS, SEP, MASK = 2, 3, 4
MASKING = {"rate": 0.3, "repeats": 3, "seed": 7}
MODELS = ("base", "A", "B", "full_AB")
FUSED = {"fused_AB": ["A", "B"], "fused_AA": ["A", "A"], "fused_ABfull": ["A", "B", "full_AB"]}


def build(objective, folder, seed):
    """Save a random model with a tokenizer; its predictions are far from uniform."""
    save_pico_bert(folder, seed=seed)
    torch.manual_seed(seed)
    if objective == "masked":
        model = BertForMaskedLM.from_pretrained(folder)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    else:
        size = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32, "initializer_range": 0.4}
        ends = {"bos_token_id": None, "eos_token_id": None}
        model = GPT2LMHeadModel(GPT2Config(vocab_size=5 + len(WORDS), **size, **ends))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["causal", "masked"])
def objective(request):
    return request.param


@pytest.fixture(scope="module")
def folders(objective, tmp_path_factory):
    root = tmp_path_factory.mktemp(objective)
    return {name: build(objective, root / name, seed) for seed, name in enumerate(MODELS)}


@pytest.fixture(scope="module")
def sequences():
    """Ten sequences of each of two data sets, of 3 to 14 tokens."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "dataset": dataset, "id": f"{dataset}{i}", "article": f"{dataset}{i // 2}",
            "input_ids": [CLS, *rng.integers(5, 5 + len(WORDS), rng.integers(1, 13)).tolist(), SEP],
        }
        for dataset in ("A", "held_out") for i in range(10)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def read(objective, folders, sequences, fused=FUSED):
    trained = {name: folder for name, folder in folders.items() if name != "base"}
    reading = Reading(objective, batch_size=4, prefix=PREFIX, masking=MASKING)
    return read_with_all(sequences, folders["base"], trained, fused, reading, seed=1)


@pytest.fixture(scope="module")
def rows(objective, folders, sequences):
    return read(objective, folders, sequences)


def log_likelihoods(rows, model):
    return rows.loc[rows["model"] == model, "log_likelihood"].to_numpy()


def averaged(objective, folders):
    """The model whose every parameter is the mean over these folders, by hand."""
    architecture = GPT2LMHeadModel if objective == "causal" else BertForMaskedLM
    models = [architecture.from_pretrained(folder).eval() for folder in folders]
    with torch.no_grad():
        for parameters in zip(*(model.parameters() for model in models), strict=True):
            parameters[0].copy_(torch.stack(parameters).mean(dim=0))
    return models[0]


def log_likelihood(objective, model, ids, name):
    """One forward pass for the sequence, or for each masked copy of it."""
    inputs, targets = torch.tensor([ids]), [range(1, len(ids))]
    if objective == "masked":
        masks = draw_maskings([ids], SPECIAL, [name], **MASKING)[0]
        inputs = torch.where(torch.from_numpy(masks), MASK, inputs)
        targets = [np.flatnonzero(mask) for mask in masks]
    with torch.inference_mode():
        scores = torch.log_softmax(model(input_ids=inputs).logits.double(), -1)
    before = 1 if objective == "causal" else 0
    return sum(
        scores[copy, position - before, ids[position]].item()
        for copy, where in enumerate(targets)
        for position in where
    )


@pytest.mark.parametrize("name", FUSED)
def test_a_fused_row_is_the_likelihood_of_the_averaged_weights(objective, folders, sequences, rows, name):
    model = averaged(objective, [folders[constituent] for constituent in FUSED[name]])
    read_by_hand = zip(sequences["input_ids"], sequences["id"], strict=True)
    expected = [log_likelihood(objective, model, ids, number) for ids, number in read_by_hand]
    assert log_likelihoods(rows, name) == pytest.approx(expected, abs=1e-3)
    for constituent in ("A", "B"):  # the case is not trivial
        far = np.abs(log_likelihoods(rows, constituent) - expected).mean() > 0.1
        assert far or name == "fused_AA"


def test_a_model_fused_with_itself_is_itself(rows):
    ours, theirs = (rows[rows["model"] == name].reset_index(drop=True) for name in ("A", "fused_AA"))
    measured = ["id", "log_likelihood", "tokens", "verbatim", "length"]
    pd.testing.assert_frame_equal(ours[measured], theirs[measured], check_exact=True)


def test_every_row_says_which_model_it_is_of(rows, sequences):
    assert rows.groupby("model", sort=False).size().to_dict() == dict.fromkeys((*MODELS, *FUSED), 20)
    kinds = rows.drop_duplicates("model").set_index("model")["kind"].to_dict()
    assert kinds == dict(zip(MODELS, ("base", "single", "single", "full"), strict=True)) | dict.fromkeys(
        FUSED, "fused"
    )
    named = rows.loc[rows["model"] == "fused_AB", "coefficients"].iloc[0]
    assert parse_coefficients(named) == {"A": 0.5, "B": 0.5}
    for _, part in rows.groupby("model"):
        assert part["id"].tolist() == sequences["id"].tolist()


def test_lengths_are_those_of_what_can_be_recited(objective, rows, sequences):
    lengths = sequences["input_ids"].str.len() - PREFIX
    expected = lengths.where((lengths > 0) & (objective == "causal"), -1)
    assert rows.loc[rows["model"] == "B", "length"].tolist() == expected.tolist()


def test_all_models_are_read_with_the_same_masks(objective, folders, sequences, monkeypatch):
    seen = []
    read_masked = memorization.masked_likelihoods

    def spy(model, token_ids, maskings, *others):
        seen.append(maskings)
        return read_masked(model, token_ids, maskings, *others)

    monkeypatch.setattr(memorization, "masked_likelihoods", spy)
    rows = read(objective, folders, sequences)
    assert len(seen) == (len(MODELS) + len(FUSED) if objective == "masked" else 0)
    for maskings in seen:
        for one, other in zip(seen[0], maskings, strict=True):
            np.testing.assert_array_equal(one, other)
    assert (rows.groupby("id")["tokens"].nunique() == 1).all()


def test_the_ratio_of_the_base_model_is_exactly_one(objective, folders, sequences):
    """As is that of a model with the base model's weights, alone and in an average."""
    same = {"base": folders["base"], "twin": folders["base"], "A": folders["A"]}
    rows = read(objective, same, sequences, {"fused_twins": ["twin", "twin"]})
    evaluation = Evaluation("sequence", "float32", 4)
    measured = measure_memorization(rows, Bootstrap(resamples=20, level=0.95, seed=1), evaluation)
    for model in ("base", "twin", "fused_twins"):
        (ratio,) = measured.find(model=model, dataset="A", metric="alr")
        assert measured.quantity([ratio]).by_seed() == [(1.0, 1.0, 1.0)]
    (other,) = measured.find(model="A", dataset="A", metric="alr")
    assert abs(measured.quantity([other]).observed.item() - 1) > 0.1
