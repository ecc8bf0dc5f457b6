"""Preemption: told to leave, a training saves a checkpoint at once, and goes on from there to the same bytes."""

import os
import signal
import subprocess
import sys
import threading

import pandas as pd
import pytest
from conftest import WORDS
from training_runs import SETTINGS, STEPS_AN_EPOCH, train
from transformers import GPT2Config, GPT2LMHeadModel

from fuse_to_forget.training import classifier, language_model
from fuse_to_forget.training.classifier import _Trainer
from fuse_to_forget.training.interruption import SIGNALS, SaveWhenTold, leave_when_told
from fuse_to_forget.training.language_model import finetune_language_model
from fuse_to_forget.training.pretraining import train_tokenizer


def tell_at(monkeypatch, trainer, step, number):
    """Send this process a signal while the training is at a step."""
    before = trainer.training_step

    def told(self, *args, **kwargs):
        if self.state.global_step == step - 1:
            os.kill(os.getpid(), number)
        return before(self, *args, **kwargs)

    monkeypatch.setattr(trainer, "training_step", told)


def killed(*_):
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def undisturbed(pico_bert, tmp_path_factory):
    return train(pico_bert, tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize(
    "step",
    [1, STEPS_AN_EPOCH - 1, STEPS_AN_EPOCH, STEPS_AN_EPOCH + 1, 12, 3 * STEPS_AN_EPOCH - 1],
    ids=["first", "before-epoch", "epoch", "after-epoch", "checkpoint", "last-but-one"],
)
def test_a_classifier_goes_on_from_the_step_at_which_it_was_told(
    undisturbed, pico_bert, tmp_path, monkeypatch, capfd, step, number
):
    tell_at(monkeypatch, _Trainer, step, number)
    with pytest.raises(SystemExit) as left:
        train(pico_bert, tmp_path)
    assert left.value.code == os.EX_TEMPFAIL
    assert f"{number.name}: checkpoint saved at step {step}; run again to go on" in capfd.readouterr().out
    assert not (tmp_path / "model").exists()
    monkeypatch.undo()
    assert train(pico_bert, tmp_path) == undisturbed
    assert f"resuming from checkpoint-{step}\n" in capfd.readouterr().out


def test_told_at_the_last_step_it_ends_as_if_nothing_had_been_said(
    undisturbed, pico_bert, tmp_path, monkeypatch
):
    tell_at(monkeypatch, _Trainer, 3 * STEPS_AN_EPOCH, signal.SIGTERM)
    assert train(pico_bert, tmp_path) == undisturbed


def test_killed_after_the_last_step_it_writes_the_same_files(
    undisturbed, pico_bert, tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(classifier, "save_training", killed)
    with pytest.raises(KeyboardInterrupt):
        train(pico_bert, tmp_path)
    monkeypatch.undo()
    assert train(pico_bert, tmp_path) == undisturbed
    assert f"resuming from checkpoint-{3 * STEPS_AN_EPOCH}\n" in capfd.readouterr().out


def test_told_at_the_step_at_which_the_stop_rule_ends_training_it_ends(pico_bert, tmp_path, monkeypatch):
    stop = {"accuracy": 0.0, "after_epochs": 1.0, "evaluations_per_epoch": 1}
    whole = train(pico_bert, tmp_path / "whole", stop=stop)
    tell_at(monkeypatch, _Trainer, STEPS_AN_EPOCH, signal.SIGTERM)
    assert train(pico_bert, tmp_path / "told", stop=stop) == whole


@pytest.fixture(scope="module")
def train_language_model(tmp_path_factory):
    base = tmp_path_factory.mktemp("language_model") / "base"
    tokenizer = train_tokenizer([" ".join(WORDS)], 300, "causal", 16)
    config = GPT2Config(vocab_size=len(tokenizer), n_layer=1, n_embd=16, n_head=2, n_positions=16)
    GPT2LMHeadModel(config).save_pretrained(base)
    tokenizer.save_pretrained(base)
    rows = pd.DataFrame({"input_ids": [list(range(i, i + 12)) for i in range(40)]})

    def train_in(folder):
        finetune_language_model(
            base,
            rows,
            rows[:8],
            folder / "model",
            folder / "checkpoints",
            SETTINGS | {"batch_size": 8},
            objective="causal",
            seed=1,
            identity={"job": "test"},
        )
        return {file.name: file.read_bytes() for file in (folder / "model").iterdir()}

    return train_in


@pytest.mark.parametrize("step", [2, 5, 6])  # within an epoch, at its end, after it
def test_a_language_model_goes_on_from_the_step_at_which_it_was_told(
    train_language_model, tmp_path, monkeypatch, step
):
    whole = train_language_model(tmp_path / "whole")
    tell_at(monkeypatch, language_model._Trainer, step, signal.SIGTERM)
    with pytest.raises(SystemExit):
        train_language_model(tmp_path / "told")
    monkeypatch.undo()
    assert train_language_model(tmp_path / "told") == whole


def test_a_language_model_killed_after_the_last_step_writes_the_same_files(
    train_language_model, tmp_path, monkeypatch
):
    whole = train_language_model(tmp_path / "whole")
    monkeypatch.setattr(language_model, "save_training", killed)
    with pytest.raises(KeyboardInterrupt):
        train_language_model(tmp_path / "killed")
    monkeypatch.undo()
    assert train_language_model(tmp_path / "killed") == whole


def test_outside_the_block_signals_do_what_they_did_before():
    before = [signal.getsignal(number) for number in SIGNALS]
    with leave_when_told(SaveWhenTold()):
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_in_another_thread_the_block_changes_nothing():
    before, within = signal.getsignal(signal.SIGTERM), []

    def enter():
        with leave_when_told(SaveWhenTold()):
            within.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert within == [before]


def test_a_process_that_is_not_training_ends_at_once():
    """Nothing is lost before and after training, so nothing there should delay a node that is to be taken away."""
    wait = "import fuse_to_forget.training.interruption, time; print('ready', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", wait], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.wait(10) == -signal.SIGTERM
