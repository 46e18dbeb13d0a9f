"""Settling: the ledger of a site brought up to what its scenes, products and steps tell.

All that the ledger says follows from these, but tries and words of users. So it may be done at any
time, by anybody, as often as one likes, and whatever was cut short is made good by the next time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from sen4cap.acquisition.params import AcquisitionParams, sources_of
from sen4cap.acquisition.plan import LATE, first_instant, missed, sensor_of, why_unwanted
from sen4cap.acquisition.records import recorded
from sen4cap.app.config import validated
from sen4cap.app.fetching import FETCHERS
from sen4cap.app.planning import parameters
from sen4cap.app.system import NOBODY, System
from sen4cap.domain import Product, ProductType, Season, Site, Status, StepRecord
from sen4cap.domain.ledger import (
    Entry,
    Key,
    State,
    after_step,
    downloaded,
    ignored,
    planned,
    worked_on,
)
from sen4cap.domain.scene import Scene
from sen4cap.processing import Processor, Scope, Step, parameters_of, processors

OPEN = frozenset({State.PLANNED, State.DOWNLOADING, State.FAILED, State.ABORTED})
"""States of scenes that may yet have been fetched."""
WORKED = (ProductType.L3B, ProductType.MARKERS)
"""What is made of every acquisition that was fetched."""


def acquisition_params(system: System, site: str | None = None) -> AcquisitionParams:
    """Settings of acquisition for a site, or for all."""
    keys = {item.key for item in parameters_of(AcquisitionParams)}
    stored = system.store.config.values(site=site)
    given = {key: stored[key] for key in keys & stored.keys()}
    return validated(NOBODY, AcquisitionParams, given)


@dataclass(frozen=True)
class _Books:
    """What is known of a site before it is settled."""

    system: System
    site: Site
    params: AcquisitionParams
    now: datetime
    before: Mapping[Key, Entry]
    scenes: Mapping[str, tuple[Product, Scene]]
    """Records of the scenes that stand, by name."""
    seasons: Sequence[Season]
    """Enabled ones."""

    def season_of(self, scene: Scene) -> str:
        """Name of the first season for which a scene is wanted; empty where there is none."""
        sensor = sensor_of(scene)
        for season in self.seasons:
            first = first_instant(self.params, self.site, season, sensor)
            if first <= scene.start < season.bounds(self.site.zone)[1]:
                return season.name
        return ""

    def fetched(self) -> list[Entry]:
        """Entries of scenes."""
        return [entry for entry in self.before.values() if entry.stage in FETCHERS]


def _books(system: System, site: str, now: datetime) -> _Books:
    records = system.store.products.search(site, types=(ProductType.SCENE,))
    return _Books(
        system,
        system.store.sites.get(site),
        acquisition_params(system, site),
        now,
        {entry.key: entry for entry in system.store.ledger.entries(site)},
        {record.name: (record, recorded(record)) for record in records},
        [season for season in system.store.seasons.all(site) if season.enabled],
    )


def settle(system: System, site: str, now: datetime | None = None) -> list[Entry]:
    """Bring the entries of a site up to what is there; returns those that changed."""
    now = now or datetime.now(UTC)
    _write(system, _unrecorded(_books(system, site, now)))
    books = _books(system, site, now)
    changed = _write(system, (*_fetched(books), *_worked(books), *_missed(books)), books.before)
    system.store.ledger.remove(_found_after_all(books))
    return changed


def _write(
    system: System, told: Iterable[Entry], before: Mapping[Key, Entry] | None = None
) -> list[Entry]:
    """Write entries that are not as before; returns them."""
    newest = {entry.key: entry for entry in told}
    changed = [entry for key, entry in newest.items() if (before or {}).get(key) != entry]
    system.store.ledger.write(changed)
    return changed


def _unrecorded(books: _Books) -> Iterator[Entry]:
    """An entry for each scene that is new, or took the place of another one."""
    for name, (record, scene) in books.scenes.items():
        season = books.season_of(scene)
        fresh = Entry(record.site, scene.kind, scene.place, scene.start, season=season)
        known = books.before.get(fresh.key)
        if known is not None and (known.product == name or known.state is State.IGNORED):
            continue
        if known is not None and known.fallen_back and known.source == scene.source:
            yield replace(known, product=name)
            continue
        entry = planned(replace(known or fresh, season=season), books.now, name, scene.source)
        unwanted = why_unwanted(books.params, books.site, scene)
        yield ignored(entry, books.now, unwanted) if unwanted else entry


def _fetched(books: _Books) -> Iterator[Entry]:
    """Entries of scenes, as products and steps tell."""
    store, now = books.system.store, books.now
    products = store.products.search(books.site.short_name, types=tuple(FETCHERS))
    standing = {product.slot: product for product in products}
    mine = books.fetched()
    there = {entry.key for entry in mine if _is_there(entry, standing.get(entry.slot))}
    waited = [entry for entry in mine if entry.key not in there and entry.state in OPEN]
    steps = store.ledger.outcomes(entry.slot for entry in waited)
    for entry in mine:
        if entry.key in there and entry.state is not State.IGNORED:
            yield downloaded(entry, now)
        elif entry.key not in there and entry.state is State.DOWNLOADED:
            yield ignored(entry, now, "Its product was removed.")
    for entry in waited:
        step = steps.get(entry.slot)
        if step is not None and entry.state is not State.ABORTED:
            yield _after(books, entry, step)


def _is_there(entry: Entry, product: Product | None) -> bool:
    """Whether the product of a scene stands, or one that was taken in by hand."""
    if product is None:
        return False
    return entry.product in product.parents or product.processor is None


def _after(books: _Books, entry: Entry, step: StepRecord) -> Entry:
    """The entry of a scene whose product is not there, as its newest step tells."""
    sensor = sensor_of(books.scenes[entry.product][1]) if entry.product in books.scenes else "s2"
    told = ""
    if step.status is Status.DISMISSED:
        job = books.system.store.jobs.get(step.job_id)
        told = f"Job {job.id} was cancelled." if job.status is Status.DISMISSED else ""
    most = getattr(books.params, f"{sensor}_max_retries")
    fallback = next(iter(sources_of(books.params, sensor)[1:]), "")
    return after_step(entry, step, books.now, most, fallback, told)


def _worked(books: _Books) -> Iterator[Entry]:
    """Entries of what is made of acquisitions in the enabled seasons."""
    for season in books.seasons:
        for maker in processors().values():
            if maker.produces in WORKED:
                yield from _made(books, season, maker)


def _made(books: _Books, season: Season, maker: Processor) -> Iterator[Entry]:
    site, store = season.site, books.system.store
    start, end = season.bounds(books.site.zone)
    products = store.products.search(site, types=maker.consumes, start=start, end=end)
    used = parameters(books.system, maker, site, {})
    scope = Scope(site, season.name, start, end, books.site.timezone)
    steps = maker.select(used, scope, products)
    standing = {item.slot: item for item in store.products.search(site, types=(maker.produces,))}
    waited = [step.slot for step in steps if not _stands(step, standing)]
    outcomes = store.ledger.outcomes(waited)
    for step in steps:
        first = step.inputs[0]
        fresh = Entry(
            site, maker.produces, first.grid, first.start, since=books.now, season=season.name
        )
        known = books.before.get(fresh.key, fresh)
        state, reason, job = _state_of(step, standing, outcomes.get(step.slot))
        name = standing[step.slot].name if step.slot in standing else ""
        yield worked_on(replace(known, product=name), books.now, state, reason, job)


def _stands(step: Step, standing: Mapping[str, Product]) -> bool:
    product = standing.get(step.slot)
    return product is not None and {item.name for item in step.inputs} <= {*product.parents}


def _state_of(
    step: Step, standing: Mapping[str, Product], record: StepRecord | None
) -> tuple[State, str, int | None]:
    """State, reason and job of one stage of processing."""
    if _stands(step, standing):
        return State.PROCESSED, "", None
    if record is None or record.status in {Status.SUCCESSFUL, Status.DISMISSED}:
        return State.PLANNED, "", None
    if record.status is Status.FAILED:
        return State.PROCESSING_FAILED, record.reason, record.job_id
    return State.PROCESSING, "", record.job_id


def _missed(books: _Books) -> Iterator[Entry]:
    """Entries of passes that the rhythm of their track has and the source does not list."""
    latest = max((season.bounds(books.site.zone)[1] for season in books.seasons), default=books.now)
    known = [scene for _, scene in books.scenes.values()]
    sources = {(scene.kind, scene.place): scene.source for scene in known}
    days = {(entry.stage, entry.place, entry.time.date()) for entry in books.before.values()}
    for kind, place, time in missed(known, min(books.now - LATE, latest)):
        if (kind, place, time.date()) not in days:
            source = sources[kind, place]
            yield Entry(
                books.site.short_name,
                kind,
                place,
                time,
                State.MISSING,
                f"Source '{source}' lists none.",
                since=books.now,
                source=source,
            )


def _found_after_all(books: _Books) -> list[Key]:
    """Keys of missing passes that a scene has come for."""
    days: set[tuple[ProductType, str, date]] = {
        (scene.kind, scene.place, scene.start.date()) for _, scene in books.scenes.values()
    }
    return [
        entry.key
        for entry in books.before.values()
        if entry.state is State.MISSING and (entry.stage, entry.place, entry.time.date()) in days
    ]
