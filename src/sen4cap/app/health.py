"""Whether the system can do its work: database, disks, services, cluster. Changes nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sen4cap.app.services import SERVICES
from sen4cap.app.system import System, session
from sen4cap.domain import Service
from sen4cap.domain.service import ORCHESTRATOR, SCHEDULER
from sen4cap.errors import Sen4capError
from sen4cap.settings import Settings

GIB = 2**30
FULL_BYTES, TIGHT_BYTES = 1 * GIB, 10 * GIB
"""Free bytes below which nothing more should be written, and below which one should look."""
CONNECT_SECONDS = 3.0


class State(StrEnum):
    """How it is, from good to bad."""

    OK = "ok"
    WARNING = "warning"
    """It works, and somebody should look."""
    FAILED = "failed"
    """It does not work."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    detail: str
    """What was seen, and what to do about it."""


@dataclass(frozen=True)
class Health:
    """All that was looked at."""

    checks: tuple[Check, ...]

    @property
    def state(self) -> State:
        """The worst of all."""
        order = list(State)
        return max((check.state for check in self.checks), key=order.index)

    def as_json(self) -> dict[str, Any]:
        """State and checks as JSON values."""
        return {"status": self.state, "checks": [asdict(check) for check in self.checks]}


def health(settings: Settings) -> Health:
    """Health of an installation, whether or not its database can be reached."""
    try:
        with session(settings) as system:
            return health_of(system)
    except Sen4capError as error:
        return Health((Check("database", State.FAILED, str(error)), *_disks(settings)))


def health_of(system: System) -> Health:
    """Health of an open system."""
    try:
        cluster = system.store.config.values(prefix="executor.").get("executor.cluster", "local")
        services = system.store.services.all()
    except Sen4capError as error:
        found = [Check("database", State.FAILED, str(error))]
    else:
        found = [
            Check("database", State.OK, _database(system.settings)),
            *_services(services, datetime.now(UTC)),
            _cluster(cluster),
        ]
    return Health((*found, *_disks(system.settings)))


def _database(settings: Settings) -> str:
    """Where it is; neither user nor password."""
    parts = urlsplit(settings.url)
    if settings.url.startswith("sqlite"):
        return f"SQLite, '{parts.path.removeprefix('/')}'"
    return f"PostgreSQL, '{parts.path.removeprefix('/')}' on '{parts.hostname or 'this machine'}'"


def _disks(settings: Settings) -> Iterator[Check]:
    home = settings.home.expanduser().absolute()
    yield _disk("home", home)
    yield _disk("archive", settings.archive_root)


def _disk(name: str, folder: Path) -> Check:
    there = next(part for part in (folder, *folder.parents) if part.exists())
    free = shutil.disk_usage(there).free
    told = f"{free / GIB:.1f} GiB free in '{folder}'"
    if not os.access(there, os.W_OK):
        return Check(name, State.FAILED, f"'{there}' cannot be written: change its permissions.")
    if free < FULL_BYTES:
        return Check(name, State.FAILED, f"{told}: make room, steps will fail.")
    if free < TIGHT_BYTES:
        return Check(name, State.WARNING, f"{told}: make room soon.")
    return Check(name, State.OK, told)


def _services(rows: Sequence[Service], now: datetime) -> Iterator[Check]:
    for name in SERVICES:
        mine = [row for row in rows if row.name == name]
        alive = [row for row in mine if not row.is_silent(now)]
        if alive:
            where = ", ".join(f"process {row.pid} on {row.host}" for row in alive)
            yield Check(name, State.OK, where)
        elif mine:
            last = max(row.heartbeat for row in mine)
            silent = f"not heard of since {last:%Y-%m-%d %H:%M:%S} UTC"
            yield Check(name, State.FAILED, f"{silent}: 'sen4cap service restart {name}'.")
        elif name in (ORCHESTRATOR, SCHEDULER):
            yield Check(name, State.WARNING, "not running: 'sen4cap up' runs all services.")


def _cluster(cluster: str) -> Check:
    if cluster == "local":
        return Check("cluster", State.OK, "workers of this machine")
    if cluster == "slurm":
        return _slurm()
    parts = urlsplit(cluster)
    try:
        socket.create_connection((parts.hostname, parts.port), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        detail = f"no Dask scheduler answers at {cluster} ({error}): 'sen4cap service start worker'"
        return Check("cluster", State.FAILED, detail)
    return Check("cluster", State.OK, f"a Dask scheduler answers at {cluster}")


def _slurm() -> Check:
    program = shutil.which("scontrol")
    if program is None:
        return Check("cluster", State.FAILED, "'scontrol' is not there: install Slurm's client.")
    with suppress(subprocess.TimeoutExpired):
        told = subprocess.run(  # noqa: S603 - the path of Slurm's own program
            [program, "ping"], capture_output=True, text=True, timeout=CONNECT_SECONDS, check=False
        )
        if told.returncode == 0:
            return Check("cluster", State.OK, "Slurm answers")
    return Check("cluster", State.FAILED, "Slurm does not answer: see 'scontrol ping'.")
