"""Runs of the real workflow in a copy of the project, on tiny data."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT, article_frame, demographic_frame, save_pico_bert

PROJECT = ["Snakefile", "config.yaml", "requirements.lock", "workflow", "fuse_to_forget", "profiles", "envs"]
PROJECT += ["tests/config.yaml"]
# Models this small do not fill a processor, so two jobs run side by side; and other threads give other last digits.
MODEL_RULES = ["finetune", "predict", "sweep", "select_coefficients", "encode", "erase", "compare_fisher"]
MODEL_RULES += ["collect_statistics", "try_methods"]
ONE_THREAD = ["--set-threads", *(f"{rule}=1" for rule in MODEL_RULES)]


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
    # a column that nobody reads makes it larger than 1 MB, up to which Snakemake by itself looks at contents
    rows = demographic_frame(480).drop(columns="id").assign(note="x" * 2500)
    rows.to_csv(folder / "data" / "train.csv", index=False)
    for seed, name in enumerate(("first", "second"), start=1):
        demographic_frame(160, seed=seed).to_csv(folder / "data" / f"{name}.csv", index=False)
    article_frame(160).to_json(folder / "data" / "articles.jsonl", orient="records", lines=True)
    save_pico_bert(folder / "base")
    return folder


def command(*arguments: str) -> list[str]:
    """The command line of a run: targets and options, then the test configuration."""
    options = ["--cores", "2", *ONE_THREAD, "--configfile", "tests/config.yaml"]
    return [sys.executable, "-m", "snakemake", *arguments, *options]


def on_cluster(*arguments: str) -> list[str]:
    """The command line of a run on a small SLURM, without the waits for a large one and without its accounting."""
    options = [
        "--workflow-profile",
        "profiles/slurm",
        "--configfile",
        "tests/config.yaml",
        "--latency-wait",
        "10",
    ]
    options += ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"]
    return [sys.executable, "-m", "snakemake", *arguments, *options, *ONE_THREAD]


def results_of(project: Path) -> dict[str, str]:
    """Digests of all results of a run, by path; not of what was fetched or left from an attempt."""
    files = [path for path in (project / "results").rglob("*") if path.is_file()]
    named = {path.relative_to(project / "results").as_posix(): path for path in files}
    skipped = ("downloads/", "checkpoints/")
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in sorted(named.items())
        if not name.startswith(skipped) and not path.name.startswith(".snakemake")
    }


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


def jobs_to_run(project: Path, *arguments: str) -> list[tuple[str, dict[str, str]]]:
    """The jobs that a dry run would run, each its rule and wildcards, without those that only collect targets."""
    jobs: list[tuple[str, dict[str, str]]] = []
    for line in run(project, *arguments, "-n", "--quiet", "progress").splitlines():
        if line.startswith(("rule ", "localrule ")):
            jobs.append((line.split()[1].rstrip(":"), {}))
        elif line.startswith("    wildcards: "):
            pairs = line.removeprefix("    wildcards: ").split(", ")
            jobs[-1][1].update(pair.split("=") for pair in pairs)
    return [
        job
        for job in jobs
        if job[0] not in ("all", "shortcuts", "biases", "memorization", "domains", "methods")
    ]


def rules_to_run(project: Path, *arguments: str) -> set[str]:
    """The rules of these jobs."""
    return {rule for rule, _ in jobs_to_run(project, *arguments)}


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
