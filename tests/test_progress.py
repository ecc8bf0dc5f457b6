"""Progress: which lines a long job writes, what it expects to take, and that a training is none the wiser."""

import logging
import os
import socket
import subprocess
import sys

import pytest
from conftest import ROOT
from training_runs import STEPS_AN_EPOCH, train

from fuse_to_forget.jobs import job_name
from fuse_to_forget.progress import Progress
from fuse_to_forget.training import progress as training_progress
from fuse_to_forget.training.classifier import _Trainer

STEPS = 2 * STEPS_AN_EPOCH


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "fuse_to_forget")
    return lambda: [r.getMessage() for r in caplog.records if r.name == "fuse_to_forget.progress"]


def work(progress, clock, seconds, units=None):
    """Do `units` of one size in as many steps of `seconds` each."""
    for _ in range(progress.total - progress.done if units is None else units):
        clock.now += seconds
        progress.advance()


def test_the_estimate_is_what_is_left_at_the_speed_so_far(lines):
    clock = Clock()
    work(Progress(100, "texts", clock=clock), clock, 6, units=1)
    assert lines() == ["1 of 100 texts (1 %), 00:06 so far, 09:54 left"]


def test_work_of_earlier_processes_is_done_but_says_nothing_of_the_speed(lines):
    clock = Clock()
    progress = Progress(1000, "steps", done=900, clock=clock)
    work(progress, clock, 1, units=10)
    assert lines()[0] == "905 of 1,000 steps (90 %), 00:05 so far, 01:35 left"
    work(progress, clock, 1)
    progress.finish()
    assert lines()[-1] == "100 steps done in 01:40"


def test_a_limit_is_called_one(lines):
    clock = Clock()
    Progress(20, "steps", at_most=True, clock=clock).advance(0)
    progress = Progress(20, "steps", at_most=True, clock=clock)
    clock.now += 3600
    progress.advance(5, "loss 0.5")
    assert lines() == ["5 of at most 20 steps (25 %), loss 0.5, 1:00:00 so far, at most 3:00:00 left"]


def test_short_work_is_passed_over(lines):
    clock = Clock()
    progress = Progress(49, "texts", clock=clock)
    work(progress, clock, 0.1)
    progress.finish()
    assert lines() == []


def test_lines_come_soon_and_then_each_minute(lines):
    clock = Clock()
    progress = Progress(3600, "texts", clock=clock)
    work(progress, clock, 1)
    progress.finish()
    said = [line.split(" of ")[0] for line in lines()[:-1]]
    assert said[:8] == ["5", "15", "25", "35", "45", "55", "65", "125"]
    assert len(said) == 65
    assert lines()[-1] == "3,600 texts done in 1:00:00"


def test_neither_nothing_nor_everything_is_called_progress(lines):
    clock = Clock()
    progress = Progress(2, "texts", clock=clock)
    clock.now += 60
    progress.advance(2)
    assert lines() == []
    progress.finish()
    assert lines() == ["2 texts done in 01:00"]


@pytest.mark.parametrize(
    ("log", "name"),
    [
        ("logs/finetune/shortcuts/ST_seed1.log", "finetune shortcuts/ST_seed1"),
        ("logs/score_biases.log", "score_biases"),
        ("logs/sweep/biases/age-gender_seed2.log", "sweep biases/age-gender_seed2"),
    ],
)
def test_a_job_is_called_as_its_log(log, name):
    assert job_name(log) == name


def run_job(folder, body, **streams):
    """Run a job whose library logs `body` in `folder`."""
    (folder / "logs" / "sweep").mkdir(parents=True, exist_ok=True)
    script = "import logging, os, sys\nfrom fuse_to_forget.jobs import job\n"
    script += "log = logging.getLogger('fuse_to_forget.progress')\nwith job('logs/sweep/a.log'):\n    " + body
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", script], cwd=folder, env=environment, check=True, **streams)


def test_progress_goes_to_the_terminal_under_the_jobs_name_and_all_else_to_the_log_alone(tmp_path):
    body = "print('more', flush=True); log.info('half (50 %)'); os.system('echo child'); log.debug('no')"
    done = run_job(tmp_path, body, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "sweep a: half (50 %)\n")
    assert (tmp_path / "logs/sweep/a.log").read_text() == "more\nhalf (50 %)\nchild\n"


def test_a_line_is_written_at_one_stroke(tmp_path):
    """So the lines of jobs that run side by side do not mix."""
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)  # keeps writes apart
    with reader, writer:
        run_job(tmp_path, "log.info('one'); log.info('two ' + 300 * 'x')", stderr=writer)
        assert reader.recv(4096) == b"sweep a: one\n"
        assert reader.recv(4096) == b"sweep a: two " + 300 * b"x" + b"\n"


def test_a_job_outlives_the_terminal_that_it_reports_to(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    run_job(tmp_path, "log.info('one'); log.info('two')", stderr=writer)
    os.close(writer)
    assert (tmp_path / "logs/sweep/a.log").read_text() == "one\ntwo\n"


@pytest.fixture
def slow(monkeypatch):
    """Let six seconds pass with each look at the clock."""
    clock = Clock()

    def look():
        clock.now += 6
        return clock.now

    monkeypatch.setattr(training_progress, "Progress", lambda *a, **k: Progress(*a, **k, clock=look))


@pytest.fixture
def killed(monkeypatch):
    """Have the next training die at the step after its checkpoint, once."""
    before = _Trainer.training_step

    def step(self, *args, **kwargs):
        if self.state.global_step == STEPS // 2 + 1:
            monkeypatch.setattr(_Trainer, "training_step", before)
            raise KeyboardInterrupt
        return before(self, *args, **kwargs)

    return lambda: monkeypatch.setattr(_Trainer, "training_step", step)


def test_a_training_says_steps_loss_and_time(pico_bert, tmp_path, slow, lines, capfd):
    train(pico_bert, tmp_path, epochs=2)
    first = lines()[0]
    assert first.startswith(f"1 of {STEPS} steps (6 %), loss 0.")
    assert first.endswith(", 00:06 so far, 01:30 left")
    assert lines()[-1].startswith(f"{STEPS} steps done in ")
    printed = capfd.readouterr()
    assert f"/{STEPS} [" not in printed.err  # the Trainer's bar
    assert "'loss'" not in printed.out  # and its line a step


def test_a_training_that_goes_on_estimates_by_its_own_speed(pico_bert, tmp_path, slow, lines, killed, caplog):
    killed()
    with pytest.raises(KeyboardInterrupt):
        train(pico_bert, tmp_path, epochs=2)
    caplog.clear()
    train(pico_bert, tmp_path, epochs=2)
    left = STEPS // 2 - 1
    assert lines()[0].startswith(f"{STEPS // 2 + 1} of {STEPS} steps (56 %), loss ")
    assert lines()[0].endswith(f", 00:06 so far, 00:{6 * left:02} left")
    assert lines()[-1].startswith(f"{STEPS // 2} steps done in ")


def test_under_a_stop_rule_the_number_of_steps_is_a_limit(pico_bert, tmp_path, slow, lines):
    train(
        pico_bert, tmp_path, epochs=2, stop={"accuracy": 0.0, "after_epochs": 1.0, "evaluations_per_epoch": 1}
    )
    assert lines()[0].startswith(f"1 of at most {STEPS} steps")
    assert lines()[-1].startswith(f"{STEPS // 2} steps done in ")


def test_a_training_that_is_watched_ends_with_the_same_bytes(pico_bert, tmp_path, slow, monkeypatch):
    watched = train(pico_bert, tmp_path / "watched", epochs=2)
    monkeypatch.setattr("fuse_to_forget.training.classifier.report_progress", lambda *_, **__: None)
    assert train(pico_bert, tmp_path / "unwatched", epochs=2) == watched
