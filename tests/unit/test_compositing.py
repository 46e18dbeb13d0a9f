"""Composites of a pixel or two, by hand; and against numpy on the whole stack."""

from __future__ import annotations

import numpy as np
import pytest

from sen4cap.kernels.compositing import (
    Composite,
    add,
    add_greater,
    add_missing,
    date_weight,
)

NAN = np.nan


def row(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


def test_the_weight_of_a_date_falls_evenly_to_a_half() -> None:
    # a quarter of the way out: 1 - 0.25 · 0.5; integers are not divided as such
    found = [date_weight(distance, 20) for distance in (0, 5, -5, 10, 20, -20)]
    assert found == [1.0, 0.875, 0.875, 0.75, 0.5, 0.5]


def test_weighted_mean_by_hand() -> None:
    so_far = Composite.empty((1, 3))
    add(so_far, row(1.0, 2.0, NAN), 1.0)
    add(so_far, row(4.0, NAN, NAN), 0.5)
    # (1 + 2) / 1.5; 2 alone; nothing
    np.testing.assert_array_equal(so_far.value, [[2.0, 2.0, NAN]])
    assert so_far.seen.tolist() == [[2, 1, 0]]
    assert so_far.day.tolist() == [[0, 0, 0]]


def test_the_first_that_comes_is_chosen() -> None:
    so_far = Composite.empty((1, 3))
    add_missing(so_far, row(NAN, -5.0, NAN), 40)
    add_missing(so_far, row(3.0, 7.0, NAN), 30)
    np.testing.assert_array_equal(so_far.value, [[3.0, -5.0, NAN]])
    assert so_far.seen.tolist() == [[1, 2, 0]]
    assert so_far.day.tolist() == [[30, 40, 0]]


def test_the_greatest_is_chosen_of_equal_ones_the_first() -> None:
    so_far = Composite.empty((1, 3))
    for values, day in ((row(-3.0, 2.0, NAN), 1), (row(-1.0, 2.0, NAN), 2), (row(-2.0, 1, NAN), 3)):
        add_greater(so_far, values, day)
    np.testing.assert_array_equal(so_far.value, [[-1.0, 2.0, NAN]])
    assert so_far.seen.tolist() == [[3, 3, 0]]
    assert so_far.day.tolist() == [[2, 1, 0]]


def test_the_count_stops_at_its_greatest() -> None:
    so_far = Composite.empty((1, 1))
    for _ in range(300):
        add(so_far, row(1.0), 0.5)
    assert so_far.seen.tolist() == [[255]]
    assert so_far.value.tolist() == [[1.0]]


@pytest.mark.parametrize("dates", [1, 5, 40])
def test_equals_numpy_on_the_whole_stack(dates: int) -> None:
    rng = np.random.default_rng(dates)
    stack = rng.normal(size=(dates, 7, 9)).astype(np.float32)
    stack[rng.random(stack.shape) < 0.5] = np.nan
    stack[:, 0, 0], stack[0, 1:] = np.nan, rng.normal(size=(6, 9))
    weights = rng.uniform(0.5, 1, dates)
    mean, greatest = Composite.empty((7, 9)), Composite.empty((7, 9))
    for day, (values, weight) in enumerate(zip(stack, weights, strict=True), 1):
        add(mean, values, float(weight))
        add_greater(greatest, values, day)
    known = ~np.isnan(stack)
    count = known.sum(axis=0)
    share = np.where(known, weights[:, None, None], 0)
    with np.errstate(invalid="ignore"):
        expected = (share * np.nan_to_num(stack)).sum(axis=0) / share.sum(axis=0)
    np.testing.assert_allclose(mean.value, expected, atol=1e-6)
    highest = np.where(known, stack, -np.inf)
    np.testing.assert_array_equal(greatest.value, np.where(count > 0, highest.max(axis=0), np.nan))
    np.testing.assert_array_equal(greatest.day, np.where(count > 0, highest.argmax(axis=0) + 1, 0))
    for found in (mean, greatest):
        np.testing.assert_array_equal(found.seen, count)
