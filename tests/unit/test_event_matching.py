"""Found events against true ones: hand-made cases, and all pairings tried out."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sen4cap.kernels.event_matching import match_events
from sen4cap.kernels.mowing import Events, mowings, no_events

Found = tuple[int, int, int, int]
"""Parcel, first, day, last."""


def events(*found: Found) -> Events:
    parcel, first, day, last = (np.array([item[at] for item in found]) for at in range(4))
    return mowings(parcel, first, last, day, np.zeros(len(found)))


def matched(true: list[tuple[int, int]], found: Events, tolerance: int) -> list[int]:
    parcel, day = (np.array([item[at] for item in true], np.int64) for at in (0, 1))
    return match_events(parcel, day, found, tolerance).tolist()


def test_an_interval_within_the_tolerance_answers() -> None:
    found = events((0, 100, 103, 105), (1, 100, 103, 105))
    assert matched([(0, 95), (1, 94)], found, 5) == [0, -1]
    assert matched([(0, 110), (1, 111)], found, 5) == [0, -1]


def test_one_found_event_answers_one_true_event_only() -> None:
    assert matched([(0, 101), (0, 104)], events((0, 100, 103, 105)), 10) == [-1, 0]


def test_as_many_as_possible_are_paired_before_days_count() -> None:
    """The nearest pair alone (true 110 with found 110) would leave true 100 without an answer."""
    found = events((0, 90, 110, 112), (0, 108, 120, 125))
    assert matched([(0, 100), (0, 110)], found, 0) == [0, 1]


def test_nothing_found_or_nothing_true() -> None:
    assert matched([(0, 100)], no_events(), 10) == [-1]
    assert matched([], events((0, 100, 103, 105)), 10) == []


def test_many_parcels_are_paired_as_each_alone() -> None:
    """More possible pairs than are looked at together: 4 and more in each of 300 parcels."""
    rng = np.random.default_rng(3)
    day = rng.integers(0, 40, (300, 3))
    found = [
        (parcel, int(best) - 3, int(best), int(best) + 3)
        for parcel in range(300)
        for best in np.sort(rng.integers(0, 40, 3))
    ]
    true = [(parcel, int(item)) for parcel in range(300) for item in day[parcel]]
    together = np.array(matched(true, events(*found), 10)).reshape(300, 3)
    for parcel in range(300):
        mine = events(*found[3 * parcel : 3 * parcel + 3])
        alone = np.array(matched(true[3 * parcel : 3 * parcel + 3], mine, 10))
        assert (together[parcel] == np.where(alone < 0, -1, alone + 3 * parcel)).all()


DAYS = st.integers(0, 40)


@given(
    st.lists(st.tuples(st.integers(0, 1), DAYS), max_size=5),
    st.lists(st.tuples(st.integers(0, 1), st.tuples(DAYS, DAYS, DAYS)), max_size=5),
    st.integers(0, 5),
)
def test_no_pairing_is_better(
    true: list[tuple[int, int]], drawn: list[tuple[int, tuple[int, int, int]]], tolerance: int
) -> None:
    found = [(parcel, *sorted(days)) for parcel, days in drawn]
    answers = matched(true, events(*found) if found else no_events(), tolerance)
    assert score(true, found, answers, tolerance) == max(
        score(true, found, list(tried), tolerance)
        for tried in permutations([*range(len(found)), *[-1] * len(true)], len(true))
    )


def score(
    true: list[tuple[int, int]], found: list[Found], answers: list[int], tolerance: int
) -> tuple[int, int]:
    """Pairs, and minus the days between them; pairs that may not be count against."""
    pairs, days = 0, 0
    for (parcel, day), answer in zip(true, answers, strict=True):
        if answer < 0:
            continue
        other, first, best, last = found[answer]
        if other != parcel or not first - tolerance <= day <= last + tolerance:
            return -1, 0
        pairs, days = pairs + 1, days - abs(best - day)
    return pairs, days
