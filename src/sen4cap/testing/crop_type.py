"""A season with parcels, crop table and markers on disk, ready for the crop type processor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl

from sen4cap.domain import Grid, ParcelSet, Product, ProductType, Season, Site, revision_of, slot_of
from sen4cap.geo.vector import write_parcels
from sen4cap.processing import Context, Step, write_whole
from sen4cap.processing.marker_table import MarkerTable

SECOND = timedelta(seconds=1)
DEFAULTS = {
    "ori_crop": "1",
    "HoldID": 1,
    "GeomValid": True,
    "Duplic": False,
    "Overlap": False,
    "is_deleted": False,
    "reason": "",
}


def season_context(
    archive: Path,
    season: Season,
    grid: Grid,
    *,
    parcels: gpd.GeoDataFrame,
    lut: pd.DataFrame,
    markers: Mapping[str, pl.DataFrame],
) -> Context:
    """Context of a season whose files were written below `archive`.

    Parameters
    ----------
    grid
        The only grid; all observations are on it.
    parcels
        `NewID` and geometry; other columns of a parcel set are filled in where they lack.
    lut
        `ori_crop`, `lc`, `ctnuml4a`, `ctl4a`; the classes of diversification are the same.
    markers
        `parcel`, `time`, `mean`, `stdev`, `count` by marker; other columns are filled in.
    """
    site = Site(season.site.title(), season.site)
    frame = parcels.assign(
        **{name: value for name, value in DEFAULTS.items() if name not in parcels},
        ori_id=parcels["NewID"].astype(str),
        geom_hash=parcels["NewID"].map("{:016x}".format),
        Area_meters=parcels.geometry.area,
    )
    archive.mkdir(parents=True, exist_ok=True)
    path, table = archive / "parcels.parquet", archive / "lut.parquet"
    with write_whole(path) as temporary:
        write_parcels(temporary, frame)
    lut.assign(ctnumdiv=lut["ctnuml4a"], ctdiv=lut["ctl4a"]).to_parquet(table, index=False)
    parcel_set = ParcelSet(site.short_name, season.year, 1, path, revision_of(1), len(frame))
    ctx = Context(site, season, archive, parcel_set, table, (grid,))
    store = MarkerTable.of(archive, season)
    for name, rows in markers.items():
        store.append(name, _complete(rows, grid), name="20170101-00000000")
    return ctx


def crop_step(ctx: Context, revision: str = "0123456789abcdef") -> Step:
    """Step over the acquisitions of the season's marker table; its products name no file."""
    table, site = MarkerTable.of(ctx.archive, ctx.season), ctx.site.short_name
    rows = [table.read(name, columns=("time", "grid")) for name in table.markers()]
    found = pl.concat(rows).unique().sort("time", "grid") if rows else pl.DataFrame()
    products = tuple(
        Product(f"markers-{place}", site, ProductType.MARKERS, grid, time, time, revision)
        for place, (time, grid) in enumerate(found.iter_rows())
    )
    start, after = ctx.season.bounds(ctx.site.zone)
    slot = slot_of(site, ProductType.L4A, "", start, after - SECOND, ctx.season.name)
    return Step(products, slot, revision)


def _complete(rows: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    given = rows.with_columns(
        grid=pl.lit(grid.name),
        orbit=pl.lit(None, pl.Int16),
        valid_fraction=pl.lit(np.float32(1)),
        generation=pl.lit(1),
        product=pl.lit("raster"),
        revision=pl.lit("00000000"),
    )
    if "geom_hash" in rows.columns:
        return given
    hashes = pl.Series("geom_hash", [f"{parcel:016x}" for parcel in rows["parcel"]], pl.String)
    return given.with_columns(hashes)
