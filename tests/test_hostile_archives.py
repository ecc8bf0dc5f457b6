"""Archives that would write elsewhere, make links or devices, or fill the disk are refused."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources import archives
from fuse_to_forget.sources.archives import read_member, unpack

OUTSIDE = ["../escaped", "folder/../../escaped", "/tmp/fuse_to_forget_escaped"]


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def tar(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info in members:
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    return path


def zipped(path: Path, *members: zipfile.ZipInfo | str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for info in members:
            archive.writestr(info, "content")
    return path


def refused(archive: Path, reason: str) -> None:
    """Assert that the archive is refused in one sentence and that nothing is written beside the folder."""
    place = archive.parent / "place" / "unpacked"
    place.parent.mkdir(exist_ok=True)
    with pytest.raises(InputError, match=reason) as told:
        unpack(archive, place)
    assert "\n" not in str(told.value)
    assert str(archive) in str(told.value)
    assert list(place.parent.iterdir()) == [place]
    written = [path for path in place.rglob("*") if not path.is_dir()]
    assert all(path.is_file() and not path.is_symlink() for path in written)
    assert sum(path.stat().st_size for path in written) < 1_000_000
    assert not Path(OUTSIDE[2]).exists()


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_outside(tmp_path, name):
    refused(
        tar(tmp_path / "a.tar.gz", member("before", size=3), member(name, size=3)), "outside of the folder"
    )
    refused(zipped(tmp_path / "a.zip", "before", name), "outside of the folder")


@pytest.mark.parametrize("name", ["..\\escaped", "C:\\escaped"])
def test_names_that_lead_outside_elsewhere(tmp_path, name):
    refused(zipped(tmp_path / "a.zip", name), "outside of the folder")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE], ids=["symbolic", "hard"])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "before"])
def test_links(tmp_path, kind, target):
    """A link that stays inside is refused too: others have led outside by way of it."""
    (tmp_path / "secret").write_text("kept")
    members = [member("before", size=3), member("link", kind, target), member("link", size=9)]
    refused(tar(tmp_path / "a.tar.gz", *members), "'link' is a link")
    assert (tmp_path / "secret").read_text() == "kept"


def test_symbolic_links_in_a_zip(tmp_path):
    info = zipfile.ZipInfo("link")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    refused(zipped(tmp_path / "a.zip", info), "'link' is a link")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices(tmp_path, kind):
    refused(tar(tmp_path / "a.tar.gz", member("device", kind)), "a link or a device")


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED_BYTES", 100_000)


def test_bombs(tmp_path, small_limit):
    """Zeros shrink to a thousandth; they are not written before they are counted."""
    bomb = tar(tmp_path / "a.tar.gz", member("zeros", size=10_000_000))
    assert bomb.stat().st_size * 500 < 10_000_000
    refused(bomb, "grow to more than 100 times")
    with pytest.raises(InputError, match="grow to more than 100 times"):
        read_member(bomb, "zeros")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10_000_000))
    refused(tmp_path / "a.zip", "grow to more than 100 times")


def test_many_empty_files(tmp_path, small_limit):
    refused(
        tar(tmp_path / "a.tar.gz", *(member(f"f{i}") for i in range(2000))), "grow to more than 100 times"
    )


def test_a_zip_that_hides_its_size(tmp_path, small_limit):
    """A smaller size than the true one in the list of files makes the file unreadable, not larger than allowed."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10_000_000))
    size = (10_000_000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (1000).to_bytes(4, "little")))
    refused(path, "not a whole archive")


def test_what_grows_as_text_does_is_unpacked(tmp_path, small_limit):
    text = "".join(f"{i} the cat sat on the mat\n" for i in range(50_000)).encode()
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        info = member("folder/text", size=len(text))
        archive.addfile(info, io.BytesIO(text))
    unpack(tmp_path / "a.tar.gz", tmp_path / "unpacked")
    assert (tmp_path / "unpacked/folder/text").read_bytes() == text


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"<html>", b"BZh91AY&SY"])
def test_what_is_no_archive(tmp_path, content):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(content)
    if content.startswith(b"PK\x05"):  # an empty zip is whole
        unpack(path, tmp_path / "unpacked")
        assert list((tmp_path / "unpacked").iterdir()) == []
    else:
        refused(path, "not a whole archive")
