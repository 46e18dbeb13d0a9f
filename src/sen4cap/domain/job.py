"""Job: one request to a processor, with the parameters it used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sen4cap.errors import Conflict


class Status(StrEnum):
    """OGC API - Processes 1.0, 7.12 (statusCode), and `paused`."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    DISMISSED = "dismissed"


TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.ACCEPTED: frozenset({Status.RUNNING, Status.PAUSED, Status.DISMISSED, Status.FAILED}),
    Status.RUNNING: frozenset(
        {Status.PAUSED, Status.SUCCESSFUL, Status.FAILED, Status.DISMISSED, Status.ACCEPTED}
    ),
    Status.PAUSED: frozenset({Status.ACCEPTED, Status.RUNNING, Status.DISMISSED}),
    Status.SUCCESSFUL: frozenset(),
    Status.FAILED: frozenset({Status.ACCEPTED}),
    Status.DISMISSED: frozenset(),
}


def check_transition(before: Status, after: Status) -> None:
    """Refuse a change of status that the table does not hold.

    Raises
    ------
    Conflict
        If `after` cannot follow `before`.
    """
    if after not in TRANSITIONS[before]:
        raise Conflict(f"A job that is {before} cannot become {after}.")


@dataclass(frozen=True)
class Job:
    """One request."""

    processor: str
    """Short name."""
    site: str
    season: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Every parameter that was used, by key, defaults included."""
    status: Status = Status.ACCEPTED
    reason: str = ""
    """Why it failed, in one sentence."""
    id: int | None = None
    """Given by the store."""
    submitted: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
