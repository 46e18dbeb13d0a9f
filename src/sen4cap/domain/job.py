"""Job: one request to a processor; step: one product to make for it.

Jobs and steps have the same statuses and the same table of transitions. `changed` is the one way
from a status to another; every store records each change as an event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar

from sen4cap.errors import Conflict

NORMAL_PRIORITY = 100


class Status(StrEnum):
    """OGC API - Processes 1.0, 7.12 (statusCode), and `paused`."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    DISMISSED = "dismissed"


class StartType(StrEnum):
    """Why there is a job."""

    SCHEDULED = "scheduled"
    REQUESTED = "requested"
    """Somebody asked for it."""
    TRIGGERED = "triggered"
    """New products arrived."""


class Ending(StrEnum):
    """How a step's run came to its end."""

    DONE = "done"
    FAILED = "failed"
    """It raised."""
    KILLED = "killed"
    """We ended it."""
    LOST = "lost"
    """Its worker process or node is gone."""
    MEMORY = "memory"
    TIME = "time"


ENDED = frozenset({Status.SUCCESSFUL, Status.FAILED, Status.DISMISSED})
"""Nothing happens any more, unless somebody asks for it."""

TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.ACCEPTED: frozenset({Status.RUNNING, Status.PAUSED, Status.DISMISSED, Status.FAILED}),
    Status.RUNNING: frozenset(
        {Status.PAUSED, Status.SUCCESSFUL, Status.FAILED, Status.DISMISSED, Status.ACCEPTED}
    ),
    Status.PAUSED: frozenset(
        {Status.ACCEPTED, Status.RUNNING, Status.SUCCESSFUL, Status.FAILED, Status.DISMISSED}
    ),
    Status.SUCCESSFUL: frozenset(),
    Status.FAILED: frozenset({Status.ACCEPTED}),
    Status.DISMISSED: frozenset({Status.ACCEPTED}),
}
"""What may follow a status. A paused job ends when the steps that were running end it."""


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
    """What was left out of it, and why it failed or was dismissed; in sentences."""
    id: int | None = None
    """Given by the store."""
    submitted: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    name: str = ""
    """For people."""
    who: str = ""
    """User that asked for it."""
    why: StartType = StartType.REQUESTED
    priority: int = NORMAL_PRIORITY
    """Lower first."""
    nominal: date | None = None
    """Day it was scheduled for: the last of its input period."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """What its steps run in, as it was at submission: `sen4cap.processing.task.as_json`."""


@dataclass(frozen=True)
class StepRecord:
    """One step of a job: the product it is to make, and what became of it."""

    job_id: int
    position: int
    """From 0 within the job; the order of starting."""
    label: str
    """Grid and date, for people."""
    slot: str
    """Slot of its product; of the job's finishing step, empty."""
    revision: str = ""
    inputs: tuple[str, ...] = ()
    """Names of the products it reads."""
    after: tuple[int, ...] = ()
    """Positions of the steps it waits for; a finishing one waits for all others, unnamed."""
    finish: bool = False
    """Whether it is the job's last, which tidies and makes no product."""
    id: int | None = None
    status: Status = Status.ACCEPTED
    attempt: int = 0
    """How often it was started."""
    losses: int = 0
    """How often its worker was lost."""
    reason: str = ""
    node: str = ""
    exit_code: int | None = None
    started: datetime | None = None
    ended: datetime | None = None
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    """Bytes, of its process and all children together."""
    log: str = ""
    """Log of its last run: path below the archive."""
    lease: str | None = None
    """Token of the run that may commit it."""
    lease_until: datetime | None = None


Changing = TypeVar("Changing", Job, StepRecord)


def changed(item: Changing, status: Status, **values: Any) -> Changing:
    """The job or step in another status, with further new values.

    Raises
    ------
    Conflict
        If the status cannot follow the present one.
    """
    check_transition(item.status, status)
    return replace(item, status=status, **values)
