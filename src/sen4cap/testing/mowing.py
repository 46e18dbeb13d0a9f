"""A season of meadows with parcels, crop table and markers on disk, for the mowing processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl

from sen4cap.domain import Grid, Product, ProductType, Season, Sensor, revision_of
from sen4cap.processing import Context, Scope, Step
from sen4cap.processing.marker_table import MarkerTable, is_radar
from sen4cap.processors.l4b_mowing import processor
from sen4cap.processors.l4b_mowing.params import MowingParams
from sen4cap.testing.crop_type import season_context

SEASON = Season("meadows", "2019", date(2019, 4, 1), date(2019, 10, 31))
OPTICAL = Grid("31UFT", "EPSG:32631", (10, 0, 600_000, 0, -10, 5_800_000), 1000, 1000)
RADAR = replace(OPTICAL, transform=(20, 0, 600_000, 0, -20, 5_800_000), width=500, height=500)
LUT = pd.DataFrame(
    {
        "ori_crop": ["GRA", "MEA", "FOR", "MAI"],
        "ctnum": [1, 2, 3, 4],
        "lc": [3, 0, 0, 1],
        "pgrass": [0, 1, 0, 0],
        "tgrass": [0, 0, 0, 0],
        "ctnuml4a": [1, 1, 3, 4],
        "ctl4a": ["Grass", "Grass", "Forage", "Maize"],
    }
)
"""GRA is grassland by its land cover, MEA by its flag."""

Observed = tuple[int, date, float]
"""Parcel, day, value."""
Paired = tuple[int, date, float, int]
"""With the relative orbit of the pair."""


def meadow_context(archive: Path, parcels: gpd.GeoDataFrame) -> Context:
    """Context of a season whose parcels and crop table lie below `archive`; no markers yet."""
    ctx = season_context(archive, SEASON, OPTICAL, parcels=parcels, lut=LUT, markers={})
    return replace(ctx, grids=(OPTICAL, replace(RADAR, sensor=Sensor.S1)))


def append(ctx: Context, marker: str, rows: Sequence[Observed | Paired], name: str) -> None:
    """Append rows of a marker, with 100 pixels each, as one file."""
    grid = RADAR if is_radar(marker) else OPTICAL
    table = pl.DataFrame(
        {
            "parcel": [row[0] for row in rows],
            "time": [_instant(row[1]) for row in rows],
            "mean": [row[2] for row in rows],
            "orbit": [row[3] if len(row) > 3 else None for row in rows],
            "geom_hash": [f"{row[0]:016x}" for row in rows],
        },
        schema_overrides={"time": pl.Datetime("us", "UTC"), "orbit": pl.Int16},
    ).with_columns(
        stdev=pl.lit(np.float32(0.02)),
        count=pl.lit(np.float32(100)),
        valid_fraction=pl.lit(np.float32(1)),
        grid=pl.lit(grid.name),
        generation=pl.lit(1),
        product=pl.lit("raster"),
        revision=pl.lit("00000000"),
    )
    MarkerTable.of(ctx.archive, ctx.season).append(marker, table, name=name)


def _instant(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 10, 50, tzinfo=UTC)


def marker_products(ctx: Context) -> tuple[Product, ...]:
    """Marker products of the acquisitions in the table; they name no file."""
    table = MarkerTable.of(ctx.archive, ctx.season)
    found: dict[tuple[datetime, str], dict[str, Any]] = {}
    for marker in table.markers():
        rows = table.read(marker, columns=("time", "grid", "orbit")).unique()
        for time, grid, orbit in rows.iter_rows():
            told = found.setdefault((time, grid + marker[:3]), {"markers": [], "grid": grid})
            told["markers"].append(marker)
            told["sat:relative_orbit"] = orbit
    return tuple(
        Product(
            name=f"markers-{time:%Y%m%d}-{key}",
            site=ctx.site.short_name,
            type=ProductType.MARKERS,
            grid=str(told["grid"]),
            season=ctx.season.name,
            start=time,
            end=time,
            revision=revision_of(str(time), key),
            properties={name: value for name, value in told.items() if name != "grid"},
        )
        for (time, key), told in sorted(found.items())
    )


def mowing_step(ctx: Context, params: MowingParams, until: date | None = None) -> Step:
    """The step over the acquisitions of the table, up to a day."""
    start, after = ctx.season.bounds(ctx.site.zone)
    if until is not None:
        after = min(after, _instant(until) + timedelta(hours=13, minutes=10))
    scope = Scope(ctx.site.short_name, ctx.season.name, start, after)
    [step] = processor.select(params, scope, marker_products(ctx))
    inputs = [(item.name, item.revision) for item in step.inputs]
    return replace(step, revision=revision_of(params.model_dump(mode="json"), inputs))


def run(ctx: Context, until: date | None = None, **params: Any) -> Product:
    """The mowing product of the season, up to a day."""
    used = MowingParams(**params)
    made: Product = processor.run(ctx, used, mowing_step(ctx, used, until))
    return made


def curve(parcel: int, levels: Mapping[str, float]) -> list[Observed]:
    """Rows of a parcel from values by day, `MM-DD`."""
    return [
        (parcel, date.fromisoformat(f"{SEASON.start.year}-{day}"), value)
        for day, value in levels.items()
    ]
