"""What to ask of a source, what to leave out, and what ought to be there: no I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

import shapely

from sen4cap.acquisition.params import PLATFORMS, AcquisitionParams, orbits_of, wanted
from sen4cap.domain import ProductType, Season, Site
from sen4cap.domain.scene import Request, Scene

RHYTHM_FROM = 4
"""Passes that tell a rhythm."""
LATE = timedelta(days=3)
"""How long after a pass a scene may be listed before it is missed."""
LONGEST_RUN = 3
"""Passes after the last known one that are missed; then the satellite is taken to be elsewhere."""
RADAR = frozenset({ProductType.S1_AMP, ProductType.S1_COHE, ProductType.SLC})

Track = tuple[ProductType, str, str, int | None]
"""Kind, place, platform and relative orbit: what has a rhythm."""


def first_instant(params: AcquisitionParams, site: Site, season: Season, sensor: str) -> datetime:
    """From when on scenes of a season are wanted: before its start, so that series begin well."""
    start, _ = season.bounds(site.zone)
    if sensor == "s1":
        return start - timedelta(days=params.pair_days)
    local = start.astimezone(site.zone)
    months = local.year * 12 + local.month - 1 - params.start_offset
    day = min(local.day, 28) if params.start_offset else local.day
    return local.replace(year=months // 12, month=months % 12 + 1, day=day).astimezone(start.tzinfo)


def span(
    params: AcquisitionParams,
    site: Site,
    season: Season,
    sensor: str,
    newest: Mapping[str, datetime],
    tiles: Sequence[str],
    now: datetime,
) -> tuple[datetime, datetime]:
    """First instant to ask for, and the first after.

    Some days before the newest scene of the tile that is farthest behind (`newest`, by place), at
    the earliest the lead time before the season; never beyond the season or `now`.
    """
    _, after = season.bounds(site.zone)
    first = first_instant(params, site, season, sensor)
    places = tiles or tuple(newest)
    if places and all(place in newest for place in places):
        back = timedelta(days=getattr(params, f"{sensor}_days_back") - 1)
        first = max(first, min(newest[place] for place in places) - back)
    return first, min(after, now)


def requests(
    params: AcquisitionParams,
    site: Site,
    sensor: str,
    tiles: Sequence[str],
    bounds: tuple[datetime, datetime],
) -> list[Request]:
    """One question per kind of product that is wanted of a sensor."""
    return [
        Request(
            kind=kind,
            platforms=(PLATFORMS[sensor],),
            footprint=site.footprint or "",
            start=bounds[0],
            end=bounds[1],
            tiles=tuple(tiles),
            orbits=orbits_of(params, sensor),
        )
        for kind in wanted(params, sensor)
    ]


def why_unwanted(params: AcquisitionParams, site: Site, scene: Scene) -> str:
    """Why a scene is left out, in one sentence; empty where it is wanted."""
    cloud = scene.properties.get("eo:cloud_cover")
    if cloud is not None and float(cloud) > params.max_cloud:
        return (
            f"Its cloud cover of {float(cloud):.0f} % is above {params.max_cloud:g} % "
            "(downloader.max-cloud-coverage)."
        )
    orbit = scene.properties.get("sat:relative_orbit")
    orbits = orbits_of(params, sensor_of(scene))
    if orbits and orbit is not None and int(orbit) not in orbits:
        return f"Its relative orbit {orbit} is none of those that are wanted."
    if site.footprint and scene.footprint and not _overlap(site.footprint, scene.footprint):
        return "Its image does not lie on the site."
    return ""


def _overlap(one: str, other: str) -> bool:
    shared = shapely.intersection(shapely.from_wkt(one), shapely.from_wkt(other))
    return bool(shapely.area(shared) > 0)


def sensor_of(scene: Scene) -> str:
    """The sensor of a scene: `s1`, `l8` or `s2`."""
    if scene.kind in RADAR:
        return "s1"
    platform = str(scene.properties.get("platform", "")).lower()
    return "l8" if platform.startswith("landsat") else "s2"


def missed(scenes: Iterable[Scene], until: datetime) -> Iterator[tuple[ProductType, str, datetime]]:
    """Kind, place and instant of passes without a scene, where a track's own rhythm has one.

    A track is a place as one satellite sees it from one orbit. Its rhythm is the median step
    between its passes; `until` is the last instant that a scene could be expected for.
    """
    tracks: dict[Track, list[datetime]] = defaultdict(list)
    for scene in scenes:
        orbit = scene.properties.get("sat:relative_orbit")
        number = None if orbit is None else int(orbit)
        platform = str(scene.properties.get("platform", ""))
        tracks[scene.kind, scene.place, platform, number].append(scene.start)
    for (kind, place, _, _), times in sorted(tracks.items(), key=lambda item: str(item[0])):
        for time in _gaps(sorted(times), until):
            yield kind, place, time


def _gaps(times: Sequence[datetime], until: datetime) -> Iterator[datetime]:
    """Instants that are missing from a series of passes."""
    if len(times) < RHYTHM_FROM:
        return
    pairs = list(pairwise(times))
    step = timedelta(days=round(median((b - a) / timedelta(days=1) for a, b in pairs)))
    if step < timedelta(days=1):
        return
    end = min(until, times[-1] + (LONGEST_RUN + 0.5) * step)
    for before, after in [*pairs, (times[-1], end + step / 2)]:
        for number in range(1, round((after - before) / step)):
            yield before + number * step
