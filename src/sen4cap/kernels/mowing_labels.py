"""Known events, and which candidates they make true."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sen4cap.kernels.mowing import Kind
from sen4cap.kernels.mowing_candidates import Candidates

Days = NDArray[np.int32]
Flags = NDArray[np.bool_]

SLACK = 5
"""Days by which an event may lie outside an interval that is called true: dates are known from
cameras, whose days have gaps too, and hay is carried off later than it is cut."""


class Truth(NamedTuple):
    """k known events of n parcels, sorted by parcel, then by day."""

    parcel: NDArray[np.int64]
    """Position of the parcel, shape (k,)."""
    first: Days
    """Day of a cut, first day of grazing; since 1970-01-01; shape (k,)."""
    last: Days
    """The same day, or the last of grazing; shape (k,)."""
    kind: NDArray[np.uint8]
    """Codes of `Kind`: mowing or grazing; shape (k,)."""

    def of(self, kind: Kind) -> Truth:
        """The events of one kind."""
        return self.take(self.kind == kind)

    def take(self, rows: Flags) -> Truth:
        """Some of the events."""
        parts: list[Any] = [part[rows] for part in self]
        return Truth(*parts)


def labels(found: Candidates, events: Truth) -> Flags:
    """Whether one of the events meets the interval of each candidate, within `SLACK` days."""
    out = np.zeros(len(found.parcel), np.bool_)
    begin = np.searchsorted(events.parcel, found.parcel).astype(np.int64)
    end = np.searchsorted(events.parcel, found.parcel, side="right").astype(np.int64)
    _label(found, events, begin, end, out)
    return out


@njit(nogil=True, cache=True)
def _label(
    found: Candidates,
    events: Truth,
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    out: Flags,
) -> None:
    for here in range(len(out)):
        for event in range(begin[here], end[here]):
            starts_in_time = events.first[event] <= found.last[here] + SLACK
            if starts_in_time and events.last[event] >= found.first[here] - SLACK:
                out[here] = True
