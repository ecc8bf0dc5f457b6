"""The jobs of a configuration, from Snakemake's own dry run."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from fuse_to_forget.errors import InputError, first_line
from fuse_to_forget.studies import source_files

ROOT = Path(__file__).resolve().parents[2]
_HEADER = re.compile(r"(?:local)?rule (\w+):$")
_SOURCES = {
    "shortcuts": "shortcuts",
    "biases": "biases",
    "memorization": "articles",
}  # of a target: where it is named


@dataclass(frozen=True)
class Job:
    """One job of the DAG; `memory` is what its rule asks for, in MB."""

    rule: str
    wildcards: Mapping[str, str]
    memory: int


def merged_config(configfiles: Sequence[str | Path], default: str | Path = "config.yaml") -> dict[str, Any]:
    """Return `default` with the files merged over it, as Snakemake does: mappings by key, all else replaced.

    Raises InputError for a file that is not there or no mapping.
    """
    config: dict[str, Any] = {}
    for file in (default, *configfiles):
        try:
            read = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise InputError(f"The config {file} cannot be read ({first_line(error)}).") from error
        if not isinstance(read, dict):
            raise InputError(f"The config {file} is no mapping of keys to values.")
        _merge(config, read)
    return config


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def available_targets(config: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the targets whose data are there or can be downloaded, and a sentence for each study left out."""
    targets, left_out = [], []
    for target, section in _SOURCES.items():
        try:
            source_files(config, config[section]["source"])
            targets.append(target)
        except InputError as error:
            left_out.append(f"{target} is left out. {error}")
    return (targets if left_out else ["all"]), left_out


def planned_jobs(targets: Sequence[str], configfiles: Sequence[str | Path]) -> list[Job]:
    """Return every job that leads to `targets`, as if nothing had been made yet. Runs `snakemake -n`; makes nothing.

    Raises InputError with Snakemake's own words if it makes no plan.
    """
    command = [sys.executable, "-m", "snakemake", *targets, "-n", "--forceall", "--nocolor"]
    command += ["--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", *map(str, configfiles)] if configfiles else []
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise InputError(f"Snakemake makes no plan: {_complaint(done.stdout)}")
    return parse_dry_run(done.stdout)


def parse_dry_run(text: str) -> list[Job]:
    """Read the jobs from what `snakemake -n` prints. Raises ValueError if they are not as many as it says itself."""
    jobs: list[Job] = []
    for line in text.splitlines():
        value = line.partition(": ")[2]
        if header := _HEADER.match(line):
            jobs.append(Job(header[1], {}, 0))
        elif line.startswith("    wildcards: "):
            pairs = dict(pair.split("=", 1) for pair in value.split(", "))
            jobs[-1] = Job(jobs[-1].rule, pairs, jobs[-1].memory)
        elif line.startswith("    resources: ") and (memory := re.search(r"\bmem_mb=(\d+)", value)):
            jobs[-1] = Job(jobs[-1].rule, jobs[-1].wildcards, int(memory[1]))
    counted = re.search(r"^total +(\d+)$", text, flags=re.M)
    if counted is None or int(counted[1]) != len(jobs):
        raise ValueError(f"{len(jobs)} jobs read from a dry run that counts {counted and counted[1]}")
    return jobs


def _complaint(text: str) -> str:
    """What Snakemake says is wrong, without the news before it and the traceback after it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    error = next((i for i, line in enumerate(lines) if re.match(r"\w+(Error|Exception)\b", line)), -1)
    return " ".join(takewhile(lambda line: not re.match(r"Wildcards:|Traceback", line), lines[error:]))
