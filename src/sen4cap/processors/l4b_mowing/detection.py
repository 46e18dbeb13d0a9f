"""Events of all parcels, some parcels at a time.

Memory: for each thread the observations of `CHUNK` parcels, about 60 bytes each, and the events
of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sen4cap.kernels import mowing_rules
from sen4cap.kernels.mowing import Events
from sen4cap.kernels.mowing_rules import OpticalRule, Period, RadarRule
from sen4cap.kernels.series import Series
from sen4cap.processing import Progress
from sen4cap.processing.parcel_series import Reader
from sen4cap.processors.l4b_mowing.params import Method, MowingParams, Polarisation

CHUNK = 50_000
"""Parcels whose observations are in memory at a time."""
LEAST_DATES = 3
"""Clear dates that it takes to see a fall and that it stays."""


OPTICAL = ("ndvi",)
RADAR = {
    Polarisation.VH: ("cohe_vh",),
    Polarisation.VV: ("cohe_vv",),
    Polarisation.BOTH: ("cohe_vh", "cohe_vv"),
}
"""Signals of the rules."""
ALL_OPTICAL = ("ndvi", "lai", "fapar")
ALL_RADAR = ("cohe_vv", "cohe_vh", "amp_vv", "amp_vh")
"""Signals that the trees may use, in their order; the number of pixels follows."""

Finder = Callable[[Series | None, Series | None], Events]


class Detection(NamedTuple):
    """What was found of n parcels."""

    events: Events
    dates: NDArray[np.int64]
    """Clear optical dates in the period, shape (n,)."""
    pairs: NDArray[np.int64]
    """Radar pairs of the track that has most, shape (n,)."""
    judged: NDArray[np.bool_]
    """Whether there was enough to look at, shape (n,)."""


class Readers(NamedTuple):
    """Where observations come from; None where a sensor is not used."""

    optical: Reader | None
    radar: Reader | None


def rules_of(params: MowingParams) -> tuple[OpticalRule, RadarRule]:
    """Thresholds of both sensors."""
    optical = OpticalRule(
        params.decreasing_abs_th,
        params.decreasing_rate_th,
        params.increasing_rate_th,
        params.high_abs_th,
        params.low_abs_th,
        params.corrupted_th,
        params.no_mowing_after_det,
        params.s2_non_overlap_interval_days,
    )
    radar = RadarRule(
        params.pfa,
        params.stat_smpl_n,
        params.min_cohe_var,
        params.saturate_sigma,
        params.s1_time_interval,
        params.s1_non_overlap_interval_days,
    )
    return optical, radar


def radar_period_of(params: MowingParams, period: Period) -> Period:
    """First and last day of radar."""
    return period[0] - params.s1_s2_startdate_diff, period[1]


def signals_of(params: MowingParams) -> tuple[Sequence[str], Sequence[str]]:
    """Signals of optical and of radar series that the method takes, in order."""
    if params.method is Method.EVENTS:
        return ALL_OPTICAL, ALL_RADAR
    return OPTICAL, RADAR[params.pol_types]


def finder_of(params: MowingParams, period: Period) -> Finder:
    """What finds events in optical and radar series, by the method."""
    if params.method is Method.EVENTS:
        from sen4cap.processors.l4b_mowing.detector import detect
        from sen4cap.processors.l4b_mowing.model import shipped

        return partial(detect, period=period, model=shipped(), undecided=params.undecided)
    return partial(
        mowing_rules.detect,
        rules=rules_of(params),
        period=(period, radar_period_of(params, period)),
        most=params.max_events,
    )


def detect_all(
    readers: Readers,
    parcels: NDArray[np.int64],
    params: MowingParams,
    period: Period,
    progress: Progress,
    threads: int = 1,
) -> Detection:
    """Events of parcels, given by number, ascending; they are numbered by their position.

    `period`: first and last day, since 1970-01-01. As many chunks as there are threads are worked
    on at a time; a parcel's events depend on no other parcel.
    """
    find = finder_of(params, period)

    def work(begin: int) -> Detection:
        chunk = parcels[begin : begin + CHUNK]
        optical = readers.optical.series(chunk) if readers.optical else None
        radar = readers.radar.series(chunk) if readers.radar else None
        found = _searched((optical, radar), find, params, period, len(chunk))
        return found._replace(events=found.events._replace(parcel=found.events.parcel + begin))

    begins, found = range(0, len(parcels), CHUNK), []
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for begin, one in zip(begins, pool.map(work, begins), strict=True):
            found.append(one)
            progress(begin / len(parcels), f"{begin:,} of {len(parcels):,} parcels")
    return _together(found)


def _searched(
    series: tuple[Series | None, Series | None],
    find: Finder,
    params: MowingParams,
    period: Period,
    parcels: int,
) -> Detection:
    """Events of some parcels, and what there was to look at."""
    optical, radar = series
    dates = pairs = np.zeros(parcels, np.int64)
    if optical is not None:
        dates = mowing_rules.clear_dates(optical, rules_of(params)[0], period)
    if radar is not None:
        pairs = mowing_rules.longest_track(radar, radar_period_of(params, period))
    judged = (dates >= LEAST_DATES) | (pairs > params.stat_smpl_n)
    return Detection(find(optical, radar), dates, pairs, judged)


def _together(found: list[Detection]) -> Detection:
    events = Events(
        *(np.concatenate(parts) for parts in zip(*(one.events for one in found), strict=True))
    )
    dates, pairs, judged = (
        np.concatenate(parts) for parts in zip(*(one[1:] for one in found), strict=True)
    )
    return Detection(events, dates, pairs, judged)
