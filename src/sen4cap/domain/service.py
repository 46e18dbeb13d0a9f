"""Service: a process of the system that runs for long and says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

SCHEDULER, ORCHESTRATOR, WORKER, WEB = "scheduler", "orchestrator", "worker", "web"
SILENCE = timedelta(seconds=30)
"""A service that was not heard of for so long is taken to be dead."""


@dataclass(frozen=True)
class Service:
    """One running process."""

    name: str
    """What it does: `orchestrator`, `scheduler`, `worker`, `web`."""
    token: str
    """Unique; leases carry it."""
    host: str
    pid: int
    started: datetime
    heartbeat: datetime
    """When it was last heard of."""

    def is_silent(self, now: datetime) -> bool:
        """Whether it was not heard of for too long."""
        return now - self.heartbeat > SILENCE
