"""Composites: one value per pixel from the dates of a period, taken in one by one.

What was taken in so far is all that is remembered, so that memory does not grow with the dates.
Dates are taken in order; the same order gives the same bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Values = NDArray[np.float32]

LEAST_WEIGHT = 0.5
"""Of a date at either end of the period; one in its middle weighs 1."""
MOST = 255
"""Up to which values are counted."""


class Composite(NamedTuple):
    """What was taken in, shape (rows, columns) each."""

    total: NDArray[np.float64]
    """Sum of weight times value."""
    weight: NDArray[np.float64]
    """Sum of the weights; 0 where nothing was seen."""
    seen: NDArray[np.uint8]
    """Values that were seen, 255 for all above."""
    day: NDArray[np.uint16]
    """Day of the year of the value that was chosen; 0 where none, or where all were mixed."""

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Composite:
        """Nothing seen yet."""
        return cls(
            np.zeros(shape), np.zeros(shape), np.zeros(shape, np.uint8), np.zeros(shape, np.uint16)
        )

    @property
    def value(self) -> Values:
        """The mean, or the value that was chosen; NaN where nothing was seen."""
        value = np.full(self.total.shape, np.nan, np.float32)
        seen = self.weight > 0
        np.divide(self.total, self.weight, out=value, where=seen, casting="same_kind")
        return value


def date_weight(distance: float, reach: float) -> float:
    """Weight of a date: 1 in the middle of its period, falling evenly to 0.5 at its ends.

    `distance`: from the middle, at most `reach`, half the length of the period, in the same unit.
    It is the weight of the Sen2-Agri composite (L3A), 1 − distance/reach · (1 − 0.5); there an
    integer division made the quotient 0 for every date but the farthest.
    """
    return 1.0 - abs(distance) / reach * (1.0 - LEAST_WEIGHT)


def add(so_far: Composite, values: Values, weight: float) -> None:
    """Take in a date for the weighted mean, in place; NaN in `values` is missing."""
    _add(so_far, values, weight)


def add_missing(so_far: Composite, values: Values, day: int) -> None:
    """Take in a date where nothing was seen before, in place: the first that comes is chosen.

    NaN in `values` is missing; `day`: day of the year.
    """
    _choose(so_far, values, day, False)


def add_greater(so_far: Composite, values: Values, day: int) -> None:
    """Take in a date where it is above what was seen before, in place; else as `add_missing`."""
    _choose(so_far, values, day, True)


@njit(nogil=True, cache=True)
def _add(so_far: Composite, values: Values, weight: float) -> None:
    total, weights, seen, _ = so_far
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            value = np.float64(values[row, column])
            if not np.isnan(value):
                total[row, column] += weight * value
                weights[row, column] += weight
                seen[row, column] += seen[row, column] < MOST


@njit(nogil=True, cache=True)
def _choose(so_far: Composite, values: Values, day: int, greater: bool) -> None:
    total, weights, seen, days = so_far
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            value = np.float64(values[row, column])
            if np.isnan(value):
                continue
            if seen[row, column] == 0 or (greater and value > total[row, column]):
                total[row, column], weights[row, column], days[row, column] = value, 1.0, day
            seen[row, column] += seen[row, column] < MOST
