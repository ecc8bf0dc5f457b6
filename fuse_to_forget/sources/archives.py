"""Unpack and read archives that may be damaged or hostile: plain files alone, in one folder, of bounded size."""

import errno
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from fuse_to_forget.errors import InputError, first_line

# zipfile raises NotImplementedError for a compression that it does not know, RuntimeError for a password
BROKEN = (
    OSError,
    EOFError,
    zlib.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
)
# Text shrinks to a tenth, rarely to a hundredth; what grows more is made to fill a disk.
MAX_GROWTH = 100
ALWAYS_ALLOWED_BYTES = 100_000_000
BYTES_PER_MEMBER = 4096  # what even an empty file takes


class _Budget:
    """How many bytes an archive may still grow by, and which members are plain."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.left = ALWAYS_ALLOWED_BYTES + MAX_GROWTH * archive.stat().st_size

    def admit(self, name: str, size: int, *, plain: bool) -> None:
        """Raise InputError for a member that is no file or folder, would land outside, or is one too large."""
        if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
            raise self.refusal(f"its member {name!r} would land outside of the folder")
        if not plain:
            raise self.refusal(f"its member {name!r} is a link or a device")
        self.left -= size + BYTES_PER_MEMBER
        if self.left < 0:
            raise self.refusal(f"it would grow to more than {MAX_GROWTH} times its size")

    def refusal(self, reason: str) -> InputError:
        return InputError(f"{self.archive} was not unpacked: {reason}; get it again from its source")


def unpack(archive: str | Path, output_dir: str | Path) -> None:
    """Unpack a tar (any compression), zip or wheel into `output_dir`, which is made.

    Raises InputError when the file is no archive, is damaged, holds a link, a device or a member that would land
    outside of `output_dir`, or would grow to over 100 times its size and 100 MB; what was unpacked by then stays, so
    the caller passes a scratch folder.
    """
    archive, output_dir = Path(archive), Path(output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, output_dir)
        else:
            _unpack_tar(archive, output_dir)
    except BROKEN as error:
        raise _broken(archive, error, "download it again") from error


def _unpack_tar(archive: Path, output_dir: Path) -> None:
    budget = _Budget(archive)

    def admit(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        budget.admit(member.name, member.size, plain=member.isreg() or member.isdir())
        return tarfile.data_filter(member, path)

    with tarfile.open(archive) as opened:
        opened.extractall(output_dir, filter=admit)  # asks about each member before it reads on


def _unpack_zip(archive: Path, output_dir: Path) -> None:
    budget = _Budget(archive)
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the archive was made without kinds
            plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
            budget.admit(member.orig_filename, member.file_size, plain=plain)
        opened.extractall(output_dir)


def read_member(archive: str | Path, member: str) -> bytes:
    """The bytes of one file of a tar archive, such as an archive packed inside a source package.

    Raises InputError when the archive is missing, damaged, has no such file, or grows beyond what `unpack` allows.
    """
    archive = Path(archive)
    advice = f"delete the folder {archive.parent} and run the workflow again"
    try:
        budget = _Budget(archive)
        with tarfile.open(archive) as opened:
            for found in opened:
                budget.admit(found.name, found.size, plain=True)
                if found.name == member and found.isreg():
                    return opened.extractfile(found).read()
    except BROKEN as error:
        raise _broken(archive, error, advice) from error
    raise InputError(f"{archive} holds no file {member}; {advice}")


def _broken(archive: Path, error: Exception, advice: str) -> Exception:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return error  # the disk is full, and the archive may be whole
    reason = first_line(error).rstrip(":")  # that of tarfile goes on for a line per compression
    return InputError(f"{archive} is not a whole archive ({reason}); {advice}")
