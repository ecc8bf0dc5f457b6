"""A run that is killed goes on with the same command, and ends with the same bytes."""

import os
import signal
import subprocess
import time

import pytest
from workflow_runs import command, environment, run


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_killed_in_training_the_same_command_ends_with_the_same_weights(made_project, number):
    """`kill -9` of the whole process tree leaves a lock and half-written files; neither may stop the next run."""
    target = "results/models/biases/gender/seed1/model.safetensors"
    weights = made_project / target
    expected = weights.read_bytes()
    weights.unlink()
    process = subprocess.Popen(
        command(target),
        cwd=made_project,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoints = made_project / "results/checkpoints/biases/gender/seed1"
    deadline = time.monotonic() + 120
    while not list(checkpoints.glob("checkpoint-*")) and time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    os.killpg(process.pid, number)
    assert process.wait(60) != 0
    assert not weights.exists()
    locks = list((made_project / ".snakemake").glob("locks/*"))
    assert bool(locks) == (number == signal.SIGKILL)
    run(made_project, target)
    assert weights.read_bytes() == expected
    assert "Nothing to be done" in run(made_project, "all")
