"""The grids on which parcels are counted, as the marker table wants to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sen4cap.domain import Grid, Sensor
from sen4cap.geo.home import home_grids

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

SCHEMA = {"parcel": pl.Int64(), "geom_hash": pl.String(), "grid": pl.String()}


def parcel_homes(parcels: GeoDataFrame, grids: Sequence[Grid]) -> pl.DataFrame:
    """Columns `parcel`, `geom_hash` and `grid`: a row per parcel and sensor, sorted.

    A parcel that no grid of a sensor covers has no row for it. `parcels` has the columns `NewID`,
    `geom_hash` and a geometry, as in a parcel set.
    """
    frames = [_homes(parcels, [item for item in grids if item.sensor is kind]) for kind in Sensor]
    return pl.concat(frames).filter(pl.col("grid") != "").sort("parcel", "grid")


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
