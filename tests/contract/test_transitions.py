"""No sequence of operations leaves the table of transitions, and every store goes the same way.

Whatever hypothesis does to some jobs (run their steps, let them end well, badly or not at all,
pause, resume, cancel, retry, delete) is done to a store in memory and to one in SQL.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sen4cap.app.ports import Store
from sen4cap.domain import Job, Service, Site, Status, StepRecord
from sen4cap.domain.job import ENDED, TRANSITIONS, changed
from sen4cap.domain.operations import Claim, Closed, cancelled, paused, resumed, retried
from sen4cap.errors import Conflict, NotFound
from sen4cap.store import SqlStore, open_store
from sen4cap.testing.memory import memory_store

OWNER = "orchestrator1"
START = datetime(2019, 5, 1, tzinfo=UTC)
LEASE = timedelta(minutes=1)

places = st.integers(min_value=0, max_value=1)
draws = st.sampled_from([0, 0, 0, 1, 1, 2, 5])
endings = st.sampled_from([Status.SUCCESSFUL] * 4 + [Status.FAILED, Status.ACCEPTED])


def test_the_table_is_closed_and_what_is_successful_stays() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert TRANSITIONS[Status.SUCCESSFUL] == frozenset()
    assert TRANSITIONS[Status.FAILED] == TRANSITIONS[Status.DISMISSED] == {Status.ACCEPTED}
    assert all(status not in after for status, after in TRANSITIONS.items())
    assert {Status.SUCCESSFUL, Status.FAILED, Status.DISMISSED} == ENDED


@pytest.mark.parametrize("ending", [Status.SUCCESSFUL, Status.FAILED])
def test_a_paused_job_ends_with_the_steps_that_were_running(store: Store, ending: Status) -> None:
    store.sites.add(Site("A", "a"))
    store.services.register(Service("orchestrator", OWNER, "here", 1, START, START))
    number = store.jobs.add(Job("l3b", "a", "s"), [StepRecord(0, 0, "step", "slot")]).id or 0
    ((_, step),) = store.steps.claim(Claim(OWNER, 1, START, START + LEASE))
    store.jobs.change(number, paused)
    assert step.lease is not None
    closed = Closed(step.lease, replace(changed(step, ending), lease=None, lease_until=None))
    assert store.steps.commit([closed], START) == {step.lease}
    statuses = [status for status, _ in store.jobs.history(number)]
    assert statuses == [Status.ACCEPTED, Status.RUNNING, Status.PAUSED, ending]


class Operations(RuleBasedStateMachine):
    """Operations of people, orchestrators and workers, in any order, on several stores alike."""

    def __init__(
        self, open_stores: Callable[[], tuple[Sequence[Store], Callable[[], None]]]
    ) -> None:
        super().__init__()
        self.stores, self.close = open_stores()
        self.now = START
        self.leased: dict[str, StepRecord] = {}
        for store in self.stores:
            store.sites.add(Site("A", "a"))
        self._enlist()

    def teardown(self) -> None:
        self.close()

    def _enlist(self) -> None:
        service = Service("orchestrator", OWNER, "here", 1, self.now, self.now)
        self._everywhere(lambda store: store.services.register(service))

    def _everywhere(self, do: Callable[[Store], Any]) -> Any:
        """Do the same to all stores; all must answer, or refuse, alike."""
        answers = [self._answer(do, store) for store in self.stores]
        assert all(answer == answers[0] for answer in answers[1:]), answers
        return answers[0]

    @staticmethod
    def _answer(do: Callable[[Store], Any], store: Store) -> Any:
        try:
            return do(store)
        except (Conflict, NotFound) as error:
            return type(error)

    # people

    @precondition(lambda self: len(self.stores[0].jobs.all()) < 2)
    @rule(steps=st.integers(min_value=1, max_value=2), finishes=st.booleans())
    def submit(self, steps: int, finishes: bool) -> None:
        records = [StepRecord(0, place, f"step {place}", f"slot {place}") for place in range(steps)]
        if finishes:
            after = tuple(range(steps))
            records.append(StepRecord(0, steps, "finish", "", after=after, finish=True))
        self._everywhere(lambda store: store.jobs.add(Job("l3b", "a", "s"), records).id)

    @rule(place=places, now=st.booleans())
    def pause(self, place: int, now: bool) -> None:
        self._change(place, partial(paused, now=now))

    @rule(place=places)
    def resume(self, place: int) -> None:
        self._change(place, resumed)

    @rule(place=places)
    def cancel(self, place: int) -> None:
        self._change(place, partial(cancelled, at=self.now))

    @rule(place=places)
    def retry(self, place: int) -> None:
        self._change(place, retried)

    @rule(place=places, sure=draws)
    def delete(self, place: int, sure: int) -> None:
        if sure > 2:
            self._everywhere(lambda store: store.jobs.delete(_number(store, place)))

    def _change(self, place: int, operation: Any) -> None:
        def status(store: Store) -> Status:
            return store.jobs.change(_number(store, place), operation).status

        self._everywhere(status)

    # orchestrators and workers

    @rule(limit=st.integers(min_value=1, max_value=3))
    def claim(self, limit: int) -> None:
        wanted = Claim(OWNER, limit, self.now, self.now + LEASE)

        def claimed(store: Store) -> list[StepRecord]:
            return [step for _, step in store.steps.claim(wanted)]

        for step in self._everywhere(claimed):
            assert step.lease is not None
            assert step.lease not in self.leased
            self.leased[step.lease] = step

    @precondition(lambda self: bool(self.leased))
    @rule(draw=draws, ending=endings)
    def end(self, draw: int, ending: Status) -> None:
        """A run ends; its lease may be long gone, and it may end a second time."""
        lease = list(self.leased)[-1 - draw % len(self.leased)]
        closed = replace(
            changed(self.leased[lease], ending, ended=self.now), lease=None, lease_until=None
        )
        self._everywhere(lambda store: store.steps.commit([Closed(lease, closed)], self.now))

    @rule(minutes=st.sampled_from([0.5, 0.5, 2]), restarts=st.sampled_from([False, False, True]))
    def pass_time(self, minutes: float, restarts: bool) -> None:
        """Leases may run out, or their owner be gone; then their steps are given back."""
        self.now += timedelta(minutes=minutes)
        if restarts:
            self._everywhere(lambda store: store.services.leave(OWNER))
            self._enlist()

        def given_back(store: Store) -> list[int]:
            return sorted(step.id or 0 for step in store.steps.take_back(self.now))

        self._everywhere(given_back)

    # what is always true

    @invariant()
    def every_change_is_in_the_table(self) -> None:
        for store in self.stores:
            for job in store.jobs.all():
                assert job.id is not None
                _check_history(store.jobs.history(job.id), job.status)
                for step in store.steps.of(job.id):
                    _check_history(store.steps.history(step.id or 0), step.status)

    @invariant()
    def jobs_and_steps_agree(self) -> None:
        for store in self.stores:
            for job in store.jobs.all():
                _check_job(job, store.steps.of(job.id or 0))

    @invariant()
    def all_stores_hold_the_same(self) -> None:
        def held(store: Store) -> list[tuple[Any, ...]]:
            return [
                (
                    job.id,
                    job.status,
                    *((step.status, step.lease) for step in store.steps.of(job.id)),
                )
                for job in store.jobs.all()
                if job.id is not None
            ]

        self._everywhere(held)


def _number(store: Store, place: int) -> int:
    """Number of the newest job or the one before; 0 where there is none."""
    known = [job.id or 0 for job in store.jobs.all()]
    return known[place % len(known)] if known else 0


def _check_history(history: Sequence[tuple[Status, datetime]], status: Status) -> None:
    assert history[0][0] is Status.ACCEPTED
    assert history[-1][0] is status
    for (before, _), (after, _) in pairwise(history):
        assert after in TRANSITIONS[before]


def _check_job(job: Job, steps: Sequence[StepRecord]) -> None:
    statuses = {step.status for step in steps}
    if job.status in ENDED:
        assert statuses <= ENDED
    if job.status is Status.SUCCESSFUL:
        assert statuses == {Status.SUCCESSFUL}
    if job.status is Status.FAILED:
        assert Status.FAILED in statuses
    for step in steps:
        assert (step.lease is None) == (step.status is not Status.RUNNING)
        done = {other.position for other in steps if other.status is Status.SUCCESSFUL}
        if step.status in {Status.RUNNING, Status.SUCCESSFUL}:
            assert done >= set(step.after)


def test_no_sequence_of_operations_leaves_the_table_in_memory() -> None:
    run(lambda: ([memory_store()], lambda: None), examples=150)


def test_no_sequence_of_operations_leaves_the_table_in_sqlite(migrated_file: Path) -> None:
    def stores() -> tuple[Sequence[Store], Callable[[], None]]:
        folder = TemporaryDirectory()
        opened = open_store(f"sqlite:///{shutil.copy(migrated_file, folder.name)}")

        def close() -> None:
            opened.close()
            folder.cleanup()

        return [memory_store(), opened], close

    run(stores, examples=12)


@pytest.mark.postgresql
def test_no_sequence_of_operations_leaves_the_table_in_postgresql(
    postgresql_store: SqlStore,
) -> None:
    def stores() -> tuple[Sequence[Store], Callable[[], None]]:
        with postgresql_store.engine.begin() as connection:
            connection.exec_driver_sql("TRUNCATE site, service RESTART IDENTITY CASCADE")
        return [memory_store(), postgresql_store], lambda: None

    run(stores, examples=12)


def run(stores: Callable[[], tuple[Sequence[Store], Callable[[], None]]], examples: int) -> None:
    """Examples are drawn alike each time, so that a failure can be seen again."""
    how = settings(
        max_examples=examples,
        stateful_step_count=50,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    machine: Any = lambda: Operations(stores)  # noqa: E731 - typed as a class there
    run_state_machine_as_test(machine, settings=how)
