"""A lock is removed when the run that held it is dead, and only then."""

import subprocess
import sys

from conftest import ROOT

CODE = """
import sys
from fuse_to_forget.workdir import release_stale_lock
release_stale_lock(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""


def start(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(folder)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_lock_outlives_a_living_run_and_not_a_killed_one(tmp_path):
    lock = tmp_path / ".snakemake" / "locks" / "0.output.lock"
    first = start(tmp_path)
    lock.parent.mkdir()
    lock.write_text("results/table1.csv\n")
    second = start(tmp_path)
    assert lock.exists()
    second.kill()
    second.wait()
    assert lock.exists()
    first.kill()
    first.wait()
    third = start(tmp_path)
    assert not lock.exists()
    third.kill()
    third.wait()
