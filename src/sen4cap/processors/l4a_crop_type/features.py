"""Features of a season: markers on the dekads of the calendar, and statistics over them.

The columns follow from the season and the markers alone, not from the dates that happened to be
clear, so that seasons of several years have the same ones.

Memory: per marker and parcel 4 bytes for each of two values per dekad and of eleven over the
season, about 330 bytes over a year; the rows of one marker are read for `CHUNK` parcels at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.domain import Season, Sensor
from sen4cap.errors import NoInput
from sen4cap.kernels.features import SEASON_STATISTICS, period_means, season_statistics
from sen4cap.processing.marker_table import MarkerTable, is_radar

Floats = NDArray[np.float32]

CHUNK = 50_000
"""Parcels whose rows are in memory at a time."""

COLUMNS = ("parcel", "time", "grid", "mean", "stdev", "count", "stale")
"""Of a marker row, what features are made from."""


@dataclass(frozen=True)
class Features:
    """One row per parcel."""

    names: tuple[str, ...]
    """Columns: `ndvi_mean_d13`, `ndvi_stdev_d13`, `ndvi_p50`, `ndvi_count`; shape (k,)."""
    values: Floats
    """Shape (n, k); NaN where nothing was seen."""
    pixels: Floats
    """Valid optical pixels on the clearest date, shape (n,); NaN where there is none."""
    seen: NDArray[np.bool_]
    """Whether there is any observation, shape (n,)."""
    stale: int
    """Observations left out because they are of a former geometry of their parcel."""


@dataclass(frozen=True)
class _Marker:
    values: Floats
    pixels: Floats
    stale: int


def season_features(
    table: MarkerTable,
    season: Season,
    acquisitions: pl.DataFrame,
    homes: pl.DataFrame,
    optical: frozenset[str],
    sensors: Collection[Sensor] = tuple(Sensor),
) -> Features:
    """Features of the parcels of `homes`, sorted by parcel.

    Parameters
    ----------
    table, season
        Markers of the season; its dekads are the periods.
    acquisitions
        `time`, `grid`: those that are read, at least one; later ones of the table are left alone.
    homes
        `parcel`, `geom_hash`, `grid`: one row per parcel and sensor, the grid of which counts;
        empty where there is none.
    optical
        Names of the grids of Sentinel-2.

    sensors
        Those whose markers are taken.

    Raises
    ------
    NoInput
        If no marker has an observation of any of the parcels.
    """
    parcels = homes["parcel"].unique().sort().to_numpy()

    def rows(marker: str, chunk: NDArray[np.int64]) -> pl.DataFrame:
        inside = pl.col("parcel").is_between(int(chunk[0]), int(chunk[-1]))
        return table.read(marker, homes.filter(inside), acquisitions, columns=COLUMNS)

    markers = {
        name: _marker(
            partial(rows, name), season, parcels, frozenset() if is_radar(name) else optical
        )
        for name in table.markers()
        if (Sensor.S1 if is_radar(name) else Sensor.S2) in sensors
    }
    found = {name: marker for name, marker in markers.items() if _seen(marker).any()}
    if not found:
        raise NoInput(
            f"There are no markers of the parcels in season '{season.name}': "
            "run 'sen4cap run s4c_mdb1' first, and check the mode."
        )
    return Features(
        names=tuple(column for name in found for column in columns_of(name, season)),
        values=np.concatenate([marker.values for marker in found.values()], axis=1),
        pixels=np.fmax.reduce([marker.pixels for marker in found.values()]),
        seen=np.logical_or.reduce([_seen(marker) for marker in found.values()]),
        stale=sum(marker.stale for marker in markers.values()),
    )


def columns_of(marker: str, season: Season) -> tuple[str, ...]:
    """Columns that one marker gives, in order; the same in every year."""
    dekads = [f"{kind}_{label}" for kind in ("mean", "stdev") for label in season.dekad_labels]
    return tuple(f"{marker}_{name}" for name in (*dekads, *SEASON_STATISTICS, "count"))


def _seen(marker: _Marker) -> NDArray[np.bool_]:
    seen: NDArray[np.bool_] = marker.values[:, -1] > 0
    return seen


def _marker(
    read: Callable[[NDArray[np.int64]], pl.DataFrame],
    season: Season,
    parcels: NDArray[np.int64],
    optical: frozenset[str],
) -> _Marker:
    pieces = np.split(parcels, range(CHUNK, len(parcels), CHUNK))
    chunks = [_chunk(read(piece), season, piece, optical) for piece in pieces]
    return _Marker(
        np.concatenate([chunk.values for chunk in chunks]),
        np.concatenate([chunk.pixels for chunk in chunks]),
        sum(chunk.stale for chunk in chunks),
    )


def _chunk(
    rows: pl.DataFrame, season: Season, parcels: NDArray[np.int64], optical: frozenset[str]
) -> _Marker:
    current = rows.filter(~pl.col("stale"))
    row = np.searchsorted(parcels, current["parcel"].to_numpy())
    column = _dekads(current, season)
    shape = (len(parcels), len(season.dekads))
    mean = period_means(row, column, current["mean"].to_numpy(), shape)
    stdev = period_means(row, column, current["stdev"].to_numpy(), shape)
    count = np.bincount(row, minlength=len(parcels)).astype(np.float32)
    values = np.concatenate([mean, stdev, season_statistics(mean), count[:, None]], axis=1)
    return _Marker(values, _pixels(current, parcels, optical), len(rows) - len(current))


def _dekads(rows: pl.DataFrame, season: Season) -> NDArray[np.int64]:
    """Position of each row's dekad; by date, of which there are few."""
    days, which = np.unique(rows["time"].dt.date().to_numpy(), return_inverse=True)
    index = np.array([season.dekad_index(day) for day in days.tolist()], np.int64)
    return index[which]


def _pixels(rows: pl.DataFrame, parcels: NDArray[np.int64], optical: frozenset[str]) -> Floats:
    most = (
        rows.filter(pl.col("grid").is_in(list(optical)))
        .group_by("parcel")
        .agg(pl.col("count").max())
        .sort("parcel")
    )
    pixels = np.full(len(parcels), np.nan, np.float32)
    pixels[np.searchsorted(parcels, most["parcel"].to_numpy())] = most["count"].to_numpy()
    return pixels
