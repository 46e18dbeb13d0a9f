"""Site and season: where and when."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sen4cap.domain.names import check_name
from sen4cap.domain.time import DEKADS_PER_YEAR, Dekad, day_bounds, dekad_of, dekads_between
from sen4cap.errors import InvalidParameter

MAX_SEASON_DAYS = 731
MAX_SITE_NAME = 50
"""PostgreSQL cuts names after 63 bytes; `decl_<site>_<year>` must fit."""


def short_name(name: str) -> str:
    """Name as used in folders and tables: plain lower-case letters, others become one `_`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^0-9a-z]+", "_", plain.lower()).strip("_")


@dataclass(frozen=True)
class Site:
    """An area under monitoring."""

    name: str
    """As people write it."""
    short_name: str
    """As folders, tables and commands write it; unique, at most 50 characters."""
    timezone: str = "UTC"
    """IANA zone of its days, for example `Europe/Amsterdam`."""
    footprint: str | None = None
    """WKT polygon, longitude and latitude (EPSG:4326); None until parcels or a polygon give it."""
    footprint_is_given: bool = False
    """Whether the user gave it; else each import of parcels widens it."""

    def __post_init__(self) -> None:
        fits = 1 <= len(self.short_name) <= MAX_SITE_NAME
        if not fits or self.short_name != short_name(self.short_name):
            raise InvalidParameter(
                f"'{self.short_name}' cannot name a site: give a short name of at most "
                f"{MAX_SITE_NAME} lower-case letters, digits and '_'."
            )
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise InvalidParameter(
                f"'{self.timezone}' is no time zone: give an IANA name such as Europe/Lisbon."
            ) from error

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the site's days."""
        return ZoneInfo(self.timezone)


@dataclass(frozen=True)
class Season:
    """A span of days of a site, both ends included, in the site's time zone."""

    site: str
    """Short name of the site."""
    name: str
    start: date
    end: date
    mid: date | None = None
    """First day on which a crop map is worth making."""
    enabled: bool = True

    def __post_init__(self) -> None:
        check_name("season", self.name)
        days = (self.end - self.start).days + 1
        if not 1 <= days <= MAX_SEASON_DAYS:
            raise InvalidParameter(
                f"Season '{self.name}' of {days} days: its end must lie on or after its start "
                "and at most two years later."
            )
        if self.mid is not None and not self.start <= self.mid <= self.end:
            raise InvalidParameter(f"The middle of season '{self.name}' lies outside it.")

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Half-open interval of UTC instants that the season covers."""
        return day_bounds(self.start, self.end, zone)

    def contains(self, instant: datetime, zone: ZoneInfo) -> bool:
        """Whether an instant lies in the season."""
        first, after = self.bounds(zone)
        return first <= instant < after

    @property
    def year(self) -> int:
        """Year of its declarations: the one that holds more of its days; a tie goes to the end."""
        days = {
            year: (min(self.end, date(year, 12, 31)) - max(self.start, date(year, 1, 1))).days
            for year in range(self.start.year, self.end.year + 1)
        }
        return max(days, key=lambda year: (days[year], year))

    @cached_property
    def dekads(self) -> tuple[Dekad, ...]:
        """The dekads it touches, in order."""
        return dekads_between(self.start, self.end)

    @property
    def dekad_labels(self) -> tuple[str, ...]:
        """Column labels of its dekads: `d28` … `d36`, `d01` …; a second round ends in `b`.

        The labels hold no year, so that seasons of different years have the same columns.
        """
        return tuple(
            f"d{dekad.number:02d}" + ("b" if index >= DEKADS_PER_YEAR else "")
            for index, dekad in enumerate(self.dekads)
        )

    def dekad_index(self, day: date) -> int:
        """Position of a day's dekad in `dekads`.

        A day just outside (the UTC date of an acquisition on the first or last day of a site far
        from Greenwich) counts to the nearest dekad.
        """
        inside = min(max(day, self.start), self.end)
        return self.dekads.index(dekad_of(inside))
