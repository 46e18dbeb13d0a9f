"""Steps in SQL: who may run which, and what came of it.

The job's row is the lock: whoever claims or closes steps of a job holds it, so that two
orchestrators cannot both overlook that the last step has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, bindparam, func, or_, select, text, update

from sen4cap.domain import Job, Status, StepRecord
from sen4cap.domain.job import changed
from sen4cap.domain.operations import Claim, Closed, settled
from sen4cap.errors import Sen4capError
from sen4cap.store import tables
from sen4cap.store.engine import reading, site_id, writing
from sen4cap.store.job_rows import (
    JOBS,
    STEP,
    has_open_steps,
    job_of,
    step_of,
    steps_of,
    write_change,
    write_steps,
)
from sen4cap.store.products import commit_products
from sen4cap.store.rules import no_step

JOB = tables.job
_ACTIVE = (str(Status.ACCEPTED), str(Status.RUNNING))
_ORDER = (JOB.c.priority, JOB.c.id)
POOL_LOCK = 0x53344350
"""Number of the lock that lets one orchestrator at a time count the pools."""


@dataclass(frozen=True)
class SqlSteps:
    """Steps of jobs."""

    engine: Engine

    def of(self, job: int) -> list[StepRecord]:
        """The steps of a job by position."""
        with reading(self.engine) as connection:
            return steps_of(connection, job)

    def get(self, number: int) -> StepRecord:
        """The step of a number; `NotFound` where there is none."""
        with reading(self.engine) as connection:
            row = connection.execute(select(STEP).where(STEP.c.id == number)).one_or_none()
        if row is None:
            raise no_step(number)
        return step_of(row)

    def counts(self, jobs: Sequence[int]) -> dict[int, dict[Status, int]]:
        """How many steps of each status jobs have."""
        found: dict[int, dict[Status, int]] = {number: {} for number in jobs}
        query = select(STEP.c.job_id, STEP.c.status, func.count()).where(STEP.c.job_id.in_(jobs))
        with reading(self.engine) as connection:
            rows = connection.execute(query.group_by(STEP.c.job_id, STEP.c.status))
            for number, status, count in rows:
                found[number][Status(status)] = count
        return found

    def history(self, number: int) -> list[tuple[Status, datetime]]:
        """Each status a step had and the instant it came to it, oldest first."""
        event = tables.step_event.c
        query = select(event.status, event.timestamp).where(event.step_id == number)
        with reading(self.engine) as connection:
            rows = connection.execute(query.order_by(event.id))
            return [(Status(status), instant) for status, instant in rows]

    def pending(self, site: str, season: str, processor: str) -> set[tuple[str, str]]:
        """Slots and revisions that open jobs of a processor are going to make."""
        is_open = (*_ACTIVE, str(Status.PAUSED))
        with reading(self.engine) as connection:
            query = (
                select(STEP.c.slot, STEP.c.revision)
                .join(JOB, JOB.c.id == STEP.c.job_id)
                .where(JOB.c.site_id == site_id(connection, site), JOB.c.season == season)
                .where(JOB.c.processor == processor, JOB.c.status.in_(is_open))
                .where(STEP.c.status.in_(is_open), ~STEP.c.finish)
            )
            return {(slot, revision) for slot, revision in connection.execute(query)}

    def claim(self, claim: Claim) -> list[tuple[Job, StepRecord]]:
        """Lease the next steps, by the priority and number of their job and by position."""
        with reading(self.engine) as connection:
            if connection.execute(_candidates(claim).limit(1)).first() is None:
                return []
        with writing(self.engine) as connection:
            return _claimed(connection, claim)

    def renew(self, leases: Iterable[str], until: datetime) -> None:
        """Prolong leases; those that are no longer good stay so."""
        wanted = sorted(leases)
        if wanted:
            with writing(self.engine) as connection:
                mine = update(STEP).where(STEP.c.lease.in_(wanted))
                connection.execute(mine.values(lease_until=until))

    def leases(self, owner: str) -> set[str]:
        """The leases that an owner still has."""
        with reading(self.engine) as connection:
            query = select(STEP.c.lease).where(STEP.c.owner == owner)
            return {lease for (lease,) in connection.execute(query)}

    def take_back(self, now: datetime) -> list[StepRecord]:
        """Steps whose lease ran out or whose owner is gone; they are accepted again."""
        owners = select(tables.service.c.token)
        lost = select(STEP).where(
            STEP.c.status == str(Status.RUNNING),
            STEP.c.owner.is_not(None),
            or_(STEP.c.lease_until < now, STEP.c.owner.not_in(owners)),
        )
        with reading(self.engine) as connection:
            if connection.execute(lost.limit(1)).first() is None:
                return []
        with writing(self.engine) as connection:
            rows = connection.execute(lost.with_for_update(skip_locked=True)).all()
            back = [
                changed(step_of(row), Status.ACCEPTED, lease=None, lease_until=None, started=None)
                for row in rows
            ]
            write_steps(connection, back)
        return back

    def commit(self, closed: Sequence[Closed], at: datetime) -> set[str]:
        """Keep what runs came to, products and all; returns the leases that were still good.

        One transaction. A job ends with its last step; what waits for a failed one is dismissed.
        """
        if not closed:
            return set()
        with writing(self.engine) as connection:
            return _kept(connection, closed, at)

    def turn(
        self, closed: Sequence[Closed], at: datetime, claim: Claim
    ) -> list[tuple[Job, StepRecord]]:
        """`commit` what runs came to, then `claim`, in one transaction; returns what is leased."""
        if not closed:
            return self.claim(claim)
        with writing(self.engine) as connection:
            _kept(connection, closed, at)
            return _claimed(connection, claim)


def _kept(connection: Connection, closed: Sequence[Closed], at: datetime) -> set[str]:
    jobs = _locked_jobs(connection, {item.step.job_id for item in closed})
    good = _held(connection, [item.lease for item in closed])
    kept = [item for item in closed if item.lease in good]
    steps = [_with_product(connection, item) for item in kept]
    write_steps(connection, steps)
    _release(connection, [step for step in steps if step.status is Status.SUCCESSFUL])
    for number in sorted({step.job_id for step in steps}):
        _settle(connection, jobs[number], steps, at)
    return {item.lease for item in kept}


def _candidates(claim: Claim, full: Sequence[str] = ()) -> Select[Any]:
    """Active jobs with a step that could start, the most urgent first; none of full pools."""
    ready = select(STEP.c.id).where(
        STEP.c.job_id == JOB.c.id, STEP.c.status == str(Status.ACCEPTED), STEP.c.waits == 0
    )
    query = JOBS.where(JOB.c.status.in_(_ACTIVE), ready.exists()).order_by(*_ORDER)
    if full:
        query = query.where(JOB.c.processor.not_in(full))
    return query if claim.only is None else query.where(JOB.c.id == claim.only)


def _claimed(connection: Connection, claim: Claim) -> list[tuple[Job, StepRecord]]:
    found: list[tuple[Job, StepRecord]] = []
    room = _room(connection, claim)
    full = [name for name, pool in claim.pools.items() if room.get(pool, 1) <= 0]
    lock = _candidates(claim, full).with_for_update(of=JOB, skip_locked=True)
    for row in connection.execute(lock.limit(claim.limit)).all():
        job = job_of(row)
        pool = claim.pools.get(job.processor, "")
        free = min(claim.limit - len(found), room.get(pool, claim.limit))
        steps = _leased(connection, job, claim, free) if free > 0 else []
        if pool in room:
            room[pool] -= len(steps)
        if steps and job.status is Status.ACCEPTED:
            begun = changed(job, Status.RUNNING, started=job.started or claim.now)
            write_change(connection, job, (begun, []))
            job = begun
        found += [(job, step) for step in steps]
    return found


def _leased(connection: Connection, job: Job, claim: Claim, limit: int) -> list[StepRecord]:
    ready = (
        select(STEP)
        .where(STEP.c.job_id == job.id, STEP.c.status == str(Status.ACCEPTED), STEP.c.waits == 0)
        .order_by(STEP.c.position)
        .limit(limit)
    )
    steps = [
        claim.lease(job, step_of(row))
        for row in connection.execute(ready.with_for_update(skip_locked=True))
    ]
    write_steps(connection, steps)
    return steps


def _room(connection: Connection, claim: Claim) -> dict[str, int]:
    """How many steps each pool with a limit can still take."""
    room = dict(claim.limits)
    if not room:
        return room
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": POOL_LOCK})
    running = (
        select(JOB.c.processor, func.count())
        .join(STEP, STEP.c.job_id == JOB.c.id)
        .where(STEP.c.owner.is_not(None))
        .group_by(JOB.c.processor)
    )
    for processor, count in connection.execute(running):
        pool = claim.pools.get(processor, "")
        if pool in room:
            room[pool] -= count
    return room


def _locked_jobs(connection: Connection, numbers: Iterable[int]) -> dict[int, Job]:
    """Jobs that are still there, in the one order in which everybody locks them."""
    wanted = JOBS.where(JOB.c.id.in_(sorted(numbers))).order_by(JOB.c.id)
    rows = connection.execute(wanted.with_for_update(of=JOB))
    return {row.id: job_of(row) for row in rows}


def _held(connection: Connection, leases: Sequence[str]) -> set[str]:
    query = select(STEP.c.lease).where(STEP.c.lease.in_(leases)).with_for_update()
    return {lease for (lease,) in connection.execute(query)}


def _with_product(connection: Connection, item: Closed) -> StepRecord:
    """The step as it is to be, its product committed; it fails where the product is refused."""
    if item.product is None:
        return item.step
    try:
        with connection.begin_nested():
            commit_products(connection, [item.product], item.step.job_id)
    except Sen4capError as error:
        return replace(item.step, status=Status.FAILED, reason=str(error))
    return item.step


def _release(connection: Connection, done: Sequence[StepRecord]) -> None:
    """Tell the steps that wait for others that these are done."""
    for number in sorted({step.job_id for step in done}):
        places = {step.position for step in done if step.job_id == number}
        query = select(STEP.c.id, STEP.c.after, STEP.c.finish).where(
            STEP.c.job_id == number, tables.is_waiting
        )
        fewer = [
            {"of_id": row.id, "less": len(places) if row.finish else len(places & set(row.after))}
            for row in connection.execute(query).all()
        ]
        if fewer:
            change = update(STEP).where(STEP.c.id == bindparam("of_id"))
            connection.execute(change.values(waits=STEP.c.waits - bindparam("less")), fewer)


def _settle(connection: Connection, job: Job, steps: Sequence[StepRecord], at: datetime) -> None:
    """Let a job end whose last step has ended, and what waits for a step that has failed."""
    assert job.id is not None
    has_failed = any(step.job_id == job.id and step.status is Status.FAILED for step in steps)
    if has_failed or not has_open_steps(connection, job.id):
        write_change(connection, job, settled(job, steps_of(connection, job.id), at))
