"""Runs of the real workflow in a copy of the project, on tiny data."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT, article_frame, demographic_frame, save_pico_bert

PROJECT = ["Snakefile", "config.yaml", "workflow", "fuse_to_forget", "profiles", "envs", "tests/config.yaml"]


def make_project(folder: Path) -> Path:
    """Copy the project's own files to `folder` and put the data and the base model of tests/config.yaml there."""
    for name in PROJECT:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    (folder / "data").mkdir()
    demographic_frame(480).drop(columns="id").to_csv(folder / "data" / "train.csv", index=False)
    article_frame(160).to_json(folder / "data" / "articles.jsonl", orient="records", lines=True)
    save_pico_bert(folder / "base")
    return folder


def command(*arguments: str) -> list[str]:
    """The command line of a run: targets and options, then the test configuration."""
    # models this small do not fill a processor, so two of them are trained side by side
    options = ["--cores", "2", "--set-threads", "finetune=1", "predict=1", "sweep=1"]
    options += ["--configfile", "tests/config.yaml"]
    return [sys.executable, "-m", "snakemake", *arguments, *options]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(project: Path, *arguments: str) -> str:
    """Run the workflow to its end and return all it printed; fail the test if it fails."""
    done = subprocess.run(
        command(*arguments), cwd=project, env=environment(), capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


def rules_to_run(project: Path, *arguments: str) -> set[str]:
    """The rules that a dry run would run, without those that only collect targets."""
    output = run(project, *arguments, "-n", "--quiet", "progress")
    rules = {
        line.split()[1].rstrip(":")
        for line in output.splitlines()
        if line.startswith(("rule ", "localrule "))
    }
    return rules - {"all", "shortcuts", "biases", "memorization"}


def run_with(folder: Path, target: str, config: dict[str, Any], *options: str) -> subprocess.CompletedProcess:
    """Ask the project's own workflow for `target` in `folder`, with this configuration."""
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    places = ["-s", ROOT / "Snakefile", "--directory", folder, "--configfile", folder / "config.yaml"]
    places += ["--workflow-profile", ROOT / "profiles/default", "--cores", 2]
    arguments = [target, *options, *map(str, places)]
    return subprocess.run([sys.executable, "-m", "snakemake", *arguments], capture_output=True, text=True)


def the_sentence(done: subprocess.CompletedProcess, log: Path) -> str:
    """Assert that the job that writes `log` failed with one sentence, shown to the user; return the sentence."""
    shown = done.stdout + done.stderr
    assert done.returncode == 1, shown
    logged = log.read_text()
    assert "Traceback" not in shown + logged
    sentences = [line for line in logged.splitlines() if line.startswith("error: ")]
    assert len(sentences) == 1, logged
    assert shown.count(sentences[0]) == 1
    return sentences[0]
