"""The original's features: complete series, from the first acquisition of the season on.

| source | series | columns |
|---|---|---|
| Sentinel-2 | every 10 days, lines between clear dates | mean and deviation of bands and indices |
| backscatter, its ratio | weeks, lines between them, by direction | mean and deviation |
| the same | two months, from the weeks | mean and coefficient of variation |
| coherence | weeks, lines between them, by direction | mean and deviation |
| the same | months, from the weeks of both directions | mean and 10 % quantile |
| the same | season | standard deviation |

The original draws its lines in each pixel and its weekly and monthly values are rasters before they
are parcels; here they are of the parcel's means. Pairs of 6 and of 12 days are pooled, as there. A
parcel that a sensor never saw has no such features, and no result.

Memory: per parcel 8 bytes for each marker and date that is looked at, and the features, about 1,700
of a year with both sensors, 7 kB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.domain import Sensor
from sen4cap.kernels.features import interpolated, period_means
from sen4cap.processors.l4a_crop_type.features import (
    CHUNK,
    DIRECTIONS,
    Features,
    Reading,
    most_pixels,
    no_markers,
)

Floats = NDArray[np.float32]

MAIN = ("b03", "b04", "b08", "b11", "ndvi", "ndwi", "brightness")
RED_EDGE = ("b05", "b06", "b07", "b12")
"""Only where radar is used too."""
RADAR = ("amp_vv", "amp_vh", "amp_vvvh", "cohe_vv", "cohe_vh")
STEP = timedelta(days=10)
LOW = 0.1
MONTHS = {"amp": 2, "cohe": 1}


@dataclass(frozen=True)
class _Table:
    """Columns of some parcels."""

    names: list[str]
    values: list[Floats]

    def add(self, names: Iterable[str], values: Floats) -> None:
        self.names.extend(names)
        self.values.append(values)


def original_features(reading: Reading) -> Features:
    """Features of the parcels of `reading`, sorted by parcel; NaN where a sensor saw nothing.

    Raises
    ------
    NoInput
        If no marker that the original knows has an observation of any of the parcels.
    """
    days = _days(reading)
    pieces = np.split(reading.parcels, range(CHUNK, len(reading.parcels), CHUNK))
    chunks = [_chunk(reading, piece, days) for piece in pieces]
    values = np.concatenate([chunk.values for chunk in chunks])
    there = ~np.isnan(values).all(axis=0)
    if not there.any():
        raise no_markers(reading.season)
    return Features(
        names=tuple(np.array(chunks[0].names)[there].tolist()),
        values=values[:, there],
        pixels=np.concatenate([chunk.pixels for chunk in chunks]),
        radar_pixels=np.concatenate([chunk.radar_pixels for chunk in chunks]),
        seen=np.concatenate([chunk.seen for chunk in chunks]),
        stale=sum(chunk.stale for chunk in chunks),
    )


def _days(reading: Reading) -> list[date]:
    """Days of the acquisitions, sorted."""
    found: list[date] = reading.acquisitions["time"].dt.date().unique().sort().to_list()
    return found


def _chunk(reading: Reading, parcels: NDArray[np.int64], days: list[date]) -> Features:
    table, pixels = _Table([], []), {sensor: [_none(parcels)] for sensor in Sensor}
    seen, stale = np.zeros(len(parcels), bool), 0
    for name, sensor, rows in _markers(reading, parcels):
        current = rows.filter(~pl.col("stale"))
        stale += len(rows) - len(current)
        seen |= np.isin(parcels, current["parcel"].to_numpy())
        pixels[sensor].append(most_pixels(current, parcels))
        if sensor is Sensor.S2:
            _optical(table, name, current, parcels, days)
        else:
            flown = current.with_columns(direction=reading.direction())
            _radar(table, name, flown, parcels, days)
    return Features(
        names=tuple(table.names),
        values=np.concatenate(table.values, axis=1) if table.values else _none(parcels)[:, None],
        pixels=np.fmax.reduce(pixels[Sensor.S2]),
        radar_pixels=np.fmax.reduce(pixels[Sensor.S1]),
        seen=seen,
        stale=stale,
    )


def _none(parcels: NDArray[np.int64]) -> Floats:
    return np.full(len(parcels), np.nan, np.float32)


def _markers(
    reading: Reading, parcels: NDArray[np.int64]
) -> Iterator[tuple[str, Sensor, pl.DataFrame]]:
    """The rows of each marker that the original knows; of coherence those of all pairs."""
    known = reading.markers()
    optical = (*MAIN, *RED_EDGE) if Sensor.S1 in reading.sensors else MAIN
    for name in optical:
        if name in known:
            rows = reading.rows(name, parcels)
            yield name, Sensor.S2, rows.filter(pl.col("grid").is_in(list(reading.optical)))
    for name in RADAR:
        found = [item for item in known if item == name or item.startswith(f"{name}_")]
        if found:
            yield name, Sensor.S1, pl.concat([reading.rows(item, parcels) for item in found])


def _optical(
    table: _Table, name: str, rows: pl.DataFrame, parcels: NDArray[np.int64], days: list[date]
) -> None:
    at = np.array([day.toordinal() for day in days], np.float64)
    asked = np.arange(at[0], at[-1] + 1, STEP.days)
    labels = [f"{date.fromordinal(int(day)):%Y_%m_%d}" for day in asked]
    place = np.searchsorted(at, _ordinals(rows))
    for kind, column in (("mean", "mean"), ("dev", "stdev")):
        series = _matrix(rows, column, place, parcels, len(at))
        table.add(
            [f"{label}_s2_{kind}_{name}" for label in labels], interpolated(series, at, asked)
        )


def _radar(
    table: _Table, name: str, rows: pl.DataFrame, parcels: NDArray[np.int64], days: list[date]
) -> None:
    weeks = np.arange((days[0].toordinal() - 1) // 7, (days[-1].toordinal() - 1) // 7 + 1)
    at = np.arange(len(weeks), dtype=np.float64)
    means = []
    for direction in DIRECTIONS:
        part = rows.filter(pl.col("direction") == direction)
        place = (_ordinals(part) - 1) // 7 - weeks[0]
        for kind, column in (("mean", "mean"), ("dev", "stdev")):
            series = _matrix(part, column, place, parcels, len(weeks))
            whole = interpolated(series, at, at)
            table.add([f"w{week}_{direction}_{name}_{kind}" for week in weeks], whole)
            means += [whole] if kind == "mean" else []
    months = np.array([_month(week) for week in weeks.tolist()]) // MONTHS[name.partition("_")[0]]
    for month in np.unique(months):
        inside = months == month
        if name.startswith("amp"):
            for direction, whole in zip(DIRECTIONS, means, strict=True):
                names = [f"m{month}_{direction}_{name}_{kind}" for kind in ("mean", "cvar")]
                table.add(names, _mean_and_variation(whole[:, inside]))
        else:
            both = np.concatenate([whole[:, inside] for whole in means], axis=1)
            table.add([f"m{month}_{name}_{kind}" for kind in ("mean", "min")], _mean_and_low(both))
    if name.startswith("cohe"):
        table.add([f"s_{name}_stdev"], _stdev(np.concatenate(means, axis=1)))


def _matrix(
    rows: pl.DataFrame,
    column: str,
    place: NDArray[np.integer],
    parcels: NDArray[np.int64],
    periods: int,
) -> Floats:
    row = np.searchsorted(parcels, rows["parcel"].to_numpy())
    return period_means(row, place, rows[column].to_numpy(), (len(parcels), periods))


def _ordinals(rows: pl.DataFrame) -> NDArray[np.int64]:
    days: NDArray[np.int64] = rows["time"].dt.date().cast(pl.Int32).to_numpy().astype(np.int64)
    return days + date(1970, 1, 1).toordinal()


def _month(week: int) -> int:
    """Number of the month that a week, counted from Monday on since the year 1, begins in."""
    monday = date.fromordinal(week * 7 + 1)
    return monday.year * 12 + monday.month - 1


def _known(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Number, mean and population deviation of the known values of each row, shape (n, 1) each."""
    count = np.sum(~np.isnan(values), axis=1, keepdims=True).astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(values, axis=1, keepdims=True) / count
        stdev = np.sqrt(np.nansum((values - mean) ** 2, axis=1, keepdims=True) / count)
    return count, mean, np.where(count > 0, stdev, np.nan).astype(np.float32)


def _mean_and_variation(values: Floats) -> Floats:
    _, mean, stdev = _known(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        variation = np.where(mean != 0, stdev / mean, np.nan)
    return np.concatenate([mean, variation], axis=1).astype(np.float32)


def _mean_and_low(values: Floats) -> Floats:
    """Mean and 10 % quantile, the smallest value that a tenth does not exceed."""
    count, mean, _ = _known(values)
    ordered = np.sort(values, axis=1)
    place = np.maximum(np.ceil(LOW * count) - 1, 0).astype(np.int64)
    low = np.take_along_axis(ordered, place, axis=1)
    return np.concatenate([mean, low], axis=1).astype(np.float32)


def _stdev(values: Floats) -> Floats:
    return _known(values)[2]
