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
    """Stored × scale + offset, shape as the integers `stored`; NaN where one is `nodata`."""
    values = np.empty(stored.shape, np.float32)
    flat = np.ascontiguousarray(stored).ravel()
    limits = np.iinfo(stored.dtype)
    has_nodata = nodata is not None and limits.min <= nodata <= limits.max
    code = stored.dtype.type(nodata if has_nodata else 0)
    _physical(flat, has_nodata, code, (np.float32(scale), np.float32(offset)), values.ravel())
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
    nodata: Any,
    conversion: tuple[np.float32, np.float32],
    values: Floats,
) -> None:
    scale, offset = conversion
    missing = np.float32(np.nan)
    if has_nodata:
        for pixel in range(stored.size):
            value = np.float32(stored[pixel]) * scale + offset
            values[pixel] = missing if stored[pixel] == nodata else value
    else:
        for pixel in range(stored.size):
            values[pixel] = np.float32(stored[pixel]) * scale + offset


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
        upper, lower = values[2 * row], values[min(2 * row + 1, height - 1)]
        both = np.float32(2 * row + 1 < height)
        for column in range(width // 2):
            a, b = upper[2 * column], upper[2 * column + 1]
            c, d = lower[2 * column], lower[2 * column + 1]
            total, count = _sum(a, b, nodata)
            more, others = _sum(c, d, nodata)
            total, count = total + more * both, count + others * both
            mean = total / max(count, np.float32(1))
            mean = np.floor(mean + np.float32(0.5)) if is_integer else mean
            result[row, column] = mean if count else empty
        if width % 2:
            total, count = _sum(upper[-1], lower[-1], nodata)
            total, count = (total, count) if both else _sum(upper[-1], nodata, nodata)
            mean = total / max(count, np.float32(1))
            mean = np.floor(mean + np.float32(0.5)) if is_integer else mean
            result[row, width // 2] = mean if count else empty


@njit(inline="always")
def _sum(first: Any, second: Any, nodata: Any) -> tuple[np.float32, np.float32]:
    """Sum and number of those of two values that are not missing."""
    one, two = first != nodata and first == first, second != nodata and second == second  # noqa: PLR0124
    zero = np.float32(0)
    total = (np.float32(first) if one else zero) + (np.float32(second) if two else zero)
    return total, np.float32(one) + np.float32(two)
