"""Downloads: packages and hub snapshots are pinned, checked and unpacked without running anything."""

import hashlib
import io
import os
import tarfile
import zipfile

import pytest

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.archives import read_member, unpack
from fuse_to_forget.sources.download import download, download_hub_snapshot, download_package


@pytest.fixture
def local_index(tmp_path, monkeypatch):
    """A folder of packages that pip uses in place of any index."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_a_source_package_is_fetched_and_unpacked_without_running_its_setup(local_index, tmp_path):
    ran = tmp_path / "ran"
    setup = f"open({str(ran)!r}, 'w')".encode()
    archive = tar(
        local_index / "tinydata-1.0.tar.gz",
        {"tinydata-1.0/setup.py": setup, "tinydata-1.0/data.txt": b"held", "tinydata-1.0/PKG-INFO": b""},
    )
    download_package("tinydata", "1.0", digest(archive), "source", tmp_path / "out")
    assert (tmp_path / "out/tinydata-1.0/data.txt").read_text() == "held"
    assert not ran.exists()


def test_a_wheel_is_fetched_and_another_hash_is_refused(local_index, tmp_path):
    wheel = local_index / "tinymodel-2.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tinymodel/config.json", "{}")
        archive.writestr(
            "tinymodel-2.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinymodel\nVersion: 2.0\n"
        )
        archive.writestr("tinymodel-2.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    download_package("tinymodel", "2.0", digest(wheel), "wheel", tmp_path / "out")
    assert (tmp_path / "out/tinymodel/config.json").read_text() == "{}"
    with pytest.raises(InputError, match=f"{digest(wheel)}, expected abc"):
        download_package("tinymodel", "2.0", "abc", "wheel", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_package_that_cannot_be_had_is_told_in_one_sentence(local_index, tmp_path):
    with pytest.raises(InputError, match=r"absent==3\.0 could not be downloaded") as caught:
        download_package("absent", "3.0", "abc", "wheel", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert "run it again" in str(caught.value)


@pytest.mark.parametrize("name", ["../escaped.txt", "/tmp/escaped.txt"])
def test_a_member_that_leaves_the_folder_is_refused(tmp_path, name):
    zipped = tmp_path / "a.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(InputError, match="outside"):
        unpack(zipped, tmp_path / "in" / "zip")
    target = tmp_path / "in" / "tar"
    if name.startswith(".."):
        with pytest.raises(InputError, match="outside"):
            unpack(tar(tmp_path / "a.tar.gz", {name: b"x"}), target)
    assert not (tmp_path / "in" / "escaped.txt").exists()


def test_one_member_of_a_nested_archive_is_read(tmp_path):
    archive = tar(tmp_path / "a.tar.gz", {"d/a.txt": b"x" * 5000})
    assert read_member(archive, "d/a.txt") == b"x" * 5000
    with pytest.raises(InputError, match=r"no file d/b\.txt"):
        read_member(archive, "d/b.txt")
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(InputError, match="not a whole archive"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("revision", ["main", "v1.0", "ABCDEF" * 7, "0" * 39])
def test_a_hub_revision_that_may_move_is_refused(tmp_path, revision):
    with pytest.raises(InputError, match="not a commit"):
        download_hub_snapshot("org/model", revision, tmp_path / "model")


def test_a_hub_snapshot_holds_no_pickles_and_failure_is_one_sentence(tmp_path, monkeypatch):
    import huggingface_hub

    asked = {}

    def snapshot(repo, **options):
        asked.update(options)
        options["local_dir"].mkdir()
        (options["local_dir"] / ".cache").mkdir()
        (options["local_dir"] / "model.safetensors").write_bytes(b"w")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    download_hub_snapshot("org/model", "a" * 40, tmp_path / "model")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["model.safetensors"]
    assert not {"*", "*.bin", "*.h5"} & set(asked["allow_patterns"])
    assert asked["repo_type"] == "model"

    def fail(repo, **options):
        raise OSError("no route\nto host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(InputError, match="could not be downloaded") as caught:
        download_hub_snapshot("org/model", "a" * 40, tmp_path / "other")
    assert "\n" not in str(caught.value)


def test_of_a_hub_dataset_only_parquet_files_are_fetched(tmp_path, monkeypatch):
    import huggingface_hub

    held, asked = ["data/train-00000-of-00001.parquet"], {}

    def snapshot(repo, **options):
        asked.update(options, repo=repo)
        for name in [*held, ".cache/a"]:
            (options["local_dir"] / name).parent.mkdir(parents=True, exist_ok=True)
            (options["local_dir"] / name).write_bytes(b"p")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    entry = {"repo": "org/data", "revision": "a" * 40, "repo_type": "dataset"}
    download(entry, tmp_path / "data")
    assert (asked["repo"], asked["repo_type"]) == ("org/data", "dataset")
    assert asked["allow_patterns"] == ["*.parquet"]
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert files == [tmp_path / "data" / held[0]]

    download(entry | {"folder": "data"}, tmp_path / "part")
    assert asked["allow_patterns"] == ["data/*.parquet"]

    held[:] = ["data/train.csv"]
    with pytest.raises(InputError, match=r"org/data at a+ has no parquet files.*the source's path"):
        download(entry, tmp_path / "other")
    assert not (tmp_path / "other").exists()
    with pytest.raises(InputError, match="hub dataset org/data is not a commit"):
        download(entry | {"revision": "main"}, tmp_path / "other")
