"""The files of a crop type product: our tables, the original's, and the accuracy.

The original ends the names of its tables with the minute of the run; here that place holds the
revision, so that the same input gives the same names. Names of assets are without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from sen4cap.domain import Asset, Role
from sen4cap.geo.style import categorized_qml, palette
from sen4cap.geo.vector import write_gpkg, write_parcels
from sen4cap.processing import Context
from sen4cap.processing.shapefile import publish_shapefile
from sen4cap.processors.l4a_crop_type import original_tables
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.processors.l4a_crop_type.table import Classes

MEDIA_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
    ".gpkg": "application/geopackage+sqlite3",
    ".json": "application/json",
    ".shp": "application/vnd.shp",
    ".dbf": "application/vnd.dbf",
}
BYTES = "application/octet-stream"

SHAPEFILE = {
    **{name: name for name in ("NewID", "HoldID", "GeomValid", "Duplic", "Overlap")},
    "Area_meter": "Area_meters",
    **{name: name for name in ("S2Pix", "S1Pix", "LC", "CTnumDIV", "CT_decl")},
    **{f"CT_{what}_{rank}": f"CT_{what}_{rank}" for rank in (1, 2, 3) for what in ("pred", "conf")},
    **{name: name for name in ("p_declared", "light", "why", "reason", "fold", "sensors")},
}
"""Columns of the shapefile, whose names hold 10 characters, and those of the table."""

FLAGS = ("GeomValid", "Duplic", "Overlap")

Write = Callable[[Path], Any]


@dataclass(frozen=True)
class Made:
    """All that the files tell."""

    table: gpd.GeoDataFrame
    """Columns of `table.COLUMNS` and geometry."""
    document: dict[str, Any]
    """Content of `accuracy.json`."""
    classes: Classes
    teachers: Mapping[int, int]
    """Parcels that are large enough to learn from, by class code."""
    lut: Path
    """Crop table, Parquet."""


def write_all(
    ctx: Context, folder: Path, made: Made, params: CropTypeParams, revision: str
) -> tuple[Asset, ...]:
    """Write the files of a product, each under its name when complete; the assets they make."""
    tables = {**_ours(made), **_statistics(made, params)}
    if params.original_files:
        tables |= _predictions(made)
    assets = []
    for name, write in tables.items():
        path = folder / (name if name in UNDATED else _dated(name, revision))
        with ctx.write(path) as temporary:
            write(temporary)
        assets.append(_asset(name, path))
    if params.original_files:
        assets += _shapefile(folder / "SHP", made.table)
    return tuple(assets)


UNDATED = frozenset(
    {"CropType.parquet", "CropType.csv", "CropType.gpkg", "CropType_LUT.csv", "accuracy.json"}
)


def _dated(name: str, revision: str) -> str:
    stem, suffix = name.rsplit(".", 1)
    return f"{stem}_r{revision[:8]}.{suffix}"


def _ours(made: Made) -> dict[str, Write]:
    plain = pd.DataFrame(made.table.drop(columns="geometry"))
    lut = original_tables.crop_table(pd.read_parquet(made.lut))
    style = crop_style(made.classes)
    return {
        "CropType.parquet": lambda path: write_parcels(path, made.table),
        "CropType.csv": partial(write_csv, _numbered(plain)),
        "CropType.gpkg": lambda path: write_gpkg(path, made.table, "CropType", style),
        "CropType_LUT.csv": partial(write_csv, lut),
        "accuracy.json": lambda path: path.write_text(as_json(made.document), "utf-8"),
    }


def _statistics(made: Made, params: CropTypeParams) -> dict[str, Write]:
    tables = {
        "Accuracy_metrics.csv": original_tables.accuracy_metrics(made.document),
        "Confusion_matrix.csv": original_tables.confusion_matrix(made.document),
        "Confusion_user.csv": original_tables.confusion_user(made.document),
        "Confusion_producer.csv": original_tables.confusion_producer(made.document),
        "Crop_types_summary.csv": original_tables.summary(
            made.table, made.classes, made.teachers, params
        ),
    }
    return {name: partial(write_csv, table) for name, table in tables.items()}


def _predictions(made: Made) -> dict[str, Write]:
    every = original_tables.predictions(made.table)
    return {
        "Parcels_classified_with_predictions.csv": partial(
            write_csv, every[every["CT_pred_1"].notna()], missing="NA"
        ),
        "Parcels_all_with_predictions.csv": partial(write_csv, every, missing="NA"),
    }


def write_csv(table: pd.DataFrame, path: Path, missing: str = "") -> None:
    """Write a table as UTF-8 with a comma between the columns; the same table, the same bytes."""
    table.to_csv(path, index=False, lineterminator="\n", na_rep=missing)


def _numbered(table: pd.DataFrame) -> pd.DataFrame:
    """The table with flags as 0 and 1, as in the original's files."""
    return table.astype(dict.fromkeys(FLAGS, np.int8))


def _shapefile(folder: Path, table: gpd.GeoDataFrame) -> list[Asset]:
    """Write the shapefile, unless it would be larger than one can be."""
    columns = {name: table[own] for name, own in SHAPEFILE.items()}
    frame = gpd.GeoDataFrame(_numbered(pd.DataFrame(columns)), geometry=table.geometry)
    paths = publish_shapefile(folder / "CropType.shp", frame)
    return [_asset(path.name, path) for path in paths]


def crop_style(classes: Classes) -> str:
    """QGIS style that colours parcels by their predicted crop."""
    colours = palette(len(classes))
    rows = [(code, name, colour) for (code, name), colour in zip(classes, colours, strict=True)]
    return categorized_qml("CT_pred_1", rows)


def as_json(document: dict[str, Any]) -> str:
    """JSON text; the same values give the same text."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _asset(name: str, path: Path) -> Asset:
    role = Role.METADATA if path.suffix == ".json" else Role.DATA
    return Asset(name, str(path), role, MEDIA_TYPES.get(path.suffix, BYTES))
