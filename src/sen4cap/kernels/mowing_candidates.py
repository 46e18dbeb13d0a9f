"""Where mowing is possible at all: clean series, jumps of coherence, and the intervals of both.

Candidates are many on purpose: what is no candidate cannot be found, what is one is judged later.
Each parcel is dealt with by itself. The interpreter is free meanwhile. Memory: a copy of the series
that are cleaned, and 28 bytes per observation of radar.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sen4cap.kernels.series import Series

Floats = NDArray[np.float32]
Days = NDArray[np.int32]
Integers = NDArray[np.integer[Any]]

LEAST_NDVI = 0.1
"""NDVI below is snow, cloud or water: no observation (the original's `corrupted_th`)."""
SPIKE = 0.06
"""Fall of NDVI from which a rebound is looked for."""
REBOUND_DAYS = 6
"""Grass does not grow back within these days, a cloud is gone."""
REBOUND = 0.8
"""Share of the fall that is made good if it was a remnant of a cloud."""
NEIGHBOUR_DAYS = 20
"""Days within which the observation before tells the level."""

LEAST_DROP = 0.02
"""Fall of NDVI between neighbours that makes a candidate; 1-4 of 100 mowings show less."""
HISTORY = 5
"""Pairs of a track, before, that tell the usual coherence (the original's `stat_smpl_n`)."""
LEAST_HISTORY = 3
LEAST_SPREAD = 0.05
"""Standard deviation of coherence that no parcel's history is believed to fall below."""
LEAST_JUMP = 1.5
"""Jump of coherence, in standard deviations, mean of VV and VH, that makes a candidate."""
SHORT_GAP = 10
"""Days between clear dates that need no radar: a mowing between them would show by its drop."""
LONGEST_STEP = 36
"""Days between pairs of a track beyond which a jump tells nothing of when."""
REFERENCE_SPAN = 6.0
"""Days of a pair to which coherence is brought, as it would be under exponential decay."""


class Candidates(NamedTuple):
    """k intervals in which a mowing may have happened, sorted by parcel, then `last`, `first`."""

    parcel: NDArray[np.int64]
    """Position of the parcel in the series, shape (k,)."""
    first: Days
    """Day of the observation before, shape (k,)."""
    last: Days
    """Day of the observation after, shape (k,)."""


class Jumps(NamedTuple):
    """What the pairs of a series say of sudden bareness; k observations, NaN where they do not."""

    coherence: Floats
    """VV and VH, as they would be over `REFERENCE_SPAN` days, shape (2, k)."""
    rise: Floats
    """Of VV and VH, in standard deviations, shape (2, k)."""
    mean: Floats
    """Mean of both rises, one where the other is missing, shape (k,)."""
    first: Days
    """First day that a jump speaks of: the first image of the pair before, shape (k,)."""
    last: Days
    """Last day: the first image of this pair, shape (k,)."""


def cleaned(optical: Series) -> Series:
    """The series without snow and without remnants of clouds.

    The first signal is NDVI. Where it is below `LEAST_NDVI`, or falls for one date and is back
    within `REBOUND_DAYS`, all signals of that date are missing.
    """
    values = optical.values.copy()
    _clean(optical.start, optical.day, values)
    return optical._replace(values=values)


def jumps(radar: Series) -> Jumps:
    """Rise of the coherence of each pair over those before it on its track.

    Rows 0 and 1 of `radar.values` are coherence VV and VH. A rise is counted in standard deviations
    of a prediction from up to `HISTORY` pairs, at least `LEAST_HISTORY`. Pairs of 6 and 12 days are
    comparable: coherence is brought to `REFERENCE_SPAN` days.
    """
    count = len(radar.day)
    power = (REFERENCE_SPAN / np.maximum(radar.span, 1)).astype(np.float32)
    usual: Floats = np.maximum(radar.values[:2], np.float32(0.01)) ** power
    usual[:, radar.span == 0] = np.nan
    rise = np.full((2, count), np.nan, np.float32)
    days = np.zeros((2, count), np.int32)
    _rises(radar, usual, rise, days)
    one = np.where(np.isnan(rise[0]), rise[1], rise[0])
    mean = np.where(np.isnan(rise).any(axis=0), one, rise.mean(axis=0))
    return Jumps(usual, rise, mean.astype(np.float32), days[0], days[1])


def candidates(
    optical: Series, radar: Series, jump: Jumps, first: Integers, last: Integers
) -> Candidates:
    """All falls of NDVI, and the jumps of coherence where no clear dates are near each other.

    `optical`: cleaned; `jump`: from `jumps`. `first`, `last`: the days that count, shape (n,);
    an interval counts if it meets them.
    """
    most = int(len(optical.day) + len(radar.day))
    parcel = np.empty(most, np.int64)
    days = np.empty((2, most), np.int32)
    count = _search(optical, radar, jump, first.astype(np.int64), last.astype(np.int64),
                    parcel, days)  # fmt: skip
    found = Candidates(parcel[:count], days[0, :count], days[1, :count])
    order = np.lexsort((found.first, found.last, found.parcel))
    return Candidates(found.parcel[order], found.first[order], found.last[order])


@njit(nogil=True, cache=True)
def _clean(start: NDArray[np.int64], day: Days, values: Floats) -> None:
    for parcel in range(len(start) - 1):
        last = -1
        for now in range(start[parcel], start[parcel + 1]):
            ndvi = values[0, now]
            clear = ndvi >= LEAST_NDVI
            if clear and last >= 0 and day[now] - day[last] <= NEIGHBOUR_DAYS:
                fall = values[0, last] - ndvi
                clear = fall <= SPIKE or not _rebounds(day, values[0], now, start[parcel + 1], fall)
            if clear:
                last = now
            else:
                values[:, now] = np.nan


@njit(nogil=True, cache=True)
def _rebounds(day: Days, ndvi: Floats, now: int, end: int, fall: float) -> bool:
    for later in range(now + 1, end):
        if day[later] - day[now] > REBOUND_DAYS:
            return False
        if ndvi[later] - ndvi[now] >= REBOUND * fall:
            return True
    return False


@njit(nogil=True, cache=True)
def _rises(radar: Series, usual: Floats, rise: Floats, days: Days) -> None:
    start, day, _, track, span = radar
    previous = np.full(len(day), -1, np.int64)
    for parcel in range(len(start) - 1):
        for now in range(start[parcel], start[parcel + 1]):
            if span[now] > 0:
                before = _previous(day, track, span, start[parcel], now)
                previous[now] = before
                days[1, now] = day[now] - span[now]
                days[0, now] = day[before] - span[before] if before >= 0 else days[1, now]
                rise[0, now] = _rise(usual[0], previous, now)
                rise[1, now] = _rise(usual[1], previous, now)


@njit(nogil=True, cache=True)
def _previous(
    day: Days, track: NDArray[np.int16], span: NDArray[np.int16], begin: int, now: int
) -> int:
    """The pair before on the same track, -1 where there is none."""
    for before in range(now - 1, begin - 1, -1):
        if track[before] == track[now] and span[before] > 0 and day[before] < day[now]:
            return before
    return -1


@njit(nogil=True, cache=True)
def _rise(usual: Floats, previous: NDArray[np.int64], now: int) -> float:
    total, squares, known = 0.0, 0.0, 0
    before = previous[now]
    while before >= 0 and known < HISTORY:
        if not np.isnan(usual[before]):
            total, known = total + usual[before], known + 1
            squares += usual[before] * usual[before]
        before = previous[before]
    if known < LEAST_HISTORY:
        return np.nan
    mean = total / known
    variance = max((squares - total * mean) / (known - 1), LEAST_SPREAD**2)
    return float((usual[now] - mean) / np.sqrt(variance * (1 + 1 / known)))


@njit(nogil=True, cache=True)
def _search(
    optical: Series,
    radar: Series,
    jump: Jumps,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    parcels: NDArray[np.int64],
    days: Days,
) -> int:
    count = 0
    for parcel in range(len(optical.start) - 1):
        begin = count
        count = _falls(optical, parcel, days, count)
        count = _rising(optical, radar, jump, parcel, days, count)
        kept = begin
        for here in range(begin, count):
            if days[1, here] >= first[parcel] and days[0, here] <= last[parcel]:
                parcels[kept] = parcel
                days[:, kept] = days[:, here]
                kept += 1
        count = kept
    return count


@njit(nogil=True, cache=True)
def _falls(optical: Series, parcel: int, days: Days, count: int) -> int:
    """Add the falls of NDVI between neighbours in time."""
    before = -1
    for now in range(optical.start[parcel], optical.start[parcel + 1]):
        if np.isnan(optical.values[0, now]):
            continue
        if before >= 0 and optical.day[now] > optical.day[before]:
            fall = optical.values[0, before] - optical.values[0, now]
            if fall >= LEAST_DROP:
                days[0, count], days[1, count] = optical.day[before], optical.day[now]
                count += 1
        before = now
    return count


@njit(nogil=True, cache=True)
def _rising(
    optical: Series, radar: Series, jump: Jumps, parcel: int, days: Days, count: int
) -> int:
    """Add the jumps of coherence that no clear dates explain."""
    begin, end = radar.start[parcel], radar.start[parcel + 1]
    for now in range(begin, end):
        if jump.mean[now] >= LEAST_JUMP:
            opens, closes = jump.first[now], jump.last[now]
            if closes - opens <= LONGEST_STEP and _gap(optical, parcel, closes) > SHORT_GAP:
                days[0, count], days[1, count] = opens, closes
                count += 1
    return count


@njit(nogil=True, cache=True)
def _gap(optical: Series, parcel: int, day: int) -> int:
    """Days between the clear dates around a day; many where one is missing."""
    before = after = -1
    for now in range(optical.start[parcel], optical.start[parcel + 1]):
        if np.isnan(optical.values[0, now]):
            continue
        if optical.day[now] <= day:
            before = now
        elif after < 0:
            after = now
    if before < 0 or after < 0:
        return 999
    return int(optical.day[after] - optical.day[before])
