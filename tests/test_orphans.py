"""Jobs that a killed run left on a cluster are cancelled by the next one; no others are."""

import os
import socket
import subprocess
import sys

import pytest

from fuse_to_forget.errors import InputError
from fuse_to_forget.slurm import cancel_orphans, jobs_of
from fuse_to_forget.workdir import ORPHANS

NAME = "952aad6b-1c21-400a-a990-c23652e2dff2"


def test_only_snakemakes_own_jobs_in_this_very_folder_count(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    listing = f"""
1|{NAME}|{tmp_path}
2|mine_{NAME}|{tmp_path}/link
3|jupyter|{tmp_path}
4|{NAME}|{tmp_path}/other
5|{NAME}-not|{tmp_path}
6|{NAME}|{tmp_path}|with a bar
"""
    assert jobs_of(listing, tmp_path) == ["1", "2"]


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """A squeue that lists the lines of a file, and a scancel that empties it unless the file `stubborn` is there."""
    programs = tmp_path / "bin"
    programs.mkdir()
    jobs = tmp_path / "jobs"
    (programs / "squeue").write_text(f"#!/bin/sh\ncat {jobs}\n")
    (programs / "scancel").write_text(
        f"#!/bin/sh\necho $@ >> {tmp_path}/cancelled\n[ -e {tmp_path}/stubborn ] || : > {jobs}\n"
    )
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / ".snakemake").mkdir()
    (tmp_path / ".snakemake" / ORPHANS).touch()
    jobs.write_text(f"7|{NAME}|{tmp_path}\n8|jupyter|{tmp_path}\n")
    return tmp_path


def test_orphans_are_cancelled_once(queue):
    assert cancel_orphans(queue) == ["7"]
    assert (queue / "cancelled").read_text() == "7\n"
    assert cancel_orphans(queue) == []


def test_without_a_killed_run_nothing_is_cancelled(queue):
    (queue / ".snakemake" / ORPHANS).unlink()
    assert cancel_orphans(queue) == []
    assert not (queue / "cancelled").exists()


def test_jobs_that_do_not_end_are_named(queue):
    (queue / "stubborn").touch()
    with pytest.raises(InputError, match="The SLURM jobs 7 of an earlier run in this folder do not end"):
        cancel_orphans(queue, patience=0.6)
    assert (queue / ".snakemake" / ORPHANS).exists()


RELEASE = (
    "import sys; from fuse_to_forget.workdir import release_stale_lock; "
    "release_stale_lock(sys.argv[1], cluster=True)"
)


@pytest.mark.parametrize("host", [socket.gethostname(), "another-login-node"])
def test_on_a_cluster_the_lock_of_another_host_stays(tmp_path, host):
    """Locks of the operating system may not reach there, so its run may be alive."""
    subprocess.run([sys.executable, "-c", RELEASE, tmp_path], check=True)
    holder = tmp_path / ".snakemake" / "running.lock"
    assert holder.read_text() == socket.gethostname()
    holder.write_text(host)
    lock = tmp_path / ".snakemake" / "locks" / "0.output.lock"
    lock.parent.mkdir()
    lock.touch()
    subprocess.run([sys.executable, "-c", RELEASE, tmp_path], check=True)
    mine = host == socket.gethostname()
    assert lock.exists() != mine
    assert (tmp_path / ".snakemake" / ORPHANS).exists() == mine
