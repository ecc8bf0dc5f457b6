"""Language models: they memorise, are a function of their seed, and go on exactly from where they were killed."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from fuse_to_forget.errors import InputError
from fuse_to_forget.objectives import AUTO_MODELS
from fuse_to_forget.training.language_model import _Batches, _Trainer, finetune_language_model
from fuse_to_forget.training.pretraining import pretrain, train_tokenizer
from fuse_to_forget.training.sampling import EpochSeededLengthSampler

SENTENCE = "the cat sat on a mat and then dog ran over some hill with joy naïve café"
TEXTS = [" ".join(np.random.default_rng(i).choice(SENTENCE.split(), 12)) + "." for i in range(40)]
OBJECTIVES = ("causal", "masked")
LENGTH = 16
ARCHITECTURE = {
    "causal": ("gpt2", {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32}),
    "masked": ("bert", {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
        "max_position_embeddings": 32,
    }),
}  # fmt: skip
SETTINGS = {  # five steps an epoch for 20 sequences
    "epochs": 4, "learning_rate": 1.0e-2, "batch_size": 4, "weight_decay": 0.01, "checkpoint_interval": 0.35,
}  # fmt: skip


def make_base(folder, kind, *, texts=TEXTS, seed=1, **changes):
    architecture, config = ARCHITECTURE[kind]
    arguments = {
        "architecture": architecture, "config": config, "vocabulary": 290, "objective": kind,
        "length": LENGTH, "settings": SETTINGS | {"epochs": 1, "batch_size": 16}, "seed": seed,
        "identity": {"job": "pretraining"},
    }  # fmt: skip
    pretrain(texts, folder / "model", folder / "checkpoints", **(arguments | changes))
    return folder / "model"


def sequences(number=20, *, seed=0):
    """Ordinary tokens: 256 bytes and the special tokens are in any vocabulary here."""
    return pd.DataFrame(
        {"input_ids": np.random.default_rng(seed).integers(5, 257, (number, LENGTH)).tolist()}
    )


def facts_of(folder):
    return json.loads((folder / "model" / "training.json").read_text())


def train(base, folder, objective, *, seed=1, data=None, **changes):
    finetune_language_model(
        base,
        sequences() if data is None else data,
        sequences(5, seed=1),
        folder / "model",
        folder / "checkpoints",
        SETTINGS | changes,
        objective=objective,
        seed=seed,
        identity={"job": "test"},
    )
    return (folder / "model" / "model.safetensors").read_bytes()


def loss_of(folder, frame):
    model = AUTO_MODELS["causal"].from_pretrained(folder).eval()
    ids = torch.tensor(frame["input_ids"].tolist())
    with torch.no_grad():
        return model(input_ids=ids, labels=ids).loss.item()


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return {name: make_base(tmp_path_factory.mktemp(name), name) for name in OBJECTIVES}


@pytest.fixture(scope="module")
def trained(bases, tmp_path_factory):
    folders = {name: tmp_path_factory.mktemp(f"trained-{name}") for name in OBJECTIVES}
    return {name: (folders[name], train(bases[name], folders[name], name)) for name in OBJECTIVES}


def die_after(steps, monkeypatch):
    step = _Trainer.training_step

    def die(self, *args, **kwargs):
        if self.state.global_step == steps:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    monkeypatch.setattr(_Trainer, "training_step", die)


def test_a_causal_model_memorises_what_it_is_trained_on(bases, tmp_path):
    train(bases["causal"], tmp_path, "causal", epochs=40)
    seen = sequences()
    assert loss_of(tmp_path / "model", seen) < loss_of(bases["causal"], seen) / 2
    curve = pd.read_csv(tmp_path / "model" / "training_curve.csv")
    assert curve["loss"].dropna().iloc[-1] < curve["loss"].dropna().iloc[0]
    evaluated = curve.dropna(subset="eval_loss")["step"].tolist()
    assert evaluated == list(range(5, 201, 5))  # once an epoch
    assert facts_of(tmp_path)["dev_loss"] == pytest.approx(
        loss_of(tmp_path / "model", sequences(5, seed=1)), rel=1e-4
    )


def test_the_loss_of_a_masked_model_falls(bases, tmp_path):
    same = pd.DataFrame({"input_ids": sequences(2)["input_ids"].tolist() * 10})
    train(bases["masked"], tmp_path, "masked", data=same, epochs=25)
    loss = pd.read_csv(tmp_path / "model" / "training_curve.csv")["loss"].dropna()
    assert loss.iloc[-1] < loss.iloc[0] / 2


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_it_records_what_it_did_and_leaves_the_models_config_as_it_was(bases, trained, objective):
    folder = trained[objective][0] / "model"
    curve = pd.read_csv(folder / "training_curve.csv")
    assert facts_of(folder.parent) == {
        "job": "test", "train_sequences": 20, "dev_sequences": 5, "epochs": 4.0,
        "dev_loss": pytest.approx(curve["eval_loss"].dropna().iloc[-1]),
    }  # fmt: skip
    for name in ("config.json", "tokenizer.json"):
        assert (folder / name).read_bytes() == (bases[objective] / name).read_bytes()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_weights_are_a_function_of_the_seed(bases, trained, objective, tmp_path):
    assert train(bases[objective], tmp_path / "same", objective) == trained[objective][1]
    assert train(bases[objective], tmp_path / "other", objective, seed=2) != trained[objective][1]


# checkpoint-7 lies within an epoch, checkpoint-10 at the end of one, where dev is evaluated
@pytest.mark.parametrize(("interval", "checkpoint"), [(0.35, 7), (0.5, 10)])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_killed_job_ends_with_the_bytes_of_an_undisturbed_one(
    bases, trained, objective, interval, checkpoint, tmp_path, monkeypatch, capfd
):
    die_after(12, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(bases[objective], tmp_path, objective, checkpoint_interval=interval)
    assert not (tmp_path / "model").exists()
    monkeypatch.undo()
    assert train(bases[objective], tmp_path, objective, checkpoint_interval=interval) == trained[objective][1]
    assert f"resuming from checkpoint-{checkpoint}" in capfd.readouterr().out
    assert facts_of(tmp_path) == facts_of(trained[objective][0])


def test_a_job_killed_between_a_broken_epoch_and_its_output_takes_no_step_too_many(
    bases, tmp_path, monkeypatch
):
    whole = train(bases["masked"], tmp_path / "whole", "masked", epochs=2.5)
    with monkeypatch.context() as patch:
        patch.setattr("fuse_to_forget.training.language_model.save_training", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(bases["masked"], tmp_path / "killed", "masked", epochs=2.5)
    assert train(bases["masked"], tmp_path / "killed", "masked", epochs=2.5) == whole
    assert facts_of(tmp_path / "killed") == facts_of(tmp_path / "whole")


def test_padding_has_no_label_but_a_genuine_end_of_text_has_one():
    tokenizer = train_tokenizer(TEXTS, 290, "causal", LENGTH)
    end = tokenizer.eos_token_id
    batches = _Batches(tokenizer, "causal", EpochSeededLengthSampler([4, 2], 2, seed=1))
    batch = batches([{"input_ids": [7, end, 8, end]}, {"input_ids": [9, end]}])
    assert batch["input_ids"].tolist() == [[7, end, 8, end], [9, end, end, end]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch["labels"].tolist() == [[-100, end, 8, end], [-100, end, -100, -100]]


def test_padded_tokens_do_not_enter_the_loss(tmp_path, monkeypatch):
    config = ARCHITECTURE["causal"][1] | {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0}
    base = make_base(tmp_path / "base", "causal", config=config)
    mixed = sequences(4)
    mixed["input_ids"] = [ids[:length] for ids, length in zip(mixed["input_ids"], (3, 16, 9, 2), strict=True)]
    model = AUTO_MODELS["causal"].from_pretrained(base).eval()
    by_hand = []
    for ids in mixed["input_ids"]:
        with torch.no_grad():
            chances = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        by_hand += [-chances[i, token].item() for i, token in enumerate(ids[1:])]
    losses = []
    step = _Trainer.training_step
    monkeypatch.setattr(_Trainer, "training_step", lambda *a, **k: losses.append(step(*a, **k)) or losses[-1])
    train(base, tmp_path, "causal", data=mixed, epochs=1)
    assert losses[0].item() == pytest.approx(np.mean(by_hand), rel=1e-4)


def test_masks_cover_15_percent_of_ordinary_tokens_and_change_with_the_epoch():
    tokenizer = train_tokenizer(TEXTS, 290, "masked", LENGTH)
    order = EpochSeededLengthSampler([500] * 40, 40, seed=1)
    batches = _Batches(tokenizer, "masked", order)
    rng = np.random.default_rng(0)
    examples = [{"input_ids": [2, *rng.integers(5, len(tokenizer), 498 - i).tolist(), 3]} for i in range(40)]
    first = batches(examples)
    ids = _Batches(tokenizer, "causal", order)(examples)["input_ids"]
    chosen = first["labels"] != -100
    assert not chosen[ids < 5].any()
    assert torch.equal(first["labels"][chosen], ids[chosen])
    assert torch.equal(first["input_ids"][~chosen], ids[~chosen])
    assert (chosen.sum() / (ids >= 5).sum()).item() == pytest.approx(0.15, abs=0.01)
    shown, true = first["input_ids"][chosen], ids[chosen]
    assert (shown == tokenizer.mask_token_id).float().mean().item() == pytest.approx(0.8, abs=0.03)
    assert (shown == true).float().mean().item() == pytest.approx(0.1, abs=0.03)
    assert torch.equal(batches(examples)["labels"], first["labels"])
    order.set_epoch(1)
    assert not torch.equal(batches(examples)["labels"], first["labels"])


def test_a_batch_that_chance_leaves_without_a_mask_is_drawn_again():
    tokenizer = train_tokenizer(TEXTS, 290, "masked", LENGTH)
    batches = _Batches(tokenizer, "masked", EpochSeededLengthSampler([3], 1, seed=1))
    for token in range(5, 105):
        assert batches([{"input_ids": [2, token, 3]}])["labels"].tolist() == [[-100, token, -100]]


def test_bad_sequences_and_bases_are_refused_in_a_sentence(bases, tmp_path):
    def refused(message, base=bases["causal"], objective="causal", ids=(7, 8)):
        with pytest.raises(InputError, match=message):
            train(base, tmp_path, objective, data=pd.DataFrame({"input_ids": [[7, 8], list(ids)]}))

    (tmp_path / "empty").mkdir()
    refused("cannot be loaded as a causal language model", base=tmp_path / "empty")
    refused("cannot be loaded as a masked language model", objective="masked")
    refused(
        "is not a causal language model but a masked one",
        base=bases["masked"],
    )
    refused("Sequence 1 of the training data has 33 tokens, but the model's context only 32", ids=[7] * 33)
    refused("Sequence 1 of the training data has a token outside the model's vocabulary", ids=[7, 290])
    refused("Sequence 1 of the training data has no token to predict", ids=[7])
    refused("has no token to predict", base=bases["masked"], objective="masked", ids=[2, 3])
    with pytest.raises(InputError, match="training data hold no sequence"):
        train(bases["causal"], tmp_path, "causal", data=pd.DataFrame({"input_ids": []}))
