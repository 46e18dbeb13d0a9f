"""Acquisition: sources asked, scenes recorded, and those that are due handed to the engine.

    source ─query→ scenes ─choose→ records ─settle→ ledger ─due→ jobs ─fetch→ products

Every arrow may be cut anywhere: the next cycle goes on from what is recorded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sen4cap.acquisition.params import SENSORS, AcquisitionParams, sources_of, wanted
from sen4cap.acquisition.plan import first_instant, requests, sensor_of, span
from sen4cap.acquisition.ports import Source
from sen4cap.acquisition.records import record_of, recorded
from sen4cap.acquisition.supersession import SAME_PASS, Known, choose, passes
from sen4cap.app import jobs, links
from sen4cap.app.fetching import FETCHERS, check_room
from sen4cap.app.planning import Draft, context_of, parameters
from sen4cap.app.removal import sweep
from sen4cap.app.settling import acquisition_params, settle
from sen4cap.app.sites import tiles
from sen4cap.app.system import System
from sen4cap.domain import Job, Product, ProductType, Season, Site, StartType
from sen4cap.domain.ledger import (
    LONGEST_WAIT,
    Entry,
    Key,
    State,
    aborted,
    is_due,
    unanswered,
    waiting,
)
from sen4cap.domain.scene import Request, Scene
from sen4cap.engine import plan
from sen4cap.errors import (
    InputRefused,
    NotFound,
    ServiceUnavailable,
    SourceRefused,
)
from sen4cap.processing import Scope

WHO = "acquisition"
"""Who asks for the jobs."""
GB = 10**9
TROUBLES = (SourceRefused, ServiceUnavailable, InputRefused, NotFound)
"""What a source may answer instead of scenes."""

Opened = Callable[[str], Source]


@dataclass(frozen=True)
class Cycle:
    """What one round came to."""

    found: int = 0
    """Scenes that sources listed."""
    new: int = 0
    """Scenes that were not known, or took another one's place."""
    jobs: tuple[Job, ...] = ()
    troubles: tuple[str, ...] = field(default=())
    """Sentences of sources that could not be asked."""


def opened_by(system: System) -> Opened:
    """What opens a source of an installation by its name."""
    from sen4cap.app.sources import open_source

    return lambda name: open_source(name, system)


def cycle(
    system: System,
    site: str,
    opened: Opened,
    *,
    now: datetime | None = None,
    asking: bool = True,
) -> Cycle:
    """Ask the sources of a site, record what is new and submit what is due.

    Without `asking`, only sources that did not answer are asked again.

    Raises
    ------
    NotFound
        If there is no such site.
    """
    now = now or datetime.now(UTC)
    where, params = system.store.sites.get(site), acquisition_params(system, site)
    settle(system, site, now)
    seasons = [season for season in system.store.seasons.all(site) if season.enabled]
    asked = [
        _ask(system, where, params, season, sensor, opened, now, asking=asking)
        for season in seasons
        for sensor in SENSORS
        if wanted(params, sensor) and where.footprint
    ]
    _fall_back(system, where, opened, now)
    settle(system, site, now)
    submitted = [job for season in seasons for job in _submit(system, season, params, now)]
    sweep(system, site)
    if params.compatibility_links:
        links.update(system.archive, site)
    return Cycle(
        sum(item.found for item in asked),
        sum(item.new for item in asked),
        tuple(submitted),
        tuple(text for item in asked for text in item.troubles),
    )


def _ask(
    system: System,
    site: Site,
    params: AcquisitionParams,
    season: Season,
    sensor: str,
    opened: Opened,
    now: datetime,
    *,
    asking: bool,
) -> Cycle:
    """Ask for the scenes of a season and sensor, and record them."""
    entry = _asked(system, site, season, sensor, params)
    if not asking and not (entry.state is State.FAILED and is_due(entry, now)):
        return Cycle()
    places = tiles(site) if sensor == "s2" else ()
    known = _known_until(system, site, params, sensor)
    bounds = span(params, site, season, sensor, known, places, now)
    if bounds[0] >= bounds[1]:
        return Cycle()
    questions = requests(params, site, sensor, places, bounds)
    troubles: list[str] = []
    for name in sources_of(params, sensor):
        try:
            scenes = listed(opened(name), questions)
        except TROUBLES as error:
            troubles.append(f"{name}: {error}")
            continue
        new = _record(system, site, scenes, bounds)
        done = replace(entry, state=State.DOWNLOADED, reason="", tries=0, next_try=None)
        system.store.ledger.write([replace(done, since=now, source=name)])
        return Cycle(len(scenes), new, troubles=tuple(troubles))
    failed = unanswered(entry, now, " ".join(troubles))
    system.store.ledger.write([replace(failed, source=sources_of(params, sensor)[0])])
    return Cycle(troubles=tuple(troubles))


def listed(source: Source, questions: Sequence[Request]) -> list[Scene]:
    """All that a source lists, or what ended the list: half of one would hide a hole."""
    return [scene for question in questions for scene in source.query(question)]


def _asked(
    system: System, site: Site, season: Season, sensor: str, params: AcquisitionParams
) -> Entry:
    """The entry of the questions for a sensor and season."""
    first = first_instant(params, site, season, sensor)
    fresh = Entry(site.short_name, ProductType.SCENE, sensor, first, season=season.name)
    known = system.store.ledger.entries(site.short_name, first, first + timedelta(seconds=1))
    return next((entry for entry in known if entry.key == fresh.key), fresh)


def _known_until(
    system: System, site: Site, params: AcquisitionParams, sensor: str
) -> dict[str, datetime]:
    """By place the newest scene, or the first pass that is missing: it may be listed late."""
    name, found = site.short_name, dict[str, datetime]()
    for record in system.store.products.search(name, types=(ProductType.SCENE,)):
        scene = recorded(record)
        if sensor_of(scene) == sensor:
            found[scene.place] = scene.start
    kinds = wanted(params, sensor)
    for entry in system.store.ledger.entries(name):
        if entry.state is State.MISSING and entry.stage in kinds:
            found[entry.place] = min(entry.time, found.get(entry.place, entry.time))
    return found


def _record(
    system: System, site: Site, scenes: Sequence[Scene], bounds: tuple[datetime, datetime]
) -> int:
    """Record of each pass the scene that is to stand, and beside it the others; how many stand."""
    first, after = bounds[0] - SAME_PASS, bounds[1] + SAME_PASS
    store, name = system.store, site.short_name
    records = store.products.search(name, types=(ProductType.SCENE,), start=first, end=after)
    entries = {entry.key: entry for entry in store.ledger.entries(name, first, after)}
    known = [_known(name, recorded(record), entries) for record in records]
    standing = {record.slot: record for record in records}
    new = 0
    for chosen in choose(scenes, known):
        record = record_of(chosen.scene, name)
        before = standing.get(record.slot)
        if before is not None and before.revision == record.revision:
            continue
        left = [_left_out(name, chosen.scene, scene, why) for scene, why in chosen.left]
        store.products.commit([*(item for item in left if item != before), record])
        new += 1
    return new


def _known(site: str, scene: Scene, entries: Mapping[Key, Entry]) -> Known:
    entry = entries.get((site, scene.kind, scene.place, scene.start))
    kept = entry is not None and (entry.state is State.DOWNLOADED or entry.fallen_back)
    return Known(scene, kept)


def _left_out(site: str, chosen: Scene, scene: Scene, why: str) -> Product:
    """The record of a scene that does not stand, in the slot of the one that does."""
    record = record_of(replace(scene, start=chosen.start), site)
    return replace(record, properties={**record.properties, "sen4cap:left_out": why})


def _fall_back(system: System, site: Site, opened: Opened, now: datetime) -> None:
    """Find at the fallback the scenes whose primary source has failed too often."""
    name = site.short_name
    waited = [
        entry
        for entry in system.store.ledger.entries(name)
        if entry.fallen_back and entry.state is State.FAILED and is_due(entry, now)
    ]
    for entry in waited:
        record = system.store.products.get(entry.product)
        if recorded(record).source == entry.source:
            continue
        try:
            scene = _same_pass(opened(entry.source), site, recorded(record))
        except TROUBLES as error:
            told = f"{entry.reason} The fallback does not answer: {error}"
            system.store.ledger.write(
                [replace(entry, reason=told, next_try=now + LONGEST_WAIT, since=now)]
            )
            continue
        if scene is None:
            told = f"{entry.reason} The fallback '{entry.source}' lists no such scene."
            system.store.ledger.write([aborted(entry, now, told)])
        else:
            system.store.products.commit([record_of(scene, name)])


def _same_pass(source: Source, site: Site, scene: Scene) -> Scene | None:
    """What a source has of the pass of a scene, under the instant of that."""
    platform = {"s1": "sentinel-1", "l8": "landsat", "s2": "sentinel-2"}[sensor_of(scene)]
    question = Request(
        kind=scene.kind,
        platforms=(platform,),
        footprint=site.footprint or scene.footprint,
        start=scene.start - SAME_PASS,
        end=scene.start + SAME_PASS,
        tiles=(scene.place,) if platform == "sentinel-2" else (),
    )
    same = [item for item in source.query(question) if item.place == scene.place]
    groups = passes(same)
    if not groups:
        return None
    return replace(max(groups[0], key=lambda item: (item.age, item.name)), start=scene.start)


def _submit(
    system: System, season: Season, params: AcquisitionParams, now: datetime
) -> Iterator[Job]:
    """The jobs that fetch what is due in a season."""
    due: dict[ProductType, list[Entry]] = defaultdict(list)
    for entry in system.store.ledger.entries(season.site):
        if entry.stage in FETCHERS and entry.season == season.name and is_due(entry, now):
            due[entry.stage].append(entry)
    for kind, entries in due.items():
        fitting = _fitting(system, entries, params, now)
        job = _job(system, season, kind, fitting, params) if fitting else None
        if job is not None:
            yield job
    settle(system, season.site, now)


def _fitting(
    system: System, entries: Sequence[Entry], params: AcquisitionParams, now: datetime
) -> list[Product]:
    """Records of the scenes that the disk has room for, oldest first; the others wait."""
    needed, found = 0, []
    for entry in entries:
        record = system.store.products.get(entry.product)
        needed += recorded(record).size or 0
        try:
            check_room(system.archive, needed, params.margin * GB)
        except ServiceUnavailable as error:
            system.store.ledger.write([waiting(entry, now, str(error), now + LONGEST_WAIT)])
            break
        found.append(record)
    return found


def _job(
    system: System,
    season: Season,
    kind: ProductType,
    records: Sequence[Product],
    params: AcquisitionParams,
) -> Job | None:
    """The job that fetches some scenes; None where open ones do so already."""
    chosen = FETCHERS[kind]
    where = system.store.sites.get(season.site)
    used = parameters(system, chosen, season.site, {"mode": params.mode.value})
    start, end = records[0].start, records[-1].start + timedelta(seconds=1)
    scope = Scope(season.site, season.name, start, end, where.timezone)
    standing = system.store.products.search(season.site, types=(kind,), start=start, end=end)
    planned = plan(chosen, used, scope, records, [], {item.slot: item for item in standing})
    context = context_of(system, chosen, where, season)
    drafted = Draft(chosen, used, context, planned, None, finishes=False)
    new = drafted.without(system.store.steps.pending(season.site, season.name, chosen.id))
    if not new.plan.steps:
        return None
    return jobs.add(system, new, who=WHO, why=StartType.TRIGGERED)
