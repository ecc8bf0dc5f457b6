"""Bad input ends the workflow, or the command, with one sentence and leaves nothing behind."""

import copy
import json
import os
import pickle
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import ROOT, VALUES, demographic_frame
from safetensors.torch import save_file
from snakemake.utils import update_config
from workflow_runs import run_with, the_sentence

from fuse_to_forget.__main__ import main

TRAIN = "results/data/biases/train.parquet"
XML = "<author><documents><document>one @you</document>\n<document>two</document></documents></author>\n"


def run(folder: Path, target: str, source: dict, **study: object) -> subprocess.CompletedProcess:
    """Ask the real workflow for `target` in `folder`, with the study's source replaced by the user's `source`.

    `study` holds other entries of `biases` that differ from the shipped config.
    """
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["sources"]["mine"] = source
    update_config(config["biases"], {"source": "mine"} | study)
    for bias in config["biases"]["subsets"]["biases"]:
        bias["label"] = "mention" if source["kind"] == "pan16" else "1"
    return run_with(folder, target, config)


def refused(folder: Path, log: str, target: str, source: dict, **study: object) -> str:
    """Assert that the job that writes `log` fails with one sentence, shown to the user; return the sentence."""
    done = run(folder, target, source, **study)
    return the_sentence(done, folder / log)


def refused_source(folder: Path, source: dict) -> str:
    """Assert that the source is refused and that nothing is left of its outputs; return the sentence."""
    sentence = refused(folder, "logs/prepare_biases.log", TRAIN, source)
    assert files_under(folder / "results") == []
    return sentence


def refused_config(folder: Path, source: dict, **study: object) -> str:
    """Assert that the config is refused before any job, in one sentence; return the sentence."""
    done = run(folder, TRAIN, source, **study)
    shown = done.stdout + done.stderr
    assert done.returncode == 1, shown
    assert "Traceback (most recent call last)" not in shown
    sentences = [line for line in shown.splitlines() if line.strip().startswith("The config ")]
    assert len(sentences) == 1, shown
    assert files_under(folder / "results") == []
    assert not (folder / "logs").exists()
    return sentences[0]


def files_under(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir()]


def table(folder: Path, frame: pd.DataFrame | None) -> dict:
    """A `columns` source that holds `frame`, or an empty file for None."""
    path = folder / "posts.csv"
    path.write_text("") if frame is None else frame.to_csv(path, index=False)
    columns = {"text": "text", "label": "label", "gender": "gender", "age": "age"}
    return {"kind": "columns", "train": str(path), "columns": columns, "values": VALUES}


def named(rows: int) -> pd.DataFrame:
    """Rows as a user has them, with names in place of codes."""
    frame = demographic_frame(rows)
    return frame.assign(**{name: [values[code] for code in frame[name]] for name, values in VALUES.items()})


@pytest.fixture
def pan(tmp_path):
    """A PAN folder of two authors."""
    folder = tmp_path / "pan"
    folder.mkdir()
    (folder / "truth.txt").write_text("a1:::MALE:::18-24\na2:::FEMALE:::50-64\n")
    for author in ("a1", "a2"):
        (folder / f"{author}.xml").write_text(XML)
    return folder


def test_a_source_that_is_not_there(tmp_path):
    source = table(tmp_path, None)
    Path(source["train"]).unlink()
    assert f"{source['train']}, which does not exist" in refused_config(tmp_path, source)


def test_a_misspelt_key(tmp_path):
    message = refused_config(tmp_path, table(tmp_path, named(8)), subsets={"sizes": 8})
    assert "unknown key 'sizes' in biases.subsets: did you mean 'size'?" in message


def test_a_goal_that_is_no_metric(tmp_path):
    message = refused_config(tmp_path, table(tmp_path, named(8)), selection={"goal": "dp_race"})
    assert "'dp_race' in biases.selection.goal, but there are only accuracy, balanced_accuracy, f1" in message
    assert "dp_gender, dp_age, dp_largest, dp_mean" in message


def test_an_empty_source(tmp_path):
    source = table(tmp_path, None)
    assert f"{source['train']} is empty" in refused_source(tmp_path, source)


def test_a_label_of_three_values(tmp_path):
    frame = named(40)
    frame.loc[6, "label"] = "maybe"
    sentence = refused_source(tmp_path, table(tmp_path, frame))
    assert "two values are expected" in sentence
    assert "'maybe' in row 7" in sentence


def test_a_text_of_a_million_characters(tmp_path):
    frame = named(40)
    frame.loc[4, "text"] = "x" * 10**6
    sentence = refused_source(tmp_path, table(tmp_path, frame))
    assert "1000000 characters in row 5" in sentence
    assert len(sentence) < 400


def test_xml_cut_in_half(tmp_path, pan):
    (pan / "a2.xml").write_text(XML[: len(XML) // 2])
    sentence = refused_source(tmp_path, {"kind": "pan16", "path": str(pan)})
    assert f"{pan / 'a2.xml'}, line 1: not well-formed XML" in sentence


def test_a_truth_line_of_nonsense(tmp_path, pan):
    with (pan / "truth.txt").open("a") as truth:
        truth.write("nonsense\n")
    sentence = refused_source(tmp_path, {"kind": "pan16", "path": str(pan)})
    assert f"{pan / 'truth.txt'}, line 3: 'nonsense' is no truth line" in sentence


class Runs:
    """What a hostile pickle holds: it makes a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_would_run_code(tmp_path):
    ran, pickles = tmp_path / "ran", tmp_path / "pickles"
    pickles.mkdir()
    (pickles / "train.pkl").write_bytes(pickle.dumps([Runs(ran)]))
    sentence = refused_source(tmp_path, {"kind": "pan16", "path": str(pickles)})
    assert f"{pickles / 'train.pkl'} was not loaded and nothing in it was run" in sentence
    assert not ran.exists()


def test_a_subset_larger_than_the_data(tmp_path):
    target, log = "results/subsets/biases/age.parquet", "logs/make_biased_subset/age.log"
    sentence = refused(tmp_path, log, target, table(tmp_path, named(80)), subsets={"size": 60})
    # The share .8 of the 30 with the favoured label is young: 12 of each gender, where all 80 rows have 10.
    assert "The age-biased subset wants 12 training examples with label 1, age young, gender " in sentence
    assert files_under(tmp_path / "results/subsets") == []
    assert len(files_under(tmp_path / "results/data")) == 3  # what was right stays


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of 128 KiB on the folder results/."""
    results = tmp_path / "results"
    results.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(results)]
    if mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield results
    subprocess.run(["umount", str(results)], check=True)


def test_a_full_disk_ends_a_job(tmp_path, small_disk):
    frame = named(4000)
    letters = np.random.default_rng(1).integers(97, 123, (len(frame), 60), dtype=np.uint8)
    frame["text"] = [row.tobytes().decode() for row in letters]  # does not compress well
    assert "disk is full" in refused_source(tmp_path, table(tmp_path, frame))


def test_a_full_disk_ends_training(tmp_path, small_disk, pico_bert):
    target, log = "results/models/biases/age/seed1/model.safetensors", "logs/finetune/biases/age_seed1.log"
    sentence = refused(tmp_path, log, target, table(tmp_path, named(200)), base_model=str(pico_bert))
    assert "disk is full" in sentence
    assert files_under(small_disk / "models") == []


@pytest.fixture
def checkpoints(tmp_path):
    """Two models that can be fused, of 80 KB each."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        write_checkpoint(folder, torch.ones(100, 200))
    return folders


def write_checkpoint(folder: Path, weight: torch.Tensor) -> None:
    folder.mkdir(exist_ok=True)
    save_file({"layer.weight": weight}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))


def refused_fusion(checkpoints: list[Path], output: Path, capsys: pytest.CaptureFixture) -> str:
    """Assert that the command `fuse` ends with one sentence and writes nothing; return the sentence."""
    before = sorted(output.parent.iterdir())
    assert main(["fuse", *map(str, checkpoints), "--output", str(output), "--no-progress"]) == 1
    assert sorted(output.parent.iterdir()) == before
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    return printed.err


def test_fusing_a_file_cut_short(checkpoints, tmp_path, capsys):
    weights = checkpoints[1] / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert f"{weights} is truncated" in refused_fusion(checkpoints, tmp_path / "fused", capsys)


def test_fusing_weights_that_are_not_numbers(checkpoints, tmp_path, capsys):
    write_checkpoint(checkpoints[1], torch.full((100, 200), float("nan")))
    sentence = refused_fusion(checkpoints, tmp_path / "fused", capsys)
    assert f"layer.weight of {checkpoints[1]} holds NaN" in sentence


def test_fusing_models_of_different_widths(checkpoints, tmp_path, capsys):
    write_checkpoint(checkpoints[1], torch.ones(100, 300))
    sentence = refused_fusion(checkpoints, tmp_path / "fused", capsys)
    assert "layer.weight has shape (100, 200)" in sentence
    assert "(100, 300)" in sentence


def test_fusing_without_room_is_refused_beforehand(checkpoints, small_disk, capsys):
    (small_disk / "other").write_bytes(bytes(80_000))
    sentence = refused_fusion(checkpoints, small_disk / "fused", capsys)
    assert "are free: free some or write elsewhere" in sentence


def test_fusing_onto_a_disk_that_fills_up(checkpoints, small_disk, capsys, monkeypatch):
    (small_disk / "other").write_bytes(bytes(80_000))
    usage = copy.copy(shutil.disk_usage(checkpoints[0]))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)  # as if another program filled it meanwhile
    sentence = refused_fusion(checkpoints, small_disk / "fused", capsys)
    assert "it ran out on the way" in sentence
