"""Rows of jobs and steps: to values and back, and what is written with every change of status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, literal, select, update

from sen4cap.domain import Job, StartType, Status, StepRecord
from sen4cap.domain.operations import Change, owner_of
from sen4cap.store import tables
from sen4cap.store.bulk import insert_many
from sen4cap.store.rules import no_job

STEP = tables.step
JOBS = select(tables.job, tables.site.c.short_name.label("site")).join(tables.site)


def job_values(job: Job) -> dict[str, Any]:
    """Columns of a job that may change."""
    return {
        "parameters": dict(job.parameters),
        "status": str(job.status),
        "reason": job.reason,
        "submit_timestamp": job.submitted,
        "start_timestamp": job.started,
        "end_timestamp": job.ended,
        "name": job.name,
        "submitted_by": job.who,
        "start_type": str(job.why),
        "priority": job.priority,
        "nominal_date": job.nominal,
        "context": dict(job.context) or None,
    }


def job_of(row: Row[Any]) -> Job:
    """The job of a row of `JOBS`."""
    return Job(
        processor=row.processor,
        site=row.site,
        season=row.season,
        parameters=row.parameters,
        status=Status(row.status),
        reason=row.reason,
        id=row.id,
        submitted=row.submit_timestamp,
        started=row.start_timestamp,
        ended=row.end_timestamp,
        name=row.name,
        who=row.submitted_by,
        why=StartType(row.start_type),
        priority=row.priority,
        nominal=row.nominal_date,
        context=row.context or {},
    )


def step_values(step: StepRecord) -> dict[str, Any]:
    """Columns of a step that may change."""
    return {
        "status": str(step.status),
        "attempt": step.attempt,
        "losses": step.losses,
        "reason": step.reason,
        "node": step.node,
        "exit_code": step.exit_code,
        "start_timestamp": step.started,
        "end_timestamp": step.ended,
        "cpu_seconds": step.cpu_seconds,
        "peak_memory": step.peak_memory,
        "log": step.log,
        "lease": step.lease,
        "lease_until": step.lease_until,
        "owner": None if step.lease is None else owner_of(step.lease),
    }


def step_of(row: Row[Any]) -> StepRecord:
    """The step of a row."""
    return StepRecord(
        job_id=row.job_id,
        position=row.position,
        label=row.label,
        slot=row.slot,
        revision=row.revision,
        inputs=tuple(row.inputs),
        after=tuple(row.after),
        finish=row.finish,
        id=row.id,
        status=Status(row.status),
        attempt=row.attempt,
        losses=row.losses,
        reason=row.reason,
        node=row.node,
        exit_code=row.exit_code,
        started=row.start_timestamp,
        ended=row.end_timestamp,
        cpu_seconds=row.cpu_seconds,
        peak_memory=row.peak_memory,
        log=row.log,
        lease=row.lease,
        lease_until=row.lease_until,
    )


def insert_steps(connection: Connection, job_id: int, steps: Sequence[StepRecord]) -> None:
    """Add the steps of a new job."""
    rows = [
        {
            **step_values(step),
            "job_id": job_id,
            "position": step.position,
            "label": step.label,
            "slot": step.slot,
            "revision": step.revision,
            "inputs": list(step.inputs),
            "after": list(step.after),
            "waits": len(steps) - 1 if step.finish else len(step.after),
            "finish": step.finish,
        }
        for step in steps
    ]
    insert_many(connection, STEP, rows)
    same_status = select(STEP.c.id, STEP.c.status, literal("")).where(STEP.c.job_id == job_id)
    columns = ["step_id", "status", "reason"]
    connection.execute(insert(tables.step_event).from_select(columns, same_status))


def locked_job(connection: Connection, number: int | None) -> Job:
    """A job that nobody else changes before the transaction ends; `NotFound` without it."""
    query = JOBS.where(tables.job.c.id == number).with_for_update(of=tables.job)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise no_job(number)
    return job_of(row)


def steps_of(connection: Connection, number: int) -> list[StepRecord]:
    """The steps of a job by position."""
    query = select(STEP).where(STEP.c.job_id == number).order_by(STEP.c.position)
    return [step_of(row) for row in connection.execute(query)]


def write_change(connection: Connection, before: Job, change: Change) -> None:
    """Write a job and the steps of it that changed their status, each with its event."""
    job, steps = change
    assert job.id is not None
    connection.execute(
        update(tables.job).where(tables.job.c.id == job.id).values(**job_values(job))
    )
    if job.status != before.status:
        write_job_event(connection, job.id, job.status)
    write_steps(connection, steps)


def write_steps(connection: Connection, steps: Sequence[StepRecord]) -> None:
    """Write steps that changed their status, each with its event."""
    if not steps:
        return
    rows = [{**step_values(step), "of_id": step.id} for step in steps]
    names = [name for name in rows[0] if name != "of_id"]
    change = update(STEP).where(STEP.c.id == bindparam("of_id"))
    connection.execute(change.values({name: bindparam(name) for name in names}), rows)
    write_step_events(connection, steps)


def write_step_events(connection: Connection, steps: Iterable[StepRecord]) -> None:
    """Record the status that steps came to."""
    events: list[Mapping[str, Any]] = [
        {"step_id": step.id, "status": str(step.status), "reason": step.reason} for step in steps
    ]
    insert_many(connection, tables.step_event, events)


def write_job_event(connection: Connection, number: int, status: Status) -> None:
    """Record the status that a job came to."""
    connection.execute(insert(tables.job_event), {"job_id": number, "status": str(status)})


def has_open_steps(connection: Connection, number: int) -> bool:
    """Whether a job has steps that have not ended."""
    still = (str(Status.ACCEPTED), str(Status.RUNNING), str(Status.PAUSED))
    query = select(STEP.c.id).where(STEP.c.job_id == number, STEP.c.status.in_(still))
    return connection.execute(query.limit(1)).first() is not None
