"""Unpack and read archives without letting a member leave its folder."""

import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from fuse_to_forget.errors import InputError

# zipfile raises NotImplementedError for a compression that it does not know
BROKEN = (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, NotImplementedError)


def unpack(archive: str | Path, output_dir: str | Path) -> None:
    """Unpack a tar (any compression), zip or wheel into `output_dir`, which is made.

    Raises InputError when the file is no archive, is damaged, or holds a member that would land outside
    of `output_dir`; what was unpacked by then stays, so the caller passes a scratch folder.
    """
    output_dir = Path(output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, output_dir)
        else:
            with tarfile.open(archive) as opened:
                opened.extractall(output_dir, filter="data")
    except tarfile.FilterError as error:
        raise InputError(f"{archive} was not unpacked: {error}; get it again from its source") from error
    except BROKEN as error:
        raise InputError(f"{archive} is not a whole archive ({error}); download it again") from error


def _unpack_zip(archive: str | Path, output_dir: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            # zipfile would silently move such a member; a pinned archive has no business holding one.
            if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
                raise InputError(
                    f"{archive} was not unpacked: its member {name!r} would land outside of the folder; "
                    "get it again from its source"
                )
        opened.extractall(output_dir)


def read_member(archive: str | Path, member: str) -> bytes:
    """The bytes of one file of a tar archive, such as an archive packed inside a source package.

    Raises InputError when the archive is missing, damaged, or has no such file.
    """
    try:
        with tarfile.open(archive) as opened:
            extracted = opened.extractfile(member)
            if extracted is None:
                raise KeyError(member)
            return extracted.read()
    except KeyError as error:
        raise InputError(f"{archive} holds no file {member}; download it again") from error
    except BROKEN as error:
        raise InputError(f"{archive} is not a whole archive ({error}); download it again") from error
