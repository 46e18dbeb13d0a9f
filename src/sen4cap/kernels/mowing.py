"""Events on grassland as the detectors find them: many parcels at once, one row per event."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray


class Kind(IntEnum):
    """What an event is taken for."""

    MOWING = 0
    GRAZING = 1
    UNDECIDED = 2
    """Something happened; the data do not tell what, or not surely enough to count it."""


class Seen(IntFlag):
    """Sensors whose observations speak for an event."""

    S2 = 1
    S1 = 2


class Events(NamedTuple):
    """k events of n parcels, sorted by parcel, then by day; a parcel may have none.

    Days are counted from 1970-01-01, UTC.
    """

    parcel: NDArray[np.int64]
    """Position of the parcel in the series that were searched, 0 … n - 1; shape (k,)."""
    first: NDArray[np.int32]
    """First day on which it may have happened: the last clear observation before; shape (k,)."""
    last: NDArray[np.int32]
    """Last day on which it may have happened: the first observation after; shape (k,)."""
    day: NDArray[np.int32]
    """Best single day, `first <= day <= last`; shape (k,)."""
    probability: NDArray[np.float32]
    """Of being a mowing, 0-1; of the rules their confidence, which is not one; shape (k,)."""
    kind: NDArray[np.uint8]
    """Codes of `Kind`; shape (k,)."""
    seen: NDArray[np.uint8]
    """Bits of `Seen`; shape (k,)."""
    leading: NDArray[np.uint8]
    """The one bit of `Seen` that tells most; shape (k,)."""
    drop: NDArray[np.float32]
    """Fall of NDVI over the interval; NaN without optical evidence; shape (k,)."""
    jump: NDArray[np.float32]
    """Rise of coherence in standard deviations; NaN without radar evidence; shape (k,)."""

    def take(self, rows: NDArray[Any]) -> Self:
        """Those of `rows`: positions or a mask; the order stays with the caller."""
        parts: list[Any] = [part[rows] for part in self]
        return type(self)(*parts)


def no_events() -> Events:
    """Events, none."""
    days, codes, evidence = np.empty(0, np.int32), np.empty(0, np.uint8), np.empty(0, np.float32)
    parcel = np.empty(0, np.int64)
    return Events(parcel, days, days, days, evidence, codes, codes, codes, evidence, evidence)


def mowings(
    parcel: NDArray[Any],
    first: NDArray[Any],
    last: NDArray[Any],
    day: NDArray[Any],
    probability: NDArray[Any],
) -> Events:
    """Mowings of which only the days are known, without evidence of a sensor; shapes (k,)."""
    none = np.zeros(len(parcel), np.uint8)
    missing = np.full(len(parcel), np.nan, np.float32)
    kind = np.full(len(parcel), int(Kind.MOWING), np.uint8)
    return Events(
        parcel.astype(np.int64),
        first.astype(np.int32),
        last.astype(np.int32),
        day.astype(np.int32),
        probability.astype(np.float32),
        kind,
        none,
        none,
        missing,
        missing,
    )
