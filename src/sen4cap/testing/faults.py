"""Faults: the n-th call, file write or fsync goes wrong, and nothing else."""

from __future__ import annotations

import builtins
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sen4cap.errors import ServiceUnavailable

WRITING = frozenset("wax+")


@dataclass
class Faults:
    """Counts what happens, and lets one thing of it fail; 0: none."""

    at: int = 0
    events: list[str] = field(default_factory=list)

    def call(self, what: str) -> None:
        """A call to a service."""
        if self._is_due(what):
            raise ServiceUnavailable(f"The connection broke at '{what}': try again.")

    def write(self, what: str) -> None:
        """Something is about to be written."""
        if self._is_due(what):
            raise OSError(errno.EIO, f"made to fail at '{what}'")

    def _is_due(self, what: str) -> bool:
        self.events.append(what)
        return len(self.events) == self.at


@contextmanager
def failing(faults: Faults, root: Path) -> Iterator[Faults]:
    """Let writing below a folder, naming and fsync be counted, and one of it fail."""
    fsync, opened, path_open, replaced = os.fsync, builtins.open, Path.open, Path.replace

    def sync(descriptor: int) -> None:
        faults.write("fsync")
        fsync(descriptor)

    def is_ours(path: Any, mode: str) -> bool:
        inside = isinstance(path, str | Path) and Path(path).is_relative_to(root)
        return inside and bool(WRITING & set(mode))

    def open_any(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if is_ours(file, mode):
            faults.write(f"open {Path(file).name}")
        return opened(file, mode, *args, **kwargs)

    def open_path(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if is_ours(self, mode):
            faults.write(f"open {self.name}")
        return path_open(self, mode, *args, **kwargs)

    def replace(self: Path, target: Any) -> Path:
        if self.is_relative_to(root):
            faults.write(f"name {Path(target).name}")
        return replaced(self, target)

    changed: list[tuple[Any, str, Callable[..., Any]]] = [
        (os, "fsync", sync),
        (builtins, "open", open_any),
        (Path, "open", open_path),
        (Path, "replace", replace),
    ]
    with ExitStack() as stack:
        for owner, name, instead in changed:
            stack.enter_context(patch.object(owner, name, instead))
        yield faults
