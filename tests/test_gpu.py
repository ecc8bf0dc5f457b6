"""Several GPUs: jobs that run side by side never share a card, and none waits for a job that has ended."""

import json
import os
import signal
import subprocess
import sys

import pytest
from conftest import ROOT

from fuse_to_forget import gpu

TAKE = """
import logging, os, signal, sys
signal.alarm(60)  # no test waits for ever
from fuse_to_forget.gpu import take_gpus
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s", force=True)
take_gpus(int(sys.argv[1]))
print("has", os.environ.get("CUDA_VISIBLE_DEVICES", "what there was"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    """Start processes that take cards and keep them until they are ended."""
    started = []

    def begin(cards, wanted=1, **variables):
        environment = {name: value for name, value in os.environ.items() if name != "SLURM_JOB_ID"}
        environment |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": cards}
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", TAKE, str(wanted)],
            env=environment | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def cards_of(process):
    """What a process got, once it got it."""
    for line in process.stdout:
        if line.startswith("has "):
            return line.split()[1]
    raise AssertionError("it ended without a card")


def test_two_jobs_get_different_cards_and_a_third_waits_until_one_ends(start):
    first, second = start("3,5"), start("3,5")
    taken = [cards_of(first), cards_of(second)]
    assert sorted(taken) == ["3", "5"]
    third = start("3,5")
    assert third.stdout.readline() == "waiting for a GPU: other jobs have 3, 5\n"
    assert third.poll() is None
    second.stdin.close()
    second.wait()
    assert cards_of(third) == taken[1]


def test_a_killed_job_frees_its_card(start):
    holders = [start("0,1"), start("0,1")]
    taken = [cards_of(process) for process in holders]
    holders[0].send_signal(signal.SIGKILL)
    holders[0].wait()
    assert cards_of(start("0,1")) == taken[0]


def test_cards_may_go_by_uuid(start):
    names = ["GPU-8a56a4bc-0184", "MIG-GPU-11/3/0"]
    taken = [cards_of(start(",".join(names))) for _ in names]
    assert sorted(taken) == names


def test_a_job_gets_as_many_cards_as_it_asks_for_and_keeps_none_while_it_waits(start):
    large = start("0,1,2", wanted=2)
    taken = cards_of(large).split(",")
    assert len(set(taken)) == 2
    larger = start("0,1,2", wanted=2)
    assert larger.stdout.readline().startswith("waiting")
    small = start("0,1,2")
    assert [*taken, cards_of(small)] == ["0", "1", "2"]
    large.kill()
    large.wait()
    assert cards_of(larger).split(",") == taken


def test_a_job_that_asks_for_more_than_there_are_gets_all(start):
    assert cards_of(start("0,1", wanted=4)) == "0,1"


@pytest.mark.parametrize(
    ("cards", "wanted"), [("", 1), ("-1", 1), ("2", 1), ("GPU-8a56a4bc", 1), ("0,-1,2", 1), ("0,1", 0)]
)
def test_where_there_is_nothing_to_share_out_nothing_is_touched(tmp_path, monkeypatch, cards, wanted):
    monkeypatch.setattr(gpu.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", cards)
    gpu.take_gpus(wanted)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == cards
    assert list(tmp_path.iterdir()) == []


def test_allocations_of_a_scheduler_know_nothing_of_each_other(start):
    """Each calls its cards 0 and 1, whichever they are; within one its jobs share them out."""
    one, other = (start("0,1", wanted=2, SLURM_JOB_ID=number) for number in ("17", "18"))
    assert cards_of(one) == cards_of(other) == "0,1"
    within = start("0,1", SLURM_JOB_ID="17")
    assert within.stdout.readline().startswith("waiting")
    one.kill()
    one.wait()
    assert cards_of(within) in {"0", "1"}


def test_without_a_list_all_devices_of_the_machine_count(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices = [gpu.Path("/dev/nvidia2"), gpu.Path("/dev/nvidia7")]  # as in a container that has two of eight
    monkeypatch.setattr(gpu.Path, "glob", lambda self, pattern: devices)
    assert gpu.visible_cards() == ["0", "1"]


def test_no_script_asks_for_cuda_before_its_job_has_a_card():
    """CUDA reads CUDA_VISIBLE_DEVICES once, when it is first asked for anything."""
    scripts = [
        path
        for path in sorted((ROOT / "workflow" / "scripts").glob("*.py"))
        if "snakemake.resources.gpu" in path.read_text()
    ]
    rules = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    assert len(scripts) == rules.count("gpu=GPUS") > 5
    spy = """
import json, runpy, sys, torch
asked = []
for name in ("is_available", "device_count", "init", "get_device_capability", "is_bf16_supported"):
    monitored = getattr(torch.cuda, name)
    setattr(torch.cuda, name, lambda *a, n=name, f=monitored, **k: asked.append(n) or f(*a, **k))
for script in sys.argv[1:]:
    runpy.run_path(script, run_name="imported")
imported = "transformers.trainer" in sys.modules
torch.cuda.is_available()
print(json.dumps([imported, asked]))
"""
    done = subprocess.run(
        [sys.executable, "-c", spy, *map(str, scripts)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [True, ["is_available"]]
