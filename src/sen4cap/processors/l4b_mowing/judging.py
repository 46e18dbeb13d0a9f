"""Candidates of parcels with their features, and events chosen among them.

What the detector does and what training does are the same steps, so that they stand here once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sen4cap.kernels.mowing import Events, Kind, Seen
from sen4cap.kernels.mowing_candidates import (
    LEAST_DROP,
    LEAST_JUMP,
    Candidates,
    candidates,
    cleaned,
    jumps,
)
from sen4cap.kernels.mowing_decoding import counts
from sen4cap.kernels.mowing_features import FEATURES, OPTICAL, RADAR, features
from sen4cap.kernels.series import Series

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Days = NDArray[np.int64]

DROP, JUMP = FEATURES.index("ndvi_drop"), FEATURES.index("jump")
CLEAR_DROP = 0.05
"""Fall of NDVI beside which radar does not lead."""


class Judged(NamedTuple):
    """Candidates and what is known of each."""

    found: Candidates
    values: Floats
    """Features, shape (k, features)."""

    @property
    def optical(self) -> Flags:
        """Candidates that clear dates enclose, shape (k,)."""
        return ~np.isnan(self.values[:, DROP])


def judged(optical: Series | None, radar: Series | None, first: Days, last: Days) -> Judged:
    """Candidates between the first and the last day of each parcel, with their features.

    Signals of `optical` are `OPTICAL`, of `radar` `RADAR`; further ones are ignored. None where a
    sensor is not used.
    """
    parcels = len(first)
    seen = cleaned(_nothing(parcels, len(OPTICAL)) if optical is None else optical)
    beam = _nothing(parcels, len(RADAR)) if radar is None else radar
    jump = jumps(beam)
    found = candidates(seen, beam, jump, first, last)
    return Judged(found, features(seen, beam, jump, found, first, last))


def events_of(judged_: Judged, rows: NDArray[np.int64], probability: Doubles, kind: Kind) -> Events:
    """Events at some candidates, all of one kind."""
    found, values = judged_.found, judged_.values[rows]
    drop, jump = values[:, DROP], values[:, JUMP]
    radar = jump >= LEAST_JUMP
    optical = (drop >= LEAST_DROP) | ~radar
    leads = np.where(radar & ~(drop >= CLEAR_DROP), Seen.S1, Seen.S2)
    first, last = found.first[rows], found.last[rows]
    return Events(
        found.parcel[rows],
        first,
        last,
        first + (last - first) // 2,
        probability.astype(np.float32),
        np.full(len(rows), kind, np.uint8),
        (optical * int(Seen.S2) + radar * int(Seen.S1)).astype(np.uint8),
        leads.astype(np.uint8),
        drop,
        jump,
    )


def surest(parcel: NDArray[np.int64], probability: Doubles, parcels: int) -> Doubles:
    """Probability of the most probable number of events of each parcel, shape (n,)."""
    best: Doubles = counts(parcel, probability, parcels).max(axis=1)
    return best


def _nothing(parcels: int, signals: int) -> Series:
    none = np.empty(0, np.int16)
    return Series(
        np.zeros(parcels + 1, np.int64),
        np.empty(0, np.int32),
        np.empty((signals, 0), np.float32),
        none,
        none,
    )
