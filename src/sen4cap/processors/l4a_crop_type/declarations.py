"""The declared parcels with their crop class, and why some of them are left out."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sen4cap.domain import Reason
from sen4cap.domain.parcel import GEOMETRY_REASONS
from sen4cap.geo.vector import read_parcels
from sen4cap.kernels.blocks import square_blocks

Texts = NDArray[np.str_]

COLUMNS = (
    *("NewID", "ori_id", "HoldID", "GeomValid", "Duplic", "Overlap", "ori_crop", "Area_meters"),
    *("geom_hash", "reason"),
)
FROM_IMPORT = (
    *GEOMETRY_REASONS,
    Reason.DUPLICATE,
    Reason.OVERLAP,
    Reason.NO_CROP,
)
"""Reasons that are carried over from the parcel set; those that the crop look-up table gives are
found anew, because the table may have changed since."""

EQUAL_AREA = "EPSG:6933"
"""Cylindrical equal-area projection of the world, metres."""


def declared_parcels(parcels: Path, lut: Path, lc: str) -> gpd.GeoDataFrame:
    """Parcels that are not deleted, sorted by `NewID`, with crop class and reason.

    Further columns: `LC`, `CTnumDIV`, `CT_decl`, `CT_decl_name` (land cover, class of the
    diversification, class and name of the declared crop, from `lc`, `ctnumdiv`, `ctnuml4a` and
    `ctl4a`; missing where unknown); `reason` is empty for parcels that can be judged. `lc` holds
    the digits of the land covers that are monitored.
    """
    frame = read_parcels(parcels, [*COLUMNS, "is_deleted"])
    frame = frame[~frame["is_deleted"].astype(bool)].drop(columns="is_deleted")
    crops = crop_classes(lut)
    frame = frame.merge(crops, how="left", on="ori_crop", validate="many_to_one", indicator="known")
    carried = frame["reason"].where(frame["reason"].isin(FROM_IMPORT), "").to_numpy(str)
    reason = mark(carried, frame["known"] == "left_only", Reason.CROP_NOT_IN_LUT)
    monitored = frame["LC"].isin([int(digit) for digit in lc])
    frame["reason"] = mark(reason, ~monitored, Reason.LAND_COVER)
    frame = frame.drop(columns=["known", "ori_crop"])
    return frame.sort_values("NewID", kind="stable").reset_index(drop=True)


def crop_classes(lut: Path) -> pd.DataFrame:
    """Classes of each crop code: `ori_crop` (text), `LC`, `CTnumDIV`, `CT_decl`, `CT_decl_name`."""
    table = pd.read_parquet(lut, columns=["ori_crop", "lc", "ctnumdiv", "ctnuml4a", "ctl4a"])
    return pd.DataFrame(
        {
            "ori_crop": table["ori_crop"].astype(str),
            "LC": table["lc"].astype("Int32"),
            "CTnumDIV": table["ctnumdiv"].astype("Int32"),
            "CT_decl": table["ctnuml4a"].astype("Int32"),
            "CT_decl_name": table["ctl4a"].astype(str),
        }
    )


def mark(reason: NDArray[np.str_], where: pd.Series | NDArray[np.bool_], code: Reason) -> Texts:
    """Reasons with `code` put where it applies and there is none yet; shape (n,)."""
    free = (reason == "") & np.asarray(where, bool)
    return np.where(free, code.value, reason)


def blocks_of(parcels: gpd.GeoDataFrame, edge: float) -> NDArray[np.int64]:
    """Number of the square block of `edge` metres that holds each parcel; shape (n,).

    Blocks lie in the CRS of the parcels where that is in metres, else in an equal-area one.
    """
    points = parcels.geometry.representative_point()
    if not _in_metres(parcels):
        points = points.to_crs(EQUAL_AREA)
    return square_blocks(points.x.to_numpy(), points.y.to_numpy(), edge)


def holdings_of(parcels: gpd.GeoDataFrame) -> NDArray[np.int64]:
    """Number of the holding of each parcel, from 0; -1 where none is known; shape (n,)."""
    number: NDArray[np.int64] = pd.factorize(parcels["HoldID"], sort=True)[0].astype(np.int64)
    return number


def longitude_of(parcels: gpd.GeoDataFrame) -> float:
    """Longitude of the first parcel, degrees."""
    point = parcels.geometry.iloc[:1].representative_point().to_crs("EPSG:4326")
    return float(point.x.iloc[0])


def _in_metres(parcels: gpd.GeoDataFrame) -> bool:
    crs = parcels.crs
    return bool(crs.is_projected) and all(
        axis.unit_conversion_factor == 1.0 for axis in crs.axis_info
    )
