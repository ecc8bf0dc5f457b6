"""The workflow on a real SLURM: every job through sbatch, and what happens to those that are disturbed.

Runs where a cluster answers. With SLURM_UP, a command that brings back a dead node of this machine, the crash of a
node is tried too.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml
from workflow_runs import environment, make_project, on_cluster, results_of

ANSWERS = (
    shutil.which("sinfo") and subprocess.run(["sinfo"], capture_output=True, check=False).returncode == 0
)
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(
        not ANSWERS, reason="no SLURM answers here (sinfo); docs/cluster.md says how it is used"
    ),
]
WEIGHTS = "results/models/biases/gender/seed1/model.safetensors"
LOG = "logs/finetune/biases/gender_seed1.log"
CHECKPOINTS = "results/checkpoints/biases/gender/seed1"


def start(project, *arguments):
    with (project / "terminal.txt").open("w") as terminal:
        return subprocess.Popen(
            on_cluster(*arguments), cwd=project, env=environment(), stdout=terminal, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip


def finish(process, project, patience=1800):
    """Wait for the run and return what it printed; one that hangs is ended, its jobs with it, and the queue shown."""
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        queue = subprocess.run(["squeue"], capture_output=True, text=True, check=False).stdout
        os.killpg(process.pid, signal.SIGINT)  # cancels its jobs
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        terminal = (project / "terminal.txt").read_text()
        pytest.fail(f"no end within {patience} s; the queue:\n{queue}\nthe terminal:\n{terminal[-3000:]}")
    return (project / "terminal.txt").read_text()


def wait_for(condition, process=None, patience=300):
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        assert process is None or process.poll() is None, "the run ended first"
        time.sleep(0.1)
    return found


def jobs_in(project):
    """Ids of the jobs in the queue that run in this folder."""
    listing = subprocess.run(
        ["squeue", "--me", "-h", "-t", "RUNNING", "-o", "%A|%Z"], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split("|", 1) for line in listing.splitlines()]
    return [job for job, folder in rows if folder == str(project)]


@pytest.fixture(scope="module")
def long_training(tmp_path_factory):
    """A project with a training of some ten seconds, and the same trained without disturbance, not on the cluster."""
    folders = []
    for name in ("cluster", "undisturbed"):
        project = make_project(tmp_path_factory.mktemp("slurm") / name)
        config = yaml.safe_load((project / "tests/config.yaml").read_text())
        config["biases"]["training"] |= {"epochs": 40, "checkpoint_interval": 0.05}
        (project / "tests/config.yaml").write_text(yaml.safe_dump(config))
        profile = project / "profiles/slurm/profile.yaml"
        # a requeued job waits two minutes; submitted anew it starts at once
        profile.write_text(profile.read_text().replace("slurm-requeue: true", "slurm-no-requeue: true"))
        folders.append(project)
    cluster, undisturbed = folders
    command = [
        sys.executable,
        "-m",
        "snakemake",
        WEIGHTS,
        "--cores",
        "1",
        "--configfile",
        "tests/config.yaml",
    ]
    subprocess.run(command, cwd=undisturbed, env=environment(), check=True, capture_output=True)
    return cluster, (undisturbed / WEIGHTS).read_bytes()


@pytest.fixture
def training(long_training):
    """The project, with everything made but the training, and a function that starts it and waits for a checkpoint."""
    project, expected = long_training
    for path in (WEIGHTS, LOG):
        (project / path).unlink(missing_ok=True)
    shutil.rmtree(project / CHECKPOINTS, ignore_errors=True)

    def begin():
        process = start(project, WEIGHTS)
        wait_for(lambda: list((project / CHECKPOINTS).glob("checkpoint-*")), process)
        return process

    return project, expected, begin


def resumed_at(project):
    return int(re.search(r"resuming from checkpoint-(\d+)", (project / LOG).read_text())[1])


def test_the_whole_workflow_runs_through_sbatch_to_the_same_results(made_project, tmp_path):
    project = make_project(tmp_path / "project")
    process = start(project, "all", "--jobs", "6")  # while one is looked after, others work
    output = finish(process, project)
    assert process.returncode == 0, output[-3000:]
    done = int(re.search(r"(\d+) of \1 steps \(100%\) done", output)[1])
    submitted = output.count("has been submitted with SLURM jobid")
    print(f"{done} steps, {submitted} SLURM jobs")
    assert done > submitted > 0  # small ones go together
    assert set(re.findall(r"^localrule (\w+)", output, re.MULTILINE)) == {"all"}  # it only collects
    assert results_of(project) == results_of(made_project)
    assert "Nothing to be done" in finish(start(project, "all"), project)


@pytest.mark.parametrize("how", [[], ["--signal=USR1"]], ids=["cancelled", "warned"])
def test_a_training_that_is_told_to_leave_goes_on_from_the_step_that_it_was_at(training, how):
    """Cancelled, or warned that its time is nearly up."""
    project, expected, begin = training
    process = begin()
    subprocess.run(["scancel", *how, *wait_for(lambda: jobs_in(project))], check=True)
    output = finish(process, project)
    assert process.returncode == 0, output[-3000:]
    assert f"checkpoint saved at step {resumed_at(project)}; run again to go on" in output  # the failed log
    assert (project / WEIGHTS).read_bytes() == expected


@pytest.mark.skipif(
    "SLURM_UP" not in os.environ, reason="SLURM_UP names no command that brings a dead node back"
)
def test_a_training_whose_node_dies_goes_on_from_its_last_checkpoint(training):
    project, expected, begin = training
    process = begin()
    kill_node()
    time.sleep(1)
    subprocess.run(os.environ["SLURM_UP"], shell=True, check=True, capture_output=True)
    output = finish(process, project)
    assert process.returncode == 0, output[-3000:]
    assert resumed_at(project) > 0
    assert (project / WEIGHTS).read_bytes() == expected


def kill_node():
    """End this machine's slurmd, the daemons of its jobs and all their processes at once, as a crash would."""
    table = subprocess.run(["ps", "-eo", "pid,ppid,comm"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()[1:]]
    doomed = {pid for pid, _, name in rows if name.startswith("slurmstepd")}
    while more := {pid for pid, parent, _ in rows if parent in doomed} - doomed:
        doomed |= more
    doomed |= {pid for pid, _, name in rows if name == "slurmd"}
    for pid in doomed:
        os.kill(int(pid), signal.SIGKILL)


def test_after_a_kill_of_the_main_process_the_same_command_cancels_its_jobs_and_goes_on(training):
    project, expected, begin = training
    process = begin()
    orphans = wait_for(lambda: jobs_in(project))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list((project / ".snakemake" / "locks").iterdir())
    again = start(project, WEIGHTS)
    output = finish(again, project)
    assert again.returncode == 0, output[-3000:]
    assert f"Cancelled jobs of a killed run: {' '.join(orphans)}" in output
    assert resumed_at(project) > 0
    assert (project / WEIGHTS).read_bytes() == expected


def test_a_job_that_runs_out_of_memory_is_tried_again_with_more(training):
    project, expected, _ = training
    process = start(project, WEIGHTS, "--set-resources", "finetune:mem_mb=400*attempt")
    output = finish(process, project)
    assert process.returncode == 0, output[-3000:]
    asked = [int(number) for number in re.findall(r"mem_mb=(\d+)", output)]
    assert asked[0] == 400
    assert asked[-1] > 400
    assert (project / WEIGHTS).read_bytes() == expected


def test_a_job_that_no_node_can_hold_is_refused_at_once(training):
    project, _, _ = training
    process = start(project, WEIGHTS, "--set-resources", "finetune:mem_mb=1000000000")
    output = finish(process, project)
    assert process.returncode == 1
    assert "SLURM sbatch failed" in output
    assert "Requested node configuration is not available" in output or "Memory" in output
