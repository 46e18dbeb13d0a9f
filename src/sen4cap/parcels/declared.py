"""What follows from each declared row alone: identifier, crop, repaired geometry, measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from sen4cap.domain import Reason
from sen4cap.geo.vector import LINEARIZED
from sen4cap.parcels.columns import Columns, as_text, attributes, joined, resolve, unique_ids
from sen4cap.parcels.geometry import area_and_perimeter, geometry_hash, repair, shape_index

NOWHERE = "none"
"""Identifier of rows with neither identifier nor geometry; repeated ones get suffixes."""


@dataclass(frozen=True)
class Declared:
    """Declarations as parcels that know nothing of each other, nor of the version before."""

    frame: gpd.GeoDataFrame
    """Columns of a parcel set but `NewID`, `HoldID`; flags are false; in file order."""
    ids_from_geometry: int
    """Rows whose identifier is the hash of their geometry."""
    repeated_ids: int
    """Identifiers that several rows had."""


def read_rows(declarations: gpd.GeoDataFrame, columns: Columns) -> Declared:
    """Declared rows under the names of a parcel set, geometry repaired and measured.

    Raises
    ------
    MissingColumn
        If a named column is not there.
    InputRefused
        If no identifier is named, or the file uses a reserved name.
    """
    plain = pd.DataFrame(declarations.drop(columns=declarations.geometry.name))
    plain = plain.reset_index(drop=True)
    used = resolve(columns, plain.columns)
    shapes, geometry = _shapes(declarations)
    texts = {
        "ori_hold": joined(plain, used.holding_id),
        "ori_crop": as_text(plain[used.crop_code]) if used.crop_code else joined(plain, ()),
    }
    named = joined(plain, () if used.id_from_geometry else used.parcel_id)
    digests = shapes["geom_hash"].to_numpy(object)
    ids = named.fillna(shapes["geom_hash"].where(digests != "", NOWHERE))
    texts["ori_id"] = unique_ids(ids, digests, texts["ori_hold"], texts["ori_crop"])
    table = pd.concat([pd.DataFrame(texts), shapes, attributes(plain)], axis=1)
    return Declared(
        gpd.GeoDataFrame(table, geometry=geometry, crs=declarations.crs),
        int(named.isna().sum()),
        int(ids[ids.duplicated()].nunique()),
    )


def _shapes(declarations: gpd.GeoDataFrame) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    """Columns that follow from the geometry, and the geometry, None where it is of no use."""
    crs = CRS.from_user_input(declarations.crs)
    curved = np.zeros(len(declarations), bool)
    curved[list(declarations.attrs.get(LINEARIZED, ()))] = True
    made = repair(declarations.geometry.to_numpy(), curved)
    geometry, reason = made.geometry, made.reason
    area, perimeter = area_and_perimeter(geometry, crs)
    outside = np.isnan(area) & ~shapely.is_missing(geometry)
    geometry[outside], reason[outside] = None, Reason.INVALID_GEOMETRY
    columns: dict[str, Any] = {
        "GeomValid": made.valid,
        "geom_fix": pd.Series(np.where(outside, "", made.fix), dtype="str"),
        "Duplic": False,
        "Overlap": False,
        "overlap_ratio": np.nan,
        "Area_meters": area,
        "ShapeInd": shape_index(area, perimeter),
        "n_parts": shapely.get_num_geometries(geometry).astype(np.int64),
        "geom_hash": pd.Series(geometry_hash(geometry, crs), dtype="str"),
        "geom_change_ratio": np.nan,
        "is_deleted": False,
        "reason": pd.Series(reason, dtype=object).astype("str"),
    }
    return pd.DataFrame(columns, index=range(len(declarations))), geometry
