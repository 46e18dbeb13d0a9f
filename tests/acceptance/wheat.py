"""Swiss wheat rasters (NetCDF of all scenes of a farm) as STAC Items with COG assets."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from sen4cap.domain import Grid
from sen4cap.testing.scenes import Scene, write_item
from sen4cap.testing.wheat import matchups

BANDS = ("B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12", "SCL")
FARM = "Strickhof"


def write_wheat_items(data: Path, out: Path) -> int:
    """One STAC Item per acquisition that has a match-up within 2 days; their number.

    Platform, orbit and sun come with the match-ups, view angles by orbit. Stored values are
    reflectance × 10,000 with nothing added, 0 is missing.
    """
    source = data / f"s2_l2a_{FARM}.nc"
    pairs = matchups(data / "lai_matchups.parquet").filter(pl.col("location") == FARM)
    known = {row["date_s2"]: row for row in pairs.iter_rows(named=True)}
    with warnings.catch_warnings(), rasterio.Env(GDAL_PAM_ENABLED="NO"):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        stacks = {name: _read(source, name) for name in BANDS}
        grid = _grid(source, stacks["B04"].shape)
        numbers = {instant: number for number, instant in enumerate(_instants(source))}
    for instant in sorted(known):
        images = {name: stack[numbers[instant]] for name, stack in stacks.items()}
        _write(out, images, grid, known[instant])
    return len(known)


def _write(out: Path, images: dict[str, Any], grid: Grid, row: dict[str, Any]) -> None:
    scene = Scene(
        {
            name: image.astype(np.uint8 if name == "SCL" else np.uint16)
            for name, image in images.items()
        },
        grid,
        row["date_s2"].replace(tzinfo=UTC),
        platform=row["platform"],
        relative_orbit=int(row["rel_orbit"]),
        id=f"S2_{grid.name}_{row['date_s2']:%Y%m%dT%H%M%S}",
    )
    properties = {
        "s2:processing_baseline": None,
        "eo:cloud_cover": None,
        "view:sun_elevation": 90 - row["sun_zenith"],
        "view:sun_azimuth": row["sun_azimuth"],
        "view:incidence_angle": row["view_zenith"],
        "view:azimuth": row["view_azimuth"],
    }
    bands = {"scale": 0.0001, "offset": 0.0, "nodata": 0}
    write_item(out, scene, raster_bands=bands, properties=properties)


def _read(path: Path, name: str) -> Any:
    """Stored values, shape (time, y, x), north up: GDAL takes the file for one that is south up."""
    with rasterio.open(f"netcdf:{path}:{name}") as dataset:
        return dataset.read()[:, ::-1]


def _grid(path: Path, shape: tuple[int, ...]) -> Grid:
    with rasterio.open(f"netcdf:{path}:x") as xs, rasterio.open(f"netcdf:{path}:y") as ys:
        left, top = xs.read(1).ravel()[0] - 5, ys.read(1).ravel()[0] + 5
    return Grid("32TMT", "EPSG:32632", (10.0, 0.0, left, 0.0, -10.0, top), shape[2], shape[1])


def _instants(path: Path) -> list[datetime]:
    with rasterio.open(f"netcdf:{path}:time") as dataset:
        match = re.fullmatch(r"seconds since (.+)", dataset.tags(1)["units"])
        assert match
        seconds = dataset.read(1).ravel()
    epoch = datetime.fromisoformat(match[1])
    return [epoch + timedelta(seconds=int(value)) for value in seconds]
