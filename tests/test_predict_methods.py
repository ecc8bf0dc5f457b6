"""Models fused by many methods in one job predict what each method's fused checkpoint, or the ensemble, does."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import WORDS, demographic_frame, save_pico_bert
from transformers import AutoModelForSequenceClassification, BertForMaskedLM, GPT2Config, GPT2LMHeadModel

from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.catalog import ENSEMBLE
from fuse_to_forget.fusion.checkpoint import load_state_dict
from fuse_to_forget.fusion.fisher_average import fisher_state_dicts
from fuse_to_forget.fusion.fuse import fuse
from fuse_to_forget.fusion.regmean import regmean_state_dicts
from fuse_to_forget.fusion.regmean_plus_plus import regmean_plus_plus
from fuse_to_forget.prediction.memorization import Reading, read_with_all
from fuse_to_forget.prediction.methods import (
    Constituents,
    Use,
    predict_with_methods,
    read_with_methods,
)
from fuse_to_forget.prediction.splits import predict_splits
from fuse_to_forget.prediction.sweep import load_weights
from fuse_to_forget.statistics.collect import (
    classifier_examples,
    classifier_statistics,
    language_model_statistics,
    sequence_examples,
)
from fuse_to_forget.statistics.store import read_statistics, write_statistics

SETTINGS = {"batch_size": 16, "max_length": 32}
COLLECTED = {"examples": 20, "batch_size": 8, "seed": 1}
USES = {
    "average": Use("weighted_average"),
    "tilted": Use("weighted_average", coefficients=[0.75, 0.25]),
    "far": Use("task_arithmetic", {"scale": 1.5}),
    "regmean": Use("regmean"),
    "regmean++": Use("regmean_plus_plus", {"off_diagonal": 0.7}),
    "fisher": Use("fisher"),
    "together": Use(ENSEMBLE),
}


def saved_classifier(folder, base, seed):
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    save_pico_bert(folder)  # the tokenizer
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def constituents(tmp_path_factory):
    root = tmp_path_factory.mktemp("methods")
    base = save_pico_bert(root / "base")
    folders = {name: saved_classifier(root / name, base, seed) for seed, name in enumerate(("gender", "age"))}
    frame = demographic_frame(40, seed=3)
    files = {}
    for kind in ("gram", "fisher"):
        files[kind] = [root / f"{name}_{kind}.safetensors" for name in folders]
        for folder, file in zip(folders.values(), files[kind], strict=True):
            found = classifier_statistics(folder, frame, kind, labels="expected", max_length=32, **COLLECTED)
            write_statistics(found, file)
    texts = [
        classifier_examples(folder, frame, examples=20, max_length=32, seed=1)[0]
        for folder in folders.values()
    ]
    return Constituents(folders, base, files, texts)


@pytest.fixture(scope="module")
def splits():
    return {"dev": demographic_frame(30, seed=4), "test": demographic_frame(50, seed=5)}


@pytest.fixture(scope="module")
def rows(constituents, splits):
    return predict_with_methods(constituents, USES, splits, seed=1, **SETTINGS)


def alone(folder, splits):
    return predict_splits(folder, splits, seed=1, **SETTINGS)["probability"].to_numpy()


def of(rows, method):
    return rows.loc[rows["method"] == method, "probability"].to_numpy()


def test_one_row_for_each_use_split_and_example(rows, splits):
    assert len(rows) == len(USES) * 80
    assert set(rows["model"]) == {"gender-age"}
    assert rows.groupby("method", sort=False)["kind"].first().to_dict() == dict.fromkeys(USES, "fused") | {
        "together": "ensemble"
    }
    assert rows.loc[rows["method"] == "tilted", "coefficients"].unique() == ["gender=0.75 age=0.25"]
    test = rows[(rows["method"] == "far") & (rows["split"] == "test")]
    assert test["id"].tolist() == splits["test"]["id"].tolist()
    assert "text" not in rows


@pytest.mark.parametrize("label", ["average", "tilted", "far"])
def test_it_predicts_what_the_fused_checkpoint_does(rows, constituents, splits, tmp_path, label):
    use = USES[label]
    base = constituents.base if use.method == "task_arithmetic" else None
    fuse(
        list(constituents.folders.values()), tmp_path / "fused", use.coefficients,
        method=use.method, settings=use.settings, base=base,
    )  # fmt: skip
    assert of(rows, label) == pytest.approx(alone(tmp_path / "fused", splits), abs=1e-5)


@pytest.mark.parametrize("label", ["regmean", "fisher"])
def test_methods_with_statistics_merge_with_those_of_each_model(rows, constituents, splits, tmp_path, label):
    merge, kind = {"regmean": (regmean_state_dicts, "gram"), "fisher": (fisher_state_dicts, "fisher")}[label]
    folders = list(constituents.folders.values())
    statistics = [read_statistics(file) for file in constituents.statistics[kind]]
    model = AutoModelForSequenceClassification.from_pretrained(folders[0])
    load_weights(model, merge([load_state_dict(folder) for folder in folders], statistics))
    save_pico_bert(tmp_path / "fused")
    model.save_pretrained(tmp_path / "fused")
    assert of(rows, label) == pytest.approx(alone(tmp_path / "fused", splits), abs=1e-5)
    assert np.abs(of(rows, label) - of(rows, "average")).max() > 1e-3


def test_regmean_plus_plus_merges_with_the_texts(rows, constituents, splits, tmp_path):
    weights = [load_state_dict(folder) for folder in constituents.folders.values()]
    model = AutoModelForSequenceClassification.from_pretrained(next(iter(constituents.folders.values())))
    load_weights(model, regmean_plus_plus(model, weights, constituents.texts, off_diagonal=0.7))
    save_pico_bert(tmp_path / "fused")
    model.save_pretrained(tmp_path / "fused")
    assert of(rows, "regmean++") == pytest.approx(alone(tmp_path / "fused", splits), abs=1e-5)
    without = replace(constituents, texts=())
    with pytest.raises(InputError, match="those with texts 0"):
        predict_with_methods(without, {"regmean++": USES["regmean++"]}, splits, seed=1, **SETTINGS)


def test_an_ensemble_has_the_mean_of_the_probabilities(rows, constituents, splits):
    singles = [alone(folder, splits) for folder in constituents.folders.values()]
    assert of(rows, "together") == pytest.approx(np.mean(singles, axis=0), abs=1e-5)
    weighted = {
        "weighted": Use(ENSEMBLE, coefficients=[0.9, 0.1]),
        "first": Use(ENSEMBLE, coefficients=[1, 0]),
    }
    found = predict_with_methods(constituents, weighted, splits, seed=1, **SETTINGS)
    assert of(found, "weighted") == pytest.approx(0.9 * singles[0] + 0.1 * singles[1], abs=1e-5)
    assert of(found, "first") == pytest.approx(singles[0], abs=1e-5)


def test_statistics_of_another_model_are_refused(constituents, splits):
    swapped = Constituents(
        constituents.folders, None, {"gram": list(reversed(constituents.statistics["gram"]))}
    )
    with pytest.raises(InputError, match="not of "):
        predict_with_methods(swapped, {"regmean": Use("regmean")}, splits, seed=1, **SETTINGS)


def test_only_pairs_fit_a_method_for_pairs():
    assert Use("slerp").fits(2)
    assert not Use("slerp").fits(3)
    assert Use("karcher").fits(3)
    assert Use(ENSEMBLE).fits(3)


def saved_language_model(objective, folder, seed):
    save_pico_bert(folder, seed=seed)
    torch.manual_seed(seed)
    if objective == "masked":
        model = BertForMaskedLM.from_pretrained(folder)
    else:
        ends = {"bos_token_id": None, "eos_token_id": None}
        size = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32, "initializer_range": 0.4}
        model = GPT2LMHeadModel(GPT2Config(vocab_size=5 + len(WORDS), **size, **ends))
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("objective", ["causal", "masked"])
def test_language_models_fused_by_each_method(objective, tmp_path):
    folders = {
        name: saved_language_model(objective, tmp_path / name, seed) for seed, name in enumerate(("A", "B"))
    }
    rng = np.random.default_rng(1)
    tokens = [[2, *rng.integers(5, 25, 8).tolist(), 3] for _ in range(12)]
    sequences = pd.DataFrame({"dataset": "A", "id": [f"s{i}" for i in range(12)], "input_ids": tokens})
    sequences["article"] = sequences["id"]
    masking = {"rate": 0.3, "repeats": 2, "seed": 7}
    files = {"gram": [], "fisher": []}
    for kind, paths in files.items():
        for name, folder in folders.items():
            found = language_model_statistics(
                folder, sequences, kind, objective, masking=masking, **COLLECTED
            )
            paths.append(tmp_path / f"{name}_{kind}")
            write_statistics(found, paths[-1])
    reading = Reading(objective, 5, 3, masking)
    texts = [
        sequence_examples(folder, sequences, objective, examples=20, masking=masking, seed=1)[0]
        for folder in folders.values()
    ]
    uses = {
        name: Use(name) for name in ("weighted_average", "regmean", "regmean_plus_plus", "fisher", ENSEMBLE)
    }
    found = read_with_methods(Constituents(folders, None, files, texts), uses, sequences, reading, seed=1)
    known = read_with_all(sequences, folders["A"], folders, {"both": ["A", "B"]}, reading, seed=1)

    def likelihood(rows, **key):
        ((column, value),) = key.items()
        return rows.loc[rows[column] == value, "log_likelihood"].to_numpy()

    assert set(found) == set(known)
    assert likelihood(found, method="weighted_average") == pytest.approx(
        likelihood(known, model="both"), rel=1e-5
    )
    for method in ("regmean", "regmean_plus_plus"):
        assert not np.allclose(likelihood(found, method=method), likelihood(known, model="both"), rtol=1e-4)
    singles = [likelihood(known, model=name) for name in folders]
    together = likelihood(found, method=ENSEMBLE)
    # token by token the mean of probabilities lies between them, and above their geometric mean
    assert (together >= np.mean(singles, axis=0) - 1e-6).all()
    assert (together > np.min(singles, axis=0)).all()
