"""Smoothing and filling the gaps of many series that share their dates.

The smoother is Whittaker's with differences of second order: P. H. C. Eilers, "A perfect
smoother", Analytical Chemistry 75(14), 2003. It finds the curve z that makes least

    sum of weight · (value − z)²  +  smoothness · sum of (change of slope)² / h

over its nodes, the dates of the values and those that are asked for; h is half the distance of a
node's neighbours. For daily nodes this is Eilers' penalty. For others it differs from the divided
differences of his supplement by the factor h: the sum stands for the integral of z″² over time,
so that `smoothness` has a unit, days³, and means the same however dense the nodes are.

Each series is computed by itself and in the same order of operations, so that results are the same
bit for bit whatever the number of threads and the series beside it. Memory: beside input and
result, 7 float64 per node and lane for each thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from sen4cap.errors import InvalidParameter

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Positions = NDArray[np.int64]

LANES = 8
"""Series that are solved side by side, in the lanes of the processor."""
BLOCK = 512 * LANES
"""Series that a thread takes at a time."""
ROUNDS = 10
"""Times that asymmetric weights are set anew at most, as Eilers et al. (2017)."""


def whittaker(
    days: ArrayLike,
    values: Floats,
    out_days: ArrayLike,
    *,
    smoothness: float,
    weights: Floats | None = None,
    asymmetry: float = 0.5,
    least: int = 3,
    threads: int = 1,
) -> Floats:
    """Smooth curves through weighted values, at the days that are asked for.

    Parameters
    ----------
    days
        Shape (dates,): day numbers of the values, ascending, each once; distances need not be
        equal.
    values
        Shape (series, dates), float32 or float64; NaN is missing.
    out_days
        Shape (k,), ascending, each once. Before the first and after the last value the curve goes
        straight on; where that or a long gap is too much to ask, `interpolated` tells by NaN.
    smoothness
        Eilers' λ for daily nodes, days³, above 0. The half-width of what is smoothed over grows
        with its fourth root.
    weights
        Shape as `values`; 0 and below is missing. Without them all values weigh 1.
    asymmetry
        Share of the weight that a value above the curve keeps, one below it the rest, 0 to 1, both
        excluded; 0.5 treats both alike. 0.9 leans to the upper envelope of NDVI or LAI, from which
        remnants of clouds only take away: expectile smoothing, P. H. C. Eilers, V. Pesendorfer and
        R. Bonifacio, "Automatic smoothing of remote sensing data", MultiTemp 2017. (C. Atzberger
        and P. H. C. Eilers, International Journal of Digital Earth 4(5), 2011, raise the low
        values to the curve instead, to the same end.)
    least
        A series with fewer values than this, at least 2, has no curve: NaN at all days.
    threads
        Blocks of series that are computed at a time.

    Returns
    -------
    Shape (series, k), of the type of `values`; float64 inside.

    Raises
    ------
    InvalidParameter
        If days do not ascend, shapes do not fit or a parameter is out of bounds.
    """
    dates, asked = _ascending(days, "days"), _ascending(out_days, "out_days")
    _check(values, weights, dates)
    _check_curve(smoothness, asymmetry, least)
    nodes = np.union1d(dates, asked)
    bands = penalty(nodes, smoothness)
    places = np.searchsorted(nodes, dates), np.searchsorted(nodes, asked)

    def solved(block: slice, out: Floats) -> None:
        weight = _no_weights(values) if weights is None else weights[block]
        _smooth(values[block], weight, places, bands, 2 * asymmetry, least, out)

    return _blockwise(solved, values, len(asked), threads)


def interpolated(
    days: ArrayLike, values: Floats, out_days: ArrayLike, *, max_gap: float, threads: int = 1
) -> Floats:
    """Values on the straight lines between neighbours in time.

    `days`, `values`, `out_days` and `threads` as for `whittaker`. Returns shape (series, k), of the
    type of `values`: NaN before the first and after the last value of a series, and between two
    that are more than `max_gap` days apart; a value's own day has the value.

    Raises
    ------
    InvalidParameter
        If days do not ascend or shapes do not fit.
    """
    dates, asked = _ascending(days, "days"), _ascending(out_days, "out_days")
    _check(values, None, dates)

    def drawn(block: slice, out: Floats) -> None:
        _interpolate(dates, values[block], asked, float(max_gap), out)

    return _blockwise(drawn, values, len(asked), threads)


def penalty(nodes: Doubles, smoothness: float) -> Doubles:
    """What bends cost: diagonal and two upper bands of a symmetric matrix, shape (3, nodes).

    `nodes`: shape (n,), ascending days. Row k holds in column i what joins the nodes i and i + k;
    the last k columns are 0. The matrix is the sum over inner nodes of c·cᵀ·smoothness/h, where
    c takes the change of slope at a node from a curve.
    """
    bands = np.zeros((3, len(nodes)))
    if len(nodes) < 3:
        return bands
    before, after = np.diff(nodes)[:-1], np.diff(nodes)[1:]
    change = np.stack([1 / before, -1 / before - 1 / after, 1 / after])
    cost = smoothness / ((before + after) / 2)
    inner = len(cost)
    for row in range(3):
        for column in range(row, 3):
            part = cost * change[row] * change[column]
            bands[column - row, row : row + inner] += part
    return bands


def _ascending(days: ArrayLike, name: str) -> Doubles:
    found = np.asarray(days, np.float64)
    if found.ndim != 1 or not (np.isfinite(found).all() and (np.diff(found) > 0).all()):
        raise InvalidParameter(f"'{name}' do not ascend: sort them, and give each day once.")
    return found


def _check(values: Floats, weights: Floats | None, dates: Doubles) -> None:
    fits = values.ndim == 2 and values.shape[1] == len(dates) and values.dtype.kind == "f"
    if not fits or (weights is not None and weights.shape != values.shape):
        raise InvalidParameter(
            f"Values of shape {values.shape} and type {values.dtype} do not fit {len(dates)} days: "
            "give floats, and weights if any, of shape (series, days)."
        )


def _check_curve(smoothness: float, asymmetry: float, least: int) -> None:
    if not (np.isfinite(smoothness) and smoothness > 0 and 0 < asymmetry < 1 and least >= 2):
        raise InvalidParameter(
            f"smoothness {smoothness:g}, asymmetry {asymmetry:g} and least {least} make no curve: "
            "give above 0, between 0 and 1, and at least 2."
        )


def _no_weights(values: Floats) -> Floats:
    """What the kernel takes for weights of 1."""
    return np.empty((0, 0), values.dtype)


def _blockwise(
    fill: Callable[[slice, Floats], None], values: Floats, columns: int, threads: int
) -> Floats:
    """The result of a kernel that fills the rows of some series, called on one block at a time."""
    out = np.empty((len(values), columns), values.dtype)
    blocks = [slice(first, first + BLOCK) for first in range(0, len(values), BLOCK)]
    if threads == 1 or len(blocks) == 1:
        for block in blocks:
            fill(block, out[block])
        return out
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda block: fill(block, out[block]), blocks):
            pass
    return out


class _Lanes(NamedTuple):
    """Series that are being solved, shape (nodes + 4, LANES) each: two rows of 0 at either end."""

    value: Doubles
    """0 where missing."""
    weight: Doubles
    """As given; 0 where missing."""
    leaning: Doubles
    """The weight that counts: as given, or leaning to one side of the curve."""
    pivot: Doubles
    """Diagonal D of the decomposition LDLᵀ."""
    near: Doubles
    """First band of Lᵀ."""
    far: Doubles
    """Second band of Lᵀ."""
    curve: Doubles


@njit(nogil=True, cache=True)
def _smooth(
    values: Floats,
    weights: Floats,
    places: tuple[Positions, Positions],
    bands: Doubles,
    above: float,
    least: int,
    out: Floats,
) -> None:
    """Fill `out` with the curves of some series; `above`: factor of weights above the curve."""
    dates, asked = places
    shape = bands.shape[1] + 4, LANES
    lanes = _Lanes(
        np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape),
        np.zeros(shape), np.zeros(shape),
    )  # fmt: skip
    known = np.empty(LANES, np.int64)
    for start in range(0, len(values), LANES):
        _load(values, weights, dates, start, lanes, known)
        _solve(bands, lanes)
        if above != 1.0:
            _lean(bands, lanes, dates, above)
        for lane in range(min(LANES, len(values) - start)):
            for column in range(len(asked)):
                found = lanes.curve[asked[column] + 2, lane]
                out[start + lane, column] = found if known[lane] >= least else np.nan


@njit(nogil=True, cache=True)
def _load(
    values: Floats,
    weights: Floats,
    dates: Positions,
    start: int,
    lanes: _Lanes,
    known: Positions,
) -> None:
    """Put the next series on the nodes, and count their values.

    Lanes without a series repeat the last one. A series of fewer than two values weighs 1 at all
    nodes, so that its equations have a solution, which nobody sees.
    """
    for lane in range(LANES):
        series, known[lane] = min(start + lane, len(values) - 1), 0
        for column in range(len(dates)):
            row, value = dates[column] + 2, np.float64(values[series, column])
            share = 1.0 if weights.size == 0 else np.float64(weights[series, column])
            counts = share > 0 and not np.isnan(value)
            known[lane] += counts
            lanes.value[row, lane] = value if counts else 0.0
            lanes.weight[row, lane] = share if counts else 0.0
    for row in range(2, len(lanes.weight) - 2):
        for lane in range(LANES):
            lanes.leaning[row, lane] = lanes.weight[row, lane] if known[lane] > 1 else 1.0


@njit(nogil=True, cache=True, error_model="numpy")
def _solve(bands: Doubles, lanes: _Lanes) -> None:
    """Solve (weights + penalty) curve = weights · values for all lanes, by LDLᵀ."""
    value, _, weight, pivot, near, far, curve = lanes
    nodes = bands.shape[1]
    for row in range(2, nodes + 2):
        for lane in range(LANES):
            one, two = near[row - 1, lane], far[row - 2, lane]
            last, share = pivot[row - 1, lane] * one, weight[row, lane]
            found = bands[0, row - 2] + share - last * one - pivot[row - 2, lane] * two * two
            pivot[row, lane] = found
            near[row, lane] = (bands[1, row - 2] - last * far[row - 1, lane]) / found
            far[row, lane] = bands[2, row - 2] / found
            right = share * value[row, lane]
            curve[row, lane] = right - one * curve[row - 1, lane] - two * curve[row - 2, lane]
    for row in range(nodes + 1, 1, -1):
        for lane in range(LANES):
            beyond = near[row, lane] * curve[row + 1, lane] + far[row, lane] * curve[row + 2, lane]
            curve[row, lane] = curve[row, lane] / pivot[row, lane] - beyond


@njit(nogil=True, cache=True)
def _lean(bands: Doubles, lanes: _Lanes, dates: Positions, above: float) -> None:
    """Set the weights by the side of the curve, and solve anew, until no value changes sides."""
    for _ in range(ROUNDS):
        changed = False
        for column in range(len(dates)):
            row = dates[column] + 2
            for lane in range(LANES):
                is_above = lanes.value[row, lane] > lanes.curve[row, lane]
                leaning = lanes.weight[row, lane] * (above if is_above else 2.0 - above)
                changed |= leaning != lanes.leaning[row, lane]
                lanes.leaning[row, lane] = leaning
        if not changed:
            return
        _solve(bands, lanes)


@njit(nogil=True, cache=True)
def _interpolate(
    dates: Doubles, values: Floats, asked: Doubles, max_gap: float, out: Floats
) -> None:
    """Fill `out` with the values of some series on the lines between neighbours."""
    when, known = np.empty(len(dates) + 1), np.empty(len(dates) + 1)
    for series in range(len(values)):
        _gather(dates, values[series], when, known)
        after = 0
        for column in range(len(asked)):
            while when[after] <= asked[column]:
                after += 1
            out[series, column] = _between(when, known, after, asked[column], max_gap)


@njit(nogil=True, cache=True)
def _gather(dates: Doubles, series: Floats, when: Doubles, known: Doubles) -> None:
    """Put the dates and values that are there side by side, with one behind that never comes."""
    count = 0
    for position in range(len(dates)):
        when[count], known[count] = dates[position], series[position]
        count += not np.isnan(series[position])
    when[count], known[count] = np.inf, np.nan


@njit(nogil=True, cache=True)
def _between(when: Doubles, known: Doubles, after: int, day: float, max_gap: float) -> float:
    """Value on the line to the first date after the day from the one before."""
    value: float = np.nan
    if after == 0:
        return value
    gap, passed = when[after] - when[after - 1], day - when[after - 1]
    if passed == 0:
        value = known[after - 1]
    elif gap <= max_gap:
        value = known[after - 1] + passed / gap * (known[after] - known[after - 1])
    return value
