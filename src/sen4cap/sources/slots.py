"""Limit on simultaneous connections to a source, over all processes of a machine.

A slot is a lock on a small file; the system lets go of it when its process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WAIT = 0.2
"""Seconds between looks for a free slot."""


@dataclass(frozen=True)
class Slots:
    """At most `count` at a time; without a folder, no limit."""

    folder: Path | None = None
    name: str = ""
    count: int = 1
    sleep: Callable[[float], None] = time.sleep

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for a slot and hold it."""
        if self.folder is None:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        files = [self.folder / f"{self.name}.{number}.lock" for number in range(self.count)]
        while True:
            for path in files:
                with path.open("ab") as handle:
                    if _locked(handle.fileno()):
                        yield
                        return
            self.sleep(WAIT)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
