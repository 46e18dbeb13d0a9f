"""Schedules over an installation: what is waited for, what is submitted, what a copy carries."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from sen4cap.app import schedules, sites
from sen4cap.app.desk import SystemDesk
from sen4cap.app.system import System, session, sync_config
from sen4cap.domain import Asset, Job, ParcelSet, Product, ProductType, StartType, Status
from sen4cap.domain.schedule import Repeat, Schedule, ScheduleState
from sen4cap.engine.scheduler import Answer, Scheduler, Verdict
from sen4cap.errors import Conflict, InvalidParameter, NotFound
from sen4cap.processing import processors
from sen4cap.settings import Settings
from sen4cap.testing.memory import memory_store
from sen4cap.testing.memory_parcels import MemoryParcels
from sen4cap.testing.parcels import lut

DATES = ("2019-05-03", "2019-05-18", "2019-06-07")


@pytest.fixture
def system(tmp_path: Path) -> System:
    made = System(Settings(home=tmp_path), memory_store())
    sync_config(made)
    sites.create_site(made, "Flevo", timezone="Europe/Amsterdam")
    sites.create_season(made, "flevo", "2019", date(2019, 4, 1), date(2019, 10, 31))
    return made


def product(kind: ProductType, day: str, parents: Iterable[str] = ()) -> Product:
    start = datetime.fromisoformat(f"{day}T10:30").replace(tzinfo=UTC)
    names = {ProductType.L2A: ("B03", "B04", "B08", "B11"), ProductType.L3B: ("ndvi",)}
    return Product(
        name=f"{kind}_{day}",
        site="flevo",
        type=kind,
        grid="31UFU",
        start=start,
        end=start,
        revision=f"{kind}{day}",
        assets=tuple(Asset(name, f"/x/{name}.tif") for name in names.get(kind, ())),
        season="2019" if kind is ProductType.MARKERS else "",
        parents=tuple(parents),
    )


def l2a(*days: str) -> list[Product]:
    return [product(ProductType.L2A, day) for day in days]


def l3b(*days: str) -> list[Product]:
    return [product(ProductType.L3B, day, [f"l2a_{day}"]) for day in days]


def markers(*days: str) -> list[Product]:
    return [product(ProductType.MARKERS, day, [f"l3b_{day}"]) for day in days]


def declare(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parcels and a crop table for 2019."""
    declared = ParcelSet("flevo", 2019, 1, Path("/x.parquet"), "d" * 32, 5)
    monkeypatch.setattr(MemoryParcels, "current", lambda *_: declared)
    system.store.parcels.write_lut("flevo", 2019, lut())


def answer(system: System, name: str, nominal: str) -> Answer:
    schedule = system.store.schedules.get(name)
    return SystemDesk(system).answer(schedule, date.fromisoformat(nominal))


# ---- default schedules


def test_a_season_comes_with_the_default_schedules_of_what_is_installed(system: System) -> None:
    found = {item.name: (item.rhythm, str(item.first)) for item in system.store.schedules.all()}
    assert found == {
        "flevo_2019_L3B": ("daily", "2019-04-02"),
        "flevo_2019_S4C_MDB1": ("daily", "2019-04-02"),
        "flevo_2019_S4C_L4A": ("month end", "2019-07-16"),  # 1 April + 213 // 2 days
        "flevo_2019_S4C_L4B": ("every 14 days", "2019-05-01"),  # 1 April + 30 days
    }
    assert {item.state.next for item in system.store.schedules.all()} == {
        date(2019, 4, 2),
        date(2019, 5, 1),
        date(2019, 7, 16),
    }
    assert schedules.add_defaults(system, system.store.seasons.get("flevo", "2019")) == []


def test_practices_join_when_they_are_installed(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {"s4c_l4c": processors()["l3b"]}
    monkeypatch.setattr(schedules, "processors", lambda: {**processors(), **more})
    season = sites.create_season(
        system, "flevo", "winter-20", date(2019, 11, 1), date(2020, 7, 31), date(2020, 5, 1)
    )
    made = system.store.schedules.all("flevo", season.name)
    assert {(item.name, item.rhythm, str(item.first)) for item in made} >= {
        ("flevo_winter_20_S4C_L4A", "month end", "2020-05-01"),
        ("flevo_winter_20_S4C_L4B", "every 14 days", "2019-12-01"),
        ("flevo_winter_20_S4C_L4C", "every 7 days", "2019-11-08"),
    }


def test_a_season_may_come_without_schedules(system: System) -> None:
    sites.create_season(
        system, "flevo", "2020", date(2020, 4, 1), date(2020, 10, 31), schedules=False
    )
    assert system.store.schedules.all("flevo", "2020") == []


# ---- what is waited for


def test_the_first_image_is_waited_for_and_dates_before_it_are_skipped(system: System) -> None:
    name = "flevo_2019_L3B"
    assert answer(system, name, "2019-04-02") == Answer(
        Verdict.WAIT, "Waiting for the first 'l2a' of the season."
    )
    system.store.products.commit(l2a("2019-05-03"))
    assert answer(system, name, "2019-05-02") == Answer(Verdict.SKIP, "no 'l2a' up to then.")
    assert answer(system, name, "2019-05-03") == Answer(Verdict.READY)


def test_a_map_waits_for_tables_indices_and_markers_in_words(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "flevo_2019_S4C_L4A"
    system.store.products.commit(l2a(*DATES))
    assert answer(system, name, "2019-05-31").reason == (
        "Waiting for the parcels of 2019 ('sen4cap lpis import flevo 2019 …'); "
        "the crop table of 2019 ('sen4cap lpis import-lut flevo 2019 …'); "
        "2 of 2 'l3b' to be made, first 31UFU of 2019-05-03."
    )
    declare(system, monkeypatch)
    system.store.products.commit(l3b("2019-05-03", "2019-05-18"))
    assert answer(system, name, "2019-05-31").reason == (
        "Waiting for 2 of 2 's4c_mdb1' to be made, first 31UFU of 2019-05-03."
    )
    system.store.products.commit(markers("2019-05-03"))
    assert answer(system, name, "2019-05-31").reason == (
        "Waiting for 1 of 2 's4c_mdb1' to be made, first 31UFU of 2019-05-18."
    )
    system.store.products.commit(markers("2019-05-18"))
    assert answer(system, name, "2019-05-31").verdict is Verdict.READY
    assert answer(system, name, "2019-06-07").reason == (  # 7 June counts, and has no index yet
        "Waiting for 1 of 3 'l3b' to be made, first 31UFU of 2019-06-07."
    )


def test_a_product_of_former_inputs_is_no_parent(system: System) -> None:
    system.store.products.commit(l2a("2019-05-03"))
    other = replace(l3b("2019-05-03")[0], parents=("l2a_of_an_older_baseline",))
    system.store.products.commit([other])
    reason = answer(system, "flevo_2019_S4C_MDB1", "2019-05-31").reason
    assert "1 of 1 'l3b' to be made" in reason


def test_what_failed_is_accounted_for_until_it_is_tried_again(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(system, monkeypatch)
    system.store.products.commit([*l2a("2019-05-03", "2019-05-18"), *l3b("2019-05-18")])
    name = "flevo_2019_S4C_MDB1"
    assert answer(system, name, "2019-05-31").verdict is Verdict.WAIT
    schedule = system.store.schedules.get("flevo_2019_L3B")
    number = SystemDesk(system).submit(schedule, date(2019, 5, 3))
    assert answer(system, name, "2019-05-31").verdict is Verdict.WAIT
    fail(system, number)
    assert answer(system, name, "2019-05-31").verdict is Verdict.READY


def fail(system: System, number: int) -> None:
    """All steps of a job fail."""
    jobs: Any = system.store.jobs
    for step in system.store.steps.of(number):
        jobs.write_step(replace(step, status=Status.FAILED, reason="It is broken."))
    job = replace(jobs.get(number), status=Status.RUNNING)
    jobs.update(job)
    jobs.update(replace(job, status=Status.FAILED))


def test_jobs_of_a_schedule_leave_out_what_failed_three_times(system: System) -> None:
    system.store.products.commit(l2a("2019-05-03"))
    schedule = system.store.schedules.get("flevo_2019_L3B")
    for day in (3, 4, 5):
        assert answer(system, schedule.name, f"2019-05-0{day}").verdict is Verdict.READY
        fail(system, SystemDesk(system).submit(schedule, date(2019, 5, day)))
    assert answer(system, schedule.name, "2019-05-06") == Answer(
        Verdict.SKIP,
        "nothing new up to then. Left out after 3 failures: 31UFU 2019-05-03 (It is broken); "
        "'sen4cap job retry 3' tries again.",
    )
    system.store.products.commit(l2a("2019-05-06"))
    assert answer(system, schedule.name, "2019-05-06").verdict is Verdict.READY
    job = system.store.jobs.get(SystemDesk(system).submit(schedule, date(2019, 5, 6)))
    (step,) = system.store.steps.of(job.id or 0)
    assert step.label == "31UFU 2019-05-06"
    assert job.reason.startswith("Left out after 3 failures: 31UFU 2019-05-03 (It is broken)")


def test_a_disabled_season_waits(system: System) -> None:
    season = system.store.seasons.get("flevo", "2019")
    system.store.seasons.replace(replace(season, enabled=False))
    assert answer(system, "flevo_2019_L3B", "2019-05-03").reason == (
        "Season '2019' is disabled: enable it."
    )


# ---- passes


def scheduler(system: System, now: str) -> Scheduler:
    instant = datetime.fromisoformat(now).replace(tzinfo=UTC)
    return Scheduler(system.store.schedules, SystemDesk(system), lambda: instant)


def test_a_past_season_is_caught_up_with_job_after_job(system: System) -> None:
    for name in ("flevo_2019_S4C_MDB1", "flevo_2019_S4C_L4A"):
        system.store.schedules.delete(name)
    system.store.products.commit(l2a(*DATES))
    done = []
    for minute in range(30):
        done += scheduler(system, f"2020-01-01T00:{2 * minute:02}").tick()
        for job in system.store.jobs.all(statuses=[Status.ACCEPTED]):
            finish(system, job)
    jobs = [(str(item.nominal), item.job) for item in done if item.job]
    assert jobs == [("2019-05-03", 1), ("2019-05-18", 2), ("2019-06-07", 3)]
    every_day = [date(2019, 4, 2) + timedelta(days=day) for day in range(213)]
    assert [item.nominal for item in done] == every_day
    state = system.store.schedules.get("flevo_2019_L3B").state
    assert state.reason == "2019-10-31 was skipped: nothing new up to then."
    job = system.store.jobs.get(2)
    assert (job.who, job.why, job.nominal) == (
        "schedule 1.1",
        StartType.SCHEDULED,
        date(2019, 5, 18),
    )
    assert job.name == "flevo_2019_L3B"


def finish(system: System, job: Job) -> None:
    """A job's products are there and it has ended; the revisions are those it planned."""
    for step in system.store.steps.of(job.id or 0):
        made = l3b(step.inputs[0].removeprefix("l2a_"))[0]
        system.store.products.commit([replace(made, revision=step.revision)])
    running = system.store.jobs.update(replace(job, status=Status.RUNNING))
    jobs: Any = system.store.jobs
    for step in system.store.steps.of(job.id or 0):
        jobs.write_step(replace(step, status=Status.SUCCESSFUL))
    system.store.jobs.update(replace(running, status=Status.SUCCESSFUL))


def test_an_open_job_holds_back_the_next_and_nothing_else(system: System) -> None:
    system.store.products.commit(l2a(*DATES))
    first = scheduler(system, "2020-01-01T00:00").tick()
    assert [item.nominal for item in first if item.job] == [date(2019, 5, 3)]
    assert scheduler(system, "2020-01-01T00:01").tick() == []
    state = system.store.schedules.get("flevo_2019_L3B").state
    assert state.reason == "Job 1 of 2019-05-03 has not ended."
    waiting = system.store.schedules.get("flevo_2019_S4C_L4A").state
    assert waiting.reason.startswith("Waiting for the parcels of 2019")


def test_a_schedule_that_cannot_run_says_why_and_the_others_go_on(system: System) -> None:
    broken = Schedule(
        "a_broken", "gone", "flevo", "2019", Repeat.ONCE, date(2019, 4, 2), priority=1
    )
    system.store.schedules.add([replace(broken, state=ScheduleState(broken.first))])
    system.store.products.commit(l2a("2019-05-03"))
    done = scheduler(system, "2019-05-04T00:00").tick()
    assert [item.schedule for item in done if item.job] == ["flevo_2019_L3B"]
    assert system.store.schedules.get("a_broken").state.reason.startswith(
        "There is no processor 'gone'"
    )


# ---- verbs


def test_a_schedule_outside_its_season_or_with_a_wrong_parameter_is_refused(
    system: System,
) -> None:
    fine = Schedule("s", "l3b", "flevo", "2019", Repeat.ONCE, date(2019, 5, 1))
    for wrong, sentence in (
        (replace(fine, first=date(2019, 11, 1)), "lies outside season '2019'"),
        (replace(fine, parameters={"nonsense": "1"}), "is no parameter"),
        (replace(fine, parameters={"inputs": "S2"}), "'l3b' has no choice of inputs"),
    ):
        with pytest.raises(InvalidParameter, match=sentence):
            schedules.add(system, wrong)
    with pytest.raises(NotFound, match="processor 'x'"):
        schedules.add(system, replace(fine, processor="x"))
    added = schedules.add(system, replace(fine, parameters={"tiles_filter": "31UFU"}))
    assert added.parameters == {"lai.tiles_filter": "31UFU"}
    assert added.state == ScheduleState(date(2019, 5, 1))


def test_an_edit_goes_on_after_the_last_date_and_a_new_first_date_starts_anew(
    system: System,
) -> None:
    added = schedules.add(
        system,
        Schedule(
            "s",
            "l3b",
            "flevo",
            "2019",
            Repeat.CYCLE,
            date(2019, 5, 1),
            every=1,
            parameters={"filter.produce_ndwi": True},
        ),
    )
    system.store.schedules.record(
        added, ScheduleState(date(2019, 5, 11), date(2019, 5, 10), reason="Waiting.")
    )
    weekly = schedules.edit(system, "s", repeat=Repeat.CYCLE, every=7)
    assert weekly.state.next == date(2019, 5, 15)  # 1, 8, 15 May
    assert weekly.parameters == {"filter.produce_ndwi": "true"}
    assert weekly.generation == 1
    monthly = schedules.edit(system, "s", repeat=Repeat.REPEAT, day=31)
    assert (monthly.every, monthly.day, monthly.state.next) == (None, 31, date(2019, 6, 30))
    more = schedules.edit(system, "s", parameters={"filter.produce_ndti": True})
    assert sorted(more.parameters) == ["filter.produce_ndti", "filter.produce_ndwi"]
    less = schedules.edit(system, "s", unset=["filter.produce_ndwi"])
    assert less.parameters == {"filter.produce_ndti": "true"}
    anew = schedules.edit(system, "s", first=date(2019, 4, 30), priority=5)
    assert (anew.generation, anew.priority) == (2, 5)
    assert (anew.state.next, anew.state.last) == (date(2019, 4, 30), None)
    with pytest.raises(InvalidParameter, match="outside season"):
        schedules.edit(system, "s", first=date(2018, 4, 30))
    assert system.store.schedules.get("s") == anew


def test_run_now_takes_the_due_date_whatever_is_missing_and_else_runs_up_to_today(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(system, monkeypatch)
    system.store.products.commit([*l2a(*DATES), *l3b("2019-05-03"), *markers("2019-05-03")])
    name = "flevo_2019_S4C_L4A"
    assert schedules.check(system, name).state.is_waiting
    due = schedules.run_now(system, name, "anna")
    assert (due.why, due.nominal) == (StartType.SCHEDULED, date(2019, 7, 16))
    after = system.store.schedules.get(name)
    assert (after.state.next, after.state.job) == (date(2019, 8, 31), due.id)
    system.store.schedules.record(after, replace(after.state, next=None))
    extra = schedules.run_now(system, name, "anna")
    assert (extra.why, extra.who, extra.nominal) == (
        StartType.REQUESTED,
        "anna",
        date(2019, 10, 31),  # the season is over
    )


def test_conditions_and_next_dates(system: System) -> None:
    schedule = system.store.schedules.get("flevo_2019_S4C_L4A")
    july = datetime(2019, 7, 15, 21, 59, tzinfo=UTC)
    assert schedules.condition(system, schedule, july) == "planned"
    assert schedules.condition(system, schedule, july + timedelta(minutes=1)) == "due"
    assert [str(day) for day in schedules.next_dates(system, schedule)] == [
        "2019-07-16",
        "2019-08-31",
        "2019-09-30",
        "2019-10-31",
    ]
    stopped = schedules.set_enabled(system, schedule.name, False)
    assert schedules.condition(system, stopped) == "disabled"
    assert schedules.next_dates(system, stopped) == []


# ---- a copy of a season


def test_a_season_is_copied_a_year_on(system: System) -> None:
    table = lut()
    system.store.parcels.write_lut("flevo", 2019, table)
    schedules.edit(system, "flevo_2019_L3B", parameters={"filter.produce_ndwi": True}, priority=3)
    schedules.set_enabled(system, "flevo_2019_S4C_L4A", False)
    new = sites.copy_season(system, "flevo", "2019")
    assert (new.name, str(new.start), str(new.end)) == ("2020", "2020-04-01", "2020-10-31")
    copied = {item.name: item for item in system.store.schedules.all("flevo", "2020")}
    names = ("L3B", "S4C_L4A", "S4C_L4B", "S4C_MDB1")
    assert sorted(copied) == [f"flevo_2020_{name}" for name in names]
    daily, map_ = copied["flevo_2020_L3B"], copied["flevo_2020_S4C_L4A"]
    assert (daily.parameters, daily.priority) == ({"filter.produce_ndwi": "true"}, 3)
    assert daily.state == ScheduleState(date(2020, 4, 2))
    assert (map_.enabled, map_.first) == (False, date(2020, 7, 16))
    there = system.store.parcels.lut("flevo", 2020)
    assert there is not None
    assert there.equals(table.select(there.columns).sort("ori_crop"))


def test_a_copy_that_cannot_be_made_copies_nothing(system: System) -> None:
    sites.create_season(system, "flevo", "spring", date(2019, 1, 1), date(2019, 3, 1))
    with pytest.raises(InvalidParameter, match="'spring' holds no year"):
        sites.copy_season(system, "flevo", "spring")
    clash = Schedule("flevo_2020_L3B", "l3b", "flevo", "spring", Repeat.ONCE, date(2019, 2, 1))
    system.store.schedules.add([clash])
    with pytest.raises(Conflict, match="'flevo_2020_L3B' exists already"):
        sites.copy_season(system, "flevo", "2019")
    assert [item.name for item in system.store.seasons.all("flevo")] == ["spring", "2019"]


def test_a_copy_keeps_a_crop_table_that_is_there(system: System) -> None:
    system.store.parcels.write_lut("flevo", 2019, lut())
    other = lut().filter(pl.col("ori_crop") == "1")
    system.store.parcels.write_lut("flevo", 2020, other)
    sites.copy_season(system, "flevo", "2019", "next")
    kept = system.store.parcels.lut("flevo", 2020)
    assert kept is not None
    assert kept.height == 1


# ---- the command line


def call(*words: str) -> Any:
    from sen4cap.cli import app

    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_the_commands_tell_the_same_story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEN4CAP_HOME", str(tmp_path))
    call("site", "create", "Flevo")
    call("season", "create", "flevo", "2019", "--start", "2019-04-01", "--end", "2019-10-31")
    words = ["schedule", "add", "mine", "l3b", "flevo", "2019"]
    call(*words, "--first", "2019-05-01", "--every", "14", "--priority", "9")
    listed = {item["name"]: item for item in call("schedule", "list", "--site", "flevo")}
    assert len(listed) == 5
    assert listed["mine"]["condition"] == "due"
    shown = call("schedule", "show", "mine", "--count", "2")
    assert shown["dates"] == ["2019-05-01", "2019-05-15"]
    assert shown["state"]["reason"] == "Waiting for the first 'l2a' of the season."
    edited = call("schedule", "edit", "mine", "--day", "31", "--set", "filter.produce_ndwi=true")
    assert (edited["repeat"], edited["day"], edited["every"]) == ("repeat", 31, None)
    assert edited["parameters"] == {"filter.produce_ndwi": "true"}
    assert call("schedule", "disable", "mine")["enabled"] is False
    assert call("schedule", "enable", "mine")["enabled"] is True
    call("schedule", "delete", "mine")
    call("schedule", "delete", "flevo_2019_L3B")
    added = call("schedule", "defaults", "flevo", "2019")
    assert [item["name"] for item in added] == ["flevo_2019_L3B"]
    assert call("season", "copy", "flevo", "2019")["name"] == "2020"
    with session() as here:
        assert len(here.store.schedules.all()) == 8
