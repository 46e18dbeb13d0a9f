"""From declarations to a parcel set: identity, geometry, flags, reasons.

The rules are those of the original's data preparation: known identifiers keep their number,
geometry is judged and measured, equal and overlapping parcels are flagged. Beyond it, geometries
are repaired, areas are right in any CRS, overlap counts shared ground once, and no parcel is left
out: it stays, with the first of `Reason` that holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
from pyproj import CRS

from sen4cap.domain import Reason
from sen4cap.domain.parcel import COLUMNS, GEOMETRY_REASONS, Mode
from sen4cap.errors import EmptyLayer, MissingCrs
from sen4cap.parcels.changes import compare, table_of_changes
from sen4cap.parcels.columns import Columns, as_text, numbered
from sen4cap.parcels.declared import read_rows
from sen4cap.parcels.geometry import geometry_hash
from sen4cap.parcels.lut import MONITORED
from sen4cap.parcels.overlap import covered_share, duplicates
from sen4cap.parcels.report import Report, report_of

MAX_OVERLAP = 0.10
"""Largest share of a parcel that others may cover."""


class Columnar(Protocol):
    """Columns by name: a data frame of any kind, or a dict of arrays."""

    def __getitem__(self, name: str, /) -> Any:
        """Values of a column."""


@dataclass(frozen=True)
class Prepared:
    """A parcel set that is not yet stored, and what is new about it."""

    frame: gpd.GeoDataFrame
    """Columns of `sen4cap.domain.parcel.COLUMNS`, further declared ones, geometry; by `NewID`."""
    changes: pd.DataFrame
    """See `sen4cap.parcels.changes.table_of_changes`."""
    report: Report


def prepare(
    declarations: gpd.GeoDataFrame,
    columns: Columns,
    *,
    mode: Mode = Mode.UPDATE,
    previous: gpd.GeoDataFrame | None = None,
    identities: Columnar | None = None,
    holdings: Columnar | None = None,
    lut: pl.DataFrame | None = None,
) -> Prepared:
    """The next version of a site's parcels. Pure: nothing is stored.

    Of equal parcels the one with the lowest `NewID` stays in use; `Duplic` marks them all.

    Parameters
    ----------
    declarations
        As `sen4cap.geo.vector.read_vector` returns them.
    columns
        Which columns say what.
    mode
        What becomes of parcels that are declared no longer.
    previous
        The version before, as `read_parcels` returns it.
    identities, holdings
        Every `NewID` and `HoldID` ever given, with `ori_id` and `ori_hold`, besides those of
        `previous`.
    lut
        As `read_lut` returns it; without one no crop is judged.

    Raises
    ------
    EmptyLayer
        If there is no declaration.
    MissingCrs
        If the declarations have no CRS, or one that is not tied to the Earth.
    MissingColumn, InputRefused
        If a named column is not there, none identifies parcels, or a reserved name is used.
    """
    _refuse_unusable(declarations)
    declared = read_rows(declarations, columns)
    before = _in_crs(previous, declarations)
    fresh = declared.frame
    fresh["NewID"] = numbered(fresh["ori_id"], _known(identities, before, "ori_id", "NewID"))
    fresh["HoldID"] = numbered(fresh["ori_hold"], _known(holdings, before, "ori_hold", "HoldID"))
    found = compare(fresh, before, whole=mode is not Mode.INCREMENTAL)
    fresh["geom_change_ratio"] = found.ratio
    frame = _checked(_gathered(fresh, before, mode), lut)
    changes = table_of_changes(fresh, before, found)
    report = report_of(mode.value, frame, declared, found, lut=lut, changes=changes)
    return Prepared(frame, changes, report)


def _refuse_unusable(declarations: gpd.GeoDataFrame) -> None:
    if not len(declarations):
        raise EmptyLayer("There is no declaration in the file: check that it was exported whole.")
    if declarations.crs is None:
        raise MissingCrs("The declarations have no CRS: name it with --crs, such as EPSG:3035.")


def _in_crs(previous: gpd.GeoDataFrame | None, declarations: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The version before in the CRS of the declarations; without rows where there is none."""
    if previous is None:
        empty = {name: pd.Series(dtype="str") for name in COLUMNS}
        frame = gpd.GeoDataFrame(empty, geometry=[], crs=declarations.crs)
        return frame.astype({"NewID": "int64", "HoldID": "Int64", "is_deleted": bool})
    previous = previous.reset_index(drop=True)
    if previous.crs == declarations.crs:
        return previous
    moved = previous.to_crs(declarations.crs)
    crs = CRS.from_user_input(moved.crs)
    moved["geom_hash"] = geometry_hash(moved.geometry.to_numpy(), crs)
    return moved.astype({"geom_hash": "str"})


def _known(given: Columnar | None, before: pd.DataFrame, key: str, number: str) -> pd.Series:
    """Numbers ever given, indexed by identifier: those given and those of the version before."""
    tables = [before[[key, number]].dropna(), *([] if given is None else [given])]
    keys = [np.asarray(table[key], dtype=object) for table in tables]
    numbers = [np.asarray(table[number], dtype=np.int64) for table in tables]
    pairs = pd.Series(np.concatenate(numbers), index=np.concatenate(keys))
    return pairs[~pairs.index.duplicated()]


def _gathered(fresh: gpd.GeoDataFrame, before: gpd.GeoDataFrame, mode: Mode) -> gpd.GeoDataFrame:
    """Declared rows and those of the version before that stay, by `NewID`."""
    kept = before[~before["ori_id"].isin(fresh["ori_id"])].copy()
    kept["geom_change_ratio"] = np.where(kept.geometry.isna(), np.nan, 0.0)
    if mode is Mode.UPDATE:
        kept["is_deleted"] = True
    frame = fresh
    if len(kept) and mode is not Mode.REPLACE:
        frame = pd.concat(_aligned(fresh, kept), ignore_index=True)
    frame = frame.astype({"NewID": "int64", "HoldID": "Int64", "n_parts": "int64"})
    further = [name for name in frame.columns if name not in COLUMNS and name != "geometry"]
    ordered = frame[[*COLUMNS, *further, "geometry"]]
    return ordered.sort_values("NewID", ignore_index=True)


def _aligned(fresh: gpd.GeoDataFrame, kept: gpd.GeoDataFrame) -> list[gpd.GeoDataFrame]:
    """Both with the same columns of the same types: text where an attribute changed its type."""
    names = [*fresh.columns, *(name for name in kept.columns if name not in fresh.columns)]
    types = {}
    for name in names:
        found = [frame[name].dtype for frame in (fresh, kept) if name in frame.columns]
        if name not in (*COLUMNS, "geometry"):
            types[name] = found[0] if len(set(found)) == 1 else "str"
    return [_typed(frame.reindex(columns=names), types) for frame in (fresh, kept)]


def _typed(frame: gpd.GeoDataFrame, types: dict[str, Any]) -> gpd.GeoDataFrame:
    for name, wanted in types.items():
        integer = pd.api.types.is_integer_dtype(wanted) or pd.api.types.is_bool_dtype(wanted)
        if wanted == "str":
            frame[name] = as_text(frame[name])
        elif integer and frame[name].isna().any():
            frame[name] = frame[name].astype("float64").astype("Int64")
        else:
            frame[name] = frame[name].astype(wanted)
    return frame


def _checked(frame: gpd.GeoDataFrame, lut: pl.DataFrame | None) -> gpd.GeoDataFrame:
    """Flags and reasons of the rows that are not deleted; the others keep theirs."""
    alive = ~frame["is_deleted"].to_numpy(bool)
    usable = alive & frame.geometry.notna().to_numpy()
    digests = frame["geom_hash"].to_numpy(object)
    shared, later = duplicates(digests, frame["NewID"].to_numpy(np.int64), usable)
    ratio = _overlap_ratio(frame, usable & ~later, later)
    flags = {"Duplic": shared, "Overlap": ratio > MAX_OVERLAP, "overlap_ratio": ratio}
    for name, values in flags.items():
        frame[name] = np.where(alive, values, frame[name].to_numpy(values.dtype))
    reasons = np.select(
        [
            frame["reason"].isin(GEOMETRY_REASONS).to_numpy(),
            later,
            ratio > MAX_OVERLAP,
            *_crop_conditions(frame["ori_crop"], lut),
        ],
        [
            frame["reason"].to_numpy(object),
            *(Reason.DUPLICATE, Reason.OVERLAP, Reason.NO_CROP),
            *(Reason.CROP_NOT_IN_LUT, Reason.LAND_COVER),
        ],
        "",
    )
    told = np.where(alive, reasons, frame["reason"].to_numpy(object))
    frame["reason"] = pd.Series(told, dtype=object).astype("str")
    return frame


def _overlap_ratio(frame: gpd.GeoDataFrame, judged: Any, later: Any) -> Any:
    """Share covered by others; equal parcels have the share of their first, without each other."""
    ratio = np.full(len(frame), np.nan)
    ratio[judged] = covered_share(frame.geometry.to_numpy()[judged])
    first = pd.Series(ratio[judged], index=frame["geom_hash"].to_numpy(object)[judged])
    ratio[later] = frame["geom_hash"][later].map(first)
    return ratio


def _crop_conditions(crops: pd.Series, lut: pl.DataFrame | None) -> list[Any]:
    """Whether a crop is missing, unknown, of a land cover that is not monitored."""
    missing = crops.isna().to_numpy()
    if lut is None:
        never = np.zeros(len(crops), bool)
        return [missing, never, never]
    monitored = lut.filter(pl.col("lc").is_in(MONITORED))["ori_crop"].to_list()
    known = crops.isin(lut["ori_crop"].to_list())
    return [missing, ~known.to_numpy(), ~crops.isin(monitored).to_numpy()]
