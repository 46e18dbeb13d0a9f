"""Sites and seasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from sen4cap.app.system import System
from sen4cap.domain import Season, Site, short_name


def create_site(
    system: System,
    name: str,
    *,
    short: str | None = None,
    timezone: str = "UTC",
    area: Path | None = None,
) -> Site:
    """Create a site; its footprint is the outline of the vector file `area`, if one is given.

    Without one, the first parcels that are imported give it.

    Raises
    ------
    Conflict
        If the short name is taken.
    InputRefused
        If the name, the time zone or the file cannot be used.
    """
    site = Site(name, short or short_name(name), timezone, outline_of(area) if area else None)
    return system.store.sites.add(site)


def outline_of(path: Path) -> str:
    """Outline of all features of a vector file: WKT in EPSG:4326."""
    from sen4cap.geo.vector import read_vector

    frame = read_vector(path)
    return outline(list(frame.geometry), frame.crs.to_wkt())


def outline(geometries: Sequence[object], crs: str) -> str:
    """Convex hull of geometries: WKT in EPSG:4326."""
    import numpy as np
    import shapely

    from sen4cap.geo.crs import reproject

    there = np.array([item for item in geometries if item is not None], dtype=object)
    hull = shapely.convex_hull(shapely.geometrycollections(there))
    dense = shapely.segmentize(hull, max(hull.length / 100, 1e-9))
    return str(shapely.to_wkt(reproject(np.array([dense]), crs, "EPSG:4326")[0], 6))


def tiles(site: Site) -> tuple[str, ...]:
    """Names of the Sentinel-2 tiles that the site lies on; none where it has no footprint yet."""
    from sen4cap.geo.mgrs import tiles_over

    return () if site.footprint is None else tiles_over(site.footprint)


def give_footprint(system: System, site: Site, footprint: str) -> Site:
    """Give a site its footprint where it has none yet."""
    if site.footprint is not None:
        return site
    described = replace(site, footprint=footprint)
    system.store.sites.replace(described)
    return described


def create_season(
    system: System, site: str, name: str, start: date, end: date, mid: date | None = None
) -> Season:
    """Create a season of a site.

    Raises
    ------
    NotFound
        If there is no such site.
    Conflict
        If the name is taken or the season lies within another one.
    """
    system.store.sites.get(site)
    return system.store.seasons.add(Season(site, name, start, end, mid))
