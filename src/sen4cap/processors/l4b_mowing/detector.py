"""The default method: candidates, judged by trees, calibrated, chosen with a least gap.

Parcels are dealt with one by one, so that neither their order nor their company changes anything.
Memory: for each thread the features of a block's candidates, about 40 MB, beside the series.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sen4cap.kernels.mowing import Events, Kind, no_events
from sen4cap.kernels.mowing_decoding import chosen, peaks, pooled
from sen4cap.kernels.series import Series
from sen4cap.processors.l4b_mowing.judging import Judged, events_of, judged, surest
from sen4cap.processors.l4b_mowing.model import Decided, Model

Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]

BLOCK = 8192
"""Parcels that a thread takes at a time."""
DOUBTFUL = 0.85
"""Probability, for or against, below which a possible event leaves the number of a parcel open."""


class _Sorted(NamedTuple):
    """Candidates, by what they are taken for; positions and probabilities of being a mowing."""

    mowings: Rows
    doubtful: Rows
    grazings: Rows
    probability: Doubles
    """Of all candidates, shape (k,)."""


def detect(
    optical: Series | None,
    radar: Series | None,
    period: tuple[int, int],
    model: Model,
    *,
    undecided: bool = False,
    threads: int = 1,
) -> Events:
    """Mowings and grazings of n parcels within a period.

    Parameters
    ----------
    optical
        Signals NDVI, LAI, FAPAR on clear dates; further ones are ignored, NaN is missing, so any
        but NDVI may be NaN throughout. None where Sentinel-2 is not used.
    radar
        Signals coherence VV, coherence VH of pairs, backscatter VV, VH [dB] of images; as above.
        None where Sentinel-1 is not used. One of both is needed; both are of the same n parcels.
    period
        First and last day, since 1970-01-01. What lies before and after is looked at, too, but
        the best day of each event lies within.
    model
        From `shipped` or `read_model`.
    undecided
        Whether a parcel whose number of mowings is less sure than the model's `certainty` keeps
        those in doubt as `Kind.UNDECIDED`. Otherwise each is a mowing or none.
    threads
        Blocks of parcels that are dealt with at a time; changes nothing in the result.

    Returns
    -------
    Events, of kind mowing, grazing or undecided, with the calibrated probability of a mowing.
    """
    parcels = len((optical or radar or _absent()).start) - 1

    def found(begin: int) -> Events:
        end = min(begin + BLOCK, parcels)
        parts = [None if item is None else part(item, begin, end) for item in (optical, radar)]
        events = _detect(parts[0], parts[1], end - begin, period, model, undecided)
        return events._replace(parcel=events.parcel + begin)

    with ThreadPoolExecutor(threads) as pool:
        blocks = list(pool.map(found, range(0, parcels, BLOCK)))
    return joined(blocks)


def part(series: Series, begin: int, end: int) -> Series:
    """The observations of some parcels, numbered from 0; no copy."""
    first, last = series.start[begin], series.start[end]
    return Series(
        series.start[begin : end + 1] - first,
        series.day[first:last],
        series.values[:, first:last],
        series.track[first:last],
        series.span[first:last],
    )


def joined(blocks: list[Events]) -> Events:
    """Events of blocks of parcels, one after another."""
    return Events(*(np.concatenate(parts) for parts in zip(no_events(), *blocks, strict=True)))


def _absent() -> Series:
    raise ValueError("Optical or radar series are needed.")


def _detect(
    optical: Series | None,
    radar: Series | None,
    parcels: int,
    period: tuple[int, int],
    model: Model,
    undecided: bool,
) -> Events:
    first, last = (np.full(parcels, day, np.int64) for day in period)
    seen = judged(optical, radar, first, last)
    taken = sorted_out(seen, parcels, model, undecided)
    parts = (taken.mowings, Kind.MOWING), (taken.doubtful, Kind.UNDECIDED), (
        taken.grazings, Kind.GRAZING)  # fmt: skip
    events = joined([events_of(seen, rows, taken.probability[rows], kind) for rows, kind in parts])
    inside = (events.day >= period[0]) & (events.day <= period[1])
    order = np.lexsort((events.day, events.parcel))
    return events.take(order[inside[order]])


def sorted_out(seen: Judged, parcels: int, model: Model, undecided: bool) -> _Sorted:
    """What each candidate is taken for."""
    decided = model.decided(pooled(seen.found, model.mowing(seen.values)), seen.optical)
    probability = decided.probability
    mowing = chosen(seen.found, probability, decided.threshold)
    others = peaks(seen.found, probability, mowing)
    rows, further = np.flatnonzero(mowing), np.flatnonzero(others)
    doubtful = further[:0]
    if undecided:
        every = np.sort(np.concatenate([rows, further]))
        doubtful = every[_open(seen.found.parcel, decided, every, parcels)]
        rows = np.setdiff1d(rows, doubtful)
    rest = np.setdiff1d(further, doubtful)
    grazed = model.grazed(seen.values[rest]) >= model.grazing_threshold
    return _Sorted(rows, doubtful, rest[grazed], probability)


def _open(parcel: Rows, decided: Decided, rows: Rows, parcels: int) -> NDArray[np.bool_]:
    """Which possible events leave the number of mowings of their parcel open."""
    parcel, probability = parcel[rows], decided.probability[rows]
    sure = surest(parcel, probability, parcels)
    doubt = np.maximum(probability, 1 - probability)
    least = np.ones(parcels)
    np.minimum.at(least, parcel, doubt)
    in_doubt: NDArray[np.bool_] = doubt <= np.maximum(DOUBTFUL, least[parcel])
    return in_doubt & (sure[parcel] < decided.certainty[rows])
