"""Instants, days and dekads.

Instants are aware datetimes in UTC. The date of an acquisition is the UTC date of its sensing
start. Seasons are given in days of the site's time zone, both ends included.

A *dekad* is one of the 36 thirds of calendar months: days 1-10, 11-20 and 21 to the end of
the month, numbered 1-36 from 1 January. 29 February is in dekad 6, so that a dekad has the same
number in every year (FAO, dekadal calendar).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

DEKADS_PER_YEAR = 36


class Dekad(NamedTuple):
    """A third of a calendar month."""

    year: int
    number: int
    """1-36."""

    @property
    def start(self) -> date:
        """First day."""
        month, third = divmod(self.number - 1, 3)
        return date(self.year, month + 1, third * 10 + 1)

    @property
    def end(self) -> date:
        """Last day."""
        return self.next.start - timedelta(days=1)

    @property
    def next(self) -> Dekad:
        """The dekad that follows."""
        if self.number == DEKADS_PER_YEAR:
            return Dekad(self.year + 1, 1)
        return Dekad(self.year, self.number + 1)


def dekad_of(day: date) -> Dekad:
    """The dekad that holds a day."""
    return Dekad(day.year, 3 * (day.month - 1) + min((day.day - 1) // 10, 2) + 1)


def dekads_between(start: date, end: date) -> tuple[Dekad, ...]:
    """All dekads that a span of days touches, both ends included, in order."""
    found = [dekad_of(start)]
    while found[-1].end < end:
        found.append(found[-1].next)
    return tuple(found)


def as_utc(instant: datetime) -> datetime:
    """The instant in UTC; one without a zone is taken to be UTC already."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def day_bounds(start: date, end: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Half-open interval of UTC instants that the days `start`..`end` cover in a time zone."""
    first = datetime.combine(start, time.min, tzinfo=zone)
    after = datetime.combine(end + timedelta(days=1), time.min, tzinfo=zone)
    return first.astimezone(UTC), after.astimezone(UTC)
