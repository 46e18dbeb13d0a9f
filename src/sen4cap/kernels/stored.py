"""Between stored integers and physical values, and to coarser pixels: one pass over an array each.

What numpy does in several passes; results are the same bit by bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


def physical(stored: Array, nodata: int | None, scale: float, offset: float) -> Floats:
    """Stored × scale + offset, shape as `stored`, which holds integers; NaN where it is `nodata`."""
    values = np.empty(stored.shape, np.float32)
    flat = np.ascontiguousarray(stored).ravel()
    has_nodata, code = nodata is not None, np.int64(nodata or 0)
    _physical(flat, has_nodata, code, np.float32(scale), np.float32(offset), values.ravel())
    return values


def quantised(values: Floats, target: npt.DTypeLike, nodata: float, scale: float) -> Array:
    """Integers nearest to values / scale, kept within the type; `nodata` for NaN."""
    stored = np.empty(values.shape, target)
    limits = np.iinfo(stored.dtype)
    bounds = np.float32(limits.min), np.float32(limits.max)
    flat = np.ascontiguousarray(values).ravel()
    _quantise(flat, np.int64(nodata), np.float32(scale), bounds, stored.ravel())
    return stored


def halved(values: Array, nodata: float | None, *, average: bool) -> Array:
    """Every second pixel of every second row, or the mean of those four that are not `nodata`.

    Shape (rows, columns) → halves, rounded up; at an odd edge there are fewer than four. Means of
    integers are rounded, halves up. NaN is missing in floats.
    """
    if not average:
        return np.ascontiguousarray(values[::2, ::2])
    rows, columns = (-(-side // 2) for side in values.shape)
    result = np.empty((rows, columns), values.dtype)
    is_integer = bool(np.issubdtype(values.dtype, np.integer))
    missing = np.nan if nodata is None else nodata
    empty = np.asarray(0 if np.isnan(missing) and is_integer else missing).astype(values.dtype)
    _halve(np.ascontiguousarray(values), missing, empty[()], is_integer, result)
    return result


@njit(nogil=True, cache=True, error_model="numpy")
def _physical(
    stored: Array,
    has_nodata: bool,
    nodata: np.int64,
    scale: np.float32,
    offset: np.float32,
    values: Floats,
) -> None:
    for pixel in range(stored.size):
        value = np.float32(stored[pixel]) * scale + offset
        missing = has_nodata and stored[pixel] == nodata
        values[pixel] = np.float32(np.nan) if missing else value


@njit(nogil=True, cache=True, error_model="numpy")
def _quantise(
    values: Floats,
    nodata: np.int64,
    scale: np.float32,
    bounds: tuple[np.float32, np.float32],
    stored: Array,
) -> None:
    low, high = bounds
    for pixel in range(values.size):
        value = np.rint(values[pixel] / scale)
        value = max(value, low)
        value = min(value, high)
        stored[pixel] = nodata if np.isnan(value) else np.int64(value)


@njit(nogil=True, cache=True, error_model="numpy")
def _halve(values: Array, nodata: float, empty: Any, is_integer: bool, result: Array) -> None:
    height, width = values.shape
    for row in range(result.shape[0]):
        for column in range(result.shape[1]):
            total, count = 0.0, 0
            for y in range(2 * row, min(2 * row + 2, height)):
                for x in range(2 * column, min(2 * column + 2, width)):
                    value = np.float64(values[y, x])
                    if value != nodata and not np.isnan(value):
                        total += value
                        count += 1
            mean = total / count if count else 0.0
            mean = np.floor(mean + 0.5) if is_integer else mean
            result[row, column] = mean if count else empty
