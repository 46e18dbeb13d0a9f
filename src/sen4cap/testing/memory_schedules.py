"""The schedules of the store in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol

from sen4cap.domain import Job, Season, Site, StartType, Status, StepRecord
from sen4cap.domain.schedule import Schedule, ScheduleState
from sen4cap.store import rules
from sen4cap.store.schedules import changed, overtaken


class _Sites(Protocol):
    def get(self, short_name: str) -> Site: ...


class _Seasons(Protocol):
    def get(self, site: str, name: str) -> Season: ...


class _Jobs(Protocol):
    @property
    def kept(self) -> Mapping[int, Job]: ...

    def steps_of(self, number: int) -> Iterable[StepRecord]: ...


_OPEN = (Status.ACCEPTED, Status.RUNNING, Status.PAUSED)


@dataclass(frozen=True)
class MemorySchedules:
    """Schedules by name."""

    sites: _Sites
    seasons: _Seasons
    jobs: _Jobs
    kept: dict[str, Schedule] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)

    def add(self, schedules: Sequence[Schedule]) -> list[Schedule]:
        """Add schedules, all or none."""
        wanted = [_stored(schedule) for schedule in schedules]
        names = set(self.kept)
        for schedule in wanted:
            self.seasons.get(schedule.site, schedule.season)
            if schedule.name in names:
                raise rules.taken("Schedule", schedule.name)
            names.add(schedule.name)
        return [self._add(schedule) for schedule in wanted]

    def _add(self, schedule: Schedule) -> Schedule:
        self.numbers.append(len(self.numbers) + 1)
        added = replace(schedule, id=self.numbers[-1])
        self.kept[schedule.name] = added
        return added

    def get(self, name: str) -> Schedule:
        """The schedule of a name."""
        if name not in self.kept:
            raise rules.missing("schedule", name, self.kept)
        return self.kept[name]

    def all(self, site: str | None = None, season: str | None = None) -> list[Schedule]:
        """The schedules, sorted by priority and name."""
        if site is not None:
            self.sites.get(site)
        found = [
            item
            for item in self.kept.values()
            if site in {None, item.site} and season in {None, item.season}
        ]
        return sorted(found, key=lambda item: (item.priority, item.name))

    def replace(self, schedule: Schedule) -> Schedule:
        """Give a schedule new values."""
        known = self._same(schedule)
        if known is None:
            raise overtaken(schedule.name)
        new = changed(_stored(schedule), schedule.state)
        del self.kept[known.name]
        self.kept[schedule.name] = new
        return new

    def record(self, before: Schedule, state: ScheduleState) -> bool:
        """Keep how far a schedule has come."""
        known = self._same(before)
        if known is None:
            return False
        self.kept[known.name] = changed(known, replace(state, version=known.state.version))
        return True

    def _same(self, schedule: Schedule) -> Schedule | None:
        """The kept schedule, if it is as it was read."""
        for known in self.kept.values():
            if known.id == schedule.id and known.state.version == schedule.state.version:
                return known
        return None

    def delete(self, name: str) -> None:
        """Remove a schedule; its jobs stay."""
        self.get(name)
        del self.kept[name]

    def job_of(self, schedule: Schedule, nominal: date) -> int | None:
        """Number of the job that the schedule asked for on behalf of a date."""
        wanted = (StartType.SCHEDULED, schedule.who, nominal)
        found = self.jobs.kept.items()
        return next((key for key, job in found if (job.why, job.who, job.nominal) == wanted), None)

    def failed(self, site: str, season: str) -> list[StepRecord]:
        """Failed steps of a season whose slot nothing is at work on now, in the order of jobs."""
        self.sites.get(site)
        steps = [
            step
            for number, job in sorted(self.jobs.kept.items())
            if (job.site, job.season) == (site, season)
            for step in self.jobs.steps_of(number)
        ]
        at_work = {step.slot for step in steps if step.status in _OPEN}
        return [step for step in steps if step.status is Status.FAILED and step.slot not in at_work]


def _stored(schedule: Schedule) -> Schedule:
    """The schedule with its parameters as they come back from a JSON column."""
    text = rules.as_json(dict(schedule.parameters))
    return replace(schedule, parameters=json.loads(text))
