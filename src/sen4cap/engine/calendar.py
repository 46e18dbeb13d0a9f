"""Nominal dates of a schedule. Pure: no clock, no store.

The arithmetic is the original's (`sen4cap_platform.md`, 8.2): a cycle counts days from the nominal
date, so that nothing drifts; a repeat goes to the next month and there to its day, or to the last
day of a shorter month; the first run is on the first date, whatever its day.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sen4cap.domain.schedule import Repeat, Schedule
from sen4cap.domain.time import day_bounds


def following(schedule: Schedule, nominal: date) -> date | None:
    """The nominal date after one; None where there is none."""
    if schedule.repeat is Repeat.CYCLE:
        return nominal + timedelta(days=schedule.every or 1)
    if schedule.repeat is Repeat.REPEAT:
        return _next_month(nominal, schedule.day or 1)
    return None


def _next_month(nominal: date, day: int) -> date:
    year, month = divmod(nominal.year * 12 + nominal.month, 12)
    return date(year, month + 1, min(day, monthrange(year, month + 1)[1]))


def from_date(schedule: Schedule, start: date | None, last_day: date) -> Iterator[date]:
    """The nominal dates from one of them to the end of the season, in order."""
    nominal = start
    while nominal is not None and nominal <= last_day:
        yield nominal
        nominal = following(schedule, nominal)


def after(schedule: Schedule, last: date | None) -> date | None:
    """The first nominal date after a day; the first of all for None."""
    nominal: date | None = schedule.first
    while nominal is not None and last is not None and nominal <= last:
        nominal = following(schedule, nominal)
    return nominal


def opens(nominal: date, zone: ZoneInfo) -> datetime:
    """The instant, UTC, from which a run may start: when its day begins in the site's zone."""
    return day_bounds(nominal, nominal, zone)[0]


def is_over(schedule: Schedule, last_day: date) -> bool:
    """Whether no nominal date is left in the season."""
    return schedule.state.next is None or schedule.state.next > last_day


def is_due(schedule: Schedule, last_day: date, zone: ZoneInfo, now: datetime) -> bool:
    """Whether the next run may be tried now.

    One that was put off is tried again after `retry_seconds`, or at once where the clock was put
    back since.
    """
    state = schedule.state
    if not schedule.enabled or state.next is None or is_over(schedule, last_day):
        return False
    if now < opens(state.next, zone):
        return False
    pause = timedelta(seconds=schedule.retry_seconds)
    return state.tried is None or not state.tried <= now < state.tried + pause


def year_later(day: date) -> date:
    """The same day of the next year; 28 February after 29 February."""
    return day.replace(year=day.year + 1, day=min(day.day, monthrange(day.year + 1, day.month)[1]))
