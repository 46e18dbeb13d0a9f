"""The plan of a season: what would be fetched, before anything is."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sen4cap.acquisition.params import SENSORS, AcquisitionParams, sources_of, wanted
from sen4cap.acquisition.plan import LATE, first_instant, missed, requests, why_unwanted
from sen4cap.acquisition.supersession import choose
from sen4cap.app.acquisition import TROUBLES, Opened, listed
from sen4cap.app.fetching import FETCHERS
from sen4cap.app.settling import acquisition_params
from sen4cap.app.sites import tiles
from sen4cap.app.system import System
from sen4cap.domain import ProductType, Season, Site
from sen4cap.domain.scene import Scene
from sen4cap.errors import NoInput


@dataclass(frozen=True)
class Part:
    """What one kind of product asks for."""

    kind: ProductType
    source: str
    """Where it comes from; empty where no source answers."""
    scenes: int = 0
    """That are wanted."""
    there: int = 0
    """Of these in the archive already."""
    size: int = 0
    """Bytes to fetch, as far as sizes are told."""
    unsized: int = 0
    """Scenes to fetch whose size is not told."""
    left_out: tuple[tuple[str, int], ...] = ()
    """Why scenes are left out, and how many."""
    missing: tuple[tuple[str, str], ...] = ()
    """Place and day of passes that the source does not list."""
    trouble: str = ""
    """Why no source answers."""


@dataclass(frozen=True)
class SeasonPlan:
    """What a season asks for."""

    site: str
    season: str
    first: datetime
    last: datetime
    parts: tuple[Part, ...]
    free: int
    """Bytes on the archive's disk."""
    keep_free: int
    """Bytes that stay free."""

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(part.size for part in self.parts)

    @property
    def fits(self) -> bool:
        """Whether the disk has room for it."""
        return self.size + self.keep_free <= self.free


def season_plan(
    system: System, site: str, season: str, opened: Opened, now: datetime | None = None
) -> SeasonPlan:
    """Ask the sources of a site what they have for a season; nothing is recorded or fetched.

    Raises
    ------
    NotFound
        If there is no such site or season.
    NoInput
        If no source is set, or the site has no outline yet.
    """
    now = now or datetime.now(UTC)
    where, when = system.store.sites.get(site), system.store.seasons.get(site, season)
    params = acquisition_params(system, site)
    sensors = [sensor for sensor in SENSORS if wanted(params, sensor)]
    if not sensors or not where.footprint:
        raise NoInput(
            f"Site '{site}' has no source ('sen4cap config set source.s2.primary …') or no outline "
            "('sen4cap lpis import', or 'sen4cap site create --area')."
        )
    parts = [
        part
        for sensor in sensors
        for part in _parts(system, where, when, params, sensor, opened, now)
    ]
    system.archive.mkdir(parents=True, exist_ok=True)
    return SeasonPlan(
        site,
        season,
        min(first_instant(params, where, when, sensor) for sensor in sensors),
        min(when.bounds(where.zone)[1], now),
        tuple(parts),
        shutil.disk_usage(system.archive).free,
        params.margin * 10**9,
    )


def _parts(
    system: System,
    site: Site,
    season: Season,
    params: AcquisitionParams,
    sensor: str,
    opened: Opened,
    now: datetime,
) -> Iterator[Part]:
    """What each wanted kind of a sensor asks for, of the first source that answers."""
    until = min(season.bounds(site.zone)[1], now)
    bounds = (first_instant(params, site, season, sensor), until)
    places = tiles(site) if sensor == "s2" else ()
    for question in requests(params, site, sensor, places, bounds):
        troubles = []
        for name in sources_of(params, sensor):
            try:
                scenes = listed(opened(name), [question])
            except TROUBLES as error:
                troubles.append(f"{name}: {error}")
                continue
            yield _part(system, site, params, Part(question.kind, name), scenes, until)
            break
        else:
            yield Part(question.kind, "", trouble=" ".join(troubles))


def _part(
    system: System,
    site: Site,
    params: AcquisitionParams,
    part: Part,
    scenes: Sequence[Scene],
    until: datetime,
) -> Part:
    reasons: Counter[str] = Counter()
    taken: list[Scene] = []
    for chosen in choose(scenes, ()):
        reasons.update(["superseded, or another granule of a datatake"] * len(chosen.left))
        unwanted = why_unwanted(params, site, chosen.scene)
        if unwanted:
            reasons[_rule(unwanted)] += 1
        else:
            taken.append(chosen.scene)
    products = system.store.products.search(site.short_name, types=tuple(FETCHERS))
    slots = {(item.type, item.grid, item.start.date()) for item in products}
    new = [item for item in taken if (item.kind, item.place, item.start.date()) not in slots]
    return replace(
        part,
        scenes=len(taken),
        there=len(taken) - len(new),
        size=sum(item.size or 0 for item in new),
        unsized=sum(item.size is None for item in new),
        left_out=tuple(sorted(reasons.items())),
        missing=tuple(
            (place, f"{time:%Y-%m-%d}") for _, place, time in missed(taken, until - LATE)
        ),
    )


def _rule(reason: str) -> str:
    """The rule behind a sentence about one scene."""
    if "cloud" in reason:
        return "too many clouds"
    return "another orbit" if "orbit" in reason else "beside the site"
