"""Where the scheduler asks whether the inputs of a date are complete and hold anything new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sen4cap.app import jobs, ledger
from sen4cap.app.planning import Draft, draft, parameters, unasked
from sen4cap.app.system import System
from sen4cap.domain import Season, StartType
from sen4cap.domain.job import ENDED
from sen4cap.domain.schedule import Schedule
from sen4cap.domain.time import day_bounds
from sen4cap.engine.readiness import in_words, makers, outstanding
from sen4cap.engine.scheduler import Answer, Verdict
from sen4cap.errors import NoInput, NotFound
from sen4cap.processing import Processor, Scope, processor, processors


@dataclass(frozen=True)
class SystemDesk:
    """The installation, as the scheduler sees it."""

    system: System

    def days(self, schedule: Schedule) -> tuple[date, ZoneInfo]:
        """Last day of the schedule's season, and the time zone of its days."""
        season = self.system.store.seasons.get(schedule.site, schedule.season)
        return season.end, self.system.store.sites.get(schedule.site).zone

    def is_open(self, job: int) -> bool:
        """Whether a job has not ended yet; one that was deleted has."""
        try:
            return self.system.store.jobs.get(job).status not in ENDED
        except NotFound:
            return False

    def answer(self, schedule: Schedule, nominal: date) -> Answer:
        """Whether the inputs up to a date are complete and hold anything new."""
        season = self.system.store.seasons.get(schedule.site, schedule.season)
        if not season.enabled:
            return Answer(Verdict.WAIT, f"Season '{season.name}' is disabled: enable it.")
        chosen = processor(schedule.processor)
        missing = [
            *_missing_tables(self.system, chosen, season),
            *_missing_parents(self.system, chosen, season, nominal),
        ]
        if missing:
            return Answer(Verdict.WAIT, f"Waiting for {'; '.join(missing)}.")
        return self._news(schedule, nominal, chosen, season)

    def _news(self, schedule: Schedule, nominal: date, chosen: Processor, season: Season) -> Answer:
        try:
            drafted = self._draft(schedule, nominal)
        except NoInput:
            kinds = " or ".join(f"'{kind}'" for kind in chosen.consumes)
            if _has_later(self.system, chosen, season, nominal):
                return Answer(Verdict.SKIP, f"no {kinds} up to then.")
            return Answer(Verdict.WAIT, f"Waiting for the first {kinds} of the season.")
        if drafted.plan.steps:
            return Answer(Verdict.READY)
        return Answer(Verdict.SKIP, f"nothing new up to then. {drafted.left_out}".rstrip())

    def submit(self, schedule: Schedule, nominal: date) -> int:
        """Submit the job of a date; returns its number."""
        job = jobs.add(
            self.system,
            self._draft(schedule, nominal),
            name=schedule.name,
            who=schedule.who,
            why=StartType.SCHEDULED,
            priority=schedule.priority,
        )
        assert job.id is not None
        return job.id

    def _draft(self, schedule: Schedule, nominal: date) -> Draft:
        """The job of a date, without what open jobs make already or what failed too often."""
        site, season = schedule.site, schedule.season
        drafted = draft(self.system, schedule.processor, site, season, schedule.parameters, nominal)
        return unasked(self.system, drafted)


def _missing_tables(system: System, chosen: Processor, season: Season) -> Iterator[str]:
    """Parcels and crop table that are needed and were not imported yet; a clause each."""
    site, year = season.site, season.year
    if chosen.needs_parcels and system.store.parcels.current(site, year) is None:
        yield f"the parcels of {year} ('sen4cap lpis import {site} {year} …')"
    if chosen.needs_lut and system.store.parcels.lut(site, year) is None:
        yield f"the crop table of {year} ('sen4cap lpis import-lut {site} {year} …')"


def _missing_parents(
    system: System, chosen: Processor, season: Season, nominal: date
) -> Iterator[str]:
    """Products that others have yet to make of what is there up to a date; a clause each."""
    scope = _scope(system, season, nominal)
    failed = {step.slot for step in system.store.schedules.failed(season.site, season.name)}
    given_up = failed | ledger.given_up(system, season.site)
    for maker in makers(chosen, processors().values()):
        used = parameters(system, maker, season.site, {})
        products = system.store.products.search(
            season.site, types=maker.consumes, start=scope.start, end=scope.end
        )
        steps = maker.select(used, scope, products)
        made = system.store.products.search(season.site, types=(maker.produces,))
        missing = outstanding(steps, {item.slot: item for item in made}, given_up)
        if missing:
            yield in_words(maker, missing, len(steps))


def _has_later(system: System, chosen: Processor, season: Season, nominal: date) -> bool:
    """Whether the season has inputs from after a date, so that none will come for it."""
    after = _scope(system, season, nominal).end
    end = _scope(system, season, season.end).end
    site = season.site
    return bool(system.store.products.search(site, types=chosen.consumes, start=after, end=end))


def _scope(system: System, season: Season, nominal: date) -> Scope:
    site = system.store.sites.get(season.site)
    first, after = day_bounds(season.start, nominal, site.zone)
    return Scope(season.site, season.name, first, after, site.timezone)
