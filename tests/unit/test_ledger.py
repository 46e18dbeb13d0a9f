"""The states of the ledger, one step after the other; expected values by hand from its words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sen4cap.domain import ProductType, Status, StepRecord
from sen4cap.domain.ledger import (
    CODES,
    NO_ROOM,
    REFUSED,
    Entry,
    State,
    after_step,
    failed,
    is_due,
    planned,
    retried,
    unanswered,
    wait_after,
)

NOW = datetime(2019, 6, 1, tzinfo=UTC)
ENTRY = Entry("nl", ProductType.L2A, "31UFU", NOW, product="SCENE", source="one")


def step(status: Status, *, attempt: int = 1, reason: str = "") -> StepRecord:
    return StepRecord(7, 0, "", ENTRY.slot, status=status, attempt=attempt, reason=reason)


def test_waits_grow_from_a_minute_to_an_hour() -> None:
    minutes = [wait_after(tries) / timedelta(minutes=1) for tries in range(1, 6)]
    assert minutes == [1, 8, 60, 60, 60]


def test_three_tries_then_the_fallback_once_then_never() -> None:
    entry, seen = ENTRY, []
    for _ in range(4):
        entry = failed(entry, NOW, "No.", 3, "two")
        seen.append((entry.state, entry.source, entry.tries, entry.next_try))
    assert seen == [
        (State.FAILED, "one", 1, NOW + timedelta(minutes=1)),
        (State.FAILED, "one", 2, NOW + timedelta(minutes=8)),
        (State.FAILED, "two", 0, NOW),
        (State.ABORTED, "two", 1, None),
    ]


def test_a_refusal_ends_it_and_a_full_disk_costs_no_try() -> None:
    refused = failed(ENTRY, NOW, f"{REFUSED}the offset contradicts itself.", 3, "two")
    assert (refused.state, refused.next_try, refused.source) == (State.ABORTED, None, "one")
    full = failed(ENTRY, NOW, f"{NO_ROOM}1 GB.", 3)
    assert (full.state, full.tries, full.next_try) == (
        State.PLANNED,
        0,
        NOW + timedelta(hours=1),
    )


def test_each_run_of_a_step_counts_once() -> None:
    once = after_step(ENTRY, step(Status.FAILED, reason="No."), NOW, 3)
    assert (once.tries, once.run, once.job) == (1, "7.1", 7)
    assert after_step(once, step(Status.FAILED, reason="No."), NOW, 3) == once
    twice = after_step(once, step(Status.FAILED, attempt=2, reason="No."), NOW, 3)
    assert twice.tries == 2


def test_steps_that_wait_run_or_were_dismissed() -> None:
    waits = after_step(ENTRY, step(Status.ACCEPTED), NOW, 3)
    assert (waits.state, waits.reason) == (State.PLANNED, "It waits in job 7.")
    runs = after_step(waits, step(Status.RUNNING), NOW, 3)
    assert (runs.state, runs.reason, runs.job) == (State.DOWNLOADING, "", 7)
    beside = after_step(runs, step(Status.DISMISSED), NOW, 3)
    assert (beside.state, beside.tries, beside.next_try) == (State.PLANNED, 0, None)
    ended = after_step(runs, step(Status.DISMISSED), NOW, 3, told="Job 7 was cancelled.")
    assert (ended.state, ended.next_try) == (State.FAILED, None)
    assert not is_due(ended, NOW + timedelta(days=9))


def test_what_is_tried_again_starts_anew_but_counts_no_run_twice() -> None:
    once = after_step(ENTRY, step(Status.FAILED, reason="No."), NOW, 1)
    assert once.state is State.ABORTED
    again = retried(once, NOW)
    assert (again.state, again.tries, again.reason, is_due(again, NOW)) == (
        State.PLANNED,
        0,
        "",
        True,
    )
    assert after_step(again, step(Status.FAILED, reason="No."), NOW, 1) == again


def test_a_newer_scene_starts_anew() -> None:
    aborted = replace(ENTRY, state=State.ABORTED, tries=3, fallen_back=True, reason="No.")
    fresh = planned(aborted, NOW, "NEWER", "one")
    assert fresh == replace(ENTRY, product="NEWER", since=NOW)


def test_a_source_is_asked_for_ever() -> None:
    entry = replace(ENTRY, stage=ProductType.SCENE, place="s2")
    for _ in range(9):
        entry = unanswered(entry, NOW, "No answer.")
    assert (entry.state, entry.tries, entry.next_try) == (
        State.FAILED,
        9,
        NOW + timedelta(hours=1),
    )


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({"state": State.DOWNLOADED}, ""),
        ({"state": State.PLANNED}, ""),
        ({"state": State.ABORTED}, "sen4cap ledger fix nl 31UFU 2019-06-01 --retry"),
        ({"state": State.IGNORED}, "sen4cap ledger fix nl 31UFU 2019-06-01 --retry"),
        ({"state": State.MISSING}, "sen4cap source fetch nl"),
        ({"state": State.FAILED, "stage": ProductType.SCENE}, "sen4cap source test one"),
        (
            {"state": State.PROCESSING_FAILED, "stage": ProductType.L3B, "job": 12},
            "sen4cap job retry 12",
        ),
    ],
)
def test_every_hole_names_the_command_that_mends_it(
    changes: dict[str, object], command: str
) -> None:
    assert replace(ENTRY, **changes).mend == command


def test_the_originals_numbers() -> None:
    numbers = {state.value: code for state, code in CODES.items()}
    assert numbers == {
        "downloading": 1,
        "downloaded": 2,
        "failed": 3,
        "aborted": 4,
        "ignored": 41,
        "processed": 5,
        "processing failed": 6,
        "processing": 7,
        "processing failed: clouds": 8,
    }
