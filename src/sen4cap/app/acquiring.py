"""Acquiring: cycles one after the other, as a service or here and now."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog

from sen4cap.acquisition.params import SENSORS, wanted
from sen4cap.app.acquisition import Cycle, Opened, cycle
from sen4cap.app.lpis import place_all
from sen4cap.app.settling import acquisition_params, settle
from sen4cap.app.system import System
from sen4cap.domain import Job, Site
from sen4cap.engine.scheduler import sentence
from sen4cap.processing import Progress, no_progress

PAUSE = 60.0
"""Seconds from one look at what is due to the next."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Acquirer:
    """Asks the sources of every site at their interval, and hands in what is due between."""

    system: System
    opened: Opened
    clock: Callable[[], datetime] = _now
    asked: dict[str, datetime] = field(default_factory=dict)
    """When the sources of a site were asked last, by this process."""
    placed: dict[str, frozenset[str]] = field(default_factory=dict)
    """Grids on which the parcels of a site were placed, by this process."""

    def run(self, stop: threading.Event, pause: float = PAUSE) -> None:
        """Pass after pass until told to stop; a site that fails holds up no other."""
        while not stop.wait(pause):
            for site in self.system.store.sites.all():
                self._attend(site)

    def attend(self, site: Site) -> Cycle:
        """One pass over a site; nothing where it has no source."""
        params, now = acquisition_params(self.system, site.short_name), self.clock()
        if not any(wanted(params, sensor) for sensor in SENSORS):
            return Cycle()
        last = self.asked.get(site.short_name)
        asking = last is None or now - last >= timedelta(minutes=params.interval)
        done = cycle(self.system, site.short_name, self.opened, now=now, asking=asking)
        if asking:
            self.asked[site.short_name] = now
        self._place(site.short_name)
        return done

    def _attend(self, site: Site) -> None:
        log = structlog.get_logger(__name__).bind(site=site.short_name)
        try:
            done = self.attend(site)
        except Exception as error:  # noqa: BLE001 - whatever ended a pass, the next one goes on
            log.warning("acquisition ended", reason=sentence(error))
            return
        for trouble in done.troubles:
            log.warning("source not asked", reason=trouble)
        for job in done.jobs:
            log.info("fetching", job=job.id)

    def _place(self, site: str) -> None:
        """Place the parcels of a site once it has a grid that was not there."""
        grids = frozenset(grid.key for grid in self.system.store.grids.all(site))
        if grids != self.placed.get(site):
            place_all(self.system, site)
            self.placed[site] = grids


def fetch(
    system: System,
    site: str,
    opened: Opened,
    progress: Progress = no_progress,
    *,
    now: Callable[[], datetime] = _now,
) -> Cycle:
    """A cycle whose jobs are run here, one after the other, until nothing is due; no services.

    What fails is left to its next try: the ledger has the reason.

    Raises
    ------
    NotFound
        If there is no such site.
    """
    before = system.store.grids.all(site)
    whole = done = cycle(system, site, opened, now=now())
    while done.jobs:
        for job in done.jobs:
            _drive(system, job, progress)
        done = cycle(system, site, opened, now=now(), asking=False)
        whole = replace(whole, jobs=(*whole.jobs, *done.jobs))
    settle(system, site, now())
    if system.store.grids.all(site) != before:
        place_all(system, site)
    return whole


def _drive(system: System, job: Job, progress: Progress) -> None:
    from sen4cap.app.running import drive

    try:
        drive(system, job, progress)
    except Exception as error:  # noqa: BLE001 - the ledger has it, other scenes go on
        log = structlog.get_logger(__name__)
        log.info("fetching failed", job=job.id, reason=sentence(error))
