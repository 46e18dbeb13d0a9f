"""Shapefiles, for programs that read nothing else (ESRI Shapefile Technical Description, 1998).

Names of columns hold 10 characters, texts 254 bytes, files 2 GiB. The same frame gives the same
bytes: the day in the header of the table is fixed.
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pyogrio
import shapely

SUFFIXES = (".shx", ".dbf", ".prj", ".cpg", ".shp")
"""Files that make one; the one that is opened comes last."""
MOST_BYTES = 2**31 - 1
HEADER, RECORD, PART, POINT = 100, 52, 4, 16
"""Bytes of a .shp: of its header, and of each polygon, ring and point."""
WIDTH = 32
"""Bytes of a column, about: 9 to 24 of numbers, 80 of texts."""
NO_DATE = "2000-01-01"


def shapefile_bytes(frame: gpd.GeoDataFrame) -> int:
    """Size of the larger of the two files that hold shapes and columns, about, in bytes."""
    shapes = frame.geometry.to_numpy()
    points = int(shapely.get_num_coordinates(shapes).sum())
    rings = len(shapely.get_rings(shapely.get_parts(shapes)))
    columns = len(frame) * WIDTH * (len(frame.columns) - 1)
    return max(HEADER + RECORD * len(frame) + PART * rings + POINT * points, columns)


def write_shapefile(path: Path, frame: gpd.GeoDataFrame) -> None:
    """Write polygons, null ones too, as `path` and the files beside it, in UTF-8.

    `path` is written as it is given, and must not exist.
    """
    pyogrio.write_dataframe(
        frame,
        path,
        driver="ESRI Shapefile",
        geometry_type="Polygon",
        layer_options={"ENCODING": "UTF-8", "DBF_DATE_LAST_UPDATE": NO_DATE},
    )
