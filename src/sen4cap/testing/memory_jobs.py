"""Jobs, steps and services of the store in memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from sen4cap.domain import Job, Product, Service, Site, StartType, Status, StepRecord
from sen4cap.domain.job import ENDED, changed, check_transition
from sen4cap.domain.operations import (
    Change,
    Claim,
    Closed,
    check_deletable,
    owner_of,
    settled,
)
from sen4cap.errors import Conflict, Sen4capError
from sen4cap.store import rules

_ACTIVE = (Status.ACCEPTED, Status.RUNNING)
History = list[tuple[Status, datetime]]


class _Sites(Protocol):
    def get(self, short_name: str) -> Site: ...


class _Products(Protocol):
    def commit(self, products: Sequence[Product], job_id: int | None = None) -> None: ...


def _json(value: Mapping[str, Any]) -> Any:
    """The value as it comes back from a JSON column."""
    return json.loads(rules.as_json(dict(value)))


def _kept(job: Job) -> Job:
    return replace(job, parameters=_json(job.parameters), context=_json(job.context))


@dataclass(frozen=True)
class MemoryJobs:
    """Jobs by number with their steps, and each change of their status."""

    sites: _Sites
    kept: dict[int, Job] = field(default_factory=dict)
    events: dict[int, History] = field(default_factory=dict)
    steps: dict[int, StepRecord] = field(default_factory=dict)
    step_events: dict[int, History] = field(default_factory=dict)
    given: Counter[str] = field(default_factory=Counter)

    def add(self, job: Job, steps: Sequence[StepRecord] = ()) -> Job:
        """Add a job with its steps; returns it with its number."""
        if job.id is not None:
            raise Conflict(f"Job {job.id} was added before: update it.")
        self.sites.get(job.site)
        self._check_once(job)
        number = self._number("job")
        self.kept[number] = replace(_kept(job), id=number)
        self.events[number] = [(job.status, datetime.now(UTC))]
        for step in steps:
            self.write_step(replace(step, id=self._number("step"), job_id=number))
        return replace(job, id=number)

    def _check_once(self, job: Job) -> None:
        """A schedule asks once for a date."""
        key = (job.why, job.who, job.nominal)
        others = ((other.why, other.who, other.nominal) for other in self.kept.values())
        if job.why is StartType.SCHEDULED and key in others:
            raise Conflict(f"{job.who} has its job of {job.nominal}: another one came first.")

    def _number(self, what: str) -> int:
        self.given[what] += 1
        return self.given[what]

    def update(self, job: Job) -> Job:
        """Store status, reason, times and parameters."""
        if job.id is None or job.id not in self.kept:
            raise rules.no_job(job.id)
        before = self.kept[job.id]
        if before.status != job.status:
            check_transition(before.status, job.status)
            self.events[job.id].append((job.status, datetime.now(UTC)))
        self.kept[job.id] = _kept(job)
        return job

    def change(self, number: int, operation: Callable[[Job, Sequence[StepRecord]], Change]) -> Job:
        """Do an operation on a job and its steps."""
        self.write_change(operation(self.get(number), self.steps_of(number)))
        return self.get(number)

    def write_change(self, change: Change) -> None:
        """Keep a job and the steps of it that changed."""
        self.update(change[0])
        for step in change[1]:
            self.write_step(step)

    def write_step(self, step: StepRecord) -> None:
        """Keep a step, and its status as an event."""
        assert step.id is not None
        self.steps[step.id] = step
        self.step_events.setdefault(step.id, []).append((step.status, datetime.now(UTC)))

    def steps_of(self, number: int) -> list[StepRecord]:
        """The steps of a job by position."""
        found = (step for step in self.steps.values() if step.job_id == number)
        return sorted(found, key=lambda step: step.position)

    def delete(self, number: int) -> None:
        """Remove a job that has ended, with its steps."""
        check_deletable(self.get(number))
        for step in self.steps_of(number):
            assert step.id is not None
            del self.steps[step.id], self.step_events[step.id]
        del self.kept[number], self.events[number]

    def get(self, number: int) -> Job:
        """The job of a number."""
        if number not in self.kept:
            raise rules.no_job(number)
        return self.kept[number]

    def all(
        self, site: str | None = None, limit: int = 100, statuses: Iterable[Status] = ()
    ) -> list[Job]:
        """The newest jobs, newest first."""
        if site is not None:
            self.sites.get(site)
        wanted = set(statuses) or set(Status)
        found = [
            job for job in self.kept.values() if site in {None, job.site} and job.status in wanted
        ]
        return found[::-1][:limit]

    def history(self, number: int) -> History:
        """Each status a job had and the instant it came to it, oldest first."""
        self.get(number)
        return list(self.events[number])


@dataclass(frozen=True)
class MemoryServices:
    """Processes of the system that run for long."""

    kept: dict[str, Service] = field(default_factory=dict)

    def register(self, service: Service, *, alone: bool = False) -> None:
        """Add a service."""
        for other in self.all():
            if alone and other.name == service.name and not other.is_silent(service.heartbeat):
                raise rules.not_alone(other)
        if service.token in self.kept:
            raise rules.taken("Service", service.token)
        self.kept[service.token] = service

    def beat(self, token: str, now: datetime) -> bool:
        """Tell that a service is alive."""
        if token not in self.kept:
            return False
        self.kept[token] = replace(self.kept[token], heartbeat=now)
        return True

    def leave(self, token: str) -> None:
        """Remove a service."""
        self.kept.pop(token, None)

    def all(self) -> list[Service]:
        """All services by name and start."""
        return sorted(self.kept.values(), key=lambda item: (item.name, item.started, item.token))


@dataclass(frozen=True)
class MemorySteps:
    """Steps of jobs."""

    jobs: MemoryJobs
    services: MemoryServices
    products: _Products

    def of(self, job: int) -> list[StepRecord]:
        """The steps of a job by position."""
        return self.jobs.steps_of(job)

    def get(self, number: int) -> StepRecord:
        """The step of a number."""
        if number not in self.jobs.steps:
            raise rules.no_step(number)
        return self.jobs.steps[number]

    def counts(self, jobs: Sequence[int]) -> dict[int, dict[Status, int]]:
        """How many steps of each status jobs have."""
        return {
            number: dict(Counter(step.status for step in self.jobs.steps_of(number)))
            for number in jobs
        }

    def history(self, number: int) -> History:
        """Each status a step had and the instant it came to it, oldest first."""
        return list(self.jobs.step_events.get(number, []))

    def pending(self, site: str, season: str, processor: str) -> set[tuple[str, str]]:
        """Slots and revisions that open jobs of a processor are going to make."""
        self.jobs.sites.get(site)
        return {
            (step.slot, step.revision)
            for number, job in self.jobs.kept.items()
            if (job.site, job.season, job.processor) == (site, season, processor)
            and job.status not in ENDED
            for step in self.jobs.steps_of(number)
            if step.status not in ENDED and not step.finish
        }

    def claim(self, claim: Claim) -> list[tuple[Job, StepRecord]]:
        """Lease the next steps."""
        found: list[tuple[Job, StepRecord]] = []
        room = {**claim.limits}
        for step in self._leased():
            pool = claim.pools.get(self.jobs.get(step.job_id).processor, "")
            room[pool] = room.get(pool, 0) - 1
        for step in self._ready(claim):
            pool = claim.pools.get(self.jobs.get(step.job_id).processor, "")
            if len(found) == claim.limit or (pool in claim.limits and room[pool] <= 0):
                continue
            room[pool] = room.get(pool, 0) - 1
            job = self.jobs.get(step.job_id)
            leased = claim.lease(job, step)
            self.jobs.write_step(leased)
            if job.status is Status.ACCEPTED:
                started = job.started or claim.now
                job = self.jobs.update(changed(job, Status.RUNNING, started=started))
            found.append((job, leased))
        return found

    def _ready(self, claim: Claim) -> list[StepRecord]:
        jobs = [
            job
            for job in self.jobs.kept.values()
            if job.status in _ACTIVE and claim.only in {None, job.id}
        ]
        jobs.sort(key=lambda job: (job.priority, job.id or 0))
        return [
            step
            for job in jobs
            for step in self.jobs.steps_of(job.id or 0)
            if step.status is Status.ACCEPTED and not self._waits(step)
        ]

    def _waits(self, step: StepRecord) -> bool:
        others = [item for item in self.jobs.steps_of(step.job_id) if item.id != step.id]
        awaited = [item for item in others if step.finish or item.position in step.after]
        return any(item.status is not Status.SUCCESSFUL for item in awaited)

    def _leased(self) -> list[StepRecord]:
        return [step for step in self.jobs.steps.values() if step.lease is not None]

    def renew(self, leases: Iterable[str], until: datetime) -> None:
        """Prolong leases."""
        wanted = set(leases)
        for step in self._leased():
            if step.lease in wanted:
                self.jobs.steps[step.id or 0] = replace(step, lease_until=until)

    def leases(self, owner: str) -> set[str]:
        """The leases that an owner still has."""
        return {step.lease for step in self._leased() if step.lease and self._owner(step) == owner}

    def _owner(self, step: StepRecord) -> str:
        return owner_of(step.lease or "")

    def take_back(self, now: datetime) -> list[StepRecord]:
        """Steps whose lease ran out or whose owner is gone."""
        back = [
            changed(step, Status.ACCEPTED, lease=None, lease_until=None, started=None)
            for step in self._leased()
            if (step.lease_until or now) < now or self._owner(step) not in self.services.kept
        ]
        for step in back:
            self.jobs.write_step(step)
        return back

    def commit(self, closed: Sequence[Closed], at: datetime) -> set[str]:
        """Keep what runs came to; returns the leases that were still good."""
        good = {step.lease for step in self._leased()}
        kept = [item for item in closed if item.lease in good]
        steps = [self._with_product(item) for item in kept]
        for step in steps:
            self.jobs.write_step(step)
        for number in sorted({step.job_id for step in steps}):
            self._settle(number, [step for step in steps if step.job_id == number], at)
        return {item.lease for item in kept}

    def turn(
        self, closed: Sequence[Closed], at: datetime, claim: Claim
    ) -> list[tuple[Job, StepRecord]]:
        """Keep what runs came to, then lease the next steps."""
        self.commit(closed, at)
        return self.claim(claim)

    def _with_product(self, item: Closed) -> StepRecord:
        if item.product is None:
            return item.step
        try:
            self.products.commit([item.product], item.step.job_id)
        except Sen4capError as error:
            return replace(item.step, status=Status.FAILED, reason=str(error))
        return item.step

    def _settle(self, number: int, closed: Sequence[StepRecord], at: datetime) -> None:
        steps = self.jobs.steps_of(number)
        has_failed = any(step.status is Status.FAILED for step in closed)
        if has_failed or all(step.status in ENDED for step in steps):
            self.jobs.write_change(settled(self.jobs.get(number), steps, at))
