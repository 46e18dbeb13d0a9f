"""What became of each parcel since the version before."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from sen4cap.parcels.geometry import Bools, Floats, change_ratio
from sen4cap.parcels.overlap import Rows, parts_of

TEXTS = dict.fromkeys(("change", "ori_id", "before", "after"), "str")


@dataclass(frozen=True)
class Comparison:
    """Declarations, shape (n,), against the version before, shape (m,)."""

    match: Rows
    """Row in the version before, -1 where there is none, shape (n,)."""
    new: Bools
    """Not there before, or deleted there, shape (n,)."""
    geometry: Bools
    """There before with another geometry, shape (n,)."""
    crop: Bools
    """There before with another crop, shape (n,)."""
    removed: Bools
    """There before and declared no longer, shape (m,)."""
    ratio: Floats
    """Changed area over common and changed area, 0-1; NaN for new ones, shape (n,)."""


def compare(declared: gpd.GeoDataFrame, before: gpd.GeoDataFrame, *, whole: bool) -> Comparison:
    """How declarations differ from the version before, by `ori_id`.

    Parameters
    ----------
    declared, before
        With `ori_id`, `ori_crop`, `geom_hash`, `is_deleted` and geometry; same CRS, index from 0.
    whole
        Whether a parcel that is not declared is removed.
    """
    match = pd.Index(before["ori_id"]).get_indexer(declared["ori_id"])
    alive = ~before["is_deleted"].to_numpy(bool)
    there = match >= 0
    new = ~there
    new[there] = ~alive[match[there]]
    geometry = _differs(declared, before, match, "geom_hash")
    ratio = np.where(there, 0.0, np.nan)
    rows = np.flatnonzero(geometry)
    ratio[rows] = change_ratio(
        before.geometry.to_numpy()[match[rows]], declared.geometry.to_numpy()[rows]
    )
    seen = np.zeros(len(before), bool)
    seen[match[there]] = True
    return Comparison(
        match,
        new,
        geometry & ~new,
        _differs(declared, before, match, "ori_crop") & ~new,
        alive & ~seen if whole else np.zeros(len(before), bool),
        ratio,
    )


def _differs(declared: pd.DataFrame, before: pd.DataFrame, match: Rows, column: str) -> Bools:
    now = declared[column].fillna("").to_numpy(object)
    old = before[column].fillna("").to_numpy(object)
    differs = np.zeros(len(declared), bool)
    there = match >= 0
    differs[there] = now[there] != old[match[there]]
    return differs


def table_of_changes(
    declared: gpd.GeoDataFrame, before: gpd.GeoDataFrame, found: Comparison
) -> pd.DataFrame:
    """One row per change: `change`, `NewID`, `ori_id`, `before`, `after`, sorted.

    `change` is new, geometry, crop, removed or split. `before` and `after` are crop codes; of a
    geometry the hashes; a split parcel has one row per part, whose `ori_id` is `after`.
    """
    known = np.flatnonzero(found.match >= 0)
    old, now = before.iloc[found.match[known]], declared.iloc[known]
    pieces = [
        _piece("crop", now, old["ori_crop"], now["ori_crop"], found.crop[known]),
        _piece("geometry", now, old["geom_hash"], now["geom_hash"], found.geometry[known]),
        _piece("new", declared, None, declared["ori_crop"], found.new),
        _piece("removed", before, before["ori_crop"], None, found.removed),
        split_parcels(declared, before, found),
    ]
    table = pd.concat([piece for piece in pieces if len(piece)] or pieces[:1])
    return table.sort_values(["change", "NewID", "after"], ignore_index=True)


def _piece(
    change: str,
    frame: pd.DataFrame,
    before: pd.Series | None,
    after: pd.Series | None,
    rows: Bools | None = None,
) -> pd.DataFrame:
    """Changes of one kind, of the given rows of a frame."""
    columns = {
        "change": change,
        "NewID": frame["NewID"].to_numpy(np.int64),
        "ori_id": frame["ori_id"].to_numpy(object),
        "before": "" if before is None else before.fillna("").to_numpy(object),
        "after": "" if after is None else after.fillna("").to_numpy(object),
    }
    table = pd.DataFrame(columns, index=range(len(frame))).astype(TEXTS)
    return table if rows is None else table[rows]


def split_parcels(
    declared: gpd.GeoDataFrame, before: gpd.GeoDataFrame, found: Comparison
) -> pd.DataFrame:
    """Parcels that now are several: each part lies more than half in the old parcel.

    Only parcels that were removed or changed are looked at, and only new or changed parts.
    """
    touched = found.removed.copy()
    touched[found.match[found.geometry]] = True
    wholes = np.flatnonzero(touched & before.geometry.notna().to_numpy())
    parts = np.flatnonzero((found.new | found.geometry) & declared.geometry.notna().to_numpy())
    rows, others = parts_of(before.geometry.to_numpy()[wholes], declared.geometry.to_numpy()[parts])
    whole, part = before.iloc[wholes[rows]], declared.iloc[parts[others]]
    return _piece("split", whole, whole["ori_crop"], part["ori_id"])
