"""What there is of each parcel: whole pixels, acquisitions, valid pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.domain import Grid, Sensor
from sen4cap.processing.homes import places_of
from sen4cap.processing.marker_table import MarkerTable, is_radar
from sen4cap.processors.l4a_crop_type.features import CHUNK, Features

Integers = NDArray[np.integer]
Floats = NDArray[np.floating]

TELLING = ("ndvi", "amp_vv")
"""Markers that tell the acquisitions of a sensor, where they are there; else its first one does."""


@dataclass(frozen=True)
class Seen:
    """What there is of each parcel, shape (parcels,) each."""

    s2_pix: Integers
    """Whole pixels of 10 m."""
    s1_pix: Integers
    """Whole pixels of 20 m."""
    s2_dates: Integers
    """Clear acquisitions."""
    s1_dates: Integers
    """Acquisitions that were used."""
    s2_valid: Floats
    """Valid optical pixels on the clearest date; NaN where there is none."""
    s1_valid: Floats
    """Radar pixels on the fullest date; NaN where there is none."""


@dataclass(frozen=True)
class Acquired:
    """Where acquisitions of parcels are counted."""

    table: MarkerTable
    acquisitions: pl.DataFrame
    """`time`, `grid` of those that count."""
    homes: pl.DataFrame
    """`parcel`, `geom_hash`, `grid` of the parcels that were looked at."""
    sensors: Sequence[Sensor]
    """Those that were used."""

    def count(self, parcels: NDArray[np.int64], sensor: Sensor) -> NDArray[np.int64]:
        """Acquisitions of a sensor with a value, shape (parcels,); `parcels` are sorted."""
        count = np.zeros(len(parcels), np.int64)
        marker = _telling(self.table.markers(), sensor)
        if marker is None or sensor not in self.sensors:
            return count
        for begin in range(0, len(parcels), CHUNK):
            first, last = parcels[begin], parcels[min(begin + CHUNK, len(parcels)) - 1]
            inside = self.homes.filter(pl.col("parcel").is_between(int(first), int(last)))
            rows = self.table.read(
                marker, inside, self.acquisitions, columns=("parcel", "stale")
            ).filter(~pl.col("stale"))
            np.add.at(count, np.searchsorted(parcels, rows["parcel"].to_numpy()), 1)
        return count


def _telling(markers: Sequence[str], sensor: Sensor) -> str | None:
    own = [name for name in markers if is_radar(name) == (sensor is Sensor.S1)]
    return next(iter([*(name for name in TELLING if name in own), *own]), None)


def seen_of(
    parcels: gpd.GeoDataFrame,
    features: Features,
    looked_at: NDArray[np.bool_],
    grids: Sequence[Grid],
    acquired: Acquired,
    least_radar: int,
) -> Seen:
    """What there is of all parcels, which are sorted by `NewID`.

    `looked_at`, shape (parcels,): those with a row in `features`. Radar of parcels with fewer than
    `least_radar` pixels of it was not used.
    """
    numbers = parcels["NewID"].to_numpy(np.int64)
    valid, radar = np.full((2, len(parcels)), np.nan)
    valid[looked_at], radar[looked_at] = features.pixels, features.radar_pixels
    return Seen(
        s2_pix=places_of(parcels, grids, Sensor.S2).pixels,
        s1_pix=places_of(parcels, grids, Sensor.S1).pixels,
        s2_dates=acquired.count(numbers, Sensor.S2),
        s1_dates=np.where(radar < least_radar, 0, acquired.count(numbers, Sensor.S1)),
        s2_valid=valid,
        s1_valid=radar,
    )
