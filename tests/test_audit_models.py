"""Models that no rule of this project trained: checked, merged with their adapters, predicted and fused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from audit_models import save_encoder, save_language_model, train_classifier, train_language_model
from conftest import article_frame, demographic_frame
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from fuse_to_forget.audit.adapters import merge_adapter
from fuse_to_forget.audit.fused import card_metrics, write_fused
from fuse_to_forget.audit.kept import COLUMNS, kept_and_forgotten
from fuse_to_forget.audit.measure import measure
from fuse_to_forget.audit.models import check_models
from fuse_to_forget.audit.plan import CAUSAL, CLASSIFICATION, DataSet
from fuse_to_forget.audit.predict import predict_examples, read_texts_with_all
from fuse_to_forget.audit.reading import read_sequences
from fuse_to_forget.audit.statistics import audit_statistics
from fuse_to_forget.errors import InputError
from fuse_to_forget.prediction.methods import Constituents, Use
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.statistics.store import write_statistics

COLUMNS_OF_TEXT = {"text": "text", "label": "label", "id": None, "author": None}
SETTINGS = {"examples": 30, "batch_size": 8, "labels": "expected"}
TEXTS = article_frame(60, seed=3)["text"].tolist()
PARTS = {"a": TEXTS[:15], "b": TEXTS[15:30], "both": TEXTS[30:45], "control": TEXTS[45:]}


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory) -> dict[str, Path]:
    """Classifiers of three classes, whole ones and adapters, on encoders of two architectures."""
    folder = tmp_path_factory.mktemp("classifiers")
    frame = demographic_frame(160)
    frame["label"] = frame["label"] * (1 + frame["gender"])
    made = {}
    for family in ("bert", "distilbert"):
        made[family] = save_encoder(folder / family, family)
        for name, part in (("a", frame[:80]), ("b", frame[80:])):
            key = f"{family} {name}"
            made[key] = train_classifier(made[family], part, folder / key, labels=3)
            made[f"{key} lora"] = train_classifier(
                made[family], part, folder / f"{key} lora", labels=3, lora=True
            )
    return made


@pytest.fixture(scope="module")
def language_models(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("language_models")
    made = {}
    for family in ("gpt2", "llama"):
        made[family] = save_language_model(folder / family, family)
        for name in ("a", "b"):
            key, texts = f"{family} {name}", PARTS[name] + PARTS["both"]
            made[key] = train_language_model(made[family], texts, folder / key)
        made[f"{family} a lora"] = train_language_model(
            made[family], PARTS["a"], folder / f"{family} a lora", lora=True
        )
    return made


def logits_of(model: torch.nn.Module, folder: Path, texts: list[str]) -> np.ndarray:
    encoded = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        inputs = {key: encoded[key] for key in ("input_ids", "attention_mask")}
        return model.eval()(**inputs).logits.numpy()


@pytest.mark.parametrize("family", ["bert", "distilbert", "gpt2", "llama"])
def test_a_merged_adapter_answers_as_the_adapter_does(request, tmp_path, family):
    from peft import PeftModel

    task = CLASSIFICATION if "bert" in family else CAUSAL
    made = request.getfixturevalue("classifiers" if task == CLASSIFICATION else "language_models")
    adapter, base = made[f"{family} a lora"], made[family]
    merge_adapter(adapter, base, tmp_path / "whole", task)
    kind = AutoModelForSequenceClassification if task == CLASSIFICATION else AutoModelForCausalLM
    options = {"num_labels": 3} if task == CLASSIFICATION else {}
    alone = kind.from_pretrained(base, **options)
    expected = logits_of(PeftModel.from_pretrained(alone, adapter), base, TEXTS[:4])
    found = logits_of(kind.from_pretrained(tmp_path / "whole"), tmp_path / "whole", TEXTS[:4])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert not np.allclose(
        found, logits_of(kind.from_pretrained(base, **options), base, TEXTS[:4]), atol=1e-2
    )


def changed(adapter: Path, folder: Path, **settings: object) -> Path:
    shutil.copytree(adapter, folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | settings))
    return folder


def test_adapters_of_another_base_are_refused(classifiers, language_models, tmp_path):
    adapter = classifiers["bert a lora"]
    with pytest.raises(InputError, match=r"was trained on .*bert, but audit.base is"):
        merge_adapter(adapter, classifiers["distilbert"], tmp_path / "out", CLASSIFICATION)
    unnamed = changed(adapter, tmp_path / "unnamed", base_model_name_or_path="/gone/bert")
    with pytest.raises(InputError, match=r"changes bert\..*, which .* lacks"):
        merge_adapter(unnamed, language_models["gpt2"], tmp_path / "out", CLASSIFICATION)
    hub = changed(adapter, tmp_path / "hub", base_model_name_or_path="bert-base-cased")
    with pytest.raises(InputError, match=r"was trained on bert-base-cased, but audit.base is owner/other"):
        merge_adapter(hub, classifiers["bert"], tmp_path / "out", CLASSIFICATION, "owner/other")
    merge_adapter(hub, classifiers["bert"], tmp_path / "out", CLASSIFICATION, "google/bert-base-cased")


def test_adapters_that_cannot_be_merged_are_refused(classifiers, tmp_path):
    adapter, base = classifiers["distilbert a lora"], classifiers["distilbert"]
    other = changed(adapter, tmp_path / "prefix", peft_type="PREFIX_TUNING")
    with pytest.raises(InputError, match="of the type PREFIX_TUNING"):
        merge_adapter(other, base, tmp_path / "out", CLASSIFICATION)
    pickled = changed(adapter, tmp_path / "pickled")
    (pickled / "adapter_model.safetensors").rename(pickled / "adapter_model.bin")
    with pytest.raises(InputError, match="save it again in safetensors"):
        merge_adapter(pickled, base, tmp_path / "out", CLASSIFICATION)
    assert not (tmp_path / "out").exists()


def test_an_adapter_without_a_part_of_the_head_is_refused(classifiers, tmp_path):
    """transformers would draw that part at random, and the merged model would answer nonsense."""
    from safetensors.torch import load_file, save_file

    adapter = changed(classifiers["distilbert a lora"], tmp_path / "adapter")
    file = adapter / "adapter_model.safetensors"
    save_file({n: t for n, t in load_file(file).items() if "pre_classifier" not in n}, file, {"format": "pt"})
    with pytest.raises(InputError, match="holds the weight pre_classifier"):
        merge_adapter(adapter, classifiers["distilbert"], tmp_path / "out", CLASSIFICATION)


def test_models_that_do_not_fit_together_are_refused(classifiers, language_models, tmp_path):
    bert, other = classifiers["bert a"], classifiers["bert b"]
    base = classifiers["bert"]
    assert check_models({"a": bert, "b": other}, base, CLASSIFICATION, 32) == [
        "LABEL_0",
        "LABEL_1",
        "LABEL_2",
    ]
    assert check_models({"a": bert, "b": other}, None, CLASSIFICATION, 32, ["x", "y", "z"]) == ["x", "y", "z"]
    two = train_classifier(base, demographic_frame(32), tmp_path / "two", epochs=1)
    cases = [
        (
            {"a": bert, "b": classifiers["distilbert a"]},
            base,
            CLASSIFICATION,
            32,
            "is of the architecture bert .* and",
        ),
        ({"a": bert, "b": two}, base, CLASSIFICATION, 32, "the label map"),
        (
            {"a": bert, "b": other},
            classifiers["distilbert"],
            CLASSIFICATION,
            32,
            "audit.base, .*, is of the arch",
        ),
        ({"a": bert, "b": other}, base, CLASSIFICATION, 65, "the models' context is 64; lower it"),
        ({"a": base, "b": base}, base, CLASSIFICATION, 32, "is no text classifier"),
        ({"a": bert, "b": other}, base, CAUSAL, 32, "is not a causal language model"),
    ]
    for folders, base_folder, task, length, sentence in cases:
        with pytest.raises(InputError, match=sentence):
            check_models(folders, base_folder, task, length)
    with pytest.raises(InputError, match=r"names 2 classes in audit\.labels"):
        check_models({"a": bert, "b": other}, base, CLASSIFICATION, 32, ["x", "y"])


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_classifiers_are_predicted_as_plain_transformers_does(classifiers, tmp_path, family):
    examples = demographic_frame(40, seed=7).assign(dataset="set", unit=lambda frame: frame["id"])
    examples["text"] = examples["text"].where(examples.index > 0, examples["text"].iloc[1])  # twice the same
    folders = {name: classifiers[f"{family} {name}"] for name in ("a", "b")}
    uses = {"average": Use("weighted_average"), "regmean": Use("regmean"), "ensemble": Use("ensemble")}
    sampled = demographic_frame(40, seed=9)[["text"]]
    sampled.to_csv(tmp_path / "sampled.csv", index=False)
    grams = []
    for name, folder in folders.items():
        sets = [DataSet(str(tmp_path / "sampled.csv"), {"text": "text", "label": "label"}, [name])]
        found = audit_statistics(
            folder, "gram", sets, SETTINGS, task=CLASSIFICATION, classes=list("xyz"), length=32, seed=1
        )
        write_statistics(found, tmp_path / f"{name}.safetensors")
        grams.append(tmp_path / f"{name}.safetensors")
    constituents = Constituents(folders, classifiers[family], {"gram": grams})
    rows = predict_examples(constituents, uses, examples, batch_size=16, max_length=32, seed=1)
    predicted = {name: part["prediction"].to_numpy() for name, part in rows.groupby("method")}
    assert len(rows) == 40 * 6  # base, two models, three uses
    most = examples["label"].mode().iloc[0]
    assert (predicted["constant"] == most).all()
    logits = {
        name: logits_of(AutoModelForSequenceClassification.from_pretrained(f), f, examples["text"].tolist())
        for name, f in folders.items()
    }
    single = rows[rows["kind"] == "single"].groupby("model")["prediction"].agg(list)
    for name, own in logits.items():
        assert single[name] == own.argmax(1).tolist()
    shares = [np.exp(own) / np.exp(own).sum(1, keepdims=True) for own in logits.values()]
    assert predicted["ensemble"].tolist() == np.mean(shares, axis=0).argmax(1).tolist()
    table = pd.DataFrame(
        [dict.fromkeys(COLUMNS, "") | {"dataset": "set", "metric": "accuracy", "knowledge": "shared", "value": 0.5,
                                       "low": 0.4, "high": 0.6, "kept": 1.25, "method": "regmean"}]
    )  # fmt: skip
    for label in ("average", "regmean"):
        write_fused(constituents, uses[label], tmp_path / label, table, seed=1)
        fused = AutoModelForSequenceClassification.from_pretrained(tmp_path / label)
        found = logits_of(fused, tmp_path / label, examples["text"].tolist())
        assert predicted[label].tolist() == found.argmax(1).tolist()
        assert ".500 (0.400 to 0.600), kept 1.25" in (tmp_path / label / "README.md").read_text()


def test_a_base_that_is_a_classifier_is_predicted_too(classifiers):
    folders = {name: classifiers[f"bert {name}"] for name in ("a", "b")}
    examples = demographic_frame(20).assign(dataset="set", unit="u")
    rows = predict_examples(
        Constituents(folders, folders["b"]), {}, examples, batch_size=8, max_length=32, seed=1
    )
    base, second = (rows.loc[rows["model"] == name, "prediction"].tolist() for name in ("base", "b"))
    assert rows.loc[rows["model"] == "base", "method"].unique().tolist() == ["pretrained"]
    assert base == second


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_language_models_keep_what_they_share(language_models, tmp_path, family):
    for name, texts in PARTS.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(texts))
    known = {"a": ["a"], "b": ["b"], "both": ["a", "b"], "control": []}
    sets = {name: DataSet(str(tmp_path / f"{name}.txt"), COLUMNS_OF_TEXT, of) for name, of in known.items()}
    folders = {name: language_models[f"{family} {name}"] for name in ("a", "b")}
    base = language_models[family]
    sequences = read_sequences(sets, AutoTokenizer.from_pretrained(base), 32, "control")
    assert sequences["input_ids"].map(len).between(2, 32).all()
    fishers = []
    for name, folder in folders.items():
        own = [part for part in sets.values() if name in part.known_to]
        found = audit_statistics(folder, "fisher", own, SETTINGS, task=CAUSAL, classes=[], length=32, seed=1)
        write_statistics(found, tmp_path / f"{name}.safetensors")
        fishers.append(tmp_path / f"{name}.safetensors")
    uses = {"average": Use("weighted_average"), "ties": Use("ties"), "fisher": Use("fisher")}
    uses["ensemble"] = Use("ensemble")
    constituents = Constituents(folders, base, {"fisher": fishers})
    rows = read_texts_with_all(constituents, uses, sequences, batch_size=16, prefix=4, seed=1)
    measured = measure(rows, sets, CAUSAL, Bootstrap(100, 0.95, 1))
    table, summary = kept_and_forgotten(measured, sets, ["a", "b"], list(uses), {})
    alr = table[table["metric"] == "alr"].set_index(["method", "model", "dataset"])["value"]
    assert (alr["pretrained"] == 1).all()
    assert alr[("finetuned", "a", "a")] < 0.6 < alr[("finetuned", "b", "a")]
    points = summary.set_index("method")
    assert set(uses) <= set(points.index)
    assert points.loc["average", "shared"] > points.loc["average", "forgettable"]
    assert points.loc["mean", "shared"] == pytest.approx(1)
    control = table[table["knowledge"] == "control"]
    assert control["kept"].isna().all()
    assert set(control["metric"]) >= {"alr", "perplexity", "extraction_rate"}


def test_a_text_in_the_control_and_elsewhere_is_refused(language_models, tmp_path):
    (tmp_path / "a.txt").write_text("the cat\nthe dog")
    sets = {
        name: DataSet(str(tmp_path / "a.txt"), COLUMNS_OF_TEXT, of) for name, of in (("a", ["a"]), ("c", []))
    }
    tokenizer = AutoTokenizer.from_pretrained(language_models["gpt2"])
    with pytest.raises(InputError, match=r"The control .* has a text that .* has too"):
        read_sequences(sets, tokenizer, 32, "c")


def test_the_card_says_what_was_measured():
    row = {"metric": "dp", "attribute": "age", "dataset": "test", "value": 0.5, "low": 0.25, "high": 0.75}
    table = pd.DataFrame([row | {"kept": np.nan}, row | {"attribute": "", "metric": "accuracy", "kept": 0.5}])
    assert card_metrics(table) == {
        "dp (age) on test": "0.500 (0.250 to 0.750)",
        "accuracy on test": "0.500 (0.250 to 0.750), kept 0.50",
    }
