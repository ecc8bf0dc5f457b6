"""Kill the workflow at random moments, again and again, and see whether the same command always goes on.

    python tests/survive_kills.py --kills 30            # on this machine
    python tests/survive_kills.py --kills 30 --slurm    # every job through sbatch

The whole of tests/config.yaml is run in a folder of its own; its process tree is killed with SIGKILL, and the same
command is given again, to be killed in turn. Whenever a run comes to its end, all results must be those of an
undisturbed run, byte for byte; then everything is removed and it begins anew.
"""

import argparse
import contextlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from workflow_runs import command, environment, make_project, on_cluster, results_of, run


def main() -> int:
    """Print a line for each kill and for each run that came to its end; return 1 if any went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--slurm", action="store_true", help="run every job through sbatch")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--longest", type=float, default=60, help="seconds that a run is left alone at most")
    parser.add_argument("--undisturbed", type=Path, help="a project made before, to compare with")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        expected = options.undisturbed or make_project(Path(scratch) / "undisturbed")
        if not options.undisturbed:
            run(expected, "all")
        failures = torment(make_project(Path(scratch) / "project"), results_of(expected), options)
    print(f"{options.kills} kills, {options.kills - failures} survived")
    return int(failures > 0)


def torment(project: Path, expected: dict[str, str], options: argparse.Namespace) -> int:
    """Kill runs until there were enough kills and the last run came to its end; return how many went wrong."""
    moments = random.Random(options.seed)
    kills = failures = 0
    while True:
        patience = moments.uniform(1, options.longest) if kills < options.kills else None
        status = run_for(project, patience, slurm=options.slurm)
        if status is None:
            kills += 1
            print(f"kill {kills} after {patience:.1f} s", flush=True)
            continue
        wrong = differences(expected, results_of(project)) if status == 0 else [f"exit status {status}"]
        print("came to its end:", "; ".join(wrong[:5]) or "the same bytes", flush=True)
        if wrong:
            failures += 1
            shutil.copy(project / "terminal.txt", f"survive_kills_{kills}.txt")
        if kills >= options.kills:
            return failures
        for name in ("results", "logs", ".snakemake"):
            shutil.rmtree(project / name, ignore_errors=True)


def run_for(project: Path, patience: float | None, *, slurm: bool) -> int | None:
    """Run the workflow; return its exit status, or None if it was killed after `patience` seconds."""
    arguments = on_cluster("all", "--jobs", "3") if slurm else command("all")
    with (project / "terminal.txt").open("w") as terminal:
        process = subprocess.Popen(
            arguments, cwd=project, env=environment(), stdout=terminal, stderr=subprocess.STDOUT
        )
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            kill_tree(process.pid)
            process.wait()
            return None


def kill_tree(pid: int) -> None:
    """Kill a process and all that came from it, the parents first, so that none can tidy up."""
    parent = psutil.Process(pid)
    for process in (parent, *parent.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    time.sleep(0.1)


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Name the results that are missing, too many, or of other bytes."""
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


if __name__ == "__main__":
    sys.exit(main())
