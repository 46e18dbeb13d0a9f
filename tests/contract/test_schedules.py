"""What every store does alike with schedules. Expected values follow from the port's words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from sen4cap.app.ports import Store
from sen4cap.domain import Job, Season, Site, StartType, Status, StepRecord
from sen4cap.domain.schedule import Repeat, Schedule, ScheduleState
from sen4cap.errors import Conflict, InputRefused, NotFound

DAY = date(2019, 5, 1)
NOON = datetime(2019, 5, 1, 12, tzinfo=UTC)


def schedule(name: str, **more: Any) -> Schedule:
    fields = {"repeat": Repeat.CYCLE, "every": 14, "state": ScheduleState(DAY), **more}
    return Schedule(name, "l3b", "flevo", "2019", first=DAY, **fields)


@pytest.fixture
def seasoned(store: Store) -> Store:
    store.sites.add(Site("Flevoland", "flevo", "Europe/Amsterdam"))
    store.sites.add(Site("Lux", "lux"))
    for name, year in (("2019", 2019), ("2020", 2020)):
        store.seasons.add(Season("flevo", name, date(year, 4, 1), date(year, 10, 31)))
    return store


def test_schedules_come_back_as_they_went_in(seasoned: Store) -> None:
    full = schedule(
        "full",
        repeat=Repeat.REPEAT,
        every=None,
        day=31,
        parameters={"inputs": "S2", "lai.tiles_filter": "31UFU"},
        priority=7,
        retry_seconds=5,
        enabled=False,
        generation=3,
        state=ScheduleState(DAY, date(2019, 4, 30), NOON, NOON, "Waiting.", None),
    )
    (added,) = seasoned.schedules.add([full])
    assert added == replace(full, id=added.id)
    assert seasoned.schedules.get("full") == added
    once = seasoned.schedules.add([schedule("once", repeat=Repeat.ONCE, every=None)])[0]
    assert seasoned.schedules.all() == [added, once]  # priority 7 before 100
    assert seasoned.schedules.all("flevo", "2020") == []
    assert seasoned.schedules.all("lux") == []


def test_of_several_schedules_all_are_added_or_none(seasoned: Store) -> None:
    seasoned.schedules.add([schedule("b")])
    with pytest.raises(Conflict, match="Schedule 'b' exists already"):
        seasoned.schedules.add([schedule("a"), schedule("b")])
    with pytest.raises(Conflict, match="Schedule 'c' exists already"):
        seasoned.schedules.add([schedule("c"), schedule("c")])
    with pytest.raises(
        NotFound, match="season of site 'flevo' named '2021'; there are: 2019, 2020"
    ):
        seasoned.schedules.add([schedule("a"), replace(schedule("d"), season="2021")])
    with pytest.raises(InputRefused):
        seasoned.schedules.add([schedule("a"), schedule("e", parameters={"x": float("nan")})])
    assert [item.name for item in seasoned.schedules.all()] == ["b"]


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.schedules.get("x"),
        lambda store: store.schedules.delete("x"),
        lambda store: store.schedules.all("nowhere"),
        lambda store: store.schedules.failed("nowhere", "2019"),
    ],
)
def test_what_is_not_there_is_not_found(seasoned: Store, call: Any) -> None:
    seasoned.schedules.add([schedule("known")])
    with pytest.raises(NotFound, match=r"known|flevo, lux"):
        call(seasoned)


def test_progress_is_kept_once_per_reading(seasoned: Store) -> None:
    (before,) = seasoned.schedules.add([schedule("s")])
    number = seasoned.jobs.add(Job("l3b", "flevo", "2019")).id
    moved = ScheduleState(date(2019, 5, 15), DAY, NOON, None, "", number)
    assert seasoned.schedules.record(before, moved)
    assert not seasoned.schedules.record(before, ScheduleState(None))
    now = seasoned.schedules.get("s")
    assert now.state == replace(moved, version=1)
    assert seasoned.schedules.record(now, replace(now.state, reason="Waiting.", tried=NOON))
    assert seasoned.schedules.get("s").state == replace(
        moved, version=2, reason="Waiting.", tried=NOON
    )


def test_a_change_between_reading_and_writing_is_seen(seasoned: Store) -> None:
    (before,) = seasoned.schedules.add([schedule("s")])
    edited = seasoned.schedules.replace(replace(before, every=7, parameters={"a": "1"}))
    assert edited == replace(before, every=7, parameters={"a": "1"}, state=edited.state)
    assert seasoned.schedules.get("s") == edited
    assert not seasoned.schedules.record(before, ScheduleState(None))
    with pytest.raises(Conflict, match="'s' was changed by another one"):
        seasoned.schedules.replace(replace(before, every=9))
    assert seasoned.schedules.get("s") == edited


def test_a_number_is_never_given_again(seasoned: Store) -> None:
    first, second = seasoned.schedules.add([schedule("a"), schedule("b")])
    seasoned.schedules.delete("b")
    (third,) = seasoned.schedules.add([schedule("b")])
    assert len({first.who, second.who, third.who}) == 3
    assert not seasoned.schedules.record(second, ScheduleState(None))
    assert seasoned.schedules.get("b") == third


def test_the_job_of_a_date_is_found_and_not_made_twice(seasoned: Store) -> None:
    (asker, other) = seasoned.schedules.add([schedule("a"), schedule("b")])
    job = Job("l3b", "flevo", "2019", who=asker.who, why=StartType.SCHEDULED, nominal=DAY)
    added = seasoned.jobs.add(job)
    assert seasoned.schedules.job_of(asker, DAY) == added.id
    assert seasoned.schedules.job_of(asker, date(2019, 5, 2)) is None
    assert seasoned.schedules.job_of(other, DAY) is None
    assert seasoned.schedules.job_of(replace(asker, generation=2), DAY) is None
    with pytest.raises(Conflict, match="another one came first"):
        seasoned.jobs.add(job)
    seasoned.jobs.add(replace(job, nominal=date(2019, 5, 2)))
    seasoned.jobs.add(replace(job, who=other.who))
    for _ in range(2):  # what people ask for, they may ask for again
        seasoned.jobs.add(replace(job, why=StartType.REQUESTED))
    assert len(seasoned.jobs.all("flevo")) == 5


def test_a_deleted_job_leaves_its_schedule(seasoned: Store) -> None:
    (before,) = seasoned.schedules.add([schedule("s")])
    job = seasoned.jobs.add(Job("l3b", "flevo", "2019", status=Status.ACCEPTED))
    seasoned.schedules.record(before, replace(before.state, job=job.id))
    seasoned.jobs.update(replace(job, status=Status.DISMISSED))
    seasoned.jobs.delete(job.id or 0)
    assert seasoned.schedules.get("s").name == "s"


def test_failures_are_told_where_nothing_is_at_work(seasoned: Store) -> None:
    def job(*steps: tuple[str, str, Status], season: str = "2019") -> None:
        records = [
            StepRecord(0, place, slot, slot, revision, status=status)
            for place, (slot, revision, status) in enumerate(steps)
        ]
        seasoned.jobs.add(Job("l3b", "flevo", season), records)

    failed = Status.FAILED
    job(("bad", "r1", failed), ("late", "r1", failed), ("good", "r1", Status.SUCCESSFUL))
    job(("bad", "r1", failed), ("bad2", "r1", Status.DISMISSED))
    job(("bad", "r2", failed), ("late", "r2", Status.ACCEPTED))
    job(("elsewhere", "r1", failed), season="2020")
    found = seasoned.schedules.failed("flevo", "2019")
    assert [(step.slot, step.revision) for step in found] == [
        *(("bad", "r1"), ("bad", "r1")),
        ("bad", "r2"),
    ]
    assert [step.job_id for step in found] == sorted({step.job_id for step in found})
    assert seasoned.schedules.failed("lux", "2019") == []
