"""From the calendar to jobs: one pass over all schedules, with the clock and the doors given.

Each nominal date is dealt with once: a job, or skipped where there is nothing new. A job is found
again by who asked and for which date, so that a pass may die anywhere and the next one goes on: a
job that was submitted without being recorded is recorded and not submitted again. A date whose
inputs are not complete is put off with the reason and holds up no other schedule. A schedule has
one open job at a time, so that catching up with a past season does nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from threading import Event
from typing import Protocol
from zoneinfo import ZoneInfo

from sen4cap.domain.schedule import Schedule, ScheduleState
from sen4cap.engine.calendar import following, is_due
from sen4cap.errors import Sen4capError, ServiceUnavailable

SKIPS = 50
"""Dates that a schedule may skip in one pass, so that no schedule holds up the others."""
INTERVAL = 10.0
"""Seconds from one pass to the next."""


class Verdict(StrEnum):
    """What can be done about a nominal date now."""

    READY = "ready"
    WAIT = "wait"
    """Something is missing."""
    SKIP = "skip"
    """There is nothing new to work on, and will not be for this date."""


@dataclass(frozen=True)
class Answer:
    """A verdict and why."""

    verdict: Verdict
    reason: str = ""
    """What is missing, or why there is nothing to do; one sentence."""


@dataclass(frozen=True)
class Dealt:
    """A nominal date that was dealt with."""

    schedule: str
    nominal: date
    job: int | None
    """None where it was skipped."""


class Schedules(Protocol):
    """The schedules that are kept. Every call is one transaction."""

    def all(self, site: str | None = None, season: str | None = None) -> list[Schedule]:
        """The schedules, sorted by priority and name."""

    def record(self, before: Schedule, state: ScheduleState) -> bool:
        """Keep how far a schedule has come; False, and no change, if it is not as `before`."""

    def job_of(self, schedule: Schedule, nominal: date) -> int | None:
        """Number of the job that the schedule asked for on behalf of a date, if there is one."""


class Desk(Protocol):
    """Where the scheduler asks about a date and hands in a job."""

    def days(self, schedule: Schedule) -> tuple[date, ZoneInfo]:
        """Last day of the schedule's season, and the time zone of its days."""

    def is_open(self, job: int) -> bool:
        """Whether a job has not ended yet."""

    def answer(self, schedule: Schedule, nominal: date) -> Answer:
        """Whether the inputs up to a date are complete and hold anything new."""

    def submit(self, schedule: Schedule, nominal: date) -> int:
        """Submit the job of a date; returns its number.

        `Conflict` where the schedule has asked for it before.
        """


@dataclass(frozen=True)
class Scheduler:
    """Asks for jobs when they are due."""

    schedules: Schedules
    desk: Desk
    clock: Callable[[], datetime]
    """The present instant, UTC."""

    def tick(self) -> list[Dealt]:
        """Deal with what is due; returns it, in the order of doing.

        Raises
        ------
        ServiceUnavailable
            If the database is away; what was dealt with until then stays so.
        """
        now = self.clock()
        return [done for item in self.schedules.all() for done in self._attend(item, now)]

    def run(self, stop: Event, interval: float = INTERVAL) -> None:
        """Pass after pass until told to stop, `interval` seconds apart."""
        import structlog

        log = structlog.get_logger(__name__)
        while not stop.is_set():
            try:
                for done in self.tick():
                    log.info("dealt", schedule=done.schedule, nominal=done.nominal, job=done.job)
            except Exception as error:  # noqa: BLE001 - whatever ended a pass, the next one goes on
                log.warning("pass ended", reason=sentence(error))
            stop.wait(interval)

    def _attend(self, schedule: Schedule, now: datetime) -> Iterator[Dealt]:
        """Deal with what is due of one schedule: dates to skip, and at most one job."""
        for _ in range(SKIPS):
            state = self._next_state(schedule, now)
            if state is None or not self.schedules.record(schedule, state) or state.is_waiting:
                return
            assert state.last is not None
            yield Dealt(schedule.name, state.last, None if state.is_skip else state.job)
            if not state.is_skip:
                return
            schedule = replace(schedule, state=replace(state, version=state.version + 1))

    def _next_state(self, schedule: Schedule, now: datetime) -> ScheduleState | None:
        """The state after trying the next date; None where none is due. Troubles stay its own."""
        try:
            if not is_due(schedule, *self.desk.days(schedule), now):
                return None
            return self._decide(schedule, now)
        except ServiceUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - other schedules go on, this one says why not
            return put_off(schedule.state, sentence(error), now)

    def _decide(self, schedule: Schedule, now: datetime) -> ScheduleState:
        state = schedule.state
        assert state.next is not None
        found = self.schedules.job_of(schedule, state.next)
        if found is not None:
            return submitted(schedule, found, now)
        if state.job is not None and self.desk.is_open(state.job):
            return put_off(state, f"Job {state.job} of {state.last} has not ended.", now)
        answer = self.desk.answer(schedule, state.next)
        if answer.verdict is Verdict.WAIT:
            return put_off(state, answer.reason, now)
        if answer.verdict is Verdict.SKIP:
            return skipped(schedule, answer.reason)
        return submitted(schedule, self.desk.submit(schedule, state.next), now)


def submitted(schedule: Schedule, job: int, now: datetime) -> ScheduleState:
    """The state once the next date has its job."""
    return replace(_moved_on(schedule), ran=now, reason="", job=job)


def skipped(schedule: Schedule, reason: str) -> ScheduleState:
    """The state once the next date was skipped."""
    return replace(_moved_on(schedule), reason=f"{schedule.state.next} was skipped: {reason}")


def _moved_on(schedule: Schedule) -> ScheduleState:
    state = schedule.state
    assert state.next is not None
    return replace(state, next=following(schedule, state.next), last=state.next, tried=None)


def put_off(state: ScheduleState, reason: str, now: datetime) -> ScheduleState:
    """The state once the next date was tried in vain."""
    return replace(state, tried=now, reason=reason)


def sentence(error: BaseException) -> str:
    """An error in one sentence."""
    return str(error) if isinstance(error, Sen4capError) else f"{type(error).__name__}: {error}"
