"""Dense features from long series: periods of the calendar and statistics over a season.

Memory: `period_means` holds one float64 sum and one count per cell of its result, 12 bytes in
all; `season_statistics` one sorted copy of its input.
"""

from __future__ import annotations

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
