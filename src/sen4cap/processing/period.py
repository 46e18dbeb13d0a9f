"""The period of a slot: from its first to its last second, UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sen4cap.domain.time import day_bounds

SECOND = timedelta(seconds=1)
STAMP = "%Y%m%dT%H%M%S"


def period_between(start: date, end: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """First and last second of the days `start`..`end` in a time zone; UTC."""
    first, after = day_bounds(start, end, zone)
    return first, after - SECOND


def period_of(slot: str) -> tuple[datetime, datetime]:
    """First and last second of a slot's period, as `slot_of` wrote them; UTC."""
    first, last = slot.split("/")[3].split("_")
    return _instant(first), _instant(last)


def _instant(stamp: str) -> datetime:
    return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
