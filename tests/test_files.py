"""Files appear whole or not at all."""

import os
import subprocess
import sys

import pytest
import torch
from conftest import ROOT
from safetensors.torch import save_file

from fuse_to_forget.files import atomic_path, file_digest


def test_a_file_appears_only_when_its_block_succeeds(tmp_path):
    target = tmp_path / "new" / "table.csv"
    with atomic_path(target) as scratch:
        scratch.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    with pytest.raises(TypeError), atomic_path(target) as scratch:
        scratch.write_text("half") + "not an integer"
    assert [path.name for path in target.parent.iterdir()] == ["table.csv"]
    assert target.read_text() == "whole"


def test_weights_can_be_read_by_whom_the_umask_lets_read_other_files(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "model") as scratch:
            scratch.mkdir()
            save_file({"a": torch.zeros(2)}, scratch / "model.safetensors")
            (scratch / "config.json").touch()
        with atomic_path(tmp_path / "statistics.safetensors") as scratch:
            save_file({"a": torch.zeros(2)}, scratch)
    finally:
        os.umask(before)
    files = [*(tmp_path / "model").iterdir(), tmp_path / "statistics.safetensors"]
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o640"}


def test_a_folder_replaces_a_folder(tmp_path):
    target = tmp_path / "model"
    for content in ("old", "new"):
        with atomic_path(target) as scratch:
            scratch.mkdir()
            (scratch / content).touch()
    assert [path.name for path in target.iterdir()] == ["new"]


def test_what_a_killed_process_left_is_removed_by_the_next_attempt(tmp_path):
    code = "import os, sys; from fuse_to_forget.files import atomic_path\n"
    code += "with atomic_path(sys.argv[1]) as scratch: scratch.mkdir(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "model")], cwd=ROOT, check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with atomic_path(tmp_path / "model") as scratch:
        scratch.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_digest_is_of_names_and_contents(tmp_path):
    def folder(name, **files):
        (tmp_path / name).mkdir()
        for file, content in files.items():
            (tmp_path / name / file).write_text(content)
        return file_digest(tmp_path / name)

    assert folder("one", a="1", b="2") == folder("two", b="2", a="1")
    assert len({folder("x", a="1"), folder("y", a="2"), folder("z", b="1")}) == 3


def test_a_digest_follows_links(tmp_path):
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "real" / "inner" / "file").write_text("content")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "inner").symlink_to(tmp_path / "real" / "inner")
    (tmp_path / "linked" / ".snakemake_timestamp").touch()
    assert file_digest(tmp_path / "linked") == file_digest(tmp_path / "real")
