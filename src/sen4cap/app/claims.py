"""Which services run on this machine: at most one of each name per home.

A running service holds a lock on `run/<name>.lock`, which the system takes from it however it
dies, and describes itself in `run/<name>.json`. So a process that was given the number of a dead
service is never taken for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from sen4cap.errors import Conflict, Sen4capError
from sen4cap.processing import write_whole
from sen4cap.settings import Settings

ALL = "up"
"""Name of the process that runs all services together."""
CLAIM_SECONDS = 2.0
"""How long a claim waits for those who only look."""
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Running:
    """A service that runs, as it describes itself."""

    name: str
    pid: int
    """0 for a moment after its start."""
    started: datetime | None = None
    ready: bool = False
    address: str = ""
    """Where it can be reached; empty where it listens nowhere."""
    together: bool = False
    """Whether `sen4cap up` runs it."""


@dataclass
class Claim:
    """What a service says of itself while it runs."""

    settings: Settings
    described: Running

    def ready(self, address: str = "") -> None:
        """Say that it serves now, and where."""
        self.described = replace(self.described, ready=True, address=address)
        self.write()

    def write(self, error: str = "") -> None:
        """Write the description, with what ended the service if something did."""
        text = json.dumps({**asdict(self.described), "error": error}, default=str)
        with write_whole(_description(self.settings, self.described.name)) as path:
            path.write_text(text, "utf-8")


@contextmanager
def claim(settings: Settings, name: str, *, together: bool = False) -> Iterator[Claim]:
    """Be the service of this home; an error that ends the block is left for `last_error`.

    Raises
    ------
    Conflict
        If it runs already.
    """
    with closing(_take(settings, name)):
        made = Claim(settings, Running(name, os.getpid(), datetime.now(UTC), together=together))
        made.write()
        try:
            yield made
        except Sen4capError as error:
            made.write(str(error))
            raise
        _description(settings, name).unlink(missing_ok=True)


def running(settings: Settings, name: str) -> Running | None:
    """The service of this home; None where it does not run."""
    try:
        _locked(settings, name, fcntl.LOCK_SH).close()
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return _described(settings, name)
    return None


def last_error(settings: Settings, name: str, pid: int) -> str:
    """The sentence that ended the process of a service; empty where it left none."""
    values = _values(settings, name)
    return str(values.get("error", "")) if values.get("pid") == pid else ""


def title(name: str) -> str:
    """A service in words."""
    return "group of all services" if name == ALL else name


def run_folder(settings: Settings) -> Path:
    """Folder of the locks and descriptions."""
    return settings.home.expanduser().absolute() / "run"


def _take(settings: Settings, name: str) -> BinaryIO:
    """The lock of a service, held until the file is closed."""
    run_folder(settings).mkdir(parents=True, exist_ok=True)
    (run_folder(settings) / f"{name}.lock").touch()
    deadline = time.monotonic() + CLAIM_SECONDS
    while time.monotonic() < deadline:
        with suppress(BlockingIOError):
            return _locked(settings, name, fcntl.LOCK_EX)
        time.sleep(LOOK_SECONDS)
    raise Conflict(
        f"The {title(name)} of '{settings.home}' runs already "
        f"(process {_described(settings, name).pid}): run 'sen4cap service stop' first."
    )


def _locked(settings: Settings, name: str, kind: int) -> BinaryIO:
    handle = (run_folder(settings) / f"{name}.lock").open("rb")
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise
    return handle


def _described(settings: Settings, name: str) -> Running:
    values = _values(settings, name)
    if "pid" not in values:
        return Running(name, 0)
    values.pop("error")
    return Running(**{**values, "started": datetime.fromisoformat(values["started"])})


def _values(settings: Settings, name: str) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        return dict(json.loads(_description(settings, name).read_text("utf-8")))
    return {}


def _description(settings: Settings, name: str) -> Path:
    return run_folder(settings) / f"{name}.json"
