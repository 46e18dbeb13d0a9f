"""GeoPackages for people: styled, so that QGIS opens them coloured, and the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio

EPOCH = "2000-01-01T00:00:00.000Z"
"""Written where GeoPackage wants the time of a change: same input, same bytes."""


def write_gpkg(path: Path, frame: gpd.GeoDataFrame, layer: str, qml: str | None = None) -> None:
    """Write polygons as a GeoPackage, with a default QGIS style; same frame, same bytes.

    `path` is written as it is given, and must not exist: wrap it in
    `sen4cap.processing.write_whole`.

    Parameters
    ----------
    path
        Ends in `.gpkg`.
    frame
        Polygons and multipolygons, null ones too; the index is not written.
    layer
        Name of the table.
    qml
        Style of QGIS 3, see `sen4cap.geo.style`; stored in `layer_styles`, the table QGIS reads.
    """
    geometry = _free("geom", frame)
    with _fixed_date():
        pyogrio.write_dataframe(
            frame,
            path,
            layer=layer,
            driver="GPKG",
            geometry_type="MultiPolygon",
            promote_to_multi=True,
            layer_options={"GEOMETRY_NAME": geometry, "FID": _free("fid", frame)},
        )
        if qml is not None:
            style = _style(layer, geometry, qml)
            pyogrio.write_dataframe(
                style, path, layer="layer_styles", driver="GPKG", layer_options={"FID": "id"}
            )


def _free(name: str, frame: gpd.GeoDataFrame) -> str:
    """The name, with as many underscores as no column of the frame has it."""
    taken = {str(column).lower() for column in frame.columns}
    while name in taken:
        name += "_"
    return name


def _style(layer: str, geometry: str, qml: str) -> pd.DataFrame:
    """One row of `layer_styles`, as QGIS writes it (QGIS user manual, saving styles)."""
    return pd.DataFrame(
        {
            "f_table_catalog": [""],
            "f_table_schema": [""],
            "f_table_name": [layer],
            "f_geometry_column": [geometry],
            "styleName": [layer],
            "styleQML": [qml],
            "styleSLD": [""],
            "useAsDefault": [True],
            "description": [""],
            "owner": [""],
            "ui": [""],
            "update_time": [pd.Timestamp(EPOCH).tz_localize(None)],
        }
    )


@contextmanager
def _fixed_date() -> Iterator[None]:
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": EPOCH})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
