"""The files of a crop type product: GeoParquet, CSV, a styled GeoPackage and the accuracy."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sen4cap.domain import Asset, Role
from sen4cap.geo.style import categorized_qml, palette
from sen4cap.geo.vector import write_gpkg, write_parcels
from sen4cap.processing import Context

COLUMNS = (
    "NewID",
    "ori_id",
    "HoldID",
    "Area_meters",
    "CT_decl",
    "CT_decl_name",
    "CT_pred_1",
    "CT_pred_1_name",
    "CT_conf_1",
    "CT_pred_2",
    "CT_pred_2_name",
    "CT_conf_2",
    "reason",
    "fold",
)
"""Columns of the tables, in order; CT_* are `ctnuml4a`, names `ctl4a`, confidences 0-1."""

MEDIA_TYPES = {
    "CropType.parquet": "application/vnd.apache.parquet",
    "CropType.csv": "text/csv",
    "CropType.gpkg": "application/geopackage+sqlite3",
    "accuracy.json": "application/json",
}

Classes = Sequence[tuple[int, str]]
"""Code and name of each class."""


def crop_table(
    parcels: gpd.GeoDataFrame,
    judged: NDArray[np.bool_],
    probability: NDArray[np.floating],
    fold: NDArray[np.integer],
    classes: Classes,
) -> gpd.GeoDataFrame:
    """One row per parcel with `COLUMNS` and geometry; the two most probable crops of the judged.

    `judged`: shape (parcels,); `probability`: shape (judged, classes); `fold`: shape (judged,).
    Of equally probable classes the first is named first. Predictions, confidences and folds are
    missing where a parcel was not judged. Confidences have 3 decimals, as the original's.
    """
    table = parcels.copy()
    codes, names = (np.array(part) for part in zip(*classes, strict=True))
    order = np.argsort(-probability, axis=1, kind="stable")[:, :2]
    confidence = np.take_along_axis(probability, order, axis=1).astype(np.float64).round(3)
    for rank in (0, 1):
        place = f"{rank + 1}"
        table[f"CT_pred_{place}"] = _spread(codes[order[:, rank]], judged, "Int32")
        table[f"CT_pred_{place}_name"] = _spread(names[order[:, rank]], judged, "str")
        table[f"CT_conf_{place}"] = _spread(confidence[:, rank], judged, "float64")
    table["fold"] = _spread(fold, judged, "Int32")
    return table[[*COLUMNS, "geometry"]]


def _spread(values: NDArray[Any], where: NDArray[np.bool_], dtype: str) -> pd.Series:
    """Values at the rows of `where`, missing elsewhere."""
    return pd.Series(values, index=np.flatnonzero(where)).reindex(range(len(where))).astype(dtype)


def write_all(
    ctx: Context, folder: Path, table: gpd.GeoDataFrame, document: dict[str, Any], classes: Classes
) -> tuple[Asset, ...]:
    """Write the files of a product, each under its name when complete; the assets they make."""
    plain = pd.DataFrame(table.drop(columns="geometry"))
    writers: dict[str, Callable[[Path], Any]] = {
        "CropType.parquet": lambda path: write_parcels(path, table),
        "CropType.csv": lambda path: plain.to_csv(path, index=False, lineterminator="\n"),
        "CropType.gpkg": lambda path: write_gpkg(path, table, "CropType", crop_style(classes)),
        "accuracy.json": lambda path: path.write_text(as_json(document), "utf-8"),
    }
    for name, write in writers.items():
        with ctx.write(folder / name) as path:
            write(path)
    return tuple(_asset(folder / name) for name in writers)


def crop_style(classes: Classes) -> str:
    """QGIS style that colours parcels by their predicted crop."""
    colours = palette(len(classes))
    rows = [(code, name, colour) for (code, name), colour in zip(classes, colours, strict=True)]
    return categorized_qml("CT_pred_1", rows)


def as_json(document: dict[str, Any]) -> str:
    """JSON text; the same values give the same text."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _asset(path: Path) -> Asset:
    role = Role.METADATA if path.suffix == ".json" else Role.DATA
    return Asset(path.name, str(path), role, MEDIA_TYPES[path.name])
