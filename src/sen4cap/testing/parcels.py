"""Builders of declarations and of the files that agencies send, sound and broken ones."""

from __future__ import annotations

import sqlite3
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import polars as pl
import shapely
from shapely.geometry.base import BaseGeometry

from sen4cap.geo.vector import write_gpkg

ORIGIN = (4_000_000.0, 3_200_000.0)
"""Lower left corner of the builders' squares, EPSG:3035, m."""
LUT = """ori_crop,CTnum,CT,LC,CTnumL4A,CTL4A
1,1,Wheat,1,10,Cereals
2,2,Barley,1,10,Cereals
3,3,Meadow,3,20,Grass
9,4,Forest,0,90,Forest
"""
"""A look-up table in the original's spelling: two crops of one class, one that is not monitored."""


def square(column: float, row: float, side: float = 100.0) -> BaseGeometry:
    """A square whose lower left corner is `column`, `row` hundred metres from `ORIGIN`."""
    x, y = ORIGIN[0] + 100 * column, ORIGIN[1] + 100 * row
    return shapely.box(x, y, x + side, y + side)


def declarations(
    geometries: Sequence[BaseGeometry | None],
    *,
    ids: Sequence[object] | None = None,
    crops: Sequence[object] | None = None,
    farms: Sequence[object] | None = None,
    crs: str = "EPSG:3035",
) -> gpd.GeoDataFrame:
    """Declarations with `PARCEL`, `FARM` and `CROP`; by default P0, P1 …, one farm, crop 1."""
    count = len(geometries)
    columns = {
        "PARCEL": list(ids) if ids is not None else [f"P{i}" for i in range(count)],
        "FARM": list(farms) if farms is not None else ["F1"] * count,
        "CROP": list(crops) if crops is not None else ["1"] * count,
    }
    return gpd.GeoDataFrame(columns, geometry=np.array([*geometries, None])[:-1], crs=crs)


def lut() -> pl.DataFrame:
    """The table of `LUT` as `read_lut` returns it."""
    names = ["ori_crop", "ctnum", "ct", "lc", "ctnuml4a", "ctl4a"]
    rows = [line.split(",") for line in LUT.splitlines()[1:]]
    table = pl.DataFrame(rows, schema=names, orient="row")
    numbers = table.with_columns(pl.col("ctnum", "lc", "ctnuml4a").cast(pl.Int64))
    flags = ("eaa", "al", "pgrass", "tgrass", "fallow", "cwater")
    return numbers.with_columns(
        pl.col("ctnuml4a").alias("ctnumdiv"),
        pl.col("ctl4a").alias("ctdiv"),
        *(pl.lit(0, pl.Int64).alias(name) for name in flags),
    )


def write_zip(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write a zip with members under names that are not looked at."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def write_zipped_shapefile(path: Path, frame: gpd.GeoDataFrame, *, prj: bool = True) -> Path:
    """Write a shapefile into a zip, with or without its `.prj`."""
    folder = path.with_suffix("")
    folder.mkdir()
    frame.to_file(folder / "fields.shp")
    members = [item for item in sorted(folder.iterdir()) if prj or item.suffix != ".prj"]
    return write_zip(path, {item.name: item.read_bytes() for item in members})


def write_circles(path: Path, centres: Sequence[tuple[float, float]], radius: float) -> Path:
    """Write circles as curves to a GeoPackage, EPSG:3035: CURVEPOLYGON, MULTISURFACE, in turn.

    One square, `square(0, 0)`, comes first. The curves are five-point circular strings.
    """
    first = gpd.GeoDataFrame({"PARCEL": ["P0"]}, geometry=[square(0, 0)], crs="EPSG:3035")
    write_gpkg(path, first, "fields")
    with sqlite3.connect(path) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in names.fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute("UPDATE gpkg_geometry_columns SET geometry_type_name = 'GEOMETRY'")
        connection.execute("UPDATE gpkg_ogr_contents SET feature_count = NULL")
        connection.executemany(
            "INSERT INTO fields (PARCEL, geom) VALUES (?, ?)",
            [(f"P{i}", _circle(i, centre, radius)) for i, centre in enumerate(centres, 1)],
        )
    connection.close()
    return path


def _circle(number: int, centre: tuple[float, float], radius: float) -> bytes:
    """GeoPackage binary of a circle; WKB of ISO 13249-3: 8 arc, 10 curve polygon, 12 surfaces."""
    x, y = centre
    steps = ((-1, 0), (0, 1), (1, 0), (0, -1), (-1, 0))
    arc = struct.pack("<BII", 1, 8, len(steps)) + b"".join(
        struct.pack("<dd", x + radius * dx, y + radius * dy) for dx, dy in steps
    )
    polygon = struct.pack("<BII", 1, 10, 1) + arc
    header = b"GP\x00\x01" + struct.pack("<i", 3035)
    return header + (polygon if number % 2 else struct.pack("<BII", 1, 12, 1) + polygon)
