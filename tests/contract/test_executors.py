"""What every executor keeps: the twin in threads and Dask on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from sen4cap.domain import Ending
from sen4cap.engine.cluster import open_cluster
from sen4cap.engine.dask_executor import DaskExecutor
from sen4cap.engine.executor import Executor
from sen4cap.engine.params import ExecutorParams
from sen4cap.errors import Conflict, ServiceUnavailable
from sen4cap.processing import Ended
from sen4cap.testing import steps
from sen4cap.testing.executor import ThreadExecutor

SLOTS = 2
PATIENCE = 60.0


@pytest.fixture(scope="module", params=["threads", "dask"])
def executor(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Executor]:
    made: Executor
    if request.param == "threads":
        made = ThreadExecutor(steps.run, SLOTS)
    else:
        folder = tmp_path_factory.mktemp("cluster")
        made = DaskExecutor(steps.run, open_cluster(ExecutorParams(workers=SLOTS), folder))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def all_free(executor: Executor) -> None:
    until = time.monotonic() + PATIENCE
    while executor.free_slots() < SLOTS and time.monotonic() < until:
        time.sleep(0.05)
    assert executor.free_slots() == SLOTS
    assert executor.poll() == []


def submit(executor: Executor, what: str, archive: Path) -> str:
    lease = uuid4().hex
    executor.submit(lease, steps.task(what, archive))
    return lease


def ended(executor: Executor, count: int = 1) -> dict[str, Ended]:
    """The next tasks that end, by lease."""
    found: list[Ended] = []
    until = time.monotonic() + PATIENCE
    while len(found) < count and time.monotonic() < until:
        executor.wait(1.0)
        found += executor.poll()
    assert len(found) == count
    return {item.lease: item for item in found}


def test_a_task_gives_its_product(executor: Executor, tmp_path: Path) -> None:
    lease = submit(executor, "nothing", tmp_path)
    (done,) = ended(executor).values()
    assert (done.lease, done.kind, done.error, done.exit_code) == (lease, Ending.DONE, "", 0)
    assert done.product is not None
    assert done.product.name == "nothing_"
    assert executor.free_slots() == SLOTS


@pytest.mark.parametrize(
    ("what", "kind", "sentence"),
    [
        ("refuse", Ending.FAILED, "There is nothing to work on: ingest something first."),
        ("stumble", Ending.FAILED, "ValueError: two lines"),
        ("leave", Ending.FAILED, "SystemExit: 3"),
        ("ask_too_much", Ending.MEMORY, "executor.workers"),
    ],
)
def test_a_task_that_fails_says_why_in_one_line(
    executor: Executor, tmp_path: Path, what: str, kind: Ending, sentence: str
) -> None:
    lease = submit(executor, what, tmp_path)
    failed = ended(executor)[lease]
    assert (failed.kind, failed.product, failed.exit_code) == (kind, None, 1)
    assert sentence in failed.error
    assert "\n" not in failed.error


def test_each_end_is_told_once(executor: Executor, tmp_path: Path) -> None:
    leases = {submit(executor, "nothing", tmp_path) for _ in range(SLOTS)}
    assert ended(executor, SLOTS).keys() == leases
    executor.wait(0.2)
    assert executor.poll() == []
    assert executor.usage() == {}


def test_slots_are_taken_and_given_back(executor: Executor, tmp_path: Path) -> None:
    leases = [submit(executor, "sleep", tmp_path) for _ in range(SLOTS)]
    assert executor.free_slots() == 0
    assert executor.usage().keys() == set(leases)
    with pytest.raises(ServiceUnavailable, match="No worker is free"):
        submit(executor, "nothing", tmp_path)
    with pytest.raises(Conflict, match="one run"):
        executor.submit(leases[0], steps.task("nothing", tmp_path))
    for lease in leases:
        executor.end(lease)
    assert {item.kind for item in ended(executor, SLOTS).values()} == {Ending.KILLED}


def test_ending_what_does_not_run_is_nothing(executor: Executor, tmp_path: Path) -> None:
    executor.end("unknown")
    lease = submit(executor, "nothing", tmp_path)
    assert ended(executor)[lease].kind is Ending.DONE
    executor.end(lease)
    executor.wait(0.5)
    assert executor.poll() == []
    assert executor.free_slots() == SLOTS
