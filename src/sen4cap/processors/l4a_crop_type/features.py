"""Features of a season: markers on the dekads of the calendar, and statistics over them.

The columns follow from the season and the markers alone, not from the dates that happened to be
clear or the orbits that a satellite happened to fly, so that seasons of several years have the
same ones. What was not seen stays missing.

Radar is speckled: what it saw in a dekad says little, and the least and greatest of such values say
less; its mean over the season or a part of it says much. It looks at a parcel from the east in the
morning and from the west in the evening. The two directions are series of their own; backscatter is
in decibels, and the relative orbits of one direction are brought to one level in each parcel: each
has its own angle of incidence, and columns per orbit would be empty for the parcels that it does
not see. Coherences of pairs of 6 and of 12 days are markers of their own.

Memory: over a year, per parcel and optical marker, 4 bytes for each of two values per dekad, 50
quantiles of intervals and eleven statistics of the season, about 530 bytes; per radar marker 220.
100,000 parcels with 16 optical markers and 7 of radar take 1.1 GB. The rows of one marker are read
for `CHUNK` parcels at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.domain import Season, Sensor
from sen4cap.errors import NoInput
from sen4cap.kernels.features import (
    SEASON_STATISTICS,
    Interval,
    dyadic_intervals,
    interval_means,
    interval_quantiles,
    period_means,
    season_statistics,
)
from sen4cap.processing.marker_table import MarkerTable, is_radar

Floats = NDArray[np.float32]

CHUNK = 50_000
"""Parcels whose rows are in memory at a time."""

COLUMNS = ("parcel", "time", "grid", "orbit", "mean", "stdev", "count", "stale")
"""Of a marker row, what features are made from."""

BACKSCATTER = "amp_"
DIRECTIONS = ("desc", "asc")
"""Of the satellite: southwards, seen in the local morning; northwards, in the evening."""


@dataclass(frozen=True)
class Features:
    """One row per parcel."""

    names: tuple[str, ...]
    """Columns: `ndvi_mean_d13`, `ndvi_stdev_d13`, `ndvi_p50`, `ndvi_count`, `ndvi_d01_d18_p33`,
    `amp_vv_asc_d01_d18_mean`; shape (k,)."""
    values: Floats
    """Shape (n, k); NaN where nothing was seen."""
    pixels: Floats
    """Valid optical pixels on the clearest date, shape (n,); NaN where there is none."""
    radar_pixels: Floats
    """Radar pixels on the fullest date, shape (n,); NaN where there is none."""
    seen: NDArray[np.bool_]
    """Whether there is any observation, shape (n,)."""
    stale: int
    """Observations left out because they are of a former geometry of their parcel."""

    def without_radar(self, where: NDArray[np.bool_]) -> Features:
        """The same, with the radar of some parcels, shape (n,), missing."""
        radar = np.array([is_radar(name) for name in self.names], bool)
        values = self.values.copy()
        values[np.ix_(where, radar)] = np.nan
        seen = self.seen & ~(where & np.isnan(self.pixels))
        return replace(self, values=values, seen=seen)


@dataclass(frozen=True)
class Reading:
    """What is read of a marker table."""

    table: MarkerTable
    season: Season
    acquisitions: pl.DataFrame
    """`time`, `grid`: those that are read, at least one; later ones are left alone."""
    homes: pl.DataFrame
    """`parcel`, `geom_hash`, `grid`: one row per parcel and sensor, the grid of which counts;
    empty where there is none."""
    optical: frozenset[str]
    """Names of the grids of Sentinel-2."""
    sensors: Collection[Sensor] = tuple(Sensor)
    """Those whose markers are taken."""
    longitude: float = 0.0
    """Of the site, degrees; tells its morning from its evening."""

    @property
    def parcels(self) -> NDArray[np.int64]:
        """Parcels of `homes`, sorted."""
        return self.homes["parcel"].unique().sort().to_numpy()

    def markers(self) -> tuple[str, ...]:
        """Markers of the sensors."""
        return tuple(
            name
            for name in self.table.markers()
            if (Sensor.S1 if is_radar(name) else Sensor.S2) in self.sensors
        )

    def rows(self, marker: str, parcels: NDArray[np.int64]) -> pl.DataFrame:
        """`COLUMNS` of some parcels, neighbours in `parcels`."""
        inside = pl.col("parcel").is_between(int(parcels[0]), int(parcels[-1]))
        homes = self.homes.filter(inside)
        return self.table.read(marker, homes, self.acquisitions, columns=COLUMNS)

    def direction(self) -> pl.Expr:
        """Name of the direction of flight, by the local solar time of an acquisition."""
        minutes = pl.col("time").dt.hour().cast(pl.Int32) * 60 + pl.col("time").dt.minute()
        local = (minutes + round(self.longitude * 4)) % (24 * 60)
        return pl.when(local < 12 * 60).then(pl.lit(DIRECTIONS[0])).otherwise(pl.lit(DIRECTIONS[1]))

    def linear(self) -> bool:
        """Whether backscatter is power, which is above 0, and not in decibels.

        Told by VV and VH alone: their ratio is above 0 in either.
        """
        for marker in ("amp_vv", "amp_vh"):
            if marker in self.markers():
                rows = self.table.read(marker, acquisitions=self.acquisitions, columns=("mean",))
                return bool((rows["mean"] > 0).all())
        return True


@dataclass(frozen=True)
class _Series:
    """A marker, or one direction of it."""

    values: Floats
    pixels: Floats
    seen: NDArray[np.bool_]
    stale: int


def season_features(reading: Reading) -> Features:
    """Features of the parcels of `reading`, sorted by parcel.

    Raises
    ------
    NoInput
        If no marker has an observation of any of the parcels.
    """
    found = {name: _marker(reading, name) for name in reading.markers()}
    kept = {name: marker for name, marker in found.items() if marker.seen.any()}
    if not kept:
        raise no_markers(reading.season)
    radar = {name: marker.pixels for name, marker in kept.items() if is_radar(name)}
    optical = {name: marker.pixels for name, marker in kept.items() if not is_radar(name)}
    return Features(
        names=tuple(column for name in kept for column in columns_of(name, reading.season)),
        values=np.concatenate([marker.values for marker in kept.values()], axis=1),
        pixels=_most(list(optical.values()), len(reading.parcels)),
        radar_pixels=_most(list(radar.values()), len(reading.parcels)),
        seen=np.logical_or.reduce([marker.seen for marker in kept.values()]),
        stale=sum(marker.stale for marker in found.values()),
    )


def no_markers(season: Season) -> NoInput:
    """What is said where there is nothing to make features from."""
    return NoInput(
        f"There are no markers of the parcels in season '{season.name}': "
        "run 'sen4cap run s4c_mdb1' first, and check the mode."
    )


def columns_of(marker: str, season: Season) -> tuple[str, ...]:
    """Columns that one marker gives, in order; the same in every year."""
    labels, parts = season.dekad_labels, _intervals(season)
    spans = [(part, f"{labels[part.start]}_{labels[part.stop - 1]}") for part in parts]
    if is_radar(marker):
        means = [f"{span}_mean" for _, span in spans]
        return tuple(f"{marker}_{way}_{name}" for way in DIRECTIONS for name in ("count", *means))
    dekads = [f"{kind}_{label}" for kind in ("mean", "stdev") for label in labels]
    quantiles = [
        f"{span}_p{round(100 * share):02d}" for part, span in spans for share in part.quantiles
    ]
    whole = (*dekads, *SEASON_STATISTICS, "count", *quantiles)
    return tuple(f"{marker}_{name}" for name in whole)


def _intervals(season: Season) -> tuple[Interval, ...]:
    return dyadic_intervals(len(season.dekads))


def _most(pixels: Sequence[Floats], parcels: int) -> Floats:
    missing = np.full(parcels, np.nan, np.float32)
    found: Floats = np.fmax.reduce([missing, *pixels])
    return found


def _marker(reading: Reading, marker: str) -> _Series:
    prepare = (
        partial(_levelled, linear=reading.linear()) if marker.startswith(BACKSCATTER) else None
    )
    parcels = reading.parcels
    pieces = np.split(parcels, range(CHUNK, len(parcels), CHUNK))
    chunks = [_chunk(reading, marker, piece, prepare) for piece in pieces]
    return _Series(
        np.concatenate([chunk.values for chunk in chunks]),
        np.concatenate([chunk.pixels for chunk in chunks]),
        np.concatenate([chunk.seen for chunk in chunks]),
        sum(chunk.stale for chunk in chunks),
    )


def _chunk(
    reading: Reading,
    marker: str,
    parcels: NDArray[np.int64],
    prepare: Callable[[pl.DataFrame], pl.DataFrame] | None,
) -> _Series:
    rows = reading.rows(marker, parcels)
    current = rows.filter(~pl.col("stale"))
    if is_radar(marker):
        flown = current.with_columns(direction=reading.direction())
        ways = [flown.filter(pl.col("direction") == name) for name in DIRECTIONS]
        values = [
            _radar(way if prepare is None else prepare(way), reading.season, parcels)
            for way in ways
        ]
    else:
        values = [_optical(current, reading.season, parcels)]
    counted = current if is_radar(marker) else _on(current, reading.optical)
    return _Series(
        np.concatenate(values, axis=1),
        most_pixels(counted, parcels),
        np.isin(parcels, current["parcel"].to_numpy()),
        len(rows) - len(current),
    )


def _levelled(rows: pl.DataFrame, linear: bool) -> pl.DataFrame:
    """Backscatter in decibels, the orbits of a parcel at the level of their mean."""
    mean = pl.col("mean")
    if linear:
        rows = rows.filter(mean > 0).with_columns(mean=10 * mean.log10())
    level = mean.mean().over("parcel") - mean.mean().over("parcel", "orbit")
    return rows.with_columns(mean=mean + level)


def _optical(rows: pl.DataFrame, season: Season, parcels: NDArray[np.int64]) -> Floats:
    mean, count = _series(rows, "mean", season, parcels)
    stdev, _ = _series(rows, "stdev", season, parcels)
    parts = interval_quantiles(mean, _intervals(season))
    return np.concatenate([mean, stdev, season_statistics(mean), count, parts], axis=1)


def _radar(rows: pl.DataFrame, season: Season, parcels: NDArray[np.int64]) -> Floats:
    mean, count = _series(rows, "mean", season, parcels)
    parts = interval_means(mean, _intervals(season))
    return np.concatenate([count, parts], axis=1)


def _series(
    rows: pl.DataFrame, statistic: str, season: Season, parcels: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Means of each dekad, shape (n, dekads), and number of rows, shape (n, 1)."""
    row, shape = np.searchsorted(parcels, rows["parcel"].to_numpy()), len(season.dekads)
    values = rows[statistic].to_numpy()
    mean = period_means(row, _dekads(rows, season), values, (len(parcels), shape))
    count = np.bincount(row, minlength=len(parcels)).astype(np.float32)
    return mean, count[:, None]


def _dekads(rows: pl.DataFrame, season: Season) -> NDArray[np.int64]:
    """Position of each row's dekad; by date, of which there are few."""
    days, which = np.unique(rows["time"].dt.date().to_numpy(), return_inverse=True)
    index = np.array([season.dekad_index(day) for day in days.tolist()], np.int64)
    return index[which]


def _on(rows: pl.DataFrame, grids: frozenset[str]) -> pl.DataFrame:
    return rows.filter(pl.col("grid").is_in(list(grids)))


def most_pixels(rows: pl.DataFrame, parcels: NDArray[np.int64]) -> Floats:
    """Valid pixels of each parcel on its fullest date; NaN where there is no row."""
    most = rows.group_by("parcel").agg(pl.col("count").max()).sort("parcel")
    pixels = np.full(len(parcels), np.nan, np.float32)
    pixels[np.searchsorted(parcels, most["parcel"].to_numpy())] = most["count"].to_numpy()
    return pixels
