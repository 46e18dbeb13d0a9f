"""Jobs with steps: leases, commits, operations and services, in every store."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from sen4cap.app.ports import Store
from sen4cap.domain import (
    Asset,
    Job,
    Product,
    ProductType,
    Service,
    Site,
    StartType,
    Status,
    StepRecord,
)
from sen4cap.domain.job import changed
from sen4cap.domain.operations import Claim, Closed, cancelled, paused, resumed, retried
from sen4cap.errors import Conflict, NotFound

NOON = datetime(2018, 6, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
US = Service("orchestrator", "us", "here", 1, NOON, NOON)


@pytest.fixture
def queue(store: Store) -> Store:
    """A store with a site, and an orchestrator in office."""
    store.sites.add(Site("Flevo", "flevo"))
    store.services.register(US)
    return store


def steps(count: int, *, finish: bool = False) -> list[StepRecord]:
    made = [
        StepRecord(0, place, f"step {place}", f"flevo/l3b/T/{place}", f"r{place}", ("a", "b"))
        for place in range(count)
    ]
    return [*made, StepRecord(0, count, "finish", "", finish=True)] if finish else made


def submit(queue: Store, count: int = 3, **values: object) -> int:
    finish = bool(values.pop("finish", False))
    job = replace(Job("l3b", "flevo", "2018"), **values)  # type: ignore[arg-type]  # test values
    return queue.jobs.add(job, steps(count, finish=finish)).id or 0


def claim(queue: Store, limit: int = 10, **values: object) -> list[StepRecord]:
    asked = Claim("us", limit, NOON, LATER, **values)  # type: ignore[arg-type]  # test values
    return [step for _job, step in queue.steps.claim(asked)]


def product(name: str, revision: str = "r") -> Product:
    return Product(
        name, "flevo", ProductType.L3B, name, NOON, NOON, revision, (Asset("ndvi", "/x.tif"),)
    )


def end(
    queue: Store, step: StepRecord, status: Status = Status.SUCCESSFUL, **values: object
) -> bool:
    """Close a claimed step; whether its lease was good."""
    made = values.pop("product", None)
    assert step.lease is not None
    done = changed(step, status, lease=None, lease_until=None, ended=LATER, **values)
    assert made is None or isinstance(made, Product)
    return queue.steps.commit([Closed(step.lease, done, made)], LATER) == {step.lease}


def statuses(queue: Store, job: int) -> str:
    """First letters of the statuses of a job's steps: `sra` is successful, running, accepted."""
    return "".join(step.status[0] for step in queue.steps.of(job))


def test_a_job_comes_back_with_its_steps(queue: Store) -> None:
    asked = Job(
        *("l3b", "flevo", "2018", {"a": 1}),
        submitted=NOON,
        name="mine",
        who="ann",
        why=StartType.SCHEDULED,
        priority=7,
        nominal=date(2018, 5, 31),
        context={"site": {"name": "Flevo"}},
    )
    job = queue.jobs.add(asked, steps(2, finish=True))
    assert queue.jobs.get(job.id or 0) == replace(asked, id=job.id)
    found = queue.steps.of(job.id or 0)
    expected = [
        replace(step, id=there.id, job_id=job.id or 0)
        for step, there in zip(steps(2, finish=True), found, strict=True)
    ]
    assert found == expected
    assert queue.steps.get(found[1].id or 0) == found[1]
    assert queue.steps.counts([job.id or 0]) == {job.id: {Status.ACCEPTED: 3}}
    assert [status for status, _ in queue.steps.history(found[0].id or 0)] == [Status.ACCEPTED]
    with pytest.raises(NotFound, match="no step 99"):
        queue.steps.get(99)


def test_steps_are_claimed_by_priority_then_job_then_position(queue: Store) -> None:
    usual, urgent = submit(queue, 2), submit(queue, 2, priority=1)
    taken = [(step.job_id, step.position) for step in claim(queue, limit=3)]
    assert taken == [(urgent, 0), (urgent, 1), (usual, 0)]
    assert [(step.job_id, step.position) for step in claim(queue)] == [(usual, 1)]
    assert claim(queue) == []


def test_a_claimed_step_runs_under_its_own_lease(queue: Store) -> None:
    number = submit(queue, 1)
    (step,) = claim(queue)
    assert step.lease == f"us-{step.id}-1"
    assert (step.status, step.attempt, step.started) == (Status.RUNNING, 1, NOON)
    assert step.lease_until == LATER
    assert step.log == f"flevo/logs/job-{number}/00000-1.log"
    assert queue.steps.of(number) == [step]
    assert queue.steps.leases("us") == {step.lease}
    job = queue.jobs.get(number)
    assert (job.status, job.started) == (Status.RUNNING, NOON)


def test_only_one_job_is_claimed_where_asked(queue: Store) -> None:
    submit(queue, 1)
    second = submit(queue, 1)
    assert [step.job_id for step in claim(queue, only=second)] == [second]


def test_pools_bound_what_runs_at_once(queue: Store) -> None:
    downloads, others = submit(queue, 4, processor="fetch"), submit(queue, 2)
    pools = {"pools": {"fetch": "download"}, "limits": {"download": 2}}
    first = claim(queue, **pools)
    assert Counter(step.job_id for step in first) == {downloads: 2, others: 2}
    assert claim(queue, **pools) == []
    assert end(queue, first[0])
    assert [step.position for step in claim(queue, **pools)] == [2]


def test_a_full_pool_blocks_no_other_job(queue: Store) -> None:
    for _ in range(3):
        submit(queue, 2, processor="fetch", priority=1)
    other = submit(queue, 1)
    pools = {"pools": {"fetch": "download"}, "limits": {"download": 1}}
    assert len(claim(queue, limit=1, **pools)) == 1
    assert [step.job_id for step in claim(queue, limit=1, **pools)] == [other]


def test_a_job_ends_with_its_last_step(queue: Store) -> None:
    number = submit(queue, 2, finish=True)
    first, second = claim(queue)
    assert end(queue, first, product=product("p", "r0"), cpu_seconds=1.5, peak_memory=10, node="n")
    assert claim(queue) == [], "the finishing step waits for the others"
    assert end(queue, second)
    (last,) = claim(queue)
    assert last.finish
    assert queue.jobs.get(number).status is Status.RUNNING
    assert end(queue, last)
    job = queue.jobs.get(number)
    assert (job.status, job.ended) == (Status.SUCCESSFUL, LATER)
    kept = queue.steps.of(number)[0]
    assert (kept.cpu_seconds, kept.peak_memory, kept.node, kept.lease) == (1.5, 10, "n", None)
    assert queue.products.get("p").revision == "r0"
    history = [status.value for status, _ in queue.steps.history(first.id or 0)]
    assert history == ["accepted", "running", "successful"]
    assert [status.value for status, _ in queue.jobs.history(number)] == history


def test_a_turn_keeps_what_ended_and_claims_what_may_start(queue: Store) -> None:
    number = submit(queue, 2)
    (step,) = claim(queue, limit=1)
    done = changed(step, Status.SUCCESSFUL, lease=None, lease_until=None, ended=LATER)
    closed = [Closed(step.lease or "", done, product("p"))]
    leased = queue.steps.turn(closed, LATER, Claim("us", 1, LATER, LATER))
    assert [(job.id, item.position) for job, item in leased] == [(number, 1)]
    assert statuses(queue, number) == "sr"
    assert queue.products.get("p").name == "p"
    assert queue.steps.turn([], LATER, Claim("us", 1, LATER, LATER)) == []


def test_steps_wait_for_those_they_name(queue: Store) -> None:
    made = steps(3)
    made[2] = replace(made[2], after=(0, 1))
    queue.jobs.add(Job("l3b", "flevo", "2018"), made)
    first, second = claim(queue)
    assert end(queue, second)
    assert claim(queue) == []
    assert end(queue, first)
    assert [step.position for step in claim(queue)] == [2]


def test_a_lease_commits_once(queue: Store) -> None:
    submit(queue, 2)
    step = claim(queue)[0]
    assert end(queue, step, product=product("p"))
    assert not end(queue, step, product=product("other"))
    with pytest.raises(NotFound):
        queue.products.get("other")


def test_a_failed_step_takes_along_only_what_waits_for_it(queue: Store) -> None:
    after = {2: (1,), 3: (2,)}
    asked = [replace(step, after=after.get(step.position, ())) for step in steps(5, finish=True)]
    number = queue.jobs.add(Job("l3b", "flevo", "2018"), asked).id or 0
    first, second, last = claim(queue)
    assert [first.position, second.position, last.position] == [0, 1, 4]
    assert end(queue, second, Status.FAILED, reason="No cloud-free pixel.")
    assert queue.jobs.get(number).status is Status.RUNNING
    assert statuses(queue, number) == "rfddrd", "the tidying step waits for all"
    assert end(queue, first, product=product("kept"))
    assert end(queue, last)
    job = queue.jobs.get(number)
    assert (job.status, job.reason, job.ended) == (Status.FAILED, "No cloud-free pixel.", LATER)
    assert queue.products.get("kept").name == "kept"
    assert queue.steps.leases("us") == set()


def test_a_job_tells_how_many_of_its_steps_failed(queue: Store) -> None:
    number = submit(queue, 3)
    for step in claim(queue):
        end(queue, step, Status.FAILED, reason=f"Bad {step.position}.")
    assert queue.jobs.get(number).reason == "3 of 3 steps failed; the first: Bad 0."


def test_a_refused_product_fails_its_step_alone(queue: Store) -> None:
    number, other = submit(queue, 1), submit(queue, 1)
    queue.products.commit([product("p", "old")])
    bad, good = claim(queue)
    both = [
        Closed(step.lease or "", changed(step, Status.SUCCESSFUL, lease=None), made)
        for step, made in ((bad, product("p", "new")), (good, product("q")))
    ]
    queue.steps.commit(both, LATER)
    assert queue.jobs.get(number).status is Status.FAILED
    assert "'p' exists with revision old" in queue.jobs.get(number).reason
    assert queue.jobs.get(other).status is Status.SUCCESSFUL
    assert queue.products.get("p").revision == "old"
    assert queue.products.get("q").revision == "r"


def test_a_retry_does_again_what_was_not_done(queue: Store) -> None:
    number = submit(queue, 3, finish=True)
    first, second, third = claim(queue)
    end(queue, first)
    end(queue, second, Status.FAILED, reason="Out of memory.")
    end(queue, third, Status.FAILED, reason="Out of memory.")
    job = queue.jobs.change(number, retried)
    assert (job.status, job.reason, job.ended) == (Status.ACCEPTED, "", None)
    assert statuses(queue, number) == "saaa"
    again = claim(queue)
    assert [(step.position, step.attempt, step.reason) for step in again] == [
        (1, 2, ""),
        (2, 2, ""),
    ]
    for step in again:
        end(queue, step)
    (last,) = claim(queue)
    end(queue, last)
    assert queue.jobs.get(number).status is Status.SUCCESSFUL
    with pytest.raises(Conflict, match="is successful and cannot be retried"):
        queue.jobs.change(number, retried)


def test_a_paused_job_starts_nothing_and_lets_run_what_runs(queue: Store) -> None:
    number = submit(queue, 2)
    (step,) = claim(queue, limit=1)
    assert queue.jobs.change(number, paused).status is Status.PAUSED
    assert claim(queue) == []
    assert end(queue, step)
    assert statuses(queue, number) == "sa"
    assert queue.jobs.change(number, resumed).status is Status.RUNNING
    assert [item.position for item in claim(queue)] == [1]


def test_a_paused_job_ends_with_its_running_step(queue: Store) -> None:
    number = submit(queue, 1)
    (step,) = claim(queue)
    queue.jobs.change(number, paused)
    end(queue, step)
    assert queue.jobs.get(number).status is Status.SUCCESSFUL


def test_a_job_paused_now_takes_leases_away(queue: Store) -> None:
    number = submit(queue, 2)
    (step,) = claim(queue, limit=1)
    queue.jobs.change(number, partial(paused, now=True))
    assert statuses(queue, number) == "aa"
    assert queue.steps.leases("us") == set()
    assert not end(queue, step, product=product("late"))
    queue.jobs.change(number, resumed)
    assert [(item.position, item.attempt) for item in claim(queue)] == [(0, 2), (1, 1)]


def test_a_cancelled_job_keeps_what_is_done(queue: Store) -> None:
    number = submit(queue, 3)
    first, second = claim(queue, limit=2)
    end(queue, first, product=product("p"))
    job = queue.jobs.change(number, partial(cancelled, at=LATER))
    assert (job.status, job.ended) == (Status.DISMISSED, LATER)
    assert statuses(queue, number) == "sdd"
    assert not end(queue, second)
    assert queue.products.get("p").name == "p"
    with pytest.raises(Conflict, match="is dismissed and cannot be cancelled"):
        queue.jobs.change(number, partial(cancelled, at=LATER))


def test_an_ended_job_is_deleted_with_its_steps(queue: Store) -> None:
    number = submit(queue, 1)
    with pytest.raises(Conflict, match="cancel it before"):
        queue.jobs.delete(number)
    (step,) = claim(queue)
    end(queue, step, product=product("p"))
    queue.jobs.delete(number)
    with pytest.raises(NotFound):
        queue.jobs.get(number)
    assert queue.steps.of(number) == []
    assert queue.products.get("p").name == "p"
    assert submit(queue) > number, "a number is never given twice"


def test_leases_run_out_unless_they_are_renewed(queue: Store) -> None:
    number = submit(queue, 2)
    kept, lost = claim(queue)
    queue.steps.renew([kept.lease or ""], LATER + timedelta(minutes=1))
    assert queue.steps.take_back(LATER) == []
    back = queue.steps.take_back(LATER + timedelta(seconds=1))
    assert [step.id for step in back] == [lost.id]
    assert statuses(queue, number) == "ra"
    assert not end(queue, lost)
    queue.steps.renew([lost.lease or ""], LATER + timedelta(hours=1))
    assert queue.steps.leases("us") == {kept.lease}


def test_leases_of_a_service_that_left_are_taken_back(queue: Store) -> None:
    number = submit(queue, 1)
    (step,) = claim(queue)
    assert queue.steps.take_back(NOON) == []
    queue.services.leave("us")
    assert [item.id for item in queue.steps.take_back(NOON)] == [step.id]
    assert statuses(queue, number) == "a"


def test_slots_that_open_jobs_will_make_are_pending(queue: Store) -> None:
    submit(queue, 2, finish=True)
    ended = submit(queue, 1, season="2019")
    queue.jobs.change(ended, partial(cancelled, at=LATER))
    slots = {("flevo/l3b/T/0", "r0"), ("flevo/l3b/T/1", "r1")}
    assert queue.steps.pending("flevo", "2018", "l3b") == slots
    (step,) = claim(queue, limit=1)
    end(queue, step)
    assert queue.steps.pending("flevo", "2018", "l3b") == {("flevo/l3b/T/1", "r1")}
    assert queue.steps.pending("flevo", "2019", "l3b") == set()
    assert queue.steps.pending("flevo", "2018", "other") == set()


def test_jobs_are_listed_by_status(queue: Store) -> None:
    first, second = submit(queue), submit(queue)
    queue.jobs.change(first, paused)
    assert [job.id for job in queue.jobs.all(statuses=[Status.PAUSED])] == [first]
    assert [job.id for job in queue.jobs.all(statuses=Status)] == [second, first]


def test_an_operation_that_raises_changes_nothing(queue: Store) -> None:
    number = submit(queue, 1)
    with pytest.raises(Conflict, match="is accepted and cannot be resumed"):
        queue.jobs.change(number, resumed)
    with pytest.raises(NotFound, match="no job 99"):
        queue.jobs.change(99, paused)
    assert statuses(queue, number) == "a"


# ---- services


def test_one_orchestrator_is_alone(queue: Store) -> None:
    other = replace(US, token="other", heartbeat=NOON + timedelta(seconds=30))
    with pytest.raises(Conflict, match="Another orchestrator is at work, process 1 on here"):
        queue.services.register(other, alone=True)
    queue.services.register(replace(other, name="scheduler"), alone=True)
    silent = replace(other, token="third", heartbeat=NOON + timedelta(seconds=31))
    queue.services.register(silent, alone=True)
    names = [(item.name, item.token) for item in queue.services.all()]
    assert names == [("orchestrator", "third"), ("orchestrator", "us"), ("scheduler", "other")]


def test_a_service_beats_until_it_leaves(queue: Store) -> None:
    assert queue.services.beat("us", LATER)
    assert queue.services.all() == [replace(US, heartbeat=LATER)]
    queue.services.leave("us")
    assert not queue.services.beat("us", LATER)
    assert queue.services.all() == []


# ---- arrivals


def test_new_products_arrive_once(queue: Store) -> None:
    first, second = product("a"), product("b")
    queue.products.commit([second])
    queue.products.commit([first, second])
    assert queue.arrivals.all() == [second, first]
    assert queue.arrivals.all(limit=1) == [second]
    queue.arrivals.settle(["b", "unknown"])
    queue.products.commit([second])
    assert queue.arrivals.all() == [first]


def test_products_are_found_by_their_names_in_order(queue: Store) -> None:
    queue.products.commit([product("a"), product("b")])
    assert [item.name for item in queue.products.named(["b", "a"])] == ["b", "a"]
    assert queue.products.named([]) == []
    with pytest.raises(NotFound, match="no product 'c'"):
        queue.products.named(["a", "c"])
