"""Statistics of raster cells per parcel, weighted by coverage, strip by strip.

Two ways lead to them. `part_moments` goes straight over the stored values of a strip: nothing is
copied, converted or computed but for the cells that count. `gather` takes the physical values of
these cells out, so that indices can be computed of them, `run_moments` reduces what comes of it,
and `run_quantiles` sorts it.

Moments are sums of differences from the first value of a part, which cannot cancel badly, since
that value is one of those that make up the spread; parts are merged after Chan, Golub and LeVeque
("Updating formulae and a pairwise algorithm for computing sample variances", STAN-CS-79-773,
1979).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from sen4cap.kernels.coverage import Parts

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]
Numbers = tuple[float, float, float, float, float]
"""Moments of one parcel, in the order of `Moments`."""


class Moments(NamedTuple):
    """Weighted moments and extremes, one per parcel."""

    weight: Floats
    """Sum of the weights."""
    mean: Floats
    """0 where the weight is 0."""
    squares: Floats
    """Weighted sum of squared differences from the mean."""
    low: Floats
    """Lowest value; infinite where the weight is 0."""
    high: Floats
    """Highest value; minus infinite where the weight is 0."""

    @classmethod
    def zeros(cls, count: int) -> Moments:
        """Moments of `count` parcels of which nothing was seen."""
        low, high = np.full(count, np.inf), np.full(count, -np.inf)
        return cls(np.zeros(count), np.zeros(count), np.zeros(count), low, high)

    @property
    def deviation(self) -> Floats:
        """Population standard deviation; NaN where the weight is 0."""
        ratio = np.full(len(self.weight), np.nan)
        np.divide(self.squares, self.weight, out=ratio, where=self.weight > 0)
        deviation: Floats = np.sqrt(ratio)
        return deviation

    @property
    def average(self) -> Floats:
        """The mean; NaN where the weight is 0."""
        return np.where(self.weight > 0, self.mean, np.nan)

    @property
    def extremes(self) -> tuple[Floats, Floats]:
        """Lowest and highest value; NaN where the weight is 0."""
        seen = self.weight > 0
        return np.where(seen, self.low, np.nan), np.where(seen, self.high, np.nan)

    def scaled(self, scale: float, offset: float) -> Moments:
        """Moments of value × scale + offset."""
        low, high = (self.low, self.high) if scale >= 0 else (self.high, self.low)
        seen = self.weight > 0
        return Moments(
            self.weight,
            np.where(seen, self.mean * scale + offset, 0.0),
            self.squares * scale**2,
            np.where(seen, low * scale + offset, np.inf),
            np.where(seen, high * scale + offset, -np.inf),
        )


class Plane(NamedTuple):
    """Stored values of a strip, perhaps in larger pixels."""

    values: npt.NDArray[Any]
    """Shape (rows, columns) of its own pixels."""
    shift: int
    """A pixel holds 2^shift × 2^shift cells."""


class Mask(NamedTuple):
    """Which cells of a strip are seen, perhaps in larger pixels."""

    codes: npt.NDArray[np.uint8]
    """Shape (rows, columns) of its own pixels."""
    shift: int
    """A pixel holds 2^shift × 2^shift cells."""
    seen: npt.NDArray[np.bool_]
    """Whether a cell of each code is seen, shape (256,)."""


def part_moments(parts: Parts, values: npt.NDArray[Any], nodata: Any, mask: Mask | None) -> Moments:
    """Moments of the stored values of each part, shape (parts,).

    `values`: shape (rows, columns) of the strip; those that equal `nodata`, which has their type,
    are missing, and so is NaN, and what `mask` hides. Without one all cells are seen.
    """
    moments = Moments.zeros(len(parts.owner))
    zero = np.int64(0) if values.dtype.kind in "iu" and values.dtype.itemsize < 4 else 0.0
    _part_moments(parts, values.shape[1], values.ravel(), nodata, zero, mask, moments)
    return moments


def entries(parts: Parts) -> tuple[npt.NDArray[np.int32], Singles, Longs]:
    """Cells and shares of all parts, one after the other, and where each part begins.

    Shapes (entries,), (entries,), (parts + 1,).
    """
    sizes = np.zeros(len(parts.owner) + 1, np.int64)
    _count_entries(parts, sizes)
    start = np.cumsum(sizes)
    cells, shares = np.empty(start[-1], np.int32), np.empty(start[-1], np.float32)
    _list_entries(parts, start, cells, shares)
    return cells, shares, start


def gather(cells: npt.NDArray[np.int32], columns: int, plane: Plane) -> npt.NDArray[Any]:
    """Values of a plane at cells of a strip of so many columns, shape and order as `cells`."""
    position = cells
    if plane.shift:
        row, column = np.divmod(cells, np.int32(columns))
        position = (row >> plane.shift) * plane.values.shape[1] + (column >> plane.shift)
    return np.asarray(plane.values.ravel()[position])


def run_moments(start: Longs, weights: Singles, values: Singles) -> Moments:
    """Moments of each run of values, shape (runs,); run i is from `start[i]` on.

    NaN in `values` is missing and adds nothing.
    """
    moments = Moments.zeros(len(start) - 1)
    _run_moments(start, weights, values, moments)
    return moments


def run_quantiles(
    start: Longs, weights: Singles, values: Singles, shares: tuple[float, ...]
) -> Floats:
    """Weighted quantiles of each run of values, shape (shares, runs); NaN where nothing is valid.

    With weights of 1 they interpolate linearly between order statistics (Hyndman & Fan 1996, type
    7). The weights enter as in exactextract: of n sorted values, value k (from 0) stands at
    k·w(k) + (n − 1)·(sum of the weights before it), and the quantile q at q·(n − 1)·(sum of all).
    Equal values are sorted by weight (in exactextract their order is not defined).
    """
    found = np.full((len(shares), len(start) - 1), np.nan)
    _run_quantiles(start, weights, values, np.asarray(shares, np.float64), found)
    return found


def merge(total: Moments, positions: npt.NDArray[np.int32], part: Moments) -> None:
    """Add the moments `part` to those of `total` at `positions`, in place.

    `positions` holds no value twice, shape as `part`.
    """
    _merge(total, positions, part)


@njit(nogil=True, cache=True)
def _merge(total: Moments, positions: npt.NDArray[np.int32], part: Moments) -> None:
    for number in range(len(positions)):
        at = positions[number]
        _write(total, at, _merged(_read(total, at), _read(part, number)))


@njit(nogil=True, cache=True)
def _part_moments(
    parts: Parts, columns: int, values: Any, nodata: Any, zero: Any, mask: Any, moments: Moments
) -> None:
    """As `part_moments`, of flat `values`; `zero` has the type in which they are summed.

    It is compiled with a mask and for None.
    """
    for part in range(len(parts.owner)):
        full = _of_runs(parts, part, columns, values, nodata, zero, mask)
        rim = _of_rims(parts, part, columns, values, nodata, mask)
        _write(moments, part, _merged(full, rim))


@njit(nogil=True, cache=True)
def _of_runs(
    parts: Parts, part: int, columns: int, values: Any, nodata: Any, zero: Any, mask: Any
) -> Numbers:
    """Moments of the cells that a part covers in full."""
    count, pivot, first, second, low, high = 0, zero, zero, zero, zero, zero
    row, left = 0, 0
    for run in range(parts.run_start[part], parts.run_start[part + 1]):
        begin = parts.run_cell[run]
        if mask is not None:
            row, left = _row_of(begin, columns, row, left)
            column = begin - left
            codes, shift = mask.codes[row >> mask.shift], mask.shift
        for offset in range(parts.run_length[run]):
            if mask is not None and not mask.seen[codes[(column + offset) >> shift]]:
                continue
            stored = values[begin + offset]
            value = zero + stored
            if stored == nodata or np.isnan(value):
                continue
            if count == 0:
                pivot, low, high = value, value, value
            delta = value - pivot
            count, first, second = count + 1, first + delta, second + delta * delta
            low, high = min(low, value), max(high, value)
    return _closed(float(count), pivot, first, second, low, high)


@njit(nogil=True, cache=True)
def _of_rims(parts: Parts, part: int, columns: int, values: Any, nodata: Any, mask: Any) -> Numbers:
    """Moments of the cells at the rim of a part."""
    weight, pivot, first, second, low, high = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    row, left = 0, 0
    for rim in range(parts.rim_start[part], parts.rim_start[part + 1]):
        cell = parts.rim_cell[rim]
        if mask is not None:
            row, left = _row_of(cell, columns, row, left)
            if not mask.seen[mask.codes[row >> mask.shift, (cell - left) >> mask.shift]]:
                continue
        stored = values[cell]
        value = np.float64(stored)
        if stored == nodata or np.isnan(value):
            continue
        if weight == 0:
            pivot, low, high = value, value, value
        delta, share = value - pivot, np.float64(parts.rim_share[rim])
        weight, first, second = (
            weight + share,
            first + share * delta,
            second + share * delta * delta,
        )
        low, high = min(low, value), max(high, value)
    return _closed(weight, pivot, first, second, low, high)


@njit(nogil=True, cache=True)
def _row_of(cell: int, columns: int, row: int, left: int) -> tuple[int, int]:
    """Row of a cell and first cell of that row, from those of a cell before it.

    Within a part cells go down row by row, so that to count is faster than to divide.
    """
    if row == 0 or cell < left:
        row = cell // columns
        left = row * columns
    while cell >= left + columns:
        row, left = row + 1, left + columns
    return row, left


@njit(nogil=True, cache=True)
def _run_moments(start: Longs, weights: Singles, values: Singles, moments: Moments) -> None:
    for run in range(len(start) - 1):
        weight, pivot, first, second, low, high = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for entry in range(start[run], start[run + 1]):
            value = np.float64(values[entry])
            if np.isnan(value):
                continue
            if weight == 0:
                pivot, low, high = value, value, value
            delta, share = value - pivot, np.float64(weights[entry])
            weight, first, second = (
                weight + share,
                first + share * delta,
                second + share * delta * delta,
            )
            low, high = min(low, value), max(high, value)
        _write(moments, run, _closed(weight, pivot, first, second, low, high))


@njit(nogil=True, cache=True)
def _closed(weight: float, pivot: Any, first: Any, second: Any, low: Any, high: Any) -> Numbers:
    """Moments from sums of differences from a pivot, and of their squares."""
    if weight == 0:
        return 0.0, 0.0, 0.0, np.inf, -np.inf
    mean = float(first) / weight
    squares = max(float(second) - float(first) * mean, 0.0)
    return weight, float(pivot) + mean, squares, float(low), float(high)


@njit(nogil=True, cache=True)
def _merged(one: Numbers, other: Numbers) -> Numbers:
    weight = one[0] + other[0]
    if weight == 0:
        return one
    delta, share = other[1] - one[1], other[0] / weight
    squares = one[2] + other[2] + delta * delta * one[0] * share
    mean = one[1] + delta * share if one[0] > 0 else other[1]
    return weight, mean, squares, min(one[3], other[3]), max(one[4], other[4])


@njit(nogil=True, cache=True)
def _read(moments: Moments, position: int) -> Numbers:
    return (
        moments.weight[position],
        moments.mean[position],
        moments.squares[position],
        moments.low[position],
        moments.high[position],
    )


@njit(nogil=True, cache=True)
def _write(moments: Moments, position: int, numbers: Numbers) -> None:
    moments.weight[position], moments.mean[position], moments.squares[position] = numbers[:3]
    moments.low[position], moments.high[position] = numbers[3], numbers[4]


@njit(nogil=True, cache=True)
def _count_entries(parts: Parts, sizes: Longs) -> None:
    for part in range(len(parts.owner)):
        cells = parts.rim_start[part + 1] - parts.rim_start[part]
        for run in range(parts.run_start[part], parts.run_start[part + 1]):
            cells += parts.run_length[run]
        sizes[part + 1] = cells


@njit(nogil=True, cache=True)
def _list_entries(
    parts: Parts, start: Longs, cells: npt.NDArray[np.int32], shares: Singles
) -> None:
    for part in range(len(parts.owner)):
        entry = start[part]
        for run in range(parts.run_start[part], parts.run_start[part + 1]):
            for offset in range(parts.run_length[run]):
                cells[entry], shares[entry] = parts.run_cell[run] + offset, 1.0
                entry += 1
        for rim in range(parts.rim_start[part], parts.rim_start[part + 1]):
            cells[entry], shares[entry] = parts.rim_cell[rim], parts.rim_share[rim]
            entry += 1


@njit(nogil=True, cache=True)
def _run_quantiles(
    start: Longs, weights: Singles, values: Singles, shares: Floats, found: Floats
) -> None:
    for run in range(len(start) - 1):
        begin, end = start[run], start[run + 1]
        valid = np.flatnonzero(~np.isnan(values[begin:end])) + begin
        count = len(valid)
        if count == 0:
            continue
        # equal values by weight, so that nothing depends on the order in which cells come
        by_weight = valid[np.argsort(weights[valid], kind="mergesort")]
        order = by_weight[np.argsort(values[by_weight], kind="mergesort")]
        total = 0.0
        place = np.empty(count)
        for rank in range(count):
            weight = np.float64(weights[order[rank]])
            place[rank] = rank * weight + (count - 1) * total
            total += weight
        for number in range(len(shares)):
            target = shares[number] * (count - 1) * total
            right = np.searchsorted(place, target, side="right")
            if right in {0, count}:
                found[number, run] = values[order[min(right, count - 1)]]
                continue
            below, above = values[order[right - 1]], values[order[right]]
            step = (target - place[right - 1]) / (place[right] - place[right - 1])
            found[number, run] = below + step * (np.float64(above) - below)
