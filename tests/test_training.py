"""Fine-tuning: learns, is a function of its seed, and goes on exactly from where it was killed."""

import json
from itertools import pairwise

import pandas as pd
import pytest
from conftest import demographic_frame
from safetensors.numpy import load_file

from fuse_to_forget.errors import InputError
from fuse_to_forget.training.checkpoints import resumable_checkpoint
from fuse_to_forget.training.classifier import _Trainer, finetune
from fuse_to_forget.training.sampling import EpochSeededLengthSampler

SETTINGS = {
    "epochs": 6, "learning_rate": 2.0e-3, "batch_size": 16, "weight_decay": 0.0, "max_length": 32,
    "checkpoint_interval": 0.2,
}  # fmt: skip


def train(base, folder, *, seed=1, identity=None, interval=0.2):
    finetune(
        base,
        demographic_frame(240),
        demographic_frame(80, seed=1),
        folder / "model",
        folder / "checkpoints",
        SETTINGS | {"checkpoint_interval": interval},
        label_names=["no", "yes"],
        seed=seed,
        identity=identity or {"job": "test"},
    )
    return (folder / "model" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def trained(pico_bert, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, train(pico_bert, folder)


def test_it_learns_and_records_its_curve(trained):
    folder, _ = trained
    curve = pd.read_csv(folder / "model" / "training_curve.csv")
    assert curve["loss"].dropna().iloc[-1] < curve["loss"].dropna().iloc[0]
    facts = json.loads((folder / "model" / "training.json").read_text())
    assert facts["dev_accuracy"] > 0.7
    assert json.loads((folder / "model" / "config.json").read_text())["id2label"] == {"0": "no", "1": "yes"}


@pytest.mark.parametrize(("interval", "last"), [(0.2, 18), (1 / 6, 15)])  # within an epoch, and at its end
def test_a_killed_job_ends_with_the_bytes_of_an_undisturbed_one(
    trained, pico_bert, tmp_path, monkeypatch, capfd, interval, last
):
    class KilledError(Exception):
        pass

    step = _Trainer.training_step

    def die_in_the_second_epoch(self, *args, **kwargs):
        if self.state.global_step == 20:
            raise KilledError
        return step(self, *args, **kwargs)

    monkeypatch.setattr(_Trainer, "training_step", die_in_the_second_epoch)
    with pytest.raises(KilledError):
        train(pico_bert, tmp_path, interval=interval)
    assert not (tmp_path / "model").exists()
    # a checkpoint that the kill left half-written must not be taken for one
    (tmp_path / "checkpoints" / "checkpoint-99").mkdir()
    monkeypatch.undo()
    assert train(pico_bert, tmp_path, interval=interval) == trained[1]
    assert f"resuming from checkpoint-{last}\n" in capfd.readouterr().out


def test_another_seed_gives_another_head(trained, pico_bert, tmp_path):
    train(pico_bert, tmp_path, seed=2)
    one, other = (
        load_file(f / "model" / "model.safetensors")["classifier.weight"] for f in (trained[0], tmp_path)
    )
    assert abs(one - other).max() > 1e-3


def test_checkpoints_of_another_job_are_not_gone_on_from(tmp_path):
    assert resumable_checkpoint(tmp_path / "c", {"lr": 1}) is None
    checkpoint = tmp_path / "c" / "checkpoint-7"
    checkpoint.mkdir()
    (checkpoint / "trainer_state.json").write_text("{}")
    assert resumable_checkpoint(tmp_path / "c", {"lr": 1}) == checkpoint
    assert resumable_checkpoint(tmp_path / "c", {"lr": 2}) is None
    assert not checkpoint.exists()


def test_the_order_is_a_function_of_seed_and_epoch_and_groups_lengths():
    lengths = [i % 50 + 1 for i in range(2000)]
    sampler = EpochSeededLengthSampler(lengths, 20, seed=1)
    first = list(sampler)
    assert first == list(sampler)
    assert sorted(first) == list(range(2000))
    sampler.set_epoch(1)
    assert first != list(sampler)
    batches = [[lengths[i] for i in first[start : start + 20]] for start in range(0, 2000, 20)]
    padding = sum(max(batch) - length for batch in batches for length in batch) / sum(lengths)
    assert padding < 0.1
    assert any(a != b for a, b in pairwise(batches))


def test_a_base_model_that_is_none_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="cannot be loaded as a text classifier"):
        train(tmp_path / "empty", tmp_path)
