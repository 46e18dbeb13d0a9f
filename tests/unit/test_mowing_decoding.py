"""From candidates to events."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sen4cap.kernels.mowing_candidates import Candidates
from sen4cap.kernels.mowing_decoding import LEAST_GAP, chosen, counts, peaks, pooled


def _at(days: list[int], parcel: int = 0) -> Candidates:
    middle = np.array(days, np.int32)
    return Candidates(np.full(len(days), parcel, np.int64), middle - 2, middle + 2)


def test_neighbours_speak_for_the_same_event() -> None:
    found = _at([100, 105, 150])
    together = pooled(found, np.array([0.5, 0.4, 0.3]))
    assert together == pytest.approx([1 - 0.5 * 0.6, 0.4, 0.3])


def test_the_best_set_of_all_that_keep_the_gap() -> None:
    random = np.random.default_rng(5)
    for _ in range(50):
        days = np.sort(random.integers(100, 220, 9)).tolist()
        probability = random.uniform(0.05, 0.95, 9)
        found = _at(days)
        odds = np.log(probability / (1 - probability)) - np.log(0.4 / 0.6)
        best = max(
            sum(odds[list(rows)])
            for size in range(10)
            for rows in itertools.combinations(range(9), size)
            if all(days[b] - days[a] >= LEAST_GAP for a, b in itertools.pairwise(rows))
        )
        taken = chosen(found, probability, np.full(9, 0.4))
        assert odds[taken].sum() == pytest.approx(best)


def test_any_number_of_events() -> None:
    found = _at(list(range(90, 300, 25)))
    probability = np.full(len(found.first), 0.9)
    assert chosen(found, probability, np.full(len(probability), 0.5)).all()


def test_further_events_keep_off_those_taken() -> None:
    found = _at([100, 110, 130, 140])
    taken = np.array([True, False, False, False])
    assert peaks(found, np.array([0.9, 0.8, 0.3, 0.2]), taken).tolist() == [
        False, False, True, False,
    ]  # fmt: skip


def test_parcels_are_dealt_with_by_themselves() -> None:
    two = [_at([100, 110], 0), _at([101, 160], 1)]
    both = Candidates(*(np.concatenate(parts) for parts in zip(*two, strict=True)))
    probability = np.array([0.6, 0.7, 0.8, 0.55])
    for kernel in (pooled, lambda found, p: chosen(found, p, np.full(len(p), 0.5))):
        halves = zip(two, np.split(probability, 2), strict=True)
        alone = [kernel(found, half) for found, half in halves]
        np.testing.assert_array_equal(kernel(both, probability), np.concatenate(alone))


def test_numbers_of_independent_events() -> None:
    table = counts(np.array([0, 0, 2]), np.array([0.5, 0.2, 0.9]), 3)
    assert table[0, :3] == pytest.approx([0.4, 0.5, 0.1])
    assert table[1, 0] == 1
    assert table[2, :2] == pytest.approx([0.1, 0.9])
    assert table.sum(axis=1) == pytest.approx(1)
