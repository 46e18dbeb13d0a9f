"""Schedules in SQL, and how far each has come.

A schedule carries the version of its status: whoever changes it names the version that was read,
and changes nothing if another came first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from sen4cap.domain import StartType, Status, StepRecord
from sen4cap.domain.schedule import Repeat, Schedule, ScheduleState
from sen4cap.errors import Conflict
from sen4cap.store import tables
from sen4cap.store.engine import reading, site_id, writing
from sen4cap.store.job_rows import step_of
from sen4cap.store.rules import missing, taken

_TASK = tables.scheduled_task
_STATUS = tables.scheduled_task_status
_JOB = tables.job
_STEP = tables.step
_OPEN = (str(Status.ACCEPTED), str(Status.RUNNING), str(Status.PAUSED))
_SCHEDULES = (
    select(
        _TASK,
        _STATUS,
        tables.site.c.short_name.label("site"),
        tables.season.c.name.label("season"),
    )
    .join(_STATUS, _STATUS.c.task_id == _TASK.c.id)
    .join(tables.site, tables.site.c.id == _TASK.c.site_id)
    .join(tables.season, tables.season.c.id == _TASK.c.season_id)
)


@dataclass(frozen=True)
class SqlSchedules:
    """Schedules by name."""

    engine: Engine

    def add(self, schedules: Sequence[Schedule]) -> list[Schedule]:
        """Add schedules, all or none; returns them with their numbers.

        `Conflict` where a name is taken.
        """
        with writing(self.engine) as connection:
            names = set(connection.scalars(select(_TASK.c.name)))
            added = []
            for schedule in schedules:
                if schedule.name in names:
                    raise taken("Schedule", schedule.name)
                names.add(schedule.name)
                added.append(_insert(connection, schedule))
        return added

    def get(self, name: str) -> Schedule:
        """The schedule of a name; `NotFound` lists the known ones."""
        with reading(self.engine) as connection:
            query = _SCHEDULES.where(_TASK.c.name == name)
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                raise missing("schedule", name, connection.scalars(select(_TASK.c.name)))
        return _schedule(row)

    def all(self, site: str | None = None, season: str | None = None) -> list[Schedule]:
        """The schedules, sorted by priority and name."""
        query = _SCHEDULES
        with reading(self.engine) as connection:
            if site is not None:
                query = query.where(_TASK.c.site_id == site_id(connection, site))
            if season is not None:
                query = query.where(tables.season.c.name == season)
            found = [_schedule(row) for row in connection.execute(query).mappings()]
        return sorted(found, key=lambda item: (item.priority, item.name))

    def replace(self, schedule: Schedule) -> Schedule:
        """Give a schedule new values; `Conflict` where it was changed since it was read."""
        with writing(self.engine) as connection:
            if not _record(connection, schedule, schedule.state):
                raise overtaken(schedule.name)
            change = update(_TASK).where(_TASK.c.id == schedule.id)
            connection.execute(change.values(_task_row(schedule)))
        return changed(schedule, schedule.state)

    def record(self, before: Schedule, state: ScheduleState) -> bool:
        """Keep how far a schedule has come; False, and no change, if it is not as `before`."""
        with writing(self.engine) as connection:
            return _record(connection, before, state)

    def delete(self, name: str) -> None:
        """Remove a schedule; its jobs stay. `NotFound` where there is none."""
        number = self.get(name).id
        with writing(self.engine) as connection:
            connection.execute(delete(_TASK).where(_TASK.c.id == number))

    def job_of(self, schedule: Schedule, nominal: date) -> int | None:
        """Number of the job that the schedule asked for on behalf of a date, if there is one."""
        query = select(_JOB.c.id).where(
            _JOB.c.start_type == str(StartType.SCHEDULED),
            _JOB.c.submitted_by == schedule.who,
            _JOB.c.nominal_date == nominal,
        )
        with reading(self.engine) as connection:
            return connection.scalar(query)

    def failed(self, site: str, season: str) -> list[StepRecord]:
        """Failed steps of a season whose slot nothing is at work on now, in the order of jobs."""
        with reading(self.engine) as connection:
            jobs = (_JOB.c.season == season) & (_JOB.c.site_id == site_id(connection, site))
            mine = select(_STEP).join(_JOB, _JOB.c.id == _STEP.c.job_id).where(jobs)
            at_work = mine.with_only_columns(_STEP.c.slot).where(_STEP.c.status.in_(_OPEN))
            query = mine.where(_STEP.c.status == str(Status.FAILED), _STEP.c.slot.not_in(at_work))
            rows = connection.execute(query.order_by(_STEP.c.job_id, _STEP.c.position)).all()
        return [step_of(row) for row in rows]


def overtaken(name: str) -> Conflict:
    """The error for a schedule that changed between reading and writing."""
    return Conflict(f"Schedule '{name}' was changed by another one meanwhile: try again.")


def _insert(connection: Connection, schedule: Schedule) -> Schedule:
    site = site_id(connection, schedule.site)
    seasons = dict(
        connection.execute(
            select(tables.season.c.name, tables.season.c.id).where(tables.season.c.site_id == site)
        ).all()
    )
    if schedule.season not in seasons:
        raise missing(f"season of site '{schedule.site}' named", schedule.season, seasons)
    row = {"site_id": site, "season_id": seasons[schedule.season], **_task_row(schedule)}
    adding = insert(_TASK).values(row).returning(_TASK.c.id)
    number = connection.execute(adding).scalar_one()
    status = {"task_id": number, **_status_row(schedule.state)}
    connection.execute(insert(_STATUS), status)
    return replace(schedule, id=number)


def _record(connection: Connection, before: Schedule, state: ScheduleState) -> bool:
    change = update(_STATUS).where(
        _STATUS.c.task_id == before.id, _STATUS.c.version == before.state.version
    )
    values = {**_status_row(state), "version": before.state.version + 1}
    return connection.execute(change.values(values)).rowcount == 1


def changed(schedule: Schedule, state: ScheduleState) -> Schedule:
    """The schedule after a change of its state."""
    return replace(schedule, state=replace(state, version=state.version + 1))


def _task_row(schedule: Schedule) -> dict[str, Any]:
    return {
        "name": schedule.name,
        "processor": schedule.processor,
        "repeat_type": str(schedule.repeat),
        "repeat_after_days": schedule.every,
        "repeat_on_month_day": schedule.day,
        "first_run_date": schedule.first,
        "processor_params": dict(schedule.parameters),
        "retry_seconds": schedule.retry_seconds,
        "priority": schedule.priority,
        "enabled": schedule.enabled,
        "generation": schedule.generation,
    }


def _status_row(state: ScheduleState) -> dict[str, Any]:
    return {
        "next_schedule": state.next,
        "last_scheduled_run": state.last,
        "last_run_timestamp": state.ran,
        "last_retry_timestamp": state.tried,
        "reason": state.reason,
        "last_job_id": state.job,
        "version": state.version,
    }


def _schedule(row: Mapping[Any, Any]) -> Schedule:
    return Schedule(
        name=row["name"],
        processor=row["processor"],
        site=row["site"],
        season=row["season"],
        repeat=Repeat(row["repeat_type"]),
        first=row["first_run_date"],
        every=row["repeat_after_days"],
        day=row["repeat_on_month_day"],
        parameters=row["processor_params"],
        priority=row["priority"],
        retry_seconds=row["retry_seconds"],
        enabled=row["enabled"],
        id=row["id"],
        generation=row["generation"],
        state=ScheduleState(
            next=row["next_schedule"],
            last=row["last_scheduled_run"],
            ran=row["last_run_timestamp"],
            tried=row["last_retry_timestamp"],
            reason=row["reason"],
            job=row["last_job_id"],
            version=row["version"],
        ),
    )
