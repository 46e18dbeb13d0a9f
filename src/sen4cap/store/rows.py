"""Rows of the tables `parcel` and `crop_lut`, from frames and back. Pure, whole columns at once.

A row of `parcel` holds for the versions version_from <= version < version_to of its site and year;
without version_to it is current. A parcel gets a new row only when something declared or derived
changed, so that unchanged parcels cost nothing per import.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from sen4cap.domain.parcel import COLUMNS
from sen4cap.errors import Conflict, InputRefused, MissingColumn


def column_name(name: str) -> str:
    """Name in SQL of a column of a parcel set: `NewID` is `new_id`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


_TYPES = {
    **dict.fromkeys(("NewID", "HoldID", "n_parts"), pl.Int64),
    **dict.fromkeys(("GeomValid", "Duplic", "Overlap", "is_deleted"), pl.Boolean),
    **dict.fromkeys(("overlap_ratio", "Area_meters", "ShapeInd", "geom_change_ratio"), pl.Float64),
}
DECLARED: dict[str, Any] = {column_name(name): _TYPES.get(name, pl.String) for name in COLUMNS}
"""Type of each column of `sen4cap.domain.parcel.COLUMNS`, by its name in SQL."""
PLACE: dict[str, Any] = {
    "s1_pix": pl.Int64,
    "s2_pix": pl.Int64,
    "home_s1": pl.String,
    "home_s2": pl.String,
}
"""What depends on the site's grids: pixels within the parcel, name of the home grid."""
OPERATOR_NAMES = {column_name(name): name for name in (*COLUMNS, "S1Pix", "S2Pix")}
"""Names that operators know, by name in SQL."""
LUT: dict[str, Any] = {
    "ori_crop": pl.String,
    "ctnum": pl.Int64,
    "ct": pl.String,
    "lc": pl.Int64,
    "ctnuml4a": pl.Int64,
    "ctl4a": pl.String,
    "ctnumdiv": pl.Int64,
    "ctdiv": pl.String,
    **dict.fromkeys(("eaa", "al", "pgrass", "tgrass", "fallow", "cwater"), pl.Int64),
}
"""Type of each column of a crop look-up table."""

_PANDAS = {pl.Int64: "Int64", pl.Boolean: "boolean", pl.Float64: "Float64", pl.String: "string"}


def parcel_rows(frame: Any) -> pl.DataFrame:
    """Rows of `parcel` from a GeoDataFrame with `COLUMNS`, further columns and geometry.

    Columns of the result: `DECLARED`, attributes (structs), wkb_geometry, srid, content_hash;
    sorted by new_id.

    Raises
    ------
    MissingColumn
        If the frame lacks one of `COLUMNS`.
    InputRefused
        If two rows have the same NewID.
    """
    lacking = [name for name in COLUMNS if name not in frame]
    if lacking:
        raise MissingColumn(f"A parcel set needs the columns {', '.join(lacking)} as well.")
    declared = pl.from_pandas(
        frame[list(COLUMNS)]
        .rename(columns=column_name)
        .astype({name: _PANDAS[kind] for name, kind in DECLARED.items()}),
        nan_to_null=True,
        schema_overrides=DECLARED,
    )
    if declared["new_id"].is_duplicated().any():
        raise InputRefused("Two parcels have the same NewID: number them again.")
    attributes = _attributes(frame)
    return declared.with_columns(
        pl.Series("wkb_geometry", shapely.to_wkb(frame.geometry.to_numpy()).tolist(), pl.Binary),
        pl.lit(frame.crs.to_epsg() or 0 if frame.crs else 0, pl.Int64).alias("srid"),
        pl.Series("content_hash", _content_hash(declared, attributes)),
        attributes.to_struct("attributes")
        if attributes.width
        else pl.lit(None).alias("attributes"),
    ).sort("new_id")


def _attributes(frame: Any) -> pl.DataFrame:
    """The further columns as JSON knows them: numbers, booleans, text; not finite is missing."""
    further = frame.drop(columns=[*COLUMNS, frame.geometry.name])
    objects = [name for name, kind in further.dtypes.items() if kind == np.dtype(object)]
    table = pl.from_pandas(
        further.astype(dict.fromkeys(objects, "string")), nan_to_null=True, include_index=False
    )
    numbers = pl.col(pl.Float32, pl.Float64)
    return table.with_columns(
        pl.when(numbers.is_finite()).then(numbers),
        (~_plain()).cast(pl.String),
    )


def _plain() -> Any:
    from polars import selectors

    return selectors.numeric() | selectors.boolean() | selectors.string()


def _content_hash(declared: pl.DataFrame, attributes: pl.DataFrame) -> NDArray[np.int64]:
    """One 64-bit number per row; the geometry counts through its hash."""
    from pandas.util import hash_pandas_object

    table = pl.concat(
        [declared, attributes.select(pl.all().cast(pl.String).name.prefix("attribute_"))],
        how="horizontal",
    )
    hashes = hash_pandas_object(table.cast(pl.String).to_pandas(), index=False)
    return np.asarray(hashes, dtype=np.uint64).view(np.int64)


def changes(before: pl.DataFrame, after: pl.DataFrame) -> tuple[pl.DataFrame, list[int]]:
    """Rows of `after` that open an interval, and new_ids of `before` whose interval closes.

    Both hold new_id and content_hash.
    """
    keys = ["new_id", "content_hash"]
    opened = after.join(before.select(keys), on=keys, how="anti").sort("new_id")
    closed = before.join(after.select(keys), on=keys, how="anti").sort("new_id")
    return opened, closed["new_id"].to_list()


def new_identities(known: pl.DataFrame, rows: pl.DataFrame, name: str, number: str) -> pl.DataFrame:
    """The pairs (name, number) of `rows` that are not known yet, sorted by number.

    Raises
    ------
    Conflict
        If a known name or number would get another partner.
    """
    pairs = rows.select(name, number).drop_nulls().unique()
    new = pairs.join(known, on=[name, number], how="anti").sort(number)
    every = pl.concat([known.select(name, number), new])
    twice = every.filter(pl.col(name).is_duplicated() | pl.col(number).is_duplicated())
    if twice.height:
        first = twice.sort(number, name).row(0, named=True)
        raise Conflict(
            f"{name} '{first[name]}' cannot have the number {first[number]}: name or number were "
            "given before; prepare the parcels again from the known identities."
        )
    return new


def lut_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of `crop_lut`, sorted by ori_crop; columns that are no part of it are left out.

    Raises
    ------
    MissingColumn
        If a column of `LUT` is not in the frame.
    """
    lacking = [name for name in LUT if name not in frame.columns]
    if lacking:
        raise MissingColumn(f"A crop look-up table needs the columns {', '.join(lacking)} as well.")
    return frame.select(pl.col(name).cast(kind) for name, kind in LUT.items()).sort("ori_crop")
