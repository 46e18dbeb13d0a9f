"""How fast are the mowing rules, from the marker store to the finished Parquet files?

Seeded meadows of 60 optical dates and two radar tracks of 30 coherence pairs each; all in one run
on this machine, kernels and plain Python beside each other.

    python benchmarks/mowing.py                      100,000 parcels
    python benchmarks/mowing.py --parcels 1000000    memory and time of a country
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import geopandas as gpd
import numpy as np
import polars as pl
import shapely

from sen4cap.domain import ProductType
from sen4cap.kernels import mowing_rules
from sen4cap.kernels.mowing_rules import OpticalRule, RadarRule
from sen4cap.kernels.series import Series
from sen4cap.processing import Context
from sen4cap.processing.marker_table import MarkerTable
from sen4cap.processors.l4b_mowing import processor
from sen4cap.processors.l4b_mowing.params import MowingParams
from sen4cap.testing import plain_mowing
from sen4cap.testing.meadow_season import OPTICAL, RADAR, SEASON, meadow_context
from sen4cap.testing.mowing_runs import mowing_step

DATES, PAIRS, ORBITS = 60, 30, (15, 88)
CHUNK = 100_000
THREADS = 2
PLAIN = 1000
"""Parcels that plain Python looks at."""
FIRST = (SEASON.start - date(1970, 1, 1)).days
PERIOD = FIRST, FIRST + 213
PIXELS = 60.0
RULES = OpticalRule(), RadarRule(pfa=1e-3)


def meadows(first: int, count: int) -> tuple[Series, Series]:
    """Series of some parcels: growth that is cut now and then, a tenth of the dates cloudy."""
    rng = np.random.default_rng(first)
    days = (FIRST + np.linspace(0, 210, DATES)).astype(np.int32)
    cut = rng.integers(0, 60, (count, 1)) + np.arange(0, 240, 60)
    since = np.min(np.where(days[:, None] - FIRST >= cut[:, None, :],
                            days[:, None] - FIRST - cut[:, None, :], 60), axis=2)  # fmt: skip
    ndvi = 0.4 + 0.45 * np.minimum(since, 40) / 40 + rng.normal(0, 0.02, since.shape)
    ndvi = np.where(rng.random(ndvi.shape) < 0.1, np.nan, ndvi).astype(np.float32)
    optical = _series(count, np.tile(days, count), ndvi.reshape(1, -1), -1, 0)
    pairs = np.sort(np.concatenate([FIRST + offset + 6 * np.arange(PAIRS) for offset in (0, 3)]))
    coherence = rng.normal(0.35, 0.05, (count, 2 * PAIRS)).astype(np.float32)
    coherence += np.float32(0.25) * (rng.random(coherence.shape) < 0.05)
    track = np.tile(np.where((pairs - FIRST) % 6 == 0, *ORBITS), count)
    values = np.stack([coherence.reshape(-1), np.full(coherence.size, np.float32(PIXELS))])
    return optical, _series(count, np.tile(pairs, count), values, track, 6)


def _series(count: int, day: Any, values: Any, track: Any, span: int) -> Series:
    each = len(day) // count
    return Series(
        np.arange(0, len(day) + 1, each),
        day.astype(np.int32),
        values.astype(np.float32),
        np.broadcast_to(track, len(day)).astype(np.int16),
        np.full(len(day), span, np.int16),
    )


def chunks(parcels: int) -> Iterator[tuple[int, int]]:
    for first in range(0, parcels, CHUNK):
        yield first, min(CHUNK, parcels - first)


def kernel_seconds(parcels: int) -> tuple[float, float, int]:
    """Of the rule kernel over all parcels in two threads, and of the processor; events found.

    Making the series is left out.
    """
    wall, cpu, events = 0.0, 0.0, 0
    mowing_rules.detect(*meadows(0, 10), RULES, (PERIOD, PERIOD))
    with ThreadPoolExecutor(THREADS) as pool:
        for first, count in chunks(parcels):
            parts = [meadows(first + part, count // THREADS) for part in range(THREADS)]
            begun, used = time.perf_counter(), time.process_time()
            found = list(
                pool.map(lambda both: mowing_rules.detect(*both, RULES, (PERIOD, PERIOD)), parts)
            )
            wall, cpu = wall + time.perf_counter() - begun, cpu + time.process_time() - used
            events += sum(len(part.day) for part in found)
    return wall, cpu, events


def plain_seconds() -> tuple[float, float, int]:
    """Of plain Python and of the kernel over the same few parcels; events both found."""
    optical, radar = meadows(0, PLAIN)
    inputs = [_plain(optical, radar, parcel) for parcel in range(PLAIN)]
    begun = time.perf_counter()
    plain = [plain_mowing.detect(*one, RULES) for one in inputs]
    between = time.perf_counter()
    for _ in range(10):
        found = mowing_rules.detect(optical, radar, RULES, (PERIOD, PERIOD))
    ended = time.perf_counter()
    assert sum(map(len, plain)) == len(found.day)
    return between - begun, (ended - between) / 10, len(found.day)


def _plain(optical: Series, radar: Series, parcel: int) -> Any:
    rows = slice(optical.start[parcel], optical.start[parcel + 1])
    pairs = np.arange(radar.start[parcel], radar.start[parcel + 1])
    dates = list(zip(optical.day[rows].tolist(), optical.values[0, rows].tolist(), strict=True))
    tracks = []
    for orbit in ORBITS:
        here = pairs[radar.track[pairs] == orbit]
        columns = radar.day[here].tolist(), *radar.values[:, here].tolist()
        tracks.append((6, list(zip(*columns, strict=True))))
    return dates, tracks


def stored(folder: Path, parcels: int) -> Context:
    """A season of so many meadows in the marker table."""
    number = np.arange(parcels)
    x, y = 600_000 + 100.0 * (number % 1000), 5_800_000 - 100.0 * (number // 1000)
    frame = gpd.GeoDataFrame(
        {"NewID": number, "ori_hold": "1", "ori_crop": "GRA"},
        geometry=shapely.box(x, y - 60, x + 60, y),
        crs=OPTICAL.crs,
    )
    ctx = meadow_context(folder, frame)
    wide = {"width": 10_980, "height": 10_980}
    ctx = replace(ctx, grids=tuple(replace(grid, **wide) for grid in ctx.grids), cores=2)
    table = MarkerTable.of(folder, SEASON)
    for first, count in chunks(parcels):
        optical, radar = meadows(first, count)
        for marker, grid, series in (
            ("ndvi", OPTICAL, optical),
            ("cohe_vh_6d", RADAR, radar),
        ):
            table.append(marker, _rows(series, first, grid.name), name=f"{first:08d}")
    return ctx


def _rows(series: Series, first: int, grid: str) -> pl.DataFrame:
    parcel = first + np.repeat(np.arange(len(series.start) - 1), np.diff(series.start))
    time_of = pl.col("day").cast(pl.Date).cast(pl.Datetime("us", "UTC")) + pl.duration(hours=10)
    hashes = pl.Series([f"{number:016x}" for number in range(first, first + len(series.start))])
    return (
        pl.DataFrame({"parcel": parcel, "day": series.day, "orbit": series.track})
        .with_columns(
            time=time_of,
            mean=pl.Series(series.values[0]),
            stdev=pl.lit(0.02),
            count=pl.lit(PIXELS),
            valid_fraction=pl.lit(1.0),
            grid=pl.lit(grid),
            generation=pl.lit(1),
            product=pl.lit("raster"),
            revision=pl.lit("00000000"),
            geom_hash=hashes.gather(parcel - first),
        )
        .filter(pl.col("mean").is_not_nan())
    )


def store_seconds(parcels: int) -> dict[str, float]:
    """From the marker store to the Parquet files, and to all files; wall and processor seconds."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        ctx = stored(folder, parcels)
        params = MowingParams(method="sen4cap", pfa=1e-3, shapefile=False)
        step = mowing_step(ctx, params)
        marks: dict[str, float] = {}

        def mark(_share: float, message: str) -> None:
            marks[message] = time.process_time()

        begun, used = time.time(), time.process_time()
        product = processor.run(replace(ctx, progress=mark), params, step)
        ended, all_cpu = time.time(), time.process_time() - used
        assert product.type is ProductType.L4B
        parquet = [Path(item.href) for item in product.assets if item.name.endswith(".parquet")]
        return {
            "parquet": max(path.stat().st_mtime for path in parquet) - begun,
            "all": ended - begun,
            "events_cpu": marks["tables"] - used,
            "all_cpu": all_cpu,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=100_000)
    parcels = parser.parse_args().parcels
    plain, fast, events = plain_seconds()
    print(f"{PLAIN:,} parcels, {events:,} events: plain Python {plain:.2f} s, kernel {fast:.4f} s,")
    print(f"  {plain / fast:,.0f} times as fast")
    wall, cpu, events = kernel_seconds(parcels)
    print(f"{parcels:,} parcels, {events:,} events, {THREADS} threads:")
    print(f"  kernel {wall:.1f} s, {cpu:.1f} s of the processor")
    found = store_seconds(parcels)
    print(f"  from the marker store to Parquet {found['parquet']:.1f} s;")
    print(f"    to the events {found['events_cpu']:.1f} s of the processor")
    print(
        f"  with GeoPackage and CSV {found['all']:.1f} s, {found['all_cpu']:.1f} s of the processor"
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  peak memory {peak:.1f} GiB")


if __name__ == "__main__":
    main()
