"""A season of meadows on disk: parcels, crop table and markers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl

from sen4cap.domain import Grid, Season, Sensor
from sen4cap.processing import Context
from sen4cap.processing.marker_table import MarkerTable, is_radar
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
            "time": [instant_of(row[1]) for row in rows],
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


def instant_of(day: date) -> datetime:
    """When a day's images are taken, UTC."""
    return datetime(day.year, day.month, day.day, 10, 50, tzinfo=UTC)
