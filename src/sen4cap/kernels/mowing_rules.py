"""The mowing rules of Sen4CAP: a fall of NDVI, a jump of coherence, and what is made of both.

    optical series ─ falls ─▶ candidates ─ apart ─▶ events ┐
    radar series ─── jumps ─▶ candidates ──────────────────┴─ fused ─ apart ─▶ events

Method: Sen4CAP, "Design Justification File: grassland mowing product", and the rules as they ran in
version 3.0. Every parcel is computed by itself and in one order, so that no other parcel, tile or
thread changes its result. Memory: 13 bytes per observation beside the series.

Where the rules are not followed to the letter the reason is given: see README.md of the processor.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import erfcinv

from sen4cap.kernels.mowing import Events, Kind, Seen, no_events
from sen4cap.kernels.series import Series

Singles = NDArray[np.float32]
Days = NDArray[np.int32]
Period = tuple[int, int]
"""First and last day, both included, since 1970-01-01."""
Found = tuple[Singles, Days, Days, Singles]
"""Of each observation the confidence (0 where nothing was found), interval and evidence."""

S2, S1 = int(Seen.S2), int(Seen.S1)
MOST_SIGMA = 1e6
"""Where there is no spread."""
MOST_RADAR = 0.5
"""Confidence that radar alone does not exceed."""


class OpticalRule(NamedTuple):
    """Thresholds of a fall of NDVI, under the original's names."""

    decreasing_abs_th: float = 0.12
    """NDVI has to fall by more."""
    decreasing_rate_th: float = -1e-6
    """And faster than so much a day."""
    increasing_rate_th: float = 0.05
    """And not rise again by so much a day, as after a cloud."""
    high_abs_th: float = 0.75
    """It ends below."""
    low_abs_th: float = 0.5
    """It starts above."""
    corrupted_th: float = 0.1
    """NDVI below is missing."""
    no_mowing_after_det: int = 30
    """Longest interval, days."""
    non_overlap_interval_days: int = 45


class RadarRule(NamedTuple):
    """Thresholds of a jump of coherence, under the original's names."""

    pfa: float = 3e-8
    """Probability of a false alarm, if residuals were normal."""
    stat_smpl_n: int = 5
    """Pairs before, through which the line is laid; at least 2."""
    min_cohe_var: float = 0.024
    """Least variance of the coherence of one pixel."""
    saturate_sigma: bool = True
    """Whether the deviation is at least that of `min_cohe_var`."""
    s1_time_interval: int = 6
    """Days of a pair that does not tell them."""
    non_overlap_interval_days: int = 28


def deviations(pfa: float) -> float:
    """Standard deviations that a normal variable exceeds with probability `pfa`."""
    return float(np.sqrt(2.0) * erfcinv(2.0 * pfa))


def falls(series: Series, rule: OpticalRule, period: Period) -> Events:
    """Intervals over which NDVI fell as by mowing, all of them; sorted.

    `series`: row 0 is NDVI; observations outside the period do not count. A fall is known by the
    observation after it only. Its day is the middle of the interval.
    """
    found = _falls(series.start, series.day, series.values[0], rule, *period)
    return _events(series, found, S2)


def jumps(series: Series, rule: RadarRule, period: Period) -> Events:
    """Intervals after which the coherence of a track jumped up, all of them; sorted.

    `series`: rows are coherence, of one or several polarisations of which the one that jumps most
    counts, and last the number of pixels; pairs of one track and length stand beside each other in
    time. Pairs before the period serve as history.
    """
    factor = deviations(rule.pfa)
    found = _jumps(*series, rule, factor, _longest(series), *period)
    return _events(series, found, S1)


def apart(events: Events, parcels: int, days: int, most: int, *, by_ends: bool) -> Events:
    """The most confident events that keep a distance, at most so many per parcel; sorted.

    The distance of two events is that of their ends (as in the original's radar part), or the
    longer way from the start of one to the end of the other (as in its optical part).
    """
    start = _bounds(events.parcel, parcels)
    kept = _apart(start, *_ranking(events), days, most, by_ends)
    return events.take(kept)


def fused(optical: Events, radar: Events, parcels: int) -> Events:
    """Events of two sensors, or of several tracks, of which those that overlap are one; sorted.

    An event joins the most confident one that it overlaps; that one gives the dates. Confidences
    c become 1 - 1 / Σ 1 / (1 - c); of radar alone at most 0.5. Optical events are not joined with
    each other.
    """
    parts: list[Any] = [np.concatenate([*pair]) for pair in zip(optical, radar, strict=True)]
    both = Events(*parts)
    order = np.argsort(both.parcel, kind="stable")
    if len(optical.day) and len(radar.day):
        both = both.take(order)
    seen, drop, jump = both.seen.copy(), both.drop.copy(), both.jump.copy()
    single = 1.0 / (1.0 - both.probability.astype(np.float64))
    weight = single.copy()
    head = _heads(_bounds(both.parcel, parcels), *_ranking(both), both.seen)
    _joined(head, weight, seen, drop, jump)
    confidence = np.where(weight == single, both.probability, 1.0 - 1.0 / weight)
    confidence = np.where(seen == S1, np.minimum(confidence, MOST_RADAR), confidence)
    whole = both._replace(
        probability=confidence.astype(np.float32), seen=seen, drop=drop, jump=jump
    )
    return _sorted(whole.take(head == np.arange(len(head))))


def detect(
    optical: Series | None,
    radar: Series | None,
    rules: tuple[OpticalRule, RadarRule],
    period: tuple[Period, Period],
    most: int = 4,
) -> Events:
    """Events by the rules from one sensor or both; periods of optical and radar, parcels alike.

    Optical events are chosen among themselves before radar is looked at.
    """
    parcels = len((optical or radar or _nothing()).start) - 1
    mown, moved = no_events(), no_events()
    if optical is not None:
        gap = rules[0].non_overlap_interval_days
        candidates = falls(optical, rules[0], period[0])
        mown = apart(candidates, parcels, gap, most, by_ends=False)
    if radar is None:
        return mown
    moved = jumps(radar, rules[1], period[1])
    gap = rules[1].non_overlap_interval_days
    return apart(fused(mown, moved, parcels), parcels, gap, most, by_ends=True)


def clear_dates(series: Series, rule: OpticalRule, period: Period) -> NDArray[np.int64]:
    """Number of observations of each parcel that the optical rule looks at, shape (n,)."""
    inside = (series.day >= period[0]) & (series.day <= period[1])
    return _counted(series, inside & (series.values[0] >= rule.corrupted_th))


def longest_track(series: Series, period: Period) -> NDArray[np.int64]:
    """Pairs up to the end of the period of the track of each parcel that has most, shape (n,)."""
    seen = np.isfinite(series.values[:-1]).any(axis=0) & (series.day <= period[1])
    return _longest_track(series.start, seen, series.track, series.span)


def _counted(series: Series, where: NDArray[np.bool_]) -> NDArray[np.int64]:
    total = np.concatenate([[0], np.cumsum(where)])
    return np.asarray(total[series.start[1:]] - total[series.start[:-1]], np.int64)


def _ranking(events: Events) -> tuple[Singles, NDArray[np.uint8], Days, Days]:
    """What events are ranked by, as arrays: a kernel is slower with the tuple of all."""
    return events.probability, events.leading, events.first, events.last


def _nothing() -> Series:
    days, codes = np.empty(0, np.int32), np.empty(0, np.int16)
    return Series(np.zeros(1, np.int64), days, np.empty((1, 0), np.float32), codes, codes)


def _bounds(parcel: NDArray[np.int64], parcels: int) -> NDArray[np.int64]:
    """Where the rows of each parcel begin, and the end; shape (parcels + 1,)."""
    return np.searchsorted(parcel, np.arange(parcels + 1)).astype(np.int64)


def _events(series: Series, found: Found, sensor: int) -> Events:
    """Events of the observations at which something was found."""
    confidence, first, last, evidence = found
    rows = np.flatnonzero(confidence > 0)
    parcel = np.searchsorted(series.start, rows, side="right") - 1
    missing = np.full(len(rows), np.nan, np.float32)
    bits = np.full(len(rows), sensor, np.uint8)
    drop, jump = (evidence[rows], missing) if sensor == S2 else (missing, evidence[rows])
    middle = first[rows] + (last[rows] - first[rows] + 1) // 2
    kind = np.full(len(rows), int(Kind.MOWING), np.uint8)
    events = Events(
        parcel.astype(np.int64), first[rows], last[rows], middle, confidence[rows], kind,
        bits, bits, drop, jump,
    )  # fmt: skip
    return _sorted(events)


def _sorted(events: Events) -> Events:
    """Rows by parcel, day, first and last; most often they are so already."""
    rising = np.zeros(max(len(events.day) - 1, 0), bool)
    level = ~rising
    for part in (events.parcel, events.day, events.first, events.last):
        step = np.diff(part)
        rising |= level & (step > 0)
        level &= step == 0
    if (rising | level).all():
        return events
    return events.take(np.lexsort((events.last, events.first, events.day, events.parcel)))


def _longest(series: Series) -> int:
    """Pairs that the parcel with the most has."""
    return int(np.diff(series.start).max(initial=0))


@njit(nogil=True, cache=True, error_model="numpy")
def _falls(
    start: NDArray[np.int64], day: Days, ndvi: Singles, rule: OpticalRule, begin: int, end: int
) -> Found:
    confidence = np.zeros(len(day), np.float32)
    first, last = np.zeros(len(day), np.int32), np.zeros(len(day), np.int32)
    drop = np.zeros(len(day), np.float32)
    for parcel in range(len(start) - 1):
        before, at = -1, -1
        for now in range(start[parcel], start[parcel + 1]):
            # Not (a >= b) is true of NaN: what is missing does not count.
            if not ndvi[now] >= rule.corrupted_th or day[now] < begin or day[now] > end:
                continue
            if at >= 0 and day[at] == day[now]:
                continue
            if before >= 0:
                excess = _excess(
                    (ndvi[before], ndvi[at], ndvi[now]), (day[before], day[at], day[now]), rule
                )
                if excess > 0:
                    confidence[at] = min(1.0 - 0.5 * np.exp(-excess), 0.999)
                    first[at] = max(day[before], day[at] - rule.no_mowing_after_det)
                    last[at] = day[at]
                    drop[at] = ndvi[before] - ndvi[at]
            before, at = at, now
    return confidence, first, last, drop


@njit(nogil=True, cache=True, error_model="numpy")
def _excess(
    ndvi: tuple[float, float, float], day: tuple[int, int, int], rule: OpticalRule
) -> float:
    """By how much the fall to the middle one of three values is above the threshold, relatively."""
    fall = ndvi[0] - ndvi[1] - rule.decreasing_abs_th
    sinks = (ndvi[1] - ndvi[0]) / (day[1] - day[0]) < rule.decreasing_rate_th
    stays = (ndvi[2] - ndvi[1]) / (day[2] - day[1]) < rule.increasing_rate_th
    levels = ndvi[1] < rule.high_abs_th and ndvi[0] > rule.low_abs_th
    return fall / ndvi[1] if fall > 0 and sinks and stays and levels else 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def _jumps(
    start: NDArray[np.int64],
    day: Days,
    values: Singles,
    track: NDArray[np.int16],
    span: NDArray[np.int16],
    rule: RadarRule,
    factor: float,
    longest: int,
    begin: int,
    end: int,
) -> Found:
    confidence = np.zeros(len(day), np.float32)
    first, last = np.zeros(len(day), np.int32), np.zeros(len(day), np.int32)
    height = np.zeros(len(day), np.float32)
    group = np.empty(longest, np.int64)
    for parcel in range(len(start) - 1):
        for head in range(start[parcel], start[parcel + 1]):
            if _repeats(start[parcel], head, track, span):
                continue
            members = _same(head, start[parcel + 1], track, span, group)
            for row in range(len(values) - 1):
                _rise(group[:members], day, values[row], values[-1], rule, height)
    for now in range(len(day)):
        excess = height[now] - factor
        if excess > 0 and begin <= day[now] <= end:
            length = span[now] if span[now] > 0 else rule.s1_time_interval
            confidence[now] = 0.5 * (1.0 - np.exp(-excess))
            first[now], last[now] = day[now] - 2 * length, day[now] - length
    return confidence, first, last, height


@njit(nogil=True, cache=True)
def _repeats(low: int, head: int, track: NDArray[np.int16], span: NDArray[np.int16]) -> bool:
    """Whether there was an observation of the same track and length before."""
    for other in range(low, head):
        if track[other] == track[head] and span[other] == span[head]:
            return True
    return False


@njit(nogil=True, cache=True)
def _longest_track(
    start: NDArray[np.int64],
    seen: NDArray[np.bool_],
    track: NDArray[np.int16],
    span: NDArray[np.int16],
) -> NDArray[np.int64]:
    most = np.zeros(len(start) - 1, np.int64)
    for parcel in range(len(start) - 1):
        for head in range(start[parcel], start[parcel + 1]):
            if _repeats(start[parcel], head, track, span):
                continue
            count = 0
            for other in range(head, start[parcel + 1]):
                same = track[other] == track[head] and span[other] == span[head]
                count += same and seen[other]
            most[parcel] = max(most[parcel], count)
    return most


@njit(nogil=True, cache=True)
def _same(
    head: int,
    high: int,
    track: NDArray[np.int16],
    span: NDArray[np.int16],
    group: NDArray[np.int64],
) -> int:
    """Put the observations of one track and length into `group`; how many there are."""
    members = 0
    for other in range(head, high):
        if track[other] == track[head] and span[other] == span[head]:
            group[members] = other
            members += 1
    return members


@njit(nogil=True, cache=True, error_model="numpy")
def _rise(
    group: NDArray[np.int64],
    day: Days,
    cohe: Singles,
    pixels: Singles,
    rule: RadarRule,
    height: Singles,
) -> None:
    """Raise `height` to how far each pair of a group lies above the line of those before it.

    In standard deviations of the residuals, as the population's.
    """
    past = np.empty(rule.stat_smpl_n, np.int64)
    count = 0
    for now in group:
        if not np.isfinite(cohe[now]):
            continue
        if count >= len(past):
            level, spread = _line(past, past[(count - 1) % len(past)], day, cohe)
            if rule.saturate_sigma:
                spread = max(spread, np.sqrt(rule.min_cohe_var / max(pixels[now], 1.0)))
            if cohe[now] > level:
                height[now] = max(height[now], min((cohe[now] - level) / spread, MOST_SIGMA))
        past[count % len(past)] = now
        count += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _line(past: NDArray[np.int64], newest: int, day: Days, cohe: Singles) -> tuple[float, float]:
    """Value at the newest of some pairs of the least-squares line through them; its deviation."""
    window = len(past)
    mean_x, mean_y = 0.0, 0.0
    for index in past:
        mean_x += (day[index] - day[newest]) / window
        mean_y += cohe[index] / window
    across, along = 0.0, 0.0
    for index in past:
        x = day[index] - day[newest] - mean_x
        across += x * x
        along += x * (cohe[index] - mean_y)
    slope = along / across if across > 0 else 0.0
    squares = 0.0
    for index in past:
        x = day[index] - day[newest] - mean_x
        squares += (cohe[index] - mean_y - slope * x) ** 2
    return mean_y - slope * mean_x, np.sqrt(squares / window)


@njit(nogil=True, cache=True)
def _ranked(
    low: int,
    high: int,
    chance: Singles,
    leading: NDArray[np.uint8],
    first: Days,
    last: Days,
    rank: NDArray[np.int64],
) -> None:
    """Put the rows of a parcel into `rank`, the most confident first; of equals optical ones."""
    for row in range(low, high):
        place = row - low
        while place > 0:
            other = rank[place - 1]
            before = chance[row] > chance[other]
            if chance[row] == chance[other]:
                mine = (leading[row], last[row], first[row])
                before = mine < (leading[other], last[other], first[other])
            if not before:
                break
            rank[place] = other
            place -= 1
        rank[place] = row


@njit(nogil=True, cache=True)
def _apart(
    start: NDArray[np.int64],
    chance: Singles,
    leading: NDArray[np.uint8],
    first: Days,
    last: Days,
    days: int,
    most: int,
    by_ends: bool,
) -> NDArray[np.bool_]:
    """Which events are kept."""
    kept = np.zeros(len(chance), np.bool_)
    chosen = np.empty(max(most, 1), np.int64)
    rank = np.empty(np.diff(start).max() if len(start) > 1 else 0, np.int64)
    for parcel in range(len(start) - 1):
        low, high = start[parcel], start[parcel + 1]
        _ranked(low, high, chance, leading, first, last, rank)
        count = 0
        for event in rank[: high - low]:
            free = count < most
            for other in chosen[:count]:
                if by_ends:
                    distance = abs(last[event] - last[other])
                else:
                    distance = max(last[event] - first[other], last[other] - first[event])
                free = free and distance >= days
            if free:
                kept[event] = True
                chosen[count] = event
                count += 1
    return kept


@njit(nogil=True, cache=True)
def _heads(
    start: NDArray[np.int64],
    chance: Singles,
    leading: NDArray[np.uint8],
    first: Days,
    last: Days,
    seen: NDArray[np.uint8],
) -> NDArray[np.int64]:
    """The event that each one joins, itself where there is none."""
    head = np.arange(len(chance))
    rank = np.empty(np.diff(start).max() if len(start) > 1 else 0, np.int64)
    for parcel in range(len(start) - 1):
        low, high = start[parcel], start[parcel + 1]
        _ranked(low, high, chance, leading, first, last, rank)
        for place in range(high - low):
            event = rank[place]
            for other in rank[:place]:
                overlap = first[event] <= last[other] and first[other] <= last[event]
                optical = seen[event] == S2 and seen[other] == S2
                if head[other] == other and overlap and not optical:
                    head[event] = other
                    break
    return head


@njit(nogil=True, cache=True)
def _joined(
    head: NDArray[np.int64],
    weight: NDArray[np.float64],
    seen: NDArray[np.uint8],
    drop: Singles,
    jump: Singles,
) -> None:
    """Add to what the heads say, in place, what those who joined them say."""
    for event in range(len(head)):
        other = head[event]
        if other == event:
            continue
        weight[other] += weight[event]
        seen[other] |= seen[event]
        drop[other] = _greater(drop[other], drop[event])
        jump[other] = _greater(jump[other], jump[event])


@njit(nogil=True, cache=True)
def _greater(one: float, other: float) -> float:
    """The greater number; the one that is not NaN, if any."""
    return other if np.isnan(one) or other > one else one
