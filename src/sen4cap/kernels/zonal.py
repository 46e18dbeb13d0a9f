"""Coverage-weighted moments of raster cells per parcel, streaming.

The update is West's (D. H. D. West, "Updating mean and variance estimates: an improved method",
Communications of the ACM 22(9), 1979), as exactextract uses it; moments of parts are merged after
Chan, Golub and LeVeque ("Updating formulae and a pairwise algorithm for computing sample
variances", STAN-CS-79-773, 1979).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]


class Moments(NamedTuple):
    """Weighted moments, one per parcel."""

    weight: Floats
    """Sum of the weights."""
    mean: Floats
    """0 where the weight is 0."""
    squares: Floats
    """Weighted sum of squared differences from the mean."""

    @classmethod
    def zeros(cls, count: int) -> Moments:
        """Moments of `count` parcels of which nothing was seen."""
        return cls(np.zeros(count), np.zeros(count), np.zeros(count))

    @property
    def deviation(self) -> Floats:
        """Population standard deviation; NaN where the weight is 0."""
        return np.sqrt(_ratio(self.squares, self.weight))

    @property
    def average(self) -> Floats:
        """The mean; NaN where the weight is 0."""
        return np.where(self.weight > 0, self.mean, np.nan)


def run_starts(positions: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Where runs of equal values start, and the length; shape (runs + 1,)."""
    inner = np.flatnonzero(np.diff(positions)) + 1
    ends = [len(positions)] if len(positions) else []
    return np.concatenate([np.zeros(1, np.int64), inner, np.asarray(ends, np.int64)])


def run_moments(
    starts: npt.NDArray[np.int64],
    cells: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    values: npt.NDArray[np.float32],
) -> Moments:
    """Moments of each run of entries, shape (runs,).

    An entry is an index into the flat `values` and a weight > 0; run i holds the entries from
    `starts[i]` to before `starts[i + 1]`. NaN in `values` is missing and adds nothing.
    """
    moments = Moments.zeros(len(starts) - 1)
    _accumulate((starts, cells, weights), values, moments)
    return moments


def merge(total: Moments, positions: npt.NDArray[np.int32], part: Moments) -> None:
    """Add the moments `part` to those of `total` at `positions`, in place.

    `positions` holds no value twice, shape as `part`.
    """
    weight, mean, squares = (item[positions] for item in total)
    both = weight + part.weight
    delta = part.mean - mean
    share = np.divide(part.weight, both, out=np.zeros_like(both), where=both > 0)
    total.weight[positions] = both
    total.mean[positions] = mean + delta * share
    total.squares[positions] = squares + part.squares + delta * delta * weight * share


def _ratio(above: Floats, below: Floats) -> Floats:
    ratio = np.full(len(above), np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio


@njit(nogil=True, cache=True)
def _accumulate(
    entries: tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float32]],
    values: npt.NDArray[np.float32],
    moments: Moments,
) -> None:
    starts, cells, weights = entries
    weight, mean, squares = moments
    for run in range(len(starts) - 1):
        sum_of_weights, average, sum_of_squares = 0.0, 0.0, 0.0
        for entry in range(starts[run], starts[run + 1]):
            value = np.float64(values[cells[entry]])
            if np.isnan(value):
                continue
            share = np.float64(weights[entry])
            sum_of_weights += share
            before = value - average
            average += before * share / sum_of_weights
            sum_of_squares += share * before * (value - average)
        weight[run], mean[run], squares[run] = sum_of_weights, average, sum_of_squares
