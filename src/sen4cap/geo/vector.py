"""Vector files: what agencies deliver, and the parcel sets of the archive.

Any format of OGR and GeoParquet are read, zipped or not. Everything that cannot be read whole is
refused. Curves (OGC 06-103r4, 6.1) become line segments of 4° of arc, GDAL's default.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS
from pyproj.exceptions import CRSError

from sen4cap.errors import EmptyLayer, InputRefused, MissingColumn, MissingCrs, UnreadableFile
from sen4cap.geo.archive import unpacked
from sen4cap.geo.geopackage import write_gpkg

__all__ = ["columns_of", "read_parcels", "read_vector", "write_gpkg", "write_parcels"]

PARQUET = (".parquet", ".geoparquet")
OPENED = (
    *PARQUET,
    *(".shp", ".gpkg", ".geojson", ".json", ".gml", ".fgb", ".gdb", ".sqlite", ".tab", ".kml"),
)
"""Suffixes that are looked for in a zip."""
STRAIGHT = (".shp", ".geojson", ".json", ".kml")
"""Formats without curves."""
CURVED = "CURVE|SURFACE|CIRCULAR"
"""Regular expression of OGR's kinds of geometry that are curves."""
KIND = "sen4cap_kind_of_geometry"
"""Column in which the kind is asked for while a file is read."""
LINEARIZED = "linearized"
"""Key of `frame.attrs`: rows, from 0, whose curves were made line segments."""


def read_vector(
    path: Path, layer: str | None = None, *, crs: str | None = None
) -> gpd.GeoDataFrame:
    """Features of a vector file with all their attributes, in file order, index from 0.

    Geometries are as they are in the file, null and 3-D ones included, but curves are line
    segments; `attrs["linearized"]` lists their rows. M values are dropped.

    Parameters
    ----------
    path
        Shapefile, GeoPackage, GeoParquet, GeoJSON … or a zip that holds one; a zip is unpacked
        to a temporary folder.
    layer
        Needed where there are several.
    crs
        `EPSG:28992`, where the file names none.

    Raises
    ------
    UnreadableFile
        If the file is missing, damaged, truncated or of an unknown format.
    UnsafeArchive
        If a zip leaves its folder or unpacks to too much.
    MissingCrs
        If neither the file nor `crs` names one.
    EmptyLayer
        If there is no feature.
    InputRefused
        If the layer is ambiguous, or `crs` contradicts the file.
    """
    with _opened(path, layer) as (source, chosen):
        frame = _read(source, chosen)
    if not len(frame):
        raise EmptyLayer(f"'{path.name}' holds no feature: check that it was exported whole.")
    return _with_crs(frame, path.name, crs)


def columns_of(path: Path, layer: str | None = None) -> dict[str, str]:
    """Attribute columns of a vector file and their types, in order, without reading its rows.

    Raises
    ------
    InputRefused
        As `read_vector`.
    """
    with _opened(path, layer) as (source, chosen):
        if source.suffix.lower() in PARQUET:
            schema, shapes = _parquet_schema(source), _geometry_columns(source)
            return {item.name: str(item.type) for item in schema if item.name not in shapes}
        info = _layer_info(source, chosen)
        return dict(zip(map(str, info["fields"]), map(str, info["dtypes"]), strict=True))


def read_parcels(path: Path, columns: Sequence[str] | None = None) -> gpd.GeoDataFrame:
    """Rows of a parcel set, sorted by `NewID`, index from 0.

    Parameters
    ----------
    path
        GeoParquet, written by `write_parcels`.
    columns
        Columns wanted, see `sen4cap.domain.parcel.COLUMNS`; the geometry always comes too.

    Raises
    ------
    UnreadableFile
        If it is missing or no GeoParquet.
    MissingColumn
        If a wanted column is not in it.
    """
    known = _parquet_schema(path).names
    if lost := [name for name in columns or () if name not in known]:
        raise MissingColumn(
            f"'{path.name}' has no column {', '.join(lost)}; there are: {', '.join(known)}."
        )
    wanted = None if columns is None else list(dict.fromkeys([*columns, "geometry"]))
    frame = _read_parquet(path, wanted)
    return frame.reset_index(drop=True)


def write_parcels(path: Path, frame: gpd.GeoDataFrame) -> None:
    """Write a parcel set as GeoParquet 1.1 (WKB, zstd), sorted by `NewID`; same frame, same bytes.

    `path` is written as it is given: wrap it in `sen4cap.processing.write_whole`.
    """
    ordered = frame.sort_values("NewID", kind="stable").reset_index(drop=True)
    ordered.attrs = {}
    ordered.to_parquet(
        path, index=False, compression="zstd", schema_version="1.1.0", geometry_encoding="WKB"
    )


@contextmanager
def _opened(path: Path, layer: str | None) -> Iterator[tuple[Path, str | None]]:
    """Yield the file to read and its layer; None for formats without layers."""
    if not path.exists():
        raise UnreadableFile(f"There is no file '{path}': check its name.")
    if path.suffix.lower() != ".zip":
        yield path, _layer_of(path, layer)
        return
    with unpacked(path) as folder:
        source = _member(path.name, folder, layer)
        yield source, None if source.stem == layer else _layer_of(source, layer)


def _member(archive: str, folder: Path, layer: str | None) -> Path:
    found = sorted(item for item in folder.rglob("*") if item.suffix.lower() in OPENED)
    found = [item for item in found if not item.name.startswith(("._", "."))]
    named = [item for item in found if item.stem == layer]
    if not found:
        raise UnreadableFile(
            f"'{archive}' holds no vector file: zip a shapefile with its .shp, .shx, .dbf and "
            ".prj, a GeoPackage or a GeoJSON."
        )
    if len(named) != 1 and len(found) > 1:
        raise InputRefused(
            f"'{archive}' holds several files: name one with --layer, "
            f"{', '.join(sorted(item.stem for item in found))}."
        )
    return named[0] if len(named) == 1 else found[0]


def _layer_of(source: Path, layer: str | None) -> str | None:
    if source.suffix.lower() in PARQUET:
        return None
    with _refusing(source):
        layers = pyogrio.list_layers(source)
    spatial = [str(name) for name, kind in layers if kind is not None]
    if layer is not None and layer not in spatial:
        raise InputRefused(
            f"'{source.name}' has no layer '{layer}'; there are: {', '.join(spatial)}."
        )
    if layer is None and len(spatial) != 1:
        raise InputRefused(
            f"'{source.name}' holds {len(spatial)} layers with geometry: "
            + (f"name one with --layer, {', '.join(spatial)}." if spatial else "give another file.")
        )
    return layer or spatial[0]


@contextmanager
def _refusing(source: Path) -> Iterator[None]:
    """Turn errors of the readers into ours; their remarks on rings and M values are not ours."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", UserWarning)
            yield
    except (DataSourceError, DataLayerError, pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).partition(";")[0].rstrip(".")
        raise UnreadableFile(
            f"'{source.name}' cannot be read ({reason}): check that it is whole, and a vector file."
        ) from error


def _layer_info(source: Path, layer: str | None) -> dict[str, Any]:
    with _refusing(source):
        return cast("dict[str, Any]", pyogrio.read_info(source, layer=layer))


def _read(source: Path, layer: str | None) -> gpd.GeoDataFrame:
    if source.suffix.lower() in PARQUET:
        return _read_parquet(source, None).reset_index(drop=True)
    if source.suffix.lower() == ".shp":
        _check_length(source)
    curves = source.suffix.lower() not in STRAIGHT
    query = {"sql": _with_kinds(source, layer), "sql_dialect": "OGRSQL"} if curves else {}
    with _refusing(source):
        frame = pyogrio.read_dataframe(
            source, layer=None if curves else layer, on_invalid="fix", **query
        )
    if not isinstance(frame, gpd.GeoDataFrame):
        raise UnreadableFile(f"'{source.name}' holds no geometry: give a file with polygons.")
    kinds = frame.pop(KIND).fillna("") if curves else pd.Series([], dtype="str")
    frame.attrs[LINEARIZED] = np.flatnonzero(kinds.str.contains(CURVED, regex=True)).tolist()
    return frame


def _with_kinds(source: Path, layer: str | None) -> str:
    """OGR SQL for a layer with the kind of each geometry; the reader makes curves lines unsaid."""
    name = str(_layer_info(source, layer)["layer_name"]).replace('"', '\\"')
    return f'SELECT *, OGR_GEOMETRY AS {KIND} FROM "{name}"'  # noqa: S608 - a read-only file


def _check_length(source: Path) -> None:
    """Compare a shapefile with the length in its header, which GDAL does not; ESRI 1998, p. 4."""
    with source.open("rb") as handle:
        header = handle.read(28)
    if source.stat().st_size < 2 * int.from_bytes(header[24:28], "big"):
        raise UnreadableFile(f"'{source.name}' is truncated: copy it again.")


def _parquet_schema(path: Path) -> pa.Schema:
    if not path.exists():
        raise UnreadableFile(f"There is no file '{path}': check its name.")
    with _refusing(path):
        return pq.read_schema(path)


def _geometry_columns(path: Path) -> list[str]:
    """Names of the geometry columns; GeoParquet 1.1, file metadata."""
    geo = (_parquet_schema(path).metadata or {}).get(b"geo")
    if geo is None:
        raise UnreadableFile(f"'{path.name}' is Parquet without geometry: give a GeoParquet file.")
    with _refusing(path):
        return list(json.loads(geo)["columns"])


def _read_parquet(path: Path, columns: list[str] | None) -> gpd.GeoDataFrame:
    _geometry_columns(path)
    with _refusing(path):
        return gpd.read_parquet(path, columns=columns)


def _with_crs(frame: gpd.GeoDataFrame, name: str, crs: str | None) -> gpd.GeoDataFrame:
    if crs is None and frame.crs is None:
        raise MissingCrs(
            f"'{name}' names no coordinate reference system (a shapefile needs its .prj): "
            "name it with --crs, such as --crs EPSG:3035."
        )
    if crs is None:
        return frame
    wanted = _parsed(crs)
    if frame.crs is not None and not CRS.from_user_input(frame.crs).equals(wanted, True):
        raise InputRefused(
            f"'{name}' is in {frame.crs.to_string()[:60]}, not in {crs}: leave out --crs."
        )
    return frame.set_crs(wanted, allow_override=True)


def _parsed(crs: str) -> CRS:
    try:
        return CRS.from_user_input(crs)
    except CRSError as error:
        raise MissingCrs(f"'{crs}' is no coordinate reference system: use EPSG:3035.") from error
