"""Reading logs: the last lines, then whatever is added, for people or as it stands."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sen4cap.app.logs import FIRST_KEYS

PAUSE = 0.25
"""Seconds between two looks at a log that is followed."""


def lines(paths: Sequence[Path], count: int, *, going_on: bool = False) -> Iterator[str]:
    """The last lines of each file, then, if `going_on`, what is added, without end."""
    yield from last_lines(paths, count)
    if going_on:
        yield from follow(paths, sleep)


def last_lines(paths: Sequence[Path], count: int) -> list[str]:
    """The last lines of each file, in the order of the files; none of a file that is not there."""
    return [line for path in paths for line in _tail(path, count)]


def _tail(path: Path, count: int) -> list[str]:
    former = path.with_name(f"{path.name}.1")
    found: deque[str] = deque(maxlen=count)
    for part in (former, path):
        if part.is_file():
            with part.open(encoding="utf-8", errors="replace") as handle:
                found.extend(line.rstrip("\n") for line in handle)
    return list(found)


def follow(paths: Sequence[Path], wait: Callable[[float], bool]) -> Iterator[str]:
    """Yield complete lines as they are added to the files, which may come later or turn over.

    `wait` is called with a number of seconds whenever there is nothing new; it says whether to
    end.
    """
    files = [_Followed(path) for path in paths]
    for file in files:
        file.skip()
    try:
        while True:
            added = [line for file in files for line in file.lines()]
            yield from added
            if not added and wait(PAUSE):
                return
    finally:
        for file in files:
            file.close()


@dataclass
class _Followed:
    path: Path
    handle: BinaryIO | None = None
    begun: bytes = b""
    """Start of a line that is not complete yet."""

    def skip(self) -> None:
        """Go to the end of what is there."""
        self._open()
        if self.handle is not None:
            self.handle.seek(0, os.SEEK_END)

    def lines(self) -> list[str]:
        """What was added since, as whole lines."""
        found = self._rest()
        if self.handle is not None and self._was_replaced(self.handle):
            found += self._rest()
            self.close()
        if self.handle is None:
            self._open()
            found += self._rest()
        return found

    def _rest(self) -> list[str]:
        if self.handle is None:
            return []
        *whole, self.begun = (self.begun + self.handle.read()).split(b"\n")
        return [line.decode("utf-8", errors="replace") for line in whole]

    def _was_replaced(self, handle: BinaryIO) -> bool:
        """Whether another file has the name now, or this one was emptied."""
        try:
            now = self.path.stat()
        except FileNotFoundError:
            return True
        return not os.path.samestat(now, os.fstat(handle.fileno())) or now.st_size < handle.tell()

    def _open(self) -> None:
        if self.path.is_file():
            self.handle, self.begun = self.path.open("rb"), b""

    def close(self) -> None:
        """Give the file back."""
        if self.handle is not None:
            self.handle.close()
            self.handle = None


def readable(line: str) -> str:
    """A line for people: events as `time level service: event key=value`, others as they are.

    Control characters, which could steer a terminal, are shown as escapes.
    """
    event = _event(line)
    if event is None:
        return _safe(line)
    moment, level, service, text = (str(event.pop(key, "")) for key in FIRST_KEYS)
    trace = event.pop("exception", "")
    rest = "".join(f" {key}={_value(value)}" for key, value in event.items())
    clock = moment[:19].replace("T", " ")
    source = f"{service}: " if service else ""
    shown = _safe(f"{clock} {level:8s}{source}{text}{rest}")
    return "\n".join([shown, *(f"    {_safe(part)}" for part in str(trace).splitlines())])


def _event(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if text and " " not in text else json.dumps(text, ensure_ascii=False)


def _safe(text: str) -> str:
    return "".join(
        character if character == "\t" or character.isprintable() else repr(character)[1:-1]
        for character in text
    )


def sleep(seconds: float) -> bool:
    """Wait for a follower that never ends by itself."""
    time.sleep(seconds)
    return False
