"""Jobs and the processors they run, in SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, update

from sen4cap.domain import Job, Status
from sen4cap.domain.job import check_transition
from sen4cap.errors import Conflict
from sen4cap.processing import Processor
from sen4cap.store import tables
from sen4cap.store.bulk import upsert
from sen4cap.store.engine import reading, site_id, writing
from sen4cap.store.rules import no_job

_PROCESSORS = select(
    tables.processor.c.short_name,
    tables.processor.c.name,
    tables.processor.c.description,
    tables.processor.c.version,
)
_JOBS = select(tables.job, tables.site.c.short_name.label("site")).join(tables.site)


@dataclass(frozen=True)
class SqlJobs:
    """Jobs by number, and each change of their status."""

    engine: Engine

    def add(self, job: Job) -> Job:
        """Add a job; returns it with its number. `Conflict` where it has one."""
        if job.id is not None:
            raise Conflict(f"Job {job.id} was added before: update it.")
        with writing(self.engine) as connection:
            number = site_id(connection, job.site)
            row = {"processor": job.processor, "site_id": number, "season": job.season}
            adding = insert(tables.job).values({**row, **_progress(job)})
            added = connection.execute(adding.returning(tables.job.c.id)).scalar_one()
            _record(connection, added, job.status)
        return replace(job, id=added)

    def update(self, job: Job) -> Job:
        """Store status, reason, times and parameters; `Conflict` for a forbidden change."""
        with writing(self.engine) as connection:
            table = tables.job.c
            now = connection.scalar(
                select(table.status).where(table.id == job.id).with_for_update()
            )
            if now is None or job.id is None:
                raise no_job(job.id)
            if now != job.status:
                check_transition(Status(now), job.status)
                _record(connection, job.id, job.status)
            change = update(tables.job).where(table.id == job.id)
            connection.execute(change.values(_progress(job)))
        return job

    def get(self, number: int) -> Job:
        """The job of a number; `NotFound` where there is none."""
        with reading(self.engine) as connection:
            row = connection.execute(_JOBS.where(tables.job.c.id == number)).one_or_none()
        if row is None:
            raise no_job(number)
        return _job(row)

    def all(self, site: str | None = None, limit: int = 100) -> list[Job]:
        """The newest jobs, newest first."""
        query = _JOBS.order_by(tables.job.c.id.desc()).limit(limit)
        with reading(self.engine) as connection:
            if site is not None:
                query = query.where(tables.job.c.site_id == site_id(connection, site))
            return [_job(row) for row in connection.execute(query)]

    def history(self, number: int) -> list[tuple[Status, datetime]]:
        """Each status a job had and the instant it came to it, oldest first."""
        self.get(number)
        event = tables.job_event.c
        query = select(event.status, event.timestamp).where(event.job_id == number)
        with reading(self.engine) as connection:
            rows = connection.execute(query.order_by(event.id))
            return [(Status(status), instant) for status, instant in rows]


def _record(connection: Connection, number: int, status: Status) -> None:
    connection.execute(insert(tables.job_event), {"job_id": number, "status": str(status)})


def _progress(job: Job) -> dict[str, Any]:
    return {
        "parameters": dict(job.parameters),
        "status": str(job.status),
        "reason": job.reason,
        "submit_timestamp": job.submitted,
        "start_timestamp": job.started,
        "end_timestamp": job.ended,
    }


def _job(row: Row[Any]) -> Job:
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
    )


@dataclass(frozen=True)
class SqlProcessors:
    """The processors that were installed at the last upgrade, for those who read in SQL."""

    engine: Engine

    def sync(self, processors: Iterable[Processor]) -> None:
        """Add or update the rows of processors; those of absent ones stay."""
        rows = [
            {
                "short_name": item.id,
                "name": item.title,
                "description": item.description,
                "version": item.version,
            }
            for item in processors
        ]
        with reading(self.engine) as connection:
            known = [dict(row) for row in connection.execute(_PROCESSORS).mappings()]
        changed = [row for row in rows if row not in known]
        if changed:
            with writing(self.engine) as connection:
                upsert(connection, tables.processor, changed, "short_name")

    def versions(self) -> dict[str, str]:
        """Version by short name, sorted."""
        query = select(tables.processor.c.short_name, tables.processor.c.version)
        with reading(self.engine) as connection:
            return dict(sorted(connection.execute(query).all()))
