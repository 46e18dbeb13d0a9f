"""Jobs and the processors they run, in SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine, delete, insert, select, update

from sen4cap.domain import Job, Status, StepRecord
from sen4cap.domain.job import check_transition
from sen4cap.domain.operations import Change, check_deletable
from sen4cap.errors import Conflict
from sen4cap.processing import Processor
from sen4cap.store import tables
from sen4cap.store.bulk import upsert
from sen4cap.store.engine import reading, site_id, writing
from sen4cap.store.job_rows import (
    JOBS,
    insert_steps,
    job_of,
    job_values,
    locked_job,
    steps_of,
    write_change,
    write_job_event,
)
from sen4cap.store.rules import no_job

_PROCESSORS = select(
    tables.processor.c.short_name,
    tables.processor.c.name,
    tables.processor.c.description,
    tables.processor.c.version,
)


@dataclass(frozen=True)
class SqlJobs:
    """Jobs by number, and each change of their status."""

    engine: Engine

    def add(self, job: Job, steps: Sequence[StepRecord] = ()) -> Job:
        """Add a job with its steps; returns it with its number. `Conflict` where it has one."""
        if job.id is not None:
            raise Conflict(f"Job {job.id} was added before: update it.")
        with writing(self.engine) as connection:
            number = site_id(connection, job.site)
            row = {"processor": job.processor, "site_id": number, "season": job.season}
            adding = insert(tables.job).values({**row, **job_values(job)})
            added = connection.execute(adding.returning(tables.job.c.id)).scalar_one()
            write_job_event(connection, added, job.status)
            insert_steps(connection, added, steps)
        return replace(job, id=added)

    def update(self, job: Job) -> Job:
        """Store status, reason, times and parameters; `Conflict` for a forbidden change."""
        with writing(self.engine) as connection:
            before = locked_job(connection, job.id)
            if before.status != job.status:
                check_transition(before.status, job.status)
            write_change(connection, before, (job, []))
        return job

    def change(self, number: int, operation: Callable[[Job, Sequence[StepRecord]], Change]) -> Job:
        """Do an operation of `sen4cap.domain.operations` on a job and its steps."""
        with writing(self.engine) as connection:
            before = locked_job(connection, number)
            change = operation(before, steps_of(connection, number))
            write_change(connection, before, change)
        return change[0]

    def delete(self, number: int) -> None:
        """Remove a job that has ended, with its steps; its products stay."""
        with writing(self.engine) as connection:
            check_deletable(locked_job(connection, number))
            product = tables.product
            orphans = update(product).where(product.c.job_id == number)
            connection.execute(orphans.values(job_id=None))
            steps = select(tables.step.c.id).where(tables.step.c.job_id == number)
            for table, column, which in (
                (tables.step_event, tables.step_event.c.step_id, steps),
                (tables.step, tables.step.c.job_id, [number]),
                (tables.job_event, tables.job_event.c.job_id, [number]),
                (tables.job, tables.job.c.id, [number]),
            ):
                connection.execute(delete(table).where(column.in_(which)))

    def get(self, number: int) -> Job:
        """The job of a number; `NotFound` where there is none."""
        with reading(self.engine) as connection:
            row = connection.execute(JOBS.where(tables.job.c.id == number)).one_or_none()
        if row is None:
            raise no_job(number)
        return job_of(row)

    def all(
        self, site: str | None = None, limit: int = 100, statuses: Iterable[Status] = ()
    ) -> list[Job]:
        """The newest jobs, newest first."""
        query = JOBS.order_by(tables.job.c.id.desc()).limit(limit)
        wanted = [str(status) for status in statuses]
        with reading(self.engine) as connection:
            if site is not None:
                query = query.where(tables.job.c.site_id == site_id(connection, site))
            if wanted:
                query = query.where(tables.job.c.status.in_(wanted))
            return [job_of(row) for row in connection.execute(query)]

    def history(self, number: int) -> list[tuple[Status, datetime]]:
        """Each status a job had and the instant it came to it, oldest first."""
        self.get(number)
        event = tables.job_event.c
        query = select(event.status, event.timestamp).where(event.job_id == number)
        with reading(self.engine) as connection:
            rows = connection.execute(query.order_by(event.id))
            return [(Status(status), instant) for status, instant in rows]


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
