"""Fetch pinned packages of the Python package index and pinned snapshots of the Hugging Face hub."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from fuse_to_forget.errors import InputError, first_line
from fuse_to_forget.files import atomic_path, remove
from fuse_to_forget.sources.archives import unpack

COMMIT = re.compile(r"[0-9a-f]{40}")
# Weights in safetensors only: the other weight formats of the hub are pickles.
HUB_PATTERNS = {
    "model": ["*.safetensors", "*.json", "*.txt", "*.model", "tokenizer*"],
    "dataset": ["*.parquet"],
}
HUB_REFUSED = ["*.bin", "*.h5", "*.pt", "*.pth", "*.pkl", "*.ckpt", "*.msgpack", "*.onnx", "*.py"]

# pip asks a source archive for its metadata even when it only downloads, which runs the archive's
# setup.py. This build backend answers in its place, so nothing runs before the hash is checked.
BACKEND = """
from pathlib import Path


class __legacy__:
    @staticmethod
    def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
        folder = Path(metadata_directory, "{name}-{version}.dist-info")
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
        return folder.name
"""


def download(entry: Mapping[str, str], output_dir: str | Path) -> None:
    """Fetch what an entry of the config's `downloads` names, from the package index or the hub."""
    if "repo" in entry:
        download_hub_snapshot(**entry, output_dir=output_dir)
    else:
        download_package(**entry, output_dir=output_dir)


def download_package(
    package: str,
    version: str,
    sha256: str,
    format: Literal["source", "wheel"],
    output_dir: str | Path,
    folder: str | None = None,
) -> None:
    """Download one file of a package with pip, check its sha256 and unpack it, or one `folder` of it.

    pip brings the user's own index, mirror and proxy settings. Nothing is installed or run: a source
    archive (one with a setup.py) is only fetched. `output_dir` appears whole or not at all.

    Raises InputError when pip cannot get the file, its sha256 is another one, or it has no such folder.
    """
    with tempfile.TemporaryDirectory() as scratch:
        archive = _fetch(package, version, format, Path(scratch))
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise InputError(
                f"{archive.name} of the package {package}=={version} has sha256 {found}, expected {sha256}: "
                "the package index serves another file; check the index that pip uses, or the pinned hash"
            )
        unpacked = Path(scratch) / "unpacked"
        unpack(archive, unpacked)
        if not (unpacked / (folder or "")).is_dir():
            raise InputError(
                f"{archive.name} holds no folder {folder}; correct `folder` in the config's downloads"
            )
        with atomic_path(output_dir) as target:
            shutil.copytree(unpacked / (folder or ""), target)


def _fetch(name: str, version: str, kind: str, scratch: Path) -> Path:
    backend = scratch / "backend" / "setuptools"
    backend.mkdir(parents=True)
    (backend / "__init__.py").touch()
    (backend / "build_meta.py").write_text(BACKEND.format(name=name, version=version))
    target = scratch / "download"
    options = (
        ["--no-binary", ":all:", "--no-build-isolation"] if kind == "source" else ["--only-binary", ":all:"]
    )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input", "--ignore-requires-python"]
    command += [
        "--disable-pip-version-check",
        "--quiet",
        "--dest",
        str(target),
        *options,
        f"{name}=={version}",
    ]
    environment = os.environ | {"PIP_USE_PEP517": "1"}  # older pips would run setup.py directly
    if kind == "source":
        inherited = os.environ.get("PYTHONPATH")
        paths = [str(backend.parent)] + ([inherited] if inherited else [])
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    files = sorted(target.iterdir()) if target.is_dir() else []
    if result.returncode or len(files) != 1:
        raise InputError(
            f"The package {name}=={version} could not be downloaded with pip ({_last_error(result.stderr)}); "
            "check the network connection and the package index that pip uses, then run it again"
        )
    return files[0]


def _last_error(stderr: str) -> str:
    """The line of pip's messages that says most: its first error, else its last line."""
    if "connection broken by" in stderr:  # after which pip finds no version of the package and says that
        return "the package index could not be reached"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:") or "No module named pip" in line]
    return (errors or lines[-1:] or ["no message"])[0].removeprefix("ERROR: ").rstrip(".")


def download_hub_snapshot(
    repo: str,
    revision: str,
    output_dir: str | Path,
    repo_type: Literal["model", "dataset"] = "model",
    folder: str | None = None,
) -> None:
    """Download a model (safetensors weights, configuration, tokenizer) or the parquet files of a dataset.

    Both of the Hugging Face hub. `revision` is a full commit hash of 40 hexadecimal digits: a branch or tag
    may move. With `folder`, only what lies in that folder is fetched, and stays in it.

    Raises InputError for any other revision, when the hub does not deliver, and when the commit holds no
    safetensors weights or no parquet files.
    """
    if not COMMIT.fullmatch(revision):
        raise InputError(
            f"The revision {revision!r} of the hub {repo_type} {repo} is not a commit of 40 hexadecimal digits; "
            f"copy the commit hash from the {repo_type}'s history page, so that everyone gets the same files"
        )
    from huggingface_hub import snapshot_download  # slow to import, and only this function needs it

    prefix = f"{folder}/" if folder else ""
    with atomic_path(output_dir) as snapshot:
        try:
            snapshot_download(
                repo,
                repo_type=repo_type,
                revision=revision,
                local_dir=snapshot,
                allow_patterns=[prefix + pattern for pattern in HUB_PATTERNS[repo_type]],
                ignore_patterns=HUB_REFUSED,
            )
        except Exception as error:  # the hub client raises errors of several libraries
            raise InputError(
                f"The {repo_type} {repo} at {revision} could not be downloaded from the hub ({first_line(error)}); "
                f"check the network connection and the name, or give a local folder as the {_user(repo_type)}'s path"
            ) from error
        _check_snapshot(snapshot, repo, revision, repo_type)


def _check_snapshot(folder: Path, repo: str, revision: str, repo_type: str) -> None:
    wanted = HUB_PATTERNS[repo_type][0]
    if not list(folder.rglob(wanted)):
        what = "safetensors weights" if repo_type == "model" else "parquet files"
        raise InputError(
            f"The {repo_type} {repo} at {revision} has no {what}; choose a commit that has them, "
            f"or convert its files and give a local folder as the {_user(repo_type)}'s path"
        )
    # The client's bookkeeping holds times of day, and the folder must be the same for everyone.
    remove(folder / ".cache")


def _user(repo_type: str) -> str:
    """What the config gives a local path to, in place of a download."""
    return "model" if repo_type == "model" else "source"
