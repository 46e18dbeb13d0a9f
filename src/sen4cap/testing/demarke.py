"""The De Marke parcels of 2017 as a season; see `nl_demarke_brp2017_ndvi` of the test data."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from sen4cap.domain import Asset, Grid, Season
from sen4cap.geo.coverage import build_coverage
from sen4cap.geo.raster import grid_of
from sen4cap.geo.zonal import Statistics, parcel_statistics
from sen4cap.processing import Context
from sen4cap.testing.crop_type import season_context

SCALE = 0.004
SMALLEST = 1000.0
"""Square metres; smaller parcels are left out."""


def demarke_context(data: Path, archive: Path) -> Context:
    """Season 2017 with NDVI markers of the parcels of 1,000 m² and more; crops are their groups.

    Group `margin` has land cover 0, so that it is left out.
    """
    parcels = gpd.read_file(data / "parcels.gpkg")
    parcels = parcels[parcels["area_m2"] >= SMALLEST].reset_index(drop=True)
    declared = gpd.GeoDataFrame(
        {"NewID": parcels.index + 1, "ori_crop": parcels["crop_code"].astype(str)},
        geometry=parcels.geometry,
    )
    rasters = sorted((data / "ndvi").glob("NDVI_2017-*.tif"))
    grid = grid_of(rasters[0], "demarke")
    ndvi = _markers(rasters, declared, grid)
    season = Season("demarke", "2017", date(2017, 1, 1), date(2017, 12, 31))
    return season_context(
        archive, season, grid, parcels=declared, lut=_groups(data), markers={"ndvi": ndvi}
    )


def _groups(data: Path) -> pd.DataFrame:
    table = pd.read_csv(data / "crop_groups.csv")
    number, names = pd.factorize(table["group"], sort=True)
    return pd.DataFrame(
        {
            "ori_crop": table["crop_code"].astype(str),
            "lc": (table["group"] != "margin").astype(int),
            "ctnuml4a": number + 1,
            "ctl4a": names[number],
        }
    )


def _markers(rasters: list[Path], parcels: gpd.GeoDataFrame, grid: Grid) -> pl.DataFrame:
    numbers = parcels["NewID"].to_numpy(np.int64)
    hashes = np.full(len(parcels), "")
    index = build_coverage(numbers, hashes, parcels.geometry.to_numpy(), grid)
    assets = [Asset(path.stem, str(path), scale=SCALE, nodata=0) for path in rasters]
    found = parcel_statistics(index, grid, assets)
    return pl.concat([_rows(name, index.parcels, values) for name, values in found.items()])


def _rows(name: str, parcels: NDArray[np.int64], found: Statistics) -> pl.DataFrame:
    day = datetime.strptime(name.removeprefix("NDVI_"), "%Y-%m-%d").replace(tzinfo=UTC)
    rows = pl.DataFrame(
        {
            "parcel": parcels,
            "time": [day] * len(parcels),
            "mean": found.mean,
            "stdev": found.stdev,
            "count": found.count,
        }
    )
    return rows.filter(pl.col("count") > 0)
