"""Two orchestrators of one PostgreSQL database: each step is done once, whoever falls silent."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from sen4cap.app.running import this_service
from sen4cap.domain import Job, Product, ProductType, Season, Site, Status, StepRecord, slot_of
from sen4cap.engine.orchestrator import Orchestrator, Rules
from sen4cap.processing import Context, Task
from sen4cap.processing.task import as_json
from sen4cap.store import SqlStore, open_store
from sen4cap.testing.executor import ThreadExecutor

pytestmark = pytest.mark.postgresql

JOBS, STEPS = 3, 30
NOON = datetime(2018, 6, 1, 12, tzinfo=UTC)
RULES = Rules(lease=timedelta(seconds=1), limits={"few": 1}, pools={"l3b": "few"})


@pytest.fixture
def stores(postgresql_url: str) -> Iterator[list[SqlStore]]:
    """The same database, opened twice."""
    with ExitStack() as stack:
        opened = [open_store(postgresql_url), open_store(postgresql_url)]
        for store in opened:
            stack.callback(store.close)
        opened[0].upgrade()
        opened[0].sites.add(Site("Flevo", "flevo"))
        opened[0].seasons.add(season())
        yield opened


def season() -> Season:
    return Season("flevo", "2018", date(2018, 1, 1), date(2018, 12, 31))


def submitted(store: SqlStore, number: int, archive: Path, processor: str) -> int:
    context = as_json(Context(Site("Flevo", "flevo"), season(), archive))
    steps = []
    for place in range(STEPS):
        slot = slot_of("flevo", ProductType.L3B, f"T{number}_{place}", NOON, NOON)
        steps.append(StepRecord(0, place, f"step {place}", slot, f"{number:016d}{place:016d}"))
    job = Job(processor, "flevo", "2018", submitted=NOON, context=context)
    return store.jobs.add(job, steps).id or 0


def made(task: Task) -> Product:
    time.sleep(0.005)
    grid = task.step.slot.split("/")[2]
    return Product(f"p_{grid}", "flevo", ProductType.L3B, grid, NOON, NOON, task.step.revision)


def orchestrator(store: SqlStore, executor: ThreadExecutor) -> Orchestrator:
    def now() -> datetime:
        return datetime.now(UTC)

    work = Orchestrator(store, executor, this_service("orchestrator"), now, lambda: RULES)
    work.start()
    return work


def until(store: SqlStore, jobs: list[int], work: Orchestrator, stop: threading.Event) -> None:
    """Tick until the jobs have ended, or somebody says stop: then fall silent, as if killed."""
    while not stop.is_set():
        if not work.tick():
            work.executor.wait(0.01)
        if all(store.jobs.get(number).ended for number in jobs):
            return


def test_each_step_is_done_once_though_one_falls_silent(
    stores: list[SqlStore], tmp_path: Path
) -> None:
    jobs = [submitted(stores[0], number, tmp_path, "nothing") for number in range(JOBS)]
    executors = [ThreadExecutor(made, slots=3) for _ in stores]
    both = [orchestrator(*pair) for pair in zip(stores, executors, strict=True)]
    stops = [threading.Event(), threading.Event()]
    threads = [
        threading.Thread(target=until, args=(store, jobs, work, stop))
        for store, work, stop in zip(stores, both, stops, strict=True)
    ]
    for thread in threads:
        thread.start()
    while stores[0].steps.counts(jobs)[jobs[1]].get(Status.SUCCESSFUL, 0) < STEPS // 2:
        time.sleep(0.01)
    stops[0].set()
    for thread in threads:
        thread.join(60)
    both[1].stop()
    steps = [step for number in jobs for step in stores[1].steps.of(number)]
    assert Counter(stores[1].jobs.get(number).status for number in jobs) == {
        Status.SUCCESSFUL: JOBS
    }
    histories = [[status for status, _ in stores[1].steps.history(step.id or 0)] for step in steps]
    assert {history.count(Status.SUCCESSFUL) for history in histories} == {1}
    found = stores[1].products.search("flevo", types=(ProductType.L3B,), current=False)
    assert len(found) == len({product.slot for product in found}) == JOBS * STEPS


def test_a_pool_is_shared_by_both(stores: list[SqlStore], tmp_path: Path) -> None:
    """Of processor `l3b` one step at a time may run, whoever asks."""
    job = submitted(stores[0], 0, tmp_path, "l3b")
    at_once, most, lock = 0, 0, threading.Lock()

    def counted(task: Task) -> Product:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        product = made(task)
        with lock:
            at_once -= 1
        return product

    both = [orchestrator(store, ThreadExecutor(counted, slots=3)) for store in stores]
    stop = threading.Event()
    threads = [
        threading.Thread(target=until, args=(store, [job], work, stop))
        for store, work in zip(stores, both, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for work in both:
        work.stop()
    assert stores[0].jobs.get(job).status is Status.SUCCESSFUL
    assert most == 1


def test_leases_of_both_are_told_apart(stores: list[SqlStore], tmp_path: Path) -> None:
    submitted(stores[0], 0, tmp_path, "nothing")
    waiting = threading.Event()
    executors = [ThreadExecutor(lambda _task: waiting.wait(30) and None, slots=2) for _ in stores]
    both = [orchestrator(*pair) for pair in zip(stores, executors, strict=True)]
    for work in both:
        work.tick()
    held = [
        store.steps.leases(work.service.token) for store, work in zip(stores, both, strict=True)
    ]
    assert [len(leases) for leases in held] == [2, 2]
    assert not held[0] & held[1]
    both[0].stop()
    assert stores[1].steps.leases(both[0].service.token) == set()
    assert stores[1].steps.leases(both[1].service.token) == held[1]
    waiting.set()
    both[1].stop()
