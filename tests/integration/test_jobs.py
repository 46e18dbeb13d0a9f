"""Jobs on an installation of its own: submitted, run here and now, repeated, triggered."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sen4cap.app import jobs, running
from sen4cap.app import worker as app_worker
from sen4cap.app.system import System, session
from sen4cap.app.triggers import Triggers
from sen4cap.cli import app
from sen4cap.domain import Ending, Job, Product, ProductType, Service, StartType, Status
from sen4cap.engine.inline import InlineExecutor
from sen4cap.errors import InvalidParameter, NoInput, NotFound, UnreadableFile
from sen4cap.processing import Context, Step, Task
from sen4cap.settings import Settings
from sen4cap.testing.crash import SEASON, SITE, populate

SCENES = 3
"""At 10:50 and 22:50 UTC of 1 January, and at 10:50 of 2 January 2019."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[System]:
    with session(Settings(home=tmp_path / "home", cores=1)) as system:
        populate(system, tmp_path / "scenes", SCENES)
        yield system


def statuses(system: System, job: Job) -> str:
    return "".join(step.status[0] for step in system.store.steps.of(job.id or 0))


def test_a_job_is_run_here_without_services(here: System) -> None:
    told: list[tuple[float, str]] = []
    outcome = jobs.run(here, "l3b", SITE, SEASON, None, lambda *words: told.append(words))
    assert outcome.job.status is Status.SUCCESSFUL
    assert (len(outcome.made), outcome.standing) == (SCENES, 0)
    assert [message for _, message in told if "of 3" in message] == [
        f"Vegetation indices and LAI: {number} of 3" for number in (1, 2, 3)
    ]
    assert told[-1] == (1.0, "Vegetation indices and LAI: done")
    assert statuses(here, outcome.job) == "sss"
    assert here.store.services.all() == []
    assert '"event": "done"' in jobs.log_of(here, outcome.job.id or 0, 0)
    again = jobs.run(here, "l3b", SITE, SEASON)
    assert (again.job.status, again.made, again.standing) == (Status.SUCCESSFUL, (), SCENES)


def test_the_command_of_a_step_does_what_the_step_does(here: System) -> None:
    job = jobs.submit(here, "l3b", SITE, SEASON, {"produce-rvi": True}, nominal=date(2019, 1, 2))
    step = jobs.step_at(here, job.id or 0, 1)
    command = shlex.split(jobs.command_of(job, step))
    assert command[:7] == ["sen4cap", "run", "l3b", SITE, SEASON, "--slot", step.slot]
    environment = {"SEN4CAP_HOME": str(here.settings.home)}
    done = CliRunner().invoke(app, command[1:], env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    made = here.store.products.current(step.slot)
    assert made is not None
    assert made.revision == step.revision
    assert len(here.store.products.search(SITE, types=[ProductType.L3B])) == 1
    with pytest.raises(NotFound, match="makes nothing for slot 'x'"):
        jobs.run(here, "l3b", SITE, SEASON, slot="x")
    with pytest.raises(NotFound, match="has no step 3: its steps are 0 to 2"):
        jobs.step_at(here, job.id or 0, 3)


def test_inputs_go_up_to_the_nominal_day(here: System) -> None:
    job = jobs.submit(here, "l3b", SITE, SEASON, nominal=date(2019, 1, 1))
    assert len(here.store.steps.of(job.id or 0)) == 2
    with pytest.raises(InvalidParameter, match="2020-01-01 lies outside season '2019'"):
        jobs.submit(here, "l3b", SITE, SEASON, nominal=date(2020, 1, 1))


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        (("l9", SITE, SEASON), NotFound, "no processor 'l9'"),
        (("l3b", "nowhere", SEASON), NotFound, "no site 'nowhere'"),
        (("l3b", SITE, "1999"), NotFound, "'1999'"),
        (("l3b", SITE, SEASON, {"nonsense": 1}), InvalidParameter, "nonsense is no parameter"),
        (("s4c_mdb1", SITE, SEASON), NoInput, "has no parcels for 2019"),
        (("l3b", SITE, SEASON, {"tiles-filter": "99XXX"}), NoInput, "no product of type 'l2a'"),
    ],
)
def test_a_job_that_cannot_work_is_refused_at_once(
    here: System, words: tuple[str, ...], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        jobs.submit(here, *words)
    assert here.store.jobs.all() == []


def test_a_failed_step_is_retried_when_its_cause_is_gone(here: System, tmp_path: Path) -> None:
    path = tmp_path / "scenes" / "B04.tif"
    whole = path.read_bytes()
    path.write_bytes(b"nothing")
    with pytest.raises(UnreadableFile) as caught:
        jobs.run(here, "l3b", SITE, SEASON)
    (job,) = here.store.jobs.all()
    assert (job.status, job.reason) == (Status.FAILED, str(caught.value))
    assert job.reason.startswith("3 of 3 steps failed; the first: ")
    assert statuses(here, job) == "fff"
    path.write_bytes(whole)
    job = jobs.retry(here, job.id or 0)
    assert running.drive(here, job, lambda *_: None).status is Status.SUCCESSFUL
    assert [step.attempt for step in here.store.steps.of(job.id or 0)] == [2, 2, 2]


def test_an_interrupted_job_is_dismissed(here: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_task: Task) -> Product:
        raise KeyboardInterrupt

    monkeypatch.setattr(app_worker, "run_task", interrupted)
    with pytest.raises(KeyboardInterrupt):
        jobs.run(here, "l3b", SITE, SEASON)
    (job,) = here.store.jobs.all()
    assert (job.status, job.reason) == (
        Status.DISMISSED,
        "It was interrupted; what was made stays.",
    )
    assert here.store.services.all() == []


@pytest.mark.parametrize("handler", [signal.default_int_handler, lambda *_: sys.exit()])
def test_a_step_run_here_ends_when_its_lease_is_gone(here: System, handler: Any) -> None:
    """dask-jobqueue, where it is imported, makes an exit of each interrupt."""

    def slow(_task: Task) -> None:
        while True:
            time.sleep(0.01)

    context = Context(here.store.sites.get(SITE), here.store.seasons.get(SITE, SEASON), Path("/x"))
    task = Task("l3b", {}, Step((), "slot"), context)
    executor = InlineExecutor(slow, lambda _lease: False, beat_seconds=0.05)
    before = threading.active_count()
    former = signal.signal(signal.SIGINT, handler)
    try:
        executor.submit("us-1-1", task)
    finally:
        signal.signal(signal.SIGINT, former)
    (ended,) = executor.poll()
    assert (ended.lease, ended.kind, ended.error) == ("us-1-1", Ending.KILLED, "")
    assert threading.active_count() == before
    assert executor.error is None


def test_new_products_trigger_what_is_made_from_them_once(here: System) -> None:
    triggers = Triggers(here)
    (job,) = triggers.pull()
    assert (job.processor, job.why, statuses(here, job)) == ("l3b", StartType.TRIGGERED, "aaa")
    assert triggers.pull() == []
    scene = here.store.products.get("L2A_0000")
    new = datetime(2019, 3, 1, 10, 50, tzinfo=UTC)
    here.store.products.commit([replace(scene, name="new", start=new, end=new, revision="n" * 32)])
    (second,) = triggers.pull()
    assert statuses(here, second) == "a", "what another job is going to make is not asked for again"
    outside = datetime(2021, 3, 1, 10, 50, tzinfo=UTC)
    late = replace(scene, name="late", start=outside, end=outside, revision="l" * 32)
    here.store.products.commit([late])
    assert triggers.pull() == []
    season = here.store.seasons.get(SITE, SEASON)
    here.store.seasons.replace(replace(season, enabled=False))
    here.store.products.commit([replace(scene, name="off", start=new, end=new, revision="o" * 32)])
    assert triggers.pull() == []
    assert here.store.arrivals.all() == []


def arrive(system: System, day: int, **values: Any) -> None:
    """A scene of some day of March that is like the first."""
    when = datetime(2019, 3, day, 10, 50, tzinfo=UTC)
    scene = replace(system.store.products.get("L2A_0000"), start=when, end=when, **values)
    system.store.products.commit([replace(scene, name=f"march-{day}", revision=f"{day:032d}")])


def test_an_image_that_cannot_be_read_is_left_out_after_three_jobs(
    here: System, tmp_path: Path
) -> None:
    triggers = Triggers(here)
    triggers.pull()
    jobs.cancel(here, 1)
    jobs.run(here, "l3b", SITE, SEASON)
    broken = tmp_path / "broken.tif"
    broken.write_bytes((tmp_path / "scenes" / "B04.tif").read_bytes()[:100])
    assets = here.store.products.get("L2A_0000").assets
    arrive(here, 1, assets=tuple(replace(item, href=str(broken)) for item in assets))
    for day in (2, 3, 4):
        arrive(here, day)
        (job,) = triggers.pull()
        assert [item.label[-2:] for item in here.store.steps.of(job.id or 0)] == [
            "01",
            f"{day:02d}",
        ]
        with pytest.raises(UnreadableFile, match=r"broken\.tif"):
            running.drive(here, job, lambda *_: None)
        assert statuses(here, job) == "fs"
    arrive(here, 5)
    (job,) = triggers.pull()
    assert running.drive(here, job, lambda *_: None).status is Status.SUCCESSFUL
    assert [item.label for item in here.store.steps.of(job.id or 0)] == ["31UDS 2019-03-05"]
    environment = {"SEN4CAP_HOME": str(here.settings.home), "COLUMNS": "300"}
    words = ["job", "show", str(job.id)]
    shown = CliRunner().invoke(app, words, env=environment, catch_exceptions=False).stdout
    assert "Left out after 3 failures: 31UDS 2019-03-01 (" in shown
    assert "broken.tif" in shown
    assert "'sen4cap job retry 5' tries again." in shown
    assert len(jobs.submit(here, "l3b", SITE, SEASON).reason) == 0, "who asks gets all of it"


def test_services_whose_process_is_gone_are_forgotten(here: System) -> None:
    now = datetime.now(UTC)
    alive = running.this_service("orchestrator")
    gone = replace(alive, token="gone", pid=2**22 + 1)
    elsewhere = Service("orchestrator", "far", "another host", 2**22 + 1, now, now)
    for service in (alive, gone, elsewhere):
        here.store.services.register(service)
    running.forget_dead(here)
    assert {item.token for item in here.store.services.all()} == {alive.token, "far"}


def test_the_terminal_pauses_resumes_cancels_and_deletes(here: System) -> None:
    environment = {"SEN4CAP_HOME": str(here.settings.home)}

    def terminal(*words: str) -> str:
        done = CliRunner().invoke(app, ["job", *words], env=environment, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    said = terminal("submit", "l3b", SITE, SEASON, "--set", "produce-rvi=true", "--name", "mine")
    assert said == "Job 1 (mine) is accepted: 3 steps to do.\n"
    assert here.store.jobs.get(1).parameters["filter.produce_rvi"] is True
    assert terminal("pause", "1") == "Job 1 (mine) is paused.\n"
    assert terminal("resume", "1") == "Job 1 (mine) is accepted.\n"
    assert terminal("cancel", "1") == "Job 1 (mine) is dismissed.\n"
    assert terminal("retry", "1") == "Job 1 (mine) is accepted.\n"
    assert "31UDS 2019-01-02" in terminal("steps", "1")
    assert "0/3" in terminal("list")
    terminal("cancel", "1")
    assert terminal("delete", "1") == "Job 1 is deleted.\n"
    assert here.store.jobs.all() == []
