"""When the disk, the network or a result fails, a run says so, and the same command goes on once it can."""

import functools
import hashlib
import http.server
import io
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT
from test_bad_input import TRAIN, files_under, named, run, table
from workflow_runs import run_with, the_sentence

from fuse_to_forget.errors import InputError
from fuse_to_forget.writable import check_writable

SUBSET = "results/subsets/biases/age.parquet"
PREPARING, DRAWING = "logs/prepare_biases.log", "logs/make_biased_subset/age.log"


def incompressible(rows: int):
    letters = np.random.default_rng(1).integers(97, 123, (rows, 60), dtype=np.uint8)
    return named(rows).assign(text=[row.tobytes().decode() for row in letters])


def succeeded(done: subprocess.CompletedProcess) -> str:
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    return shown


@pytest.fixture
def mounted() -> Iterator[Callable[..., Callable]]:
    """Mount a small file system of its own on a folder; what is returned remounts it with other options."""
    folders = []

    def mount(folder: Path, options: str) -> Callable[[str], None]:
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("a file system cannot be mounted here")
        folders.append(folder)
        return lambda other: subprocess.run(["mount", "-o", f"remount,{other}", str(folder)], check=True)

    yield mount
    for folder in folders:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_and_then_room(tmp_path, mounted):
    remount = mounted(tmp_path / "results", "size=128k")
    source = table(tmp_path, incompressible(4000))
    assert "disk is full" in the_sentence(run(tmp_path, TRAIN, source), tmp_path / PREPARING)
    assert files_under(tmp_path / "results") == []
    remount("size=20m")
    succeeded(run(tmp_path, TRAIN, source))


def test_training_on_a_disk_that_fills_up_goes_on_from_its_checkpoint(tmp_path, mounted, pico_bert):
    """There is room for one checkpoint and not for the next."""
    remount = mounted(tmp_path / "results", "size=420k")
    target, log = "results/models/biases/age/seed1/model.safetensors", "logs/finetune/biases/age_seed1.log"
    source = table(tmp_path, named(200))
    done = run(tmp_path, target, source, base_model=str(pico_bert))
    assert "disk is full" in the_sentence(done, tmp_path / log)
    assert files_under(tmp_path / "results/models") == []
    remount("size=20m")
    succeeded(run(tmp_path, target, source, base_model=str(pico_bert)))
    assert "resuming from checkpoint-" in (tmp_path / log).read_text()


def test_no_room_for_the_log(tmp_path, mounted):
    """The sentence then goes to the terminal; the job has one to say because its source is bad."""
    remount = mounted(tmp_path / "logs", "size=8k,nr_inodes=64")
    (tmp_path / "logs/other").write_bytes(bytes(8192))
    source = table(tmp_path, named(4).assign(text=""))
    shown = run(tmp_path, TRAIN, source)
    assert shown.returncode == 1
    assert (shown.stdout + shown.stderr).count("error: ") == 1
    assert (tmp_path / PREPARING).read_bytes() == b""
    assert "Traceback" not in shown.stdout + shown.stderr
    assert files_under(tmp_path / "results") == []
    remount("size=1m")
    succeeded(run(tmp_path, TRAIN, table(tmp_path, named(80))))


def told_beforehand(done: subprocess.CompletedProcess, place: Path) -> None:
    """Assert that a run was refused before any job in one sentence that names the place."""
    shown = done.stdout + done.stderr
    assert done.returncode == 1, shown
    assert "Traceback" not in shown
    assert "rule prepare_biases:" not in shown
    assert [line for line in shown.splitlines() if f"Nothing can be written to {place}" in line], shown


def test_a_read_only_folder_is_told_before_any_job(tmp_path, mounted):
    remount = mounted(tmp_path / "results", "size=1m")
    remount("ro")
    for missing in ("results/data/biases", "results"):
        with pytest.raises(InputError, match=f"to {tmp_path / 'results'}, where the run keeps"):
            check_writable(tmp_path, tmp_path / missing)
    source = table(tmp_path, named(80))
    told_beforehand(run(tmp_path, TRAIN, source), tmp_path / "results")
    remount("rw")
    succeeded(run(tmp_path, TRAIN, source))
    remount("ro")
    assert "Nothing to be done" in succeeded(
        run(tmp_path, TRAIN, source)
    )  # all is there, so nothing is refused


def test_a_read_only_working_directory(tmp_path, mounted):
    place = tmp_path / "work"
    remount = mounted(place, "size=5m")
    source = table(tmp_path, named(80))
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["sources"]["mine"] = source
    config["biases"]["source"] = "mine"
    for bias in config["biases"]["subsets"]["biases"]:
        bias["label"] = "1"
    dry = run_with(place, TRAIN, config, "-n")
    command = [argument for argument in dry.args if argument != "-n"]
    before = files_under(place)
    assert not (place / "results").exists()
    assert not (place / "logs").exists()
    remount("ro")
    told_beforehand(subprocess.run(command, capture_output=True, text=True), place)
    remount("rw")
    assert files_under(place) == before
    succeeded(subprocess.run(command, capture_output=True, text=True))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_table_cut_short_is_named_and_made_again(tmp_path):
    source, damaged = table(tmp_path, named(400)), tmp_path / TRAIN
    succeeded(run(tmp_path, SUBSET, source))
    made = [digest(damaged), digest(tmp_path / SUBSET)]
    damaged.write_bytes(damaged.read_bytes()[:-100])
    told = the_sentence(run(tmp_path, SUBSET, source), tmp_path / DRAWING)
    assert f"{TRAIN} is no whole parquet file; delete it" in told
    damaged.unlink()
    succeeded(run(tmp_path, SUBSET, source))
    assert [digest(damaged), digest(tmp_path / SUBSET)] == made


class Index(http.server.SimpleHTTPRequestHandler):
    """A package index that, while `whole` is false, closes the connection half way through a file."""

    whole = False

    def copyfile(self, source: io.BufferedReader, outputfile: io.BufferedWriter) -> None:
        content = source.read()
        half = not Index.whole and self.path.endswith(".tar.gz")
        outputfile.write(content[: len(content) // 2] if half else content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(tmp_path, monkeypatch) -> Iterator[Path]:
    """The folder of the file of one package, which a local index serves."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "index/simple/tinytext"
    folder.mkdir(parents=True)
    handler = functools.partial(Index, directory=tmp_path / "index")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        yield folder
        server.shutdown()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def package(folder: Path) -> str:
    """Write the source archive of a package that holds rated texts; return its sha256."""
    rng = np.random.default_rng(1)
    rows = [f"{i}\t{4 * (-1) ** i}\t{' '.join(map(str, rng.integers(0, 10**9, 4)))}\n" for i in range(4000)]
    texts, path = io.BytesIO(), folder / "tinytext-1.0.tar.gz"
    with tarfile.open(fileobj=texts, mode="w:gz") as archive:
        add(archive, "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt", "".join(rows).encode())
    with tarfile.open(path, "w:gz") as archive:
        add(archive, "tinytext-1.0/PKG-INFO", b"Metadata-Version: 2.1\nName: tinytext\nVersion: 1.0\n")
        add(archive, "tinytext-1.0/setup.py", b"")
        add(archive, "tinytext-1.0/texts/hutto_ICWSM_2014.tar.gz", texts.getvalue())
    (folder / "index.html").write_text(f'<a href="{path.name}">{path.name}</a>')
    return digest(path)


def attempts(done: subprocess.CompletedProcess, folder: Path) -> set[str]:
    """Assert that each attempt to download failed with one sentence and left nothing; return the sentences."""
    shown = done.stdout + done.stderr
    assert done.returncode == 1, shown
    assert "Traceback" not in shown
    sentences = [line for line in shown.splitlines() if line.startswith("error: ")]
    assert len(sentences) == 3, shown  # rule download tries again twice
    assert (folder / "logs/download/text.log").read_text().splitlines() == sentences[-1:]
    assert files_under(folder / "results") == []
    return set(sentences)


def test_a_download_that_fails_and_one_that_is_damaged_later(tmp_path, index, monkeypatch):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    entry = {"package": "tinytext", "version": "1.0", "format": "source", "folder": "tinytext-1.0/texts"}
    config["downloads"]["text"] = entry | {"sha256": package(index)}
    config["shortcuts"]["injection"]["size"] = None
    download, target = "results/downloads/text", "results/data/shortcuts/train.parquet"

    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        told = attempts(run_with(tmp_path, download, config), tmp_path)
        assert all("tinytext==1.0 could not be downloaded with pip" in sentence for sentence in told)
    told = attempts(run_with(tmp_path, download, config), tmp_path)  # closed half way
    assert all("tinytext==1.0" in sentence for sentence in told)
    Index.whole = True
    other = config | {"downloads": config["downloads"] | {"text": entry | {"sha256": "0" * 64}}}
    (told,) = attempts(run_with(tmp_path, download, other), tmp_path)
    assert f"has sha256 {digest(index / 'tinytext-1.0.tar.gz')}, expected 000" in told
    succeeded(run_with(tmp_path, target, config))

    made = digest(tmp_path / target)
    archive = tmp_path / download / "hutto_ICWSM_2014.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-1000])
    (tmp_path / target).unlink()
    told = the_sentence(run_with(tmp_path, target, config), tmp_path / "logs/prepare_shortcuts.log")
    assert "is not a whole archive" in told
    assert f"delete the folder {download} and run the workflow again" in told
    shutil.rmtree(tmp_path / download)
    succeeded(run_with(tmp_path, target, config))
    assert digest(tmp_path / target) == made
