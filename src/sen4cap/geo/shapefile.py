"""Shapefiles, for those whose programs ask for them: the same every time."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import geopandas as gpd
import pyogrio

from sen4cap.errors import InputRefused

LONGEST_NAME = 10
LONGEST_TEXT = 254
UPDATED = "2000-01-01"
"""Date of the last change in the header: same input, same bytes."""


def write_shapefile(path: Path, frame: gpd.GeoDataFrame) -> tuple[Path, ...]:
    """Write polygons as a shapefile; its files, `path` the last to have its name.

    Texts are UTF-8, cut after 254 bytes; names of columns have at most 10 characters. Null
    geometries stay null.

    Raises
    ------
    InputRefused
        If a name is too long.
    """
    if long := [
        name for name in frame.columns if len(str(name)) > LONGEST_NAME and name != "geometry"
    ]:
        raise InputRefused(f"A shapefile cannot hold column '{long[0]}': give it a shorter name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=".shp") as folder:
        pyogrio.write_dataframe(
            frame,
            Path(folder) / path.name,
            driver="ESRI Shapefile",
            geometry_type="Polygon",
            encoding="UTF-8",
            layer_options={"DBF_DATE_LAST_UPDATE": UPDATED, "RESIZE": "YES"},
        )
        made = sorted(Path(folder).iterdir(), key=lambda item: item.suffix == path.suffix)
        for item in made:
            with item.open("rb+") as handle:
                os.fsync(handle.fileno())
            item.replace(path.with_name(item.name))
    return tuple(path.with_name(item.name) for item in made)
