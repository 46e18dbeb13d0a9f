"""The grids on which parcels are counted, as the marker table wants to be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from sen4cap.domain import Grid, Sensor
from sen4cap.geo.home import home_grids
from sen4cap.geo.pixels import whole_pixels

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

SCHEMA = {"parcel": pl.Int64(), "geom_hash": pl.String(), "grid": pl.String()}

PIXEL = {Sensor.S2: (10.0, 5.0), Sensor.S1: (20.0, 10.0)}
"""Pixel and inner buffer of the counts `S2Pix` and `S1Pix`, metres, as the original's."""


class Places(NamedTuple):
    """Where parcels are counted; shape (n,) each."""

    home: npt.NDArray[np.str_]
    """Name of the grid; '' where none covers the parcel."""
    pixels: npt.NDArray[np.int64]
    """Whole pixels on it."""


def places_of(parcels: GeoDataFrame, grids: Sequence[Grid], sensor: Sensor) -> Places:
    """Home grid and `S2Pix` or `S1Pix` of parcels; without grids of S1 those of S2 serve."""
    own = [grid for grid in grids if grid.sensor is sensor]
    if sensor is Sensor.S1 and not own:
        own = [grid for grid in grids if grid.sensor is Sensor.S2]
    geometries, crs = parcels.geometry.to_numpy(), parcels.crs.to_wkt()
    home = home_grids(geometries, crs, own)
    pixels = np.zeros(len(parcels), np.int64)
    for grid in own:
        here = np.flatnonzero(home == grid.name)
        pixels[here] = whole_pixels(geometries[here], crs, grid, *PIXEL[sensor])
    return Places(home, pixels)


def parcel_homes(parcels: GeoDataFrame, grids: Sequence[Grid]) -> pl.DataFrame:
    """Columns `parcel`, `geom_hash` and `grid`: a row per parcel and sensor, sorted.

    A parcel that no grid of a sensor covers has no row for it. `parcels` has the columns `NewID`,
    `geom_hash` and a geometry, as in a parcel set.
    """
    frames = [_homes(parcels, [item for item in grids if item.sensor is kind]) for kind in Sensor]
    return pl.concat(frames).filter(pl.col("grid") != "").sort("parcel", "grid")


def reading_places(parcels: GeoDataFrame, grids: Sequence[Grid]) -> pl.DataFrame:
    """Where the markers of parcels may stand: their homes, and no grid, of imported markers.

    Columns as of `parcel_homes`; a row with the grid '' for each parcel besides.
    """
    homes = parcel_homes(parcels, grids)
    nowhere = pl.DataFrame(
        {
            "parcel": parcels["NewID"].to_numpy(np.int64),
            "geom_hash": parcels["geom_hash"].fillna("").astype(str).tolist(),
            "grid": [""] * len(parcels),
        },
        schema=SCHEMA,
    )
    return pl.concat([homes, nowhere]).sort("parcel", "grid")


def homeless(
    numbers: npt.NDArray[np.int64], places: Mapping[Sensor, pl.DataFrame]
) -> npt.NDArray[np.bool_]:
    """Which parcels no grid of any sensor covers, shape of `numbers`."""
    located = pl.concat(places.values()).filter(pl.col("grid") != "")["parcel"].unique()
    return ~np.isin(numbers, located.to_numpy())


def homes_in(path: Path, grids: Sequence[Grid], numbers: Sequence[int]) -> pl.DataFrame:
    """Homes of some parcels of the set at `path`, by `NewID`; see `parcel_homes`."""
    import geopandas as gpd

    columns, chosen = ["NewID", "geom_hash", "geometry"], ("NewID", "in", list(numbers))
    return parcel_homes(gpd.read_parquet(path, columns=columns, filters=[chosen]), grids)


def _homes(parcels: GeoDataFrame, grids: Sequence[Grid]) -> pl.DataFrame:
    if parcels.empty or not grids:
        return pl.DataFrame(schema=SCHEMA)
    columns = {
        "parcel": parcels["NewID"].to_numpy(np.int64),
        "geom_hash": parcels["geom_hash"].to_list(),
        "grid": home_grids(parcels.geometry.to_numpy(), parcels.crs.to_string(), grids).tolist(),
    }
    return pl.DataFrame(columns, schema=SCHEMA)
