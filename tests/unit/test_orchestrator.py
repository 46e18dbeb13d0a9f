"""The orchestrator's rounds, with a clock and an executor that do what a test tells them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sen4cap.domain import (
    Ending,
    Job,
    Product,
    ProductType,
    Season,
    Service,
    Site,
    Status,
    StepRecord,
    slot_of,
)
from sen4cap.domain.operations import paused
from sen4cap.engine.orchestrator import BEAT, CHECK, LEASE, LOSSES, Orchestrator, Rules, closed
from sen4cap.engine.planner import label_of
from sen4cap.errors import Conflict, InputRefused, ServiceUnavailable
from sen4cap.processing import Context, Ended, Task, Usage
from sen4cap.processing.task import as_json
from sen4cap.testing.memory import MemoryStore, memory_store

NOON = datetime(2018, 6, 1, 12, tzinfo=UTC)
SITE = Site("Flevo", "flevo")
SEASON = Season("flevo", "2018", date(2018, 1, 1), date(2018, 12, 31))


@dataclass
class Clock:
    """Shows what it is set to."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, by: timedelta) -> None:
        self.now += by


@dataclass
class Bench:
    """An executor whose tasks end when the test says so."""

    slots: int = 2
    tasks: dict[str, Task] = field(default_factory=dict)
    answers: list[Ended] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)

    def free_slots(self) -> int:
        return self.slots - len(self.tasks)

    def submit(self, lease: str, task: Task) -> None:
        if not self.free_slots():
            raise ServiceUnavailable("No worker is free.")
        self.tasks[lease] = task

    def poll(self) -> list[Ended]:
        found, self.answers = self.answers, []
        return found

    def wait(self, seconds: float) -> None:
        del seconds

    def end(self, lease: str) -> None:
        self.killed.append(lease)
        if lease in self.tasks:
            self.answer(lease, Ending.KILLED)

    def usage(self) -> Mapping[str, Usage]:
        return {}

    def close(self) -> None:
        self.slots = 0

    def answer(self, lease: str, kind: Ending = Ending.DONE, error: str = "") -> None:
        task = self.tasks.pop(lease)
        product = made(task) if kind is Ending.DONE and not task.finish else None
        self.answers.append(Ended(lease, kind, product, error, Usage(1.5, 2048), "node1", 0))

    def do_all(self) -> None:
        for lease in list(self.tasks):
            self.answer(lease)


def made(task: Task) -> Product:
    grid = task.step.slot.split("/")[2]
    name = f"l3b_{grid}_{task.step.revision}"
    return Product(name, "flevo", ProductType.L3B, grid, NOON, NOON, task.step.revision)


def step(position: int, **values: Any) -> StepRecord:
    slot = slot_of("flevo", ProductType.L3B, f"T{position}", NOON, NOON)
    return replace(StepRecord(0, position, f"T{position}", slot, f"r{position}", ("in",)), **values)


@dataclass
class Shop:
    """A store in memory, a clock, a bench, and orchestrators that use them."""

    store: MemoryStore = field(default_factory=memory_store)
    clock: Clock = field(default_factory=Clock)
    bench: Bench = field(default_factory=Bench)

    def orchestrator(self, token: str = "us", **values: Any) -> Orchestrator:
        service = Service("orchestrator", token, "here", 1, self.clock.now, self.clock.now)
        made = Orchestrator(self.store, self.bench, service, self.clock, **values)
        made.start()
        return made

    def submit(self, count: int, *, finish: bool = False) -> int:
        steps = [step(place) for place in range(count)]
        if finish:
            steps.append(StepRecord(0, count, "finish", "", finish=True))
        context = as_json(Context(SITE, SEASON, Path("/archive"), cores=8))
        job = Job("l3b", "flevo", "2018", {"a": 1}, context=context)
        return self.store.jobs.add(job, steps).id or 0

    def statuses(self, job: int) -> str:
        return "".join(item.status[0] for item in self.store.steps.of(job))


@pytest.fixture
def shop() -> Shop:
    made = Shop()
    made.store.sites.add(SITE)
    source = Product("in", "flevo", ProductType.L2A, "T", NOON, NOON, "0")
    made.store.products.commit([source])
    return made


def test_a_job_is_done_in_as_many_rounds_as_it_needs(shop: Shop) -> None:
    job, us = shop.submit(3, finish=True), shop.orchestrator()
    assert us.tick()
    assert len(shop.bench.tasks) == 2, "no more than there are slots"
    assert not us.tick(), "nothing to do while they run"
    for _ in range(3):
        shop.bench.do_all()
        assert us.tick()
    assert shop.statuses(job) == "ssss"
    assert shop.store.jobs.get(job).status is Status.SUCCESSFUL
    assert not us.tick()
    kept = shop.store.steps.of(job)[0]
    assert (kept.cpu_seconds, kept.peak_memory, kept.node, kept.exit_code) == (
        1.5,
        2048,
        "node1",
        0,
    )
    names = [item.name for item in shop.store.products.search("flevo", types=[ProductType.L3B])]
    assert names == ["l3b_T0_r0", "l3b_T1_r1", "l3b_T2_r2"]


def test_a_task_holds_all_that_a_worker_needs(shop: Shop) -> None:
    job = shop.submit(1)
    standing = Product("old", "flevo", ProductType.L3B, "T0", NOON, NOON, "old")
    shop.store.products.commit([standing])
    rules = Rules(memory=1000, time=60.0, cores=2)
    shop.orchestrator(rules=lambda: rules).tick()
    ((lease, task),) = shop.bench.tasks.items()
    assert lease == "us-1-1"
    assert (task.processor, task.parameters, task.memory, task.time) == (
        "l3b",
        {"a": 1},
        1000,
        60.0,
    )
    assert [item.name for item in task.step.inputs] == ["in"]
    assert (task.step.slot, task.step.revision) == (step(0).slot, "r0")
    assert task.step.previous == standing
    assert task.context == Context(SITE, SEASON, Path("/archive"), cores=2)
    assert task.log == Path(f"/archive/flevo/logs/job-{job}/00000-1.log")


def test_what_stands_already_is_not_made_again(shop: Shop) -> None:
    job = shop.submit(1)
    shop.store.products.commit([Product("p", "flevo", ProductType.L3B, "T0", NOON, NOON, "r0")])
    shop.orchestrator().tick()
    assert shop.bench.tasks == {}
    assert shop.store.jobs.get(job).status is Status.SUCCESSFUL


def test_a_step_whose_input_is_gone_fails_with_its_name(shop: Shop) -> None:
    job = shop.submit(1)
    shop.store.products.kept.clear()
    shop.orchestrator().tick()
    found = shop.store.jobs.get(job)
    assert found.status is Status.FAILED
    assert found.reason.startswith("There is no product 'in'")


def test_the_reason_of_a_failed_step_is_that_of_its_job(shop: Shop) -> None:
    job, us = shop.submit(3), shop.orchestrator()
    us.tick()
    first, _second = shop.bench.tasks
    shop.bench.answer(first, Ending.MEMORY, "Out of memory: raise executor.memory.")
    us.tick()
    assert shop.statuses(job) == "frr", "the others go on"
    shop.bench.do_all()
    us.tick()
    assert shop.statuses(job) == "fss"
    assert shop.store.jobs.get(job).reason == "Out of memory: raise executor.memory."
    assert us.out == {}


def test_cancelled_work_is_ended_and_its_answer_ignored(shop: Shop) -> None:
    job, us = shop.submit(1), shop.orchestrator()
    us.tick()
    shop.store.jobs.change(job, lambda one, steps: paused(one, steps, now=True))
    shop.clock.forward(CHECK)
    us.tick()
    assert shop.bench.killed == ["us-1-1"]
    us.tick()
    assert shop.statuses(job) == "a"
    assert shop.store.steps.of(job)[0].losses == 0


def test_a_lost_worker_costs_another_attempt_up_to_a_bound(shop: Shop) -> None:
    job, us = shop.submit(1), shop.orchestrator()
    for attempt in range(1, LOSSES + 1):
        us.tick()
        assert shop.store.steps.of(job)[0].attempt == attempt
        shop.bench.answer(f"us-1-{attempt}", Ending.LOST, "Node n7 is gone.")
    us.tick()
    found = shop.store.steps.of(job)[0]
    assert (found.status, found.losses) == (Status.FAILED, LOSSES)
    assert found.reason == "Its worker was lost 5 times: Node n7 is gone."


def test_leases_are_renewed_while_a_step_runs(shop: Shop) -> None:
    job, us = shop.submit(1), shop.orchestrator()
    us.tick()
    for _ in range(30):
        shop.clock.forward(BEAT)
        us.tick()
    kept = shop.store.steps.of(job)[0]
    assert (kept.status, kept.attempt) == (Status.RUNNING, 1)
    assert kept.lease_until == NOON + 30 * BEAT + LEASE
    assert shop.store.services.all()[0].heartbeat == NOON + 30 * BEAT


def test_another_orchestrator_takes_over_what_a_dead_one_held(shop: Shop) -> None:
    job = shop.submit(1)
    shop.orchestrator("dead").tick()
    (old,) = list(shop.bench.tasks)
    us = shop.orchestrator("us")
    shop.bench.tasks.clear()
    us.tick()
    assert shop.bench.tasks == {}, "its lease is still good"
    shop.clock.forward(LEASE + timedelta(seconds=1))
    us.tick()
    assert list(shop.bench.tasks) == ["us-1-2"]
    assert old == "dead-1-1"
    shop.bench.do_all()
    us.tick()
    assert shop.store.jobs.get(job).status is Status.SUCCESSFUL


def test_two_orchestrators_share_the_work(shop: Shop) -> None:
    job = shop.submit(4)
    one, other = shop.orchestrator("one"), shop.orchestrator("other")
    other.executor = Bench()
    one.tick()
    other.tick()
    assert isinstance(other.executor, Bench)
    assert (len(shop.bench.tasks), len(other.executor.tasks)) == (2, 2)
    shop.bench.do_all()
    one.tick()
    assert shop.store.jobs.get(job).status is Status.RUNNING
    other.executor.do_all()
    other.tick()
    assert shop.store.jobs.get(job).status is Status.SUCCESSFUL


def test_one_that_stops_gives_its_leases_back(shop: Shop) -> None:
    job, us = shop.submit(2), shop.orchestrator()
    us.tick()
    us.stop()
    assert shop.statuses(job) == "aa"
    assert len(shop.bench.killed) == 2
    assert shop.store.services.all() == []


def test_a_second_one_is_refused_where_there_may_be_one(shop: Shop) -> None:
    us = shop.orchestrator(alone=True)
    with pytest.raises(Conflict, match="Another orchestrator is at work"):
        shop.orchestrator("second", alone=True)
    us.stop()
    shop.orchestrator("second", alone=True)


def test_one_that_was_taken_for_dead_gives_way(shop: Shop) -> None:
    us = shop.orchestrator(alone=True)
    shop.clock.forward(timedelta(minutes=1))
    shop.store.services.leave("us")
    shop.orchestrator("second", alone=True)
    with pytest.raises(Conflict, match="Another orchestrator"):
        us.tick()


class Flaky:
    """The store's steps; the calls named fail, before or after they were done."""

    def __init__(self, steps: Any) -> None:
        self.steps, self.before, self.after = steps, set[str](), set[str]()

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            if name in self.before:
                raise ServiceUnavailable("The database is away.")
            found = getattr(self.steps, name)(*arguments)
            if name in self.after:
                raise ServiceUnavailable("The database went away.")
            return found

        return call


@dataclass
class Torn:
    """A store whose steps are flaky."""

    store: MemoryStore
    steps: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", ["claim", "commit", "leases", "renew", "take_back"])
def test_nothing_is_lost_while_the_database_is_away(shop: Shop, call: str, when: str) -> None:
    job, us = shop.submit(3), shop.orchestrator()
    flaky = Flaky(shop.store.steps)
    us.queue = Torn(shop.store, flaky)
    for _ in range(60):
        setattr(flaky, when, {call})
        with suppress(ServiceUnavailable):
            us.tick()
        setattr(flaky, when, set[str]())
        shop.clock.forward(timedelta(seconds=2))
        us.tick()
        shop.bench.do_all()
    assert shop.store.jobs.get(job).status is Status.SUCCESSFUL
    for item in shop.store.steps.of(job):
        history = [status for status, _ in shop.store.steps.history(item.id or 0)]
        assert history.count(Status.SUCCESSFUL) == 1


def test_what_the_store_refuses_fails_its_step_alone(shop: Shop) -> None:
    job, us = shop.submit(2), shop.orchestrator()

    class Picky(Flaky):
        def __getattr__(self, name: str) -> Any:
            def picky(items: Any, *words: Any) -> Any:
                if any(item.product and item.product.grid == "T0" for item in items):
                    raise InputRefused("A value cannot be stored.")
                return getattr(self.steps, name)(items, *words)

            return picky if name in {"commit", "turn"} else super().__getattr__(name)

    us.queue = Torn(shop.store, Picky(shop.store.steps))
    us.tick()
    shop.bench.do_all()
    us.tick()
    assert shop.store.jobs.get(job).reason == "A value cannot be stored."
    assert shop.statuses(job) == "fs"


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        (Ending.DONE, Status.SUCCESSFUL, ""),
        (Ending.FAILED, Status.FAILED, "Why."),
        (Ending.TIME, Status.FAILED, "Why."),
        (Ending.KILLED, Status.ACCEPTED, ""),
        (Ending.LOST, Status.ACCEPTED, ""),
    ],
)
def test_a_run_leaves_its_step(kind: Ending, status: Status, reason: str) -> None:
    running = step(0, status=Status.RUNNING, lease="us-1-1", lease_until=NOON, started=NOON)
    after = closed(running, Ended("us-1-1", kind, error="Why."), NOON, losses=2)
    assert (after.status, after.reason, after.lease, after.lease_until) == (
        status,
        reason,
        None,
        None,
    )
    assert (after.ended is None) == (status is Status.ACCEPTED)


@pytest.mark.parametrize(
    ("slot", "label"),
    [
        ("s/l3b/31UDS/20190501T105031", "31UDS 2019-05-01"),
        ("s/s4c_l4a/-/20190101T000000_20191231T000000/2019", "2019-01-01 to 2019-12-31"),
        ("odd", "odd"),
    ],
)
def test_a_step_is_labelled_by_grid_and_days(slot: str, label: str) -> None:
    assert label_of(slot) == label
