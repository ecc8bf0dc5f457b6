"""The command line."""

import json
import subprocess
import sys
from argparse import ArgumentTypeError
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from fuse_to_forget.__main__ import main, parse_size
from fuse_to_forget.fusion import fuse as fuse_module


@pytest.fixture
def models(tmp_path):
    folders = []
    for number in range(3):
        folders.append(tmp_path / f"model{number}")
        folders[-1].mkdir()
        tensors = {name: torch.full((10, 10), float(number)) for name in ("a", "b")}
        save_file(tensors, folders[-1] / "model.safetensors")
        (folders[-1] / "config.json").write_text(json.dumps({"model_type": "bert"}))
    return [str(folder) for folder in folders]


def test_fuses_with_equal_coefficients(tmp_path, models, capsys):
    output = tmp_path / "fused"
    assert main(["fuse", *models, "--output", str(output), "--no-progress"]) == 0
    assert torch.equal(load_file(output / "model.safetensors")["a"], torch.ones(10, 10))
    printed = capsys.readouterr()
    assert printed.out == f"{output}\n"
    assert printed.err == ""


def test_options(tmp_path, models):
    output = tmp_path / "fused"
    arguments = ["--coefficients", "2", "3", "-1", "--any-sum", "--max-shard-size", "400B"]
    assert main(["fuse", *models, *arguments, "--output", str(output)]) == 0
    shard = output / "model-00002-of-00002.safetensors"
    assert torch.equal(load_file(shard)["b"], torch.ones(10, 10))


def test_bad_input_is_one_sentence(tmp_path, models, capsys):
    output = tmp_path / "fused"
    assert main(["fuse", *models, "--coefficients", "1", "1", "1", "--output", str(output)]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: the coefficients sum to 3")
    assert printed.count("\n") == 1
    assert not output.exists()


def test_interruption_leaves_nothing_behind(tmp_path, models, capsys, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fuse_module, "average_files", interrupt)
    before = sorted(tmp_path.iterdir())
    assert main(["fuse", *models, "--output", str(tmp_path / "fused")]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "fuse_to_forget", "fuse", "nowhere", "nothing", "--output", "fused"],
        capture_output=True, text=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: no checkpoint folder at nowhere")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "size"), [("5GB", 5 * 10**9), ("1.5 MB", 1_500_000), ("2GiB", 2**31), ("10k", 10_000), ("7", 7)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1GB", "5 gigabytes", "GB", "0.1B"])
def test_sizes_that_are_none(text):
    with pytest.raises(ArgumentTypeError, match="is not a size"):
        parse_size(text)


MEASURE = """
import sys
from pathlib import Path
import fuse_to_forget.fusion.fuse
from fuse_to_forget.__main__ import main
peak = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
before = peak()
main(["fuse", *sys.argv[1:], "--no-progress"])
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's memory accounts")
def test_memory_is_bounded(tmp_path):
    numel = 50 * 2**20
    model = tmp_path / "model"
    model.mkdir()
    save_file({"weight": torch.zeros(numel)}, model / "model.safetensors")  # 200 MiB
    output = subprocess.run(
        [sys.executable, "-c", MEASURE, *[str(model)] * 3, "--output", str(tmp_path / "fused")],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert float(output.stdout.splitlines()[-1]) < 120  # MiB, where one model has 200
