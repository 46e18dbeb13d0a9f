"""The ledger of a site: shown, and its holes mended."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime

from sen4cap.acquisition.params import SENSORS
from sen4cap.acquisition.plan import first_instant
from sen4cap.app import jobs
from sen4cap.app.fetching import FETCHERS
from sen4cap.app.settling import OPEN, acquisition_params, settle
from sen4cap.app.system import System
from sen4cap.domain import ProductType
from sen4cap.domain.ledger import GIVEN_UP, Entry, State, ignored, retried, worked_on
from sen4cap.errors import Conflict, InvalidParameter, NotFound


def show(
    system: System, site: str, *, season: str | None = None, holes: bool = False
) -> list[Entry]:
    """The entries of a site, brought up to date; of a season from its lead time on.

    Raises
    ------
    NotFound
        If there is no such site or season.
    """
    start = end = None
    where = system.store.sites.get(site)
    if season is not None:
        chosen = system.store.seasons.get(site, season)
        _, end = chosen.bounds(where.zone)
        params = acquisition_params(system, site)
        start = min(first_instant(params, where, chosen, sensor) for sensor in SENSORS)
    settle(system, site)
    found = system.store.ledger.entries(site, start, end)
    return [entry for entry in found if entry.is_hole or not holes]


def fix(
    system: System,
    site: str,
    place: str | None = None,
    days: Collection[date] = (),
    *,
    ignore: bool = False,
    now: datetime | None = None,
) -> list[Entry]:
    """Try holes again as if never tried before, or leave them out for good; returns them.

    Those of a place and of some days, if they are named, else all.

    Raises
    ------
    NotFound
        If there is no such hole.
    """
    now = now or datetime.now(UTC)
    settle(system, site, now)
    chosen = [
        entry
        for entry in system.store.ledger.entries(site)
        if (entry.is_hole or (ignore and place is not None and entry.state in OPEN))
        and place in {None, entry.place}
        and (not days or entry.time.date() in days)
    ]
    if not chosen:
        raise NotFound(f"Site '{site}' has no such hole: 'sen4cap ledger show {site} --holes'.")
    mended = [_ignored(entry, now) if ignore else _retried(system, entry, now) for entry in chosen]
    changed = [item for item, entry in zip(mended, chosen, strict=True) if item != entry]
    system.store.ledger.write(changed)
    return changed


def _ignored(entry: Entry, now: datetime) -> Entry:
    return ignored(entry, now, "A user left it out.")


def _retried(system: System, entry: Entry, now: datetime) -> Entry:
    if entry.state is State.PROCESSING_FAILED and entry.job is not None:
        try:
            jobs.retry(system, entry.job)
        except Conflict:
            return entry
        return worked_on(entry, now, State.PROCESSING, "", entry.job)
    if entry.state is State.MISSING:
        return entry
    if entry.stage is ProductType.SCENE:
        return replace(entry, next_try=now)
    return retried(entry, now)


def given_up(system: System, site: str) -> set[str]:
    """Slots of scenes that nobody waits for."""
    return {
        entry.slot
        for entry in system.store.ledger.entries(site)
        if entry.state in GIVEN_UP and entry.stage in FETCHERS
    }


def as_days(texts: Iterable[str]) -> list[date]:
    """Days from text.

    Raises
    ------
    InvalidParameter
        If one is none.
    """
    try:
        return [date.fromisoformat(text) for text in texts]
    except ValueError as error:
        raise InvalidParameter(f"A day is written 2019-05-17 ({error}).") from error
