"""Zip archives from outside, opened only after they were judged, and never where they lie.

A zip may name files outside its folder, hold links, or unpack to a thousand times its size; all
of this stands in its directory, so that it is refused before a byte is unpacked.
"""

from __future__ import annotations

import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from sen4cap.errors import UnreadableFile, UnsafeArchive

MAX_BYTES = 4 * 2**30
"""Largest sum of unpacked members, bytes."""
MAX_MEMBERS = 10_000
MAX_RATIO = 200
"""Largest unpacked over packed size of a member that is not small; deflate allows 1032."""
SMALL_BYTES = 2**20
"""Members up to this size may have any ratio."""


@contextmanager
def unpacked(
    path: Path, *, max_bytes: int = MAX_BYTES, within: Path | None = None
) -> Iterator[Path]:
    """Yield a temporary folder with the members of a zip; it is gone when the block ends.

    It lies where the system has such folders, or hidden `within` another one.

    Raises
    ------
    UnsafeArchive
        If a member leaves the folder, is a link, or the members unpack to too much.
    UnreadableFile
        If it is no zip, is damaged or encrypted.
    """
    with tempfile.TemporaryDirectory(
        prefix=".sen4cap-" if within else "sen4cap-", dir=within
    ) as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                _judge(path.name, archive.infolist(), max_bytes)
                archive.extractall(folder)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError) as error:
            raise UnreadableFile(
                f"'{path.name}' cannot be unpacked ({error}): make the zip again."
            ) from error
        yield Path(folder)


def _judge(name: str, members: list[zipfile.ZipInfo], max_bytes: int) -> None:
    for member in members:
        _judge_member(name, member)
    if len(members) > MAX_MEMBERS:
        raise UnsafeArchive(
            f"'{name}' holds {len(members)} files, more than {MAX_MEMBERS}: "
            "zip the declarations alone."
        )
    total = sum(member.file_size for member in members)
    if total > max_bytes:
        raise UnsafeArchive(
            f"'{name}' unpacks to {total / 2**20:.0f} MiB, more than the limit of "
            f"{max_bytes / 2**20:.0f} MiB: give the file unzipped."
        )


def _judge_member(name: str, member: zipfile.ZipInfo) -> None:
    if _leaves_folder(member.filename):
        raise UnsafeArchive(
            f"'{name}' holds a path outside itself, '{member.filename}': "
            "zip the files by name, without their folders."
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UnsafeArchive(f"'{name}' holds a link, '{member.filename}': zip the file itself.")
    if member.flag_bits & 1:
        raise UnreadableFile(f"'{name}' is encrypted: make the zip without a password.")
    if member.file_size > SMALL_BYTES and member.file_size > MAX_RATIO * member.compress_size:
        raise UnsafeArchive(
            f"'{member.filename}' in '{name}' unpacks to more than {MAX_RATIO} times its size: "
            "give the file unzipped."
        )


def _leaves_folder(member: str) -> bool:
    posix, windows = PurePosixPath(member), PureWindowsPath(member)
    return posix.is_absolute() or bool(windows.anchor) or ".." in windows.parts
