"""Scores of found events by hand, and Wilson's interval against a published example."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from sen4cap.kernels.event_scores import Compared, rate
from sen4cap.kernels.mowing import Events, mowings, no_events

TRUE = ([0, 0, 1, 2], [100, 150, 100, 100])
"""Two events of parcel 0, one each of 1 and 2, none of 3."""


def events(*rows: tuple[int, int, int, int, float]) -> Events:
    parcel, first, day, last, chance = (np.array(column) for column in zip(*rows, strict=True))
    return mowings(parcel, first, last, day, chance)


FOUND = events(
    (0, 98, 102, 106, 0.95),  # 2 late, holds the day
    (0, 153, 156, 159, 0.85),  # 6 late, begins 3 after
    (1, 60, 65, 70, 0.85),  # answers nothing
    (3, 60, 65, 70, 0.25),  # nor does this
)


def compared(found: Events = FOUND, tolerance: int = 5) -> Compared:
    parcel, day = (np.array(item) for item in TRUE)
    return Compared.of(4, parcel, day, found, tolerance)


def test_scores_by_hand() -> None:
    """2 of 4 true answered, 2 of 4 found right; counts are off by 0, 0, 1 and 1."""
    found = compared().scores()
    assert (found.parcels, found.true, found.found, found.matched) == (4, 4, 4, 2)
    assert (found.precision.share, found.recall.share, found.f1) == (0.5, 0.5, 0.5)
    assert (found.days_median, found.days_mean, found.days_bias) == (4, 4, 4)
    assert found.days_p90 == pytest.approx(5.6)
    assert (found.inside.share, found.inside.number) == (0.5, 2)
    assert found.count_error == 0.5
    assert (found.right_count.share, found.right_count.number) == (0.5, 4)


def test_the_tolerance_counts_from_the_interval() -> None:
    assert compared(tolerance=2).scores().matched == 1
    assert compared(tolerance=3).scores().matched == 2


def test_scores_of_some_parcels() -> None:
    found = compared().scores(np.array([True, False, False, True]))
    assert (found.parcels, found.true, found.found, found.matched) == (2, 2, 3, 2)
    assert found.f1 == pytest.approx(0.8)


def test_reliability_by_class() -> None:
    low, high = compared().reliability(np.array([0.0, 0.5, 1.0]))
    assert (low[:2], low[2], low[3].share, low[3].number) == ((0, 0.5), 0.25, 0, 1)
    assert high[:2] == (0.5, 1)
    assert high[2] == pytest.approx((0.95 + 0.85 + 0.85) / 3)
    assert high[3].share == pytest.approx(2 / 3)


def test_what_is_not_defined_is_nan() -> None:
    found = compared(no_events()).scores()
    assert (found.found, found.recall.share, found.f1) == (0, 0, 0)
    assert isnan(found.precision.share)
    assert isnan(found.precision.low)
    assert isnan(found.days_median)


def test_an_interval_by_wilson() -> None:
    """81 of 263: 0.2553 to 0.3662 (Newcombe 1998, Statistics in Medicine 17: 857-872, method 3)."""
    found = rate(81, 263)
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
