"""Schedule: when a processor runs by itself over a season, and how far it has come.

A run has a *nominal date*, the last day of its input period. Runs are counted in nominal dates and
not in times of execution: whatever was late, stopped or repeated, each nominal date is dealt with
once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sen4cap.errors import InvalidParameter

MAX_EVERY = 366
LAST_DAY = 31
"""Day of the month that stands for its last day, whatever its length."""


class Repeat(StrEnum):
    """How nominal dates follow each other, under the original's names."""

    ONCE = "once"
    CYCLE = "cycle"
    """Every n days."""
    REPEAT = "repeat"
    """On a day of each month; in shorter months on their last day."""


@dataclass(frozen=True)
class ScheduleState:
    """How far a schedule has come."""

    next: date | None
    """Nominal date of the next run; None where there is none any more."""
    last: date | None = None
    """Nominal date that was dealt with last."""
    ran: datetime | None = None
    """When it was."""
    tried: datetime | None = None
    """When the next run was put off last; None where it was not."""
    reason: str = ""
    """What the next run waits for, or why the last date was skipped; one sentence."""
    job: int | None = None
    """Number of the last job."""
    version: int = 0
    """Counts the changes of the schedule, so that none is lost between two who make them."""

    @property
    def is_waiting(self) -> bool:
        """Whether the next run was due and put off."""
        return self.tried is not None

    @property
    def is_skip(self) -> bool:
        """Whether the last date was skipped."""
        return bool(self.reason) and not self.is_waiting


@dataclass(frozen=True)
class Schedule:
    """Runs of a processor over a season, by the calendar."""

    name: str
    """Unique."""
    processor: str
    """Short name."""
    site: str
    """Short name of the site."""
    season: str
    repeat: Repeat
    first: date
    """First nominal date, whatever its day of the month."""
    every: int | None = None
    """Days from one nominal date to the next; only of a cycle."""
    day: int | None = None
    """Day of the month, 1-31, from the second run on; only of a repeat."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that its jobs use instead of the configured ones."""
    priority: int = 100
    """Of its jobs; lower goes first."""
    retry_seconds: int = 60
    """How long a run is put off when its inputs are not complete."""
    enabled: bool = True
    id: int | None = None
    """Given by the store; never given again."""
    generation: int = 1
    """One more each time it is started anew from a first date."""
    state: ScheduleState = ScheduleState(None)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.name):
            raise InvalidParameter(
                f"'{self.name}' cannot name a schedule: use letters, digits, '_', '-' and '.'."
            )
        self._check("every", self.every, Repeat.CYCLE, MAX_EVERY)
        self._check("day", self.day, Repeat.REPEAT, LAST_DAY)
        if self.retry_seconds < 1:
            raise InvalidParameter(f"Schedule '{self.name}' needs at least 1 second to try again.")

    def _check(self, what: str, value: int | None, kind: Repeat, most: int) -> None:
        if self.repeat is not kind and value is not None:
            raise InvalidParameter(f"'{what}' goes with '{kind}' and not with '{self.repeat}'.")
        if self.repeat is kind and (value is None or not 1 <= value <= most):
            raise InvalidParameter(f"'{kind}' needs '{what}', from 1 to {most}: {value} is not.")

    @property
    def who(self) -> str:
        """Under which name it asks for jobs; with a nominal date it names a job for ever."""
        return f"schedule {self.id}.{self.generation}"

    @property
    def rhythm(self) -> str:
        """Its calendar in words."""
        if self.repeat is Repeat.CYCLE:
            return "daily" if self.every == 1 else f"every {self.every} days"
        if self.repeat is Repeat.REPEAT:
            return "month end" if self.day == LAST_DAY else f"day {self.day} of each month"
        return "once"
