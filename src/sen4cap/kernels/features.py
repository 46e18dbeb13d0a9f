"""Dense features from long series: periods of the calendar and statistics over a season.

Quantiles of halves, quarters and eighths of a season say when something happened, without a model
of how crops grow (QUANT; Dempster et al. 2024, Data Mining and Knowledge Discovery 38: 2377-2402).

Memory: `period_means` holds one float64 sum and one count per cell of its result, 12 bytes in
all; `season_statistics` one sorted copy of its input, `interval_quantiles` one of an interval.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
SEASON_STATISTICS = ("min", "p10", "p25", "p50", "p75", "p90", "max", "amplitude", "mean", "stdev")
"""Columns of `season_statistics`, in order."""


def period_means(
    row: NDArray[np.integer],
    column: NDArray[np.integer],
    values: NDArray[np.floating],
    shape: tuple[int, int],
) -> Floats:
    """Mean of the values that fall on each (row, column).

    `row`, `column`, `values`: shape (k,), 0-based positions in `shape` = (n, periods); missing
    values (NaN) are left out. Returns shape (n, periods); NaN where no value fell.
    """
    known = ~np.isnan(values)
    cell = row[known].astype(np.int64) * shape[1] + column[known]
    size = shape[0] * shape[1]
    total = np.bincount(cell, weights=values[known], minlength=size)
    count = np.bincount(cell, minlength=size)
    mean = np.full(size, np.nan, np.float32)
    np.divide(total, count, out=mean, where=count > 0, casting="same_kind")
    return mean.reshape(shape)


def season_statistics(values: NDArray[np.floating]) -> Floats:
    """Quantiles, amplitude, mean and standard deviation of each row.

    `values`: shape (n, periods); NaN is missing. Returns shape (n, 10), columns as in
    `SEASON_STATISTICS`; NaN throughout where a row has no value. Quantiles interpolate linearly
    between order statistics (Hyndman & Fan 1996, type 7); the standard deviation is that of the
    population.
    """
    ordered = np.sort(values, axis=1)
    count = np.sum(~np.isnan(values), axis=1)
    quantiles = np.stack([_quantile(ordered, count, share) for share in QUANTILES], axis=1)
    amplitude = quantiles[:, -1:] - quantiles[:, :1]
    mean = _mean(values, count)
    spread = np.sqrt(_mean((values - mean) ** 2, count))
    return np.concatenate([quantiles, amplitude, mean, spread], axis=1).astype(np.float32)


DEPTH = 4
"""Times that a season is halved, and one: its eighths are the shortest intervals."""
PERIODS_PER_QUANTILE = 4


@dataclass(frozen=True)
class Interval:
    """A part of a season and the quantiles that describe it."""

    start: int
    """First period."""
    stop: int
    """Period behind the last one."""
    quantiles: tuple[float, ...]
    """Evenly spaced from least to greatest, or the median alone."""


def dyadic_intervals(periods: int) -> tuple[Interval, ...]:
    """The season, its halves, quarters and eighths, and those that lie across their borders.

    There is a quantile for every four periods. Intervals have two periods at least.
    """
    found: list[Interval] = []
    for level in range(DEPTH):
        count = 2**level
        if periods < 2 * count:
            break
        edges = [round(place * periods / count) for place in range(count + 1)]
        half = (edges[1] - edges[0]) // 2
        parts = list(itertools.pairwise(edges))
        across = [(start + half, stop + half) for start, stop in parts[:-1]]
        found += [_interval(start, stop) for start, stop in (*parts, *across)]
    return tuple(found)


def _interval(start: int, stop: int) -> Interval:
    count = max(1, (stop - start) // PERIODS_PER_QUANTILE)
    shares = (0.5,) if count == 1 else tuple(place / (count - 1) for place in range(count))
    return Interval(start, stop, shares)


def interval_quantiles(values: NDArray[np.floating], intervals: Sequence[Interval]) -> Floats:
    """The quantiles of each interval of each row, missing values left out.

    `values`: shape (n, periods); NaN is missing. Returns shape (n, k), interval by interval; NaN
    where an interval holds no value. Quantiles as in `season_statistics`.
    """
    columns = []
    for interval in intervals:
        part = values[:, interval.start : interval.stop]
        ordered, count = np.sort(part, axis=1), np.sum(~np.isnan(part), axis=1)
        columns += [_quantile(ordered, count, share) for share in interval.quantiles]
    return np.stack(columns, axis=1).astype(np.float32) if columns else values[:, :0]


def interval_means(values: NDArray[np.floating], intervals: Sequence[Interval]) -> Floats:
    """The mean of each interval of each row, missing values left out.

    `values`: shape (n, periods); NaN is missing. Returns shape (n, intervals); NaN where an
    interval holds no value.
    """
    columns = []
    for interval in intervals:
        part = values[:, interval.start : interval.stop]
        columns.append(_mean(part, np.sum(~np.isnan(part), axis=1)))
    return np.concatenate(columns, axis=1).astype(np.float32) if columns else values[:, :0]


def interpolated(
    values: NDArray[np.floating], at: NDArray[np.floating], asked: NDArray[np.floating]
) -> Floats:
    """Each row on a line between its known values before and after, constant beyond the ends.

    `values`: shape (n, k), NaN is missing; `at`: where the columns are, ascending, shape (k,);
    `asked`: shape (m,). Returns shape (n, m); NaN throughout where a row has no value.
    """
    place = np.arange(len(at))
    known = ~np.isnan(values)
    before = np.maximum.accumulate(np.where(known, place, -1), axis=1)
    after = np.minimum.accumulate(np.where(known, place, len(at))[:, ::-1], axis=1)[:, ::-1]
    low = before[:, np.maximum(np.searchsorted(at, asked, "right") - 1, 0)]
    high = after[:, np.minimum(np.searchsorted(at, asked, "left"), len(at) - 1)]
    left, right = np.where(low < 0, high, low), np.where(high == len(at), low, high)
    left, right = left.clip(0, len(at) - 1), right.clip(0, len(at) - 1)
    span = (at[right] - at[left]).astype(np.float64)
    along = np.divide(asked - at[left], span, out=np.zeros_like(span), where=span > 0).clip(0, 1)
    first, last = np.take_along_axis(values, left, 1), np.take_along_axis(values, right, 1)
    found: Floats = (first + along * (last - first)).astype(np.float32)
    return found


def _quantile(
    ordered: NDArray[np.floating], count: NDArray[np.integer], share: float
) -> NDArray[np.floating]:
    position = share * np.maximum(count - 1, 0)
    low = np.floor(position).astype(np.intp)
    high = np.ceil(position).astype(np.intp)
    rows = np.arange(len(ordered))
    below, above = ordered[rows, low], ordered[rows, high]
    quantile: NDArray[np.floating] = below + (position - low) * (above - below)
    return quantile


def _mean(values: NDArray[np.floating], count: NDArray[np.integer]) -> NDArray[np.floating]:
    mean = np.full((len(values), 1), np.nan)
    total = np.nansum(values, axis=1, keepdims=True)
    np.divide(total, count[:, None], out=mean, where=count[:, None] > 0)
    return mean
