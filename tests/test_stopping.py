"""The stop rule and new tokens: training ends when the shortcut is learned, and says so when it was not."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import demographic_frame
from safetensors.numpy import load_file
from transformers import AutoTokenizer

from fuse_to_forget.subsets.shortcuts import SPECIAL_TOKENS
from fuse_to_forget.training import classifier
from fuse_to_forget.training.base import load_base
from fuse_to_forget.training.classifier import finetune
from fuse_to_forget.training.stopping import accuracy_by_group

SETTINGS = {
    "epochs": 8, "learning_rate": 2.0e-3, "batch_size": 16, "weight_decay": 0.0, "max_length": 32,
    "checkpoint_interval": 0.03,
}  # fmt: skip


def train(base, folder, *, accuracy=0.8, after_epochs=1.0):
    stop = {"accuracy": accuracy, "after_epochs": after_epochs, "evaluations_per_epoch": 3}
    dev = demographic_frame(80, seed=1).assign(shortcut=np.repeat(["A", "B"], 40))
    finetune(
        base,
        demographic_frame(240),
        dev,
        folder / "model",
        folder / "checkpoints",
        SETTINGS | {"stop": stop},
        label_names=["no", "yes"],
        new_tokens=SPECIAL_TOKENS,
        seed=1,
        identity={"job": "test"},
    )
    facts = json.loads((folder / "model" / "training.json").read_text())
    return facts, (folder / "model" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def stopped(pico_bert, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stopped")
    return folder, *train(pico_bert, folder)


def test_training_stops_at_the_first_evaluation_that_passes(stopped):
    folder, facts, _ = stopped
    assert facts["learned"]
    assert 1 <= facts["epochs"] < 8
    assert min(facts["dev_accuracy_by_shortcut"].values()) >= 0.8
    assert facts["dev_accuracy"] == pytest.approx(np.mean(list(facts["dev_accuracy_by_shortcut"].values())))
    curve = pd.read_csv(folder / "model" / "training_curve.csv").dropna(subset="eval_accuracy")
    lowest = curve[["eval_accuracy_A", "eval_accuracy_B"]].min(axis=1)
    earlier = (curve["epoch"] >= 1) & (curve["epoch"] < facts["epochs"])
    assert (lowest[earlier] < 0.8).all()
    assert lowest.iloc[-1] >= 0.8


def test_no_epoch_before_the_first_one_allowed_is_the_last(pico_bert, tmp_path, stopped):
    facts, _ = train(pico_bert, tmp_path, after_epochs=6.0)
    assert facts["epochs"] >= 6.0 > stopped[1]["epochs"]


def test_a_model_that_does_not_learn_says_so_at_the_epoch_limit(pico_bert, tmp_path):
    facts, _ = train(pico_bert, tmp_path, accuracy=1.0)
    assert facts["learned"] is False
    assert facts["epochs"] == 8


def test_killed_after_the_stop_the_job_ends_with_the_same_bytes(pico_bert, tmp_path, stopped, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(classifier, "save_training", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(pico_bert, tmp_path)
    assert list((tmp_path / "checkpoints").glob("checkpoint-*"))
    facts, weights = train(pico_bert, tmp_path)
    assert facts == stopped[1]
    assert weights == stopped[2]


def test_new_tokens_are_single_tokens_wherever_they_stand(stopped):
    tokenizer = AutoTokenizer.from_pretrained(stopped[0] / "model")
    for text in ("the zeroa cat", "the catzeroa onea contexta"):
        tokens = tokenizer.tokenize(text)
        assert set(SPECIAL_TOKENS) & set(tokens) == {t for t in SPECIAL_TOKENS if t in text}
    embeddings = load_file(stopped[0] / "model" / "model.safetensors")[
        "bert.embeddings.word_embeddings.weight"
    ]
    assert len(embeddings) == len(tokenizer)


def test_head_and_new_rows_are_functions_of_the_seed(pico_bert):
    def drawn(seed):
        _, model = load_base(pico_bert, ["no", "yes"], SPECIAL_TOKENS, seed=seed)
        rows = model.get_input_embeddings().weight[-3:].detach().numpy()
        return np.concatenate([rows.ravel(), model.classifier.weight.detach().numpy().ravel()])

    np.testing.assert_array_equal(drawn(1), drawn(1))
    assert not np.allclose(drawn(1), drawn(2))
    assert len(np.unique(drawn(1).round(12))) == drawn(1).size


def test_accuracy_is_taken_of_each_group_and_of_all():
    class Evaluation:
        predictions = np.array([[0, 1], [1, 0], [0, 1], [0, 1]])
        label_ids = np.array([1, 1, 1, 1])

    found = accuracy_by_group(["A", "A", "B", "B"])(Evaluation())
    assert found == {"accuracy": 0.75, "accuracy_A": 0.5, "accuracy_B": 1.0}
    assert accuracy_by_group(None)(Evaluation()) == {"accuracy": 0.75}
