"""Sites and seasons."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from sen4cap.app.system import System
from sen4cap.domain import Season, Site, short_name
from sen4cap.errors import InputRefused, InvalidParameter, NotFound

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


def create_site(
    system: System,
    name: str,
    *,
    short: str | None = None,
    timezone: str = "UTC",
    area: Path | None = None,
) -> Site:
    """Create a site; its footprint is the outline of the vector file `area`, if one is given.

    Without one, the parcels give it: their outline, which each import widens.

    Raises
    ------
    Conflict
        If the short name is taken.
    InputRefused
        If the name, the time zone or the file cannot be used, or the file encloses no area.
    """
    outline = _outline_of(area) if area else None
    site = Site(name, short or short_name(name), timezone, outline, footprint_is_given=bool(area))
    return system.store.sites.add(site)


def _outline_of(path: Path) -> str:
    from sen4cap.geo.footprint import hull
    from sen4cap.geo.vector import read_vector

    frame = read_vector(path)
    outline = hull(frame.geometry.to_numpy(), frame.crs.to_wkt())
    if outline is None:
        raise InputRefused(f"'{path.name}' encloses no area: give the polygon of the site.")
    return outline


def site_of(system: System, text: str) -> Site:
    """The site of a short name, or of a number: `id` of the table `site`.

    Raises
    ------
    NotFound
        If there is none.
    """
    numbers = system.store.sites.numbers()
    if text.isdecimal() and text not in numbers.values():
        if int(text) not in numbers:
            known = ", ".join(f"{number} ({name})" for number, name in sorted(numbers.items()))
            raise NotFound(f"There is no site {text}; there are: {known or 'none'}.")
        text = numbers[int(text)]
    return system.store.sites.get(text)


def tiles(site: Site) -> tuple[str, ...]:
    """Names of the Sentinel-2 tiles that the site lies on; none where it has no footprint yet."""
    from sen4cap.geo.mgrs import tiles_over

    return () if site.footprint is None else tiles_over(site.footprint)


def widen_footprint(system: System, short_name: str, frame: GeoDataFrame) -> None:
    """Make the footprint of a site the hull of itself and of parcels; one that was given stays."""
    from sen4cap.geo.footprint import hull, widened

    site = system.store.sites.get(short_name)
    if site.footprint_is_given:
        return
    footprint = widened(site.footprint, hull(frame.geometry.to_numpy(), frame.crs.to_wkt()))
    if footprint != site.footprint:
        system.store.sites.replace(replace(site, footprint=footprint))


def create_season(
    system: System,
    site: str,
    name: str,
    start: date,
    end: date,
    mid: date | None = None,
    *,
    schedules: bool = True,
) -> Season:
    """Create a season of a site, and the default schedules of the installed processors.

    It may begin before its declarations exist: what needs them waits and says so.

    Raises
    ------
    NotFound
        If there is no such site.
    Conflict
        If the name is taken or the season lies within another one.
    """
    from sen4cap.app.schedules import add_defaults

    system.store.sites.get(site)
    season = system.store.seasons.add(Season(site, name, start, end, mid))
    if schedules:
        add_defaults(system, season)
    return season


def copy_season(system: System, site: str, season: str, name: str | None = None) -> Season:
    """Copy a season one year on, with its schedules, their parameters and its crop table.

    Without a `name`, the years in the old one are counted on: `2018` becomes `2019`. A crop table
    that the new year has already stays. What is configured for the site holds for all its seasons.

    Raises
    ------
    NotFound
        If there is no such site or season.
    InvalidParameter
        If no name is given and the old one holds no year.
    Conflict
        If a name is taken or the new season lies within another one; nothing is copied.
    """
    from sen4cap.app.schedules import copies
    from sen4cap.engine.calendar import year_later

    old = system.store.seasons.get(site, season)
    middle = year_later(old.mid) if old.mid else None
    new = Season(
        site, name or _next_name(season), year_later(old.start), year_later(old.end), middle
    )
    copied = copies(system, old, new)
    system.store.seasons.add(new)
    system.store.schedules.add(copied)
    lut = system.store.parcels.lut(site, old.year)
    if lut is not None and system.store.parcels.lut(site, new.year) is None:
        system.store.parcels.write_lut(site, new.year, lut)
    return new


def _next_name(season: str) -> str:
    name = re.sub(r"(?<!\d)(?:19|20|21)\d\d(?!\d)", lambda year: str(int(year[0]) + 1), season)
    if name == season:
        raise InvalidParameter(f"The name '{season}' holds no year to count on: give a new name.")
    return name
