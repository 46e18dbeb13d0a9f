"""The files of a mowing product."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import polars as pl

from sen4cap.domain import Asset, Role
from sen4cap.geo.shapefile import write_shapefile
from sen4cap.geo.style import Category, categorized_qml
from sen4cap.geo.vector import write_gpkg, write_parcels
from sen4cap.processing import Context
from sen4cap.processors.l4b_mowing.params import MowingParams

PARCELS = "MowingDetection.parquet"
EVENTS = "MowingEvents.parquet"
SUMMARY = "mowing.json"
MEDIA_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
    ".gpkg": "application/geopackage+sqlite3",
    ".shp": "application/vnd.shp",
    ".json": "application/json",
}
GREENS = ("#f7f4c8", "#addd8e", "#5ab463", "#1f7f43", "#00441b")
"""Of no mowing to four."""
SHOWN = 'if("proc" = 1, "mow_n", NULL)'
"""What the style colours: parcels that were not judged have no class."""


def write_all(
    ctx: Context,
    folder: Path,
    params: MowingParams,
    parcels: gpd.GeoDataFrame,
    events: pl.DataFrame,
    document: dict[str, Any],
) -> tuple[Asset, ...]:
    """Write the files of a product, each under its name when complete; the assets they make."""
    layer = f"SEN4CAP_L4B_{params.input_product_types}_MowingDetection"
    writers: dict[str, Callable[[Path], Any]] = {
        PARCELS: lambda path: write_parcels(path, parcels),
        EVENTS: lambda path: events.write_parquet(path, compression="zstd"),
        "MowingEvents.csv": lambda path: events.write_csv(path, float_precision=4),
        f"{layer}.gpkg": lambda path: write_gpkg(path, parcels, layer, mowing_style()),
        SUMMARY: lambda path: path.write_text(as_json(document), "utf-8"),
    }
    for name, write in writers.items():
        with ctx.write(folder / name) as path:
            write(path)
    names = list(writers)
    if params.shapefile:
        write_shapefile(folder / f"{layer}.shp", parcels)
        names.append(f"{layer}.shp")
    return tuple(_asset(folder / name) for name in names)


def mowing_style() -> str:
    """QGIS style that colours parcels by the number of mowings."""
    labels = ("not mown", "mown once", "mown twice", "3 mowings", "4 mowings or more")
    rows: list[Category] = [
        (count, label, colour)
        for count, (label, colour) in enumerate(zip(labels, GREENS, strict=True))
    ]
    return categorized_qml(SHOWN, rows)


def as_json(document: dict[str, Any]) -> str:
    """JSON text; the same values give the same text."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _asset(path: Path) -> Asset:
    role = Role.METADATA if path.suffix == ".json" else Role.DATA
    return Asset(path.name, str(path), role, MEDIA_TYPES[path.suffix])
