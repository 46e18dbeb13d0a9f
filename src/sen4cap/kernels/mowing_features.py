"""What is seen around each candidate, as numbers to learn from; missing is NaN.

Only changes and relative levels: absolute levels, which tell one country's meadows from another's,
are left out. Each signal has the same features, so any sensor may be absent. Memory: the result,
and the series of one parcel for each thread.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sen4cap.kernels.mowing_candidates import Candidates, Jumps
from sen4cap.kernels.series import Series

Floats = NDArray[np.float32]
Days = NDArray[np.int32]

OPTICAL = ("NDVI", "LAI", "FAPAR")
"""Optical signals, in the order of `Series.values`."""
RADAR = ("COHE_VV", "COHE_VH", "AMP_VV", "AMP_VH", "PIXELS")
"""Radar signals, in the order of `Series.values`: coherence of pairs, backscatter [dB], and of how
many pixels both are the mean."""

STEPS = ("drop", "relative", "steep", "step_before", "step_after", "dent", "bump")
LEVELS = ("fall_20", "fall_3", "held", "run", "of_run", "of_season", "over_others",
          "from_top", "rank_before", "rank_after")  # fmt: skip
REGROWTH = ("regrowth", "regained", "slope_after", "half_days")
TIMES = ("gap", "days_before", "days_after", "step_days_before", "step_days_after",
         "clear_before", "clear_after", "of_largest", "fall_before", "fall_after",
         "since_fall", "until_fall", "falls", "day_of_year")  # fmt: skip
COHERENCE = ("before", "after", "rise")
JUMPS = ("jump_vv", "jump_vh", "jump", "other_jump", "jumps", "pairs_before", "pairs_after",
         "jump_days", "pixels")  # fmt: skip
BACKSCATTER = ("vv", "vh", "ratio")

PER_SIGNAL = STEPS + LEVELS + REGROWTH
FEATURES = (
    *(f"{signal.lower()}_{name}" for signal in OPTICAL for name in PER_SIGNAL),
    *TIMES,
    *(f"{signal.lower()}_{name}" for signal in RADAR[:2] for name in COHERENCE),
    *JUMPS,
    *(f"amp_change_{name}" for name in BACKSCATTER),
)
"""Names of the columns."""

WEEKS = 20
"""Days before and after over which levels are averaged."""
SEASON = 45
"""Days after within which regrowth counts."""
NEAR = 12
"""Days within which a fall in several steps is one."""
WIDE = 60
"""Days within which other falls matter."""
CLEAR_FALL = 0.1
"""Fall of NDVI that is counted as a fall."""
RADAR_DAYS = 30
"""Days before and after over which coherence and backscatter are averaged."""
OTHER_DAYS = 45
"""Days from an interval within which other jumps matter."""
LATEST = 100
"""Days after an interval beyond which no pair speaks of a jump that matters."""
NEVER = 200.0


class _Line(NamedTuple):
    """The known values of one signal of a parcel."""

    day: Days
    value: Floats
    low: float
    """10 % quantile within the season."""
    high: float
    """90 % quantile within the season."""


def features(
    optical: Series,
    radar: Series,
    jump: Jumps,
    found: Candidates,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
) -> Floats:
    """One row per candidate, columns as `FEATURES`.

    `optical`: cleaned, signals as `OPTICAL`; `radar`: signals as `RADAR`; `jump`: from `jumps`;
    `first`, `last`: season of each parcel, shape (n,), over which ranks are taken.
    """
    out = np.full((len(found.parcel), len(FEATURES)), np.nan, np.float32)
    _fill(optical, radar, jump, found, (first.astype(np.int64), last.astype(np.int64)), out)
    return out


@njit(nogil=True, cache=True)
def _fill(
    optical: Series,
    radar: Series,
    jump: Jumps,
    found: Candidates,
    season: tuple[NDArray[np.int64], NDArray[np.int64]],
    out: Floats,
) -> None:
    width, signals = len(PER_SIGNAL), len(OPTICAL)
    time, beam = width * signals, width * signals + len(TIMES)
    begin, total = 0, len(found.parcel)
    while begin < total:
        parcel = found.parcel[begin]
        end = begin
        while end < total and found.parcel[end] == parcel:
            end += 1
        for signal in range(signals):
            line = _line(optical, signal, parcel, season[0][parcel], season[1][parcel])
            if len(line.day) == 0:
                continue
            for row in range(begin, end):
                a, b = found.first[row], found.last[row]
                _signal(line, a, b, out[row, signal * width : (signal + 1) * width])
                if signal == 0:
                    _times(line, a, b, out[row, time:beam])
        for row in range(begin, end):
            a, b = found.first[row], found.last[row]
            out[row, time] = b - a
            out[row, beam - 1] = (a + (b - a) // 2) % 365.25
            _beam(radar, jump, parcel, a, b, out[row, beam:])
        begin = end


@njit(nogil=True, cache=True)
def _line(optical: Series, signal: int, parcel: int, first: int, last: int) -> _Line:
    begin, end = optical.start[parcel], optical.start[parcel + 1]
    day, value = np.empty(end - begin, np.int32), np.empty(end - begin, np.float32)
    inside = np.empty(end - begin, np.float32)
    known = counted = 0
    for now in range(begin, end):
        here = optical.values[signal, now]
        if not np.isnan(here):
            day[known], value[known] = optical.day[now], here
            known += 1
            if first <= optical.day[now] <= last:
                inside[counted] = here
                counted += 1
    ordered = np.sort(inside[:counted]) if counted else np.zeros(1, np.float32)
    low = ordered[int(0.1 * (len(ordered) - 1))]
    high = ordered[int(0.9 * (len(ordered) - 1) + 0.5)]
    return _Line(day[:known], value[:known], low, high)


@njit(nogil=True, cache=True)
def _signal(line: _Line, a: int, b: int, out: Floats) -> None:
    i = int(np.searchsorted(line.day, a, side="right")) - 1
    j = int(np.searchsorted(line.day, b))
    if i < 0 or j == len(line.day):
        return
    steps, levels = len(STEPS), len(STEPS) + len(LEVELS)
    _steps(line, i, j, out[:steps])
    _levels(line, i, j, a, b, out[steps:levels])
    _regrowth(line, i, j, b, out[levels:])


@njit(nogil=True, cache=True)
def _steps(line: _Line, i: int, j: int, out: Floats) -> None:
    """Differences of neighbours: `STEPS`."""
    day, value = line.day, line.value
    drop = value[i] - value[j]
    out[0] = drop
    out[1] = drop / max(abs(value[i]), 0.05)
    out[2] = drop / max(day[j] - day[i], 1)
    if i > 0:
        out[3] = value[i] - value[i - 1]
        out[6] = value[i] - _between(line, i - 1, i, j)
    if j + 1 < len(day):
        out[4] = value[j + 1] - value[j]
        out[5] = value[j] - _between(line, i, j, j + 1)


@njit(nogil=True, cache=True)
def _between(line: _Line, left: int, at: int, right: int) -> float:
    """Value at `at` of the straight line from `left` to `right`."""
    day, value = line.day, line.value
    share = (day[at] - day[left]) / max(day[right] - day[left], 1)
    return float(value[left] + (value[right] - value[left]) * share)


@njit(nogil=True, cache=True)
def _levels(line: _Line, i: int, j: int, a: int, b: int, out: Floats) -> None:
    """The drop among what is around it: `LEVELS`."""
    day, value = line.day, line.value
    drop = value[i] - value[j]
    season = max(line.high - line.low, 0.05)
    before, after = value[max(i - 2, 0) : i + 1], value[j : j + 3]
    run = _highest(line, a - NEAR, a) - _lowest(line, b, b + NEAR)
    out[0] = _mean(line, a - WEEKS, a) - _mean(line, b, b + WEEKS)
    out[1] = _median(before) - _median(after)
    out[2] = before.min() - after.max()
    out[3] = run
    out[4] = drop / max(run, 0.02)
    out[5] = drop / season
    out[6] = drop - _largest_other(day, value, i, j)
    out[7] = _highest(line, a - SEASON, a) - value[j]
    out[8] = (value[i] - line.low) / season
    out[9] = (value[j] - line.low) / season


@njit(nogil=True, cache=True)
def _median(values: Floats) -> float:
    """Median of one to three values."""
    total = float(values.sum())
    if len(values) == 3:
        return total - float(values.min()) - float(values.max())
    return total / len(values)


@njit(nogil=True, cache=True)
def _largest_other(day: Days, value: Floats, i: int, j: int) -> float:
    """Largest fall of neighbours within 15 days before or after, except from i to j."""
    largest = 0.0
    for now in range(max(np.searchsorted(day, day[i] - 15), 1), len(day)):
        if day[now - 1] > day[j] + 15:
            break
        if now - 1 != i:
            largest = max(largest, value[now - 1] - value[now])
    return largest


@njit(nogil=True, cache=True)
def _regrowth(line: _Line, i: int, j: int, b: int, out: Floats) -> None:
    """What comes back: `REGROWTH`."""
    day, value = line.day, line.value
    drop = value[i] - value[j]
    top = _highest(line, b, b + SEASON)
    out[0] = top - _lowest(line, b, b + WEEKS)
    out[1] = (top - value[j]) / max(drop, 0.02)
    out[2] = _slope(line, b, b + SEASON)
    out[3] = 90
    for now in range(j + 1, len(day)):
        if value[now] > value[j] + 0.5 * drop:
            out[3] = day[now] - day[j]
            break


@njit(nogil=True, cache=True)
def _highest(line: _Line, first: int, last: int) -> float:
    begin = np.searchsorted(line.day, first)
    end = np.searchsorted(line.day, last, side="right")
    return line.value[begin:end].max() if end > begin else np.nan


@njit(nogil=True, cache=True)
def _lowest(line: _Line, first: int, last: int) -> float:
    begin = np.searchsorted(line.day, first)
    end = np.searchsorted(line.day, last, side="right")
    return line.value[begin:end].min() if end > begin else np.nan


@njit(nogil=True, cache=True)
def _mean(line: _Line, first: int, last: int) -> float:
    begin = np.searchsorted(line.day, first)
    end = np.searchsorted(line.day, last, side="right")
    return line.value[begin:end].mean() if end > begin else np.nan


@njit(nogil=True, cache=True)
def _slope(line: _Line, first: int, last: int) -> float:
    """Least squares slope per day; NaN with fewer than two values."""
    begin = np.searchsorted(line.day, first)
    end = np.searchsorted(line.day, last, side="right")
    count, time, square, product, total = end - begin, 0.0, 0.0, 0.0, 0.0
    for now in range(begin, end):
        since = float(line.day[now] - first)
        time += since
        square += since * since
        total += line.value[now]
        product += since * line.value[now]
    spread = square - time * time / max(float(count), 1.0)
    if count < 2 or spread <= 0:
        return np.nan
    return float((product - time * total / count) / spread)


@njit(nogil=True, cache=True)
def _times(line: _Line, a: int, b: int, out: Floats) -> None:
    """How well it was seen, and what else fell, by NDVI: `TIMES` without its first and last."""
    day, value = line.day, line.value
    i = np.searchsorted(day, a, side="right") - 1
    j = np.searchsorted(day, b)
    out[5] = i + 1 - np.searchsorted(day, a - RADAR_DAYS)
    out[6] = np.searchsorted(day, b + RADAR_DAYS, side="right") - j
    if i >= 0:
        out[1] = a - day[i]
    if i > 0:
        out[3] = day[i] - day[i - 1]
    if j < len(day):
        out[2] = day[j] - b
    if j + 1 < len(day):
        out[4] = day[j + 1] - day[j]
    drop = value[i] - value[j] if i >= 0 and j < len(day) else 0.0
    _other_falls(line, a, b, drop, out[7:13])


@njit(nogil=True, cache=True)
def _other_falls(line: _Line, a: int, b: int, drop: float, out: Floats) -> None:
    """Share of the largest fall, falls before and after, days since and until one, their number."""
    day, value = line.day, line.value
    largest: float = 0.03
    before, after, count = 0.0, 0.0, 0
    since = until = NEVER
    for now in range(1, len(day)):
        fall = float(value[now - 1] - value[now])
        largest = max(largest, fall)
        count += fall > CLEAR_FALL
        if day[now] <= a:
            before = max(before, fall) if day[now] >= a - WIDE else before
            since = a - day[now] if fall >= CLEAR_FALL else since
        elif day[now - 1] >= b:
            after = max(after, fall) if day[now - 1] <= b + WIDE else after
            if fall >= CLEAR_FALL and until == NEVER:
                until = day[now - 1] - b
    out[0], out[1], out[2], out[3], out[4] = drop / largest, before, after, since, until
    out[5] = count


@njit(nogil=True, cache=True)
def _beam(radar: Series, jump: Jumps, parcel: int, a: int, b: int, out: Floats) -> None:
    """What the radar says: `COHERENCE` of VV and VH, `JUMPS`, `BACKSCATTER`."""
    begin, end = radar.start[parcel], radar.start[parcel + 1]
    days = radar.day[begin:end]
    end = begin + np.searchsorted(days, b + LATEST, side="right")
    begin += np.searchsorted(days, a - OTHER_DAYS)
    if begin >= end:
        return
    width = len(COHERENCE)
    pairs = (0, 0)
    for row in range(2):
        pairs = _coherence(
            radar, jump.coherence[row], begin, end, a, b, out[row * width : (row + 1) * width]
        )
    _jumps(radar, jump, begin, end, a, b, out[2 * width : 2 * width + len(JUMPS)])
    out[2 * width + 5], out[2 * width + 6] = pairs
    _backscatter(radar, begin, end, a, b, out[2 * width + len(JUMPS) :])


@njit(nogil=True, cache=True)
def _coherence(
    radar: Series, usual: Floats, begin: int, end: int, a: int, b: int, out: Floats
) -> tuple[int, int]:
    """Mean coherence of the pairs that end before and that begin after; returns their numbers."""
    before, after, earlier, later = 0.0, 0.0, 0, 0
    for now in range(begin, end):
        here, span, day = usual[now], radar.span[now], radar.day[now]
        if np.isnan(here):
            continue
        if a - RADAR_DAYS <= day <= a:
            before, earlier = before + here, earlier + 1
        elif b <= day - span <= b + WEEKS:
            after, later = after + here, later + 1
    if earlier:
        out[0] = before / earlier
    if later:
        out[1] = after / later
    out[2] = out[1] - out[0]
    return earlier, later


@njit(nogil=True, cache=True)
def _jumps(radar: Series, jump: Jumps, begin: int, end: int, a: int, b: int, out: Floats) -> None:
    """The largest jump that may be of this interval, and the largest near it that is not."""
    best, other, count = np.nan, np.nan, 0
    for now in range(begin, end):
        size = jump.mean[now]
        if np.isnan(size):
            continue
        opens, closes = jump.first[now], jump.last[now]
        if opens < b and closes > a:
            count += size >= 1
            if np.isnan(best) or size > best:
                best = size
                out[0], out[1] = jump.rise[0, now], jump.rise[1, now]
                out[7] = closes - opens
                out[8] = radar.values[4, now]
        elif closes > a - OTHER_DAYS and opens < b + OTHER_DAYS:
            other = size if np.isnan(other) else max(other, size)
    out[2], out[3], out[4] = best, other, count


@njit(nogil=True, cache=True)
def _backscatter(radar: Series, begin: int, end: int, a: int, b: int, out: Floats) -> None:
    """Change of mean backscatter VV, VH and of VH less VV, dB."""
    total = np.zeros((2, 2))
    count = np.zeros(2)
    for now in range(begin, end):
        if radar.span[now] > 0:
            continue
        co, cross, day = radar.values[2, now], radar.values[3, now], radar.day[now]
        side = 0 if a - WEEKS <= day <= a else 1 if b <= day <= b + WEEKS else -1
        if side >= 0 and not np.isnan(co + cross):
            total[side, 0] += co
            total[side, 1] += cross
            count[side] += 1
    if count[0] and count[1]:
        out[0] = total[1, 0] / count[1] - total[0, 0] / count[0]
        out[1] = total[1, 1] / count[1] - total[0, 1] / count[0]
        out[2] = out[1] - out[0]
