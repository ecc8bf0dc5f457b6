"""Another commit of the project, and back again."""

import shutil
import subprocess

import pytest
from workflow_runs import rules_to_run, run


@pytest.fixture
def clone(made_project, tmp_path):
    """A copy of the project with all results, under git."""
    folder = shutil.copytree(made_project, tmp_path / "clone", symlinks=True)
    (folder / ".gitignore").write_text("/data\n/base\n/results\n/logs\n/.snakemake\n__pycache__\n")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder)
    return folder


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder):
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "--quiet", "--message", "Changed")


def test_another_commit_and_back_reruns_nothing_and_touch_accepts_what_a_change_would_rerun(clone):
    git(clone, "checkout", "--quiet", "-b", "change")
    for path in ("fuse_to_forget/training/base.py", "workflow/scripts/score_biases.py"):
        (clone / path).write_text((clone / path).read_text() + "\nONE = 1\n")
    commit(clone)
    git(clone, "checkout", "--quiet", "main")
    assert rules_to_run(clone, "all") == set()
    git(clone, "checkout", "--quiet", "change")
    assert rules_to_run(clone, "results/table1.csv") >= {"finetune", "score_biases"}
    before = (clone / "results/table1.csv").read_bytes()
    run(clone, "results/table1.csv", "--touch")
    assert rules_to_run(clone, "results/table1.csv") == set()
    assert (clone / "results/table1.csv").read_bytes() == before
