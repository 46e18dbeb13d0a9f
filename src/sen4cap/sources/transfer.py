"""Bringing one file over the network: resumed, checked, and whole before it has its name.

What has come is kept beside the target in a hidden `.part` file, with what identifies the file at
the server, so that a later call goes on where an earlier one ended - only if the server still has
the same file (`If-Range`, RFC 9110 section 13.1.5) or a checksum will tell.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import requests
from urllib3.exceptions import HTTPError

from sen4cap.domain.scene import RemoteFile
from sen4cap.errors import ServiceUnavailable, UnreadableFile
from sen4cap.processing import publish
from sen4cap.sources.http import Session, checked

CHUNK = 2**20
"""Bytes that are read at once, at most."""
Told = Callable[[int], None]
"""Told the bytes of the file that are there."""


@dataclass(frozen=True)
class _Known:
    """What identifies the file at the server whose beginning is here."""

    href: str = ""
    validator: str = ""
    """Strong ETag, or date of last change; empty where the server gives none."""

    @property
    def name(self) -> str:
        """The address without what signs it."""
        return self.href.partition("?")[0]


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the disk refuses, in a sentence.

    Raises
    ------
    ServiceUnavailable
        If something below cannot be written, or read back.
    """
    try:
        yield
    except OSError as error:
        raise ServiceUnavailable(
            f"'{path}' could not be written ({error.strerror or error}): check the disk; the next "
            "run goes on."
        ) from error


def place(folder: Path, path: str) -> Path:
    """Where a file of a scene goes below a folder.

    Raises
    ------
    UnreadableFile
        If a source gives a path that leaves the folder.
    """
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path or not parts.name:
        raise UnreadableFile(
            f"The source names a file '{path}' outside its scene: report it to the source."
        )
    return folder.joinpath(*parts.parts)


def bring(
    session: Session, file: RemoteFile, target: Path, told: Told = lambda _count: None
) -> None:
    """Bring a file to `target`; done at once where it is there and right.

    Raises
    ------
    SourceRefused, ServiceUnavailable
        As `http.Session.answer`; what has come stays for the next call.
    UnreadableFile
        If size or checksum are not what the source says; what has come is thrown away.
    """
    if target.exists():
        if _is_right(file, target):
            told(target.stat().st_size)
            return
        target.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    _fill(session, file, part, told)
    _check(file, part)
    publish(part, target)
    _note(part).unlink(missing_ok=True)


def _is_right(file: RemoteFile, path: Path) -> bool:
    try:
        _check(file, path, keep=True)
    except UnreadableFile:
        return False
    return True


def _fill(session: Session, file: RemoteFile, part: Path, told: Told) -> None:
    """Ask for what is missing until all is there, or until nothing more comes."""
    idle = 0
    while idle < session.policy.attempts:
        before = _size(part)
        if _go_on(session, file, part, told):
            return
        idle = 0 if _size(part) > before else idle + 1
        if idle:
            session.policy.sleep(min(2.0**idle, session.policy.longest_pause))
    raise ServiceUnavailable(
        f"Source '{session.source}' broke off '{part.name[1:-5]}' at {_size(part)} bytes, "
        f"{session.policy.attempts} times: the next run goes on from there."
    )


def _go_on(session: Session, file: RemoteFile, part: Path, told: Told) -> bool:
    """Take one answer as far as it comes; whether the file is all there."""
    known = _read_note(part)
    start = _size(part) if _may_go_on(file, known) else 0
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if known.validator:
            headers["If-Range"] = known.validator
    with closing(session.request("GET", file.href, headers=headers, stream=True)) as response:
        if response.status_code == 416:
            return _unsatisfiable(response, file, part)
        checked(session.source, response)
        if response.status_code != 206:
            start = 0
        total = _total(response, start)
        _refuse_other_size(file, part, total)
        _write_note(part, _Known(file.href, _validator(response)))
        arrived = _append(response, part, start, told)
    return arrived == total if total is not None else arrived >= 0


def _unsatisfiable(response: requests.Response, file: RemoteFile, part: Path) -> bool:
    """Nothing is left to come, or what is here is not of this file: then start anew."""
    whole = response.headers.get("Content-Range", "").rpartition("/")[2]
    if whole == str(_size(part)) and file.size in {None, _size(part)}:
        return True
    _forget(part)
    return False


def _append(response: requests.Response, part: Path, start: int, told: Told) -> int:
    """Write what comes from byte `start` on; bytes there at the end, -1 if it broke off."""
    with part.open("r+b" if start else "wb") as handle:
        handle.truncate(start)
        handle.seek(start)
        for piece in _pieces(response):
            if piece is None:
                return -1
            handle.write(piece)
            told(handle.tell())
        return handle.tell()


def _pieces(response: requests.Response) -> Iterator[bytes | None]:
    """Pieces of a body as they come; None where it breaks off."""
    try:
        while piece := response.raw.read1(CHUNK, decode_content=False):
            yield piece
    except (HTTPError, OSError):
        yield None


def _total(response: requests.Response, start: int) -> int | None:
    """Bytes of the whole file, as the answer tells; None where it does not."""
    whole = response.headers.get("Content-Range", "").rpartition("/")[2]
    if response.status_code == 206 and whole.isdigit():
        return int(whole)
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() else None


def _refuse_other_size(file: RemoteFile, part: Path, total: int | None) -> None:
    if file.size is not None and total is not None and total != file.size:
        _forget(part)
        raise _wrong(file, f"{file.size} bytes", f"{total} bytes")


def _check(file: RemoteFile, path: Path, *, keep: bool = False) -> None:
    """Compare size and checksum with what the source says."""
    size = path.stat().st_size
    told, found = f"{file.size} bytes", f"{size} bytes"
    if file.size is None or size == file.size:
        algorithm, _, told = file.checksum.partition(":")
        found = checksum(path, algorithm) if told else ""
    if told.lower() != found:
        if not keep:
            _forget(path)
        raise _wrong(file, told, found)


def checksum(path: Path, algorithm: str) -> str:
    """Hex digest of a file: `md5`, `sha1`, `sha256`, `sha512`.

    Raises
    ------
    UnreadableFile
        If the algorithm is not known here.
    """
    if algorithm not in hashlib.algorithms_available:
        raise UnreadableFile(
            f"'{path.name}' has a checksum of unknown kind '{algorithm}': report it to the source."
        )
    with path.open("rb") as handle:
        # md5 is what sources publish; it guards against accidents here, not against attackers.
        return hashlib.file_digest(
            handle, lambda: hashlib.new(algorithm, usedforsecurity=False)
        ).hexdigest()


def _wrong(file: RemoteFile, told: str, found: str) -> UnreadableFile:
    return UnreadableFile(
        f"'{PurePosixPath(file.path).name}' came as {found}, and the source says {told}: "
        "it was thrown away, fetch it again."
    )


def _may_go_on(file: RemoteFile, known: _Known) -> bool:
    """Whether what is here may be the beginning of the file that the server has."""
    same = known.name == file.href.partition("?")[0]
    return same and bool(known.validator or file.checksum)


def _validator(response: requests.Response) -> str:
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _write_note(part: Path, known: _Known) -> None:
    plain = asdict(_Known(known.name, known.validator))
    _note(part).write_text(json.dumps(plain), encoding="utf-8")


def _read_note(part: Path) -> _Known:
    try:
        return _Known(**json.loads(_note(part).read_bytes()))
    except (OSError, ValueError, TypeError):
        return _Known()


def _size(part: Path) -> int:
    with suppress(FileNotFoundError):
        return part.stat().st_size
    return 0


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)
