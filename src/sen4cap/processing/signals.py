"""Signals of parcels that were made elsewhere: a long or a wide table, read into one form.

In a long table a row is one marker of one parcel at one date, named by one or several columns; in
a wide one it is one parcel and date, with a column for each marker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl

from sen4cap.errors import InputRefused, MissingColumn, UnreadableFile
from sen4cap.processing.marker_table import FURTHER, SCHEMA

KNOWN = {
    "parcel": ("parcel", "parcel_id", "plot_id", "NewID", "ori_id", "id"),
    "time": ("time", "datetime", "date", "timestamp"),
    "orbit": ("orbit", "rel_orbit", "relative_orbit"),
    "mean": ("mean", "average", "value"),
    "stdev": ("stdev", "std.dev", "std_dev", "std", "sd"),
    "count": ("count", "n", "cnt", "pixels"),
    "min": ("min",),
    "max": ("max",),
    "median": ("median", "p50"),
    "p25": ("p25", "q25"),
    "p75": ("p75", "q75"),
}
"""Names under which columns are found, in any case, where none is given."""
MARKERS = ("marker", "band")
STATISTICS = ("mean", "stdev", "count", *FURTHER)
MIDDAY = timedelta(hours=10)
"""Time of a date without one: the same date from Honolulu to Auckland."""
NAME = re.compile(r"[a-z0-9][a-z0-9_]*")


@dataclass(frozen=True)
class SignalColumns:
    """Which columns say what; what is not given is looked for."""

    parcel: Sequence[str] = ()
    """Joined by '-' they make the declared identifier."""
    time: str | None = None
    marker: Sequence[str] = ()
    """Joined by '_' they make the name of the marker."""
    orbit: str | None = None
    values: Sequence[str] = ()
    """Of a wide table: columns that are markers."""
    where: str | None = None
    """SQL condition on the rows that are taken."""


def read_signals(path: Path, columns: SignalColumns) -> pl.DataFrame:
    """Columns `parcel` (text), `time` (UTC), `marker`, `orbit` and the statistics of marker rows.

    Rows without a mean are left out. `count` is 1 where it is not told, other statistics null.

    Raises
    ------
    UnreadableFile
        If the file is no Parquet or CSV table.
    MissingColumn
        If a column is not there.
    InputRefused
        If the condition, a name of a marker or a number cannot be used.
    """
    table = _filtered(_read(path), columns.where)
    names = {name.lower(): name for name in table.columns}
    parcel = [_spelled(name, names, path) for name in columns.parcel] or [
        _found("parcel", names, path)
    ]
    time = _spelled(columns.time, names, path) if columns.time else _found("time", names, path)
    table = table.with_columns(
        pl.concat_str([_text(table, name) for name in parcel], separator="-").alias("_parcel"),
        _instant(table, time).alias("_time"),
        _orbit(columns, names, path).alias("_orbit"),
    )
    long = _melted if columns.values else _long
    rows = long(table, columns, names, path)
    _check_names(rows["marker"].unique().to_list())
    return rows.filter(pl.col("mean").is_not_null() & pl.col("parcel").is_not_null())


def _read(path: Path) -> pl.DataFrame:
    try:
        if path.suffix.lower() in {".parquet", ".pq"}:
            return pl.read_parquet(path)
        return pl.read_csv(path, infer_schema_length=10_000, null_values=["NA", "NaN", ""])
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UnreadableFile(
            f"'{path}' cannot be read as a table: give a Parquet or CSV file."
        ) from error


def _filtered(table: pl.DataFrame, where: str | None) -> pl.DataFrame:
    if where is None:
        return table
    try:
        return table.filter(pl.sql_expr(where))
    except pl.exceptions.PolarsError as error:
        raise InputRefused(f"The condition '{where}' cannot be used: {error}.") from error


def _found(what: str, names: dict[str, str], path: Path) -> str:
    for name in KNOWN[what]:
        if name.lower() in names:
            return names[name.lower()]
    raise MissingColumn(
        f"'{path.name}' has no column for the {what}; it has: {', '.join(names.values())}. "
        f"Name it with --{what}-col."
    )


def _spelled(name: str, names: dict[str, str], path: Path) -> str:
    if name.lower() not in names:
        raise MissingColumn(
            f"'{path.name}' has no column '{name}'; it has: {', '.join(names.values())}."
        )
    return names[name.lower()]


def _text(table: pl.DataFrame, name: str) -> pl.Expr:
    """A column as text; whole numbers without a decimal point."""
    if table.schema[name].is_float():
        return pl.col(name).cast(pl.Int64).cast(pl.String)
    return pl.col(name).cast(pl.String)


def _instant(table: pl.DataFrame, name: str) -> pl.Expr:
    """Instants in UTC; dates without a time are put at midday."""
    column, kind = pl.col(name), table.schema[name]
    if kind == pl.String:
        column = column.str.to_datetime(strict=False, time_zone="UTC", time_unit="us")
    elif kind == pl.Date or getattr(kind, "time_zone", None) is None:
        column = column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    column = column.cast(pl.Datetime("us", "UTC"))
    return pl.when(column.dt.truncate("1d") == column).then(column + MIDDAY).otherwise(column)


def _orbit(columns: SignalColumns, names: dict[str, str], path: Path) -> pl.Expr:
    if columns.orbit:
        return pl.col(_spelled(columns.orbit, names, path)).cast(pl.Int16)
    known = [names[name] for name in KNOWN["orbit"] if name in names]
    return pl.col(known[0]).cast(pl.Int16) if known else pl.lit(None, pl.Int16)


def _long(
    table: pl.DataFrame, columns: SignalColumns, names: dict[str, str], path: Path
) -> pl.DataFrame:
    given = columns.marker or [name for name in MARKERS if name in names][:1]
    if not given:
        raise MissingColumn(
            f"'{path.name}' has no column for the marker: name it with --marker-col, or the "
            "columns that are markers with --value."
        )
    marker = [_text(table, _spelled(name, names, path)) for name in given]
    mean = _found("mean", names, path)
    further = {
        name: next((names[item] for item in KNOWN[name] if item in names), None)
        for name in STATISTICS
        if name != "mean"
    }
    return table.select(
        *_keys(pl.concat_str(marker, separator="_")),
        pl.col(mean).cast(pl.Float64, strict=False).fill_nan(None).alias("mean"),
        *(_statistic(name, column) for name, column in further.items()),
    )


def _melted(
    table: pl.DataFrame, columns: SignalColumns, names: dict[str, str], path: Path
) -> pl.DataFrame:
    values = [_spelled(name, names, path) for name in columns.values]
    rows = table.unpivot(
        on=values,
        index=["_parcel", "_time", "_orbit"],
        variable_name="_marker",
        value_name="mean",
    )
    return rows.select(
        *_keys(pl.col("_marker")),
        pl.col("mean").cast(pl.Float64, strict=False).fill_nan(None),
        *(_statistic(name, None) for name in STATISTICS if name != "mean"),
    )


def _keys(marker: pl.Expr) -> list[pl.Expr]:
    named = marker.str.to_lowercase().str.replace_all(r"[^a-z0-9]+", "_").str.strip_chars("_")
    return [
        pl.col("_parcel").alias("parcel"),
        pl.col("_time").alias("time"),
        named.alias("marker"),
        pl.col("_orbit").alias("orbit"),
    ]


def _statistic(name: str, column: str | None) -> pl.Expr:
    unknown = pl.lit(1.0 if name == "count" else None, pl.Float64)
    value = unknown if column is None else pl.col(column).cast(pl.Float64, strict=False)
    filled = value.fill_null(1.0) if name == "count" else value
    return filled.cast(SCHEMA[name]).alias(name)


def _check_names(names: Iterable[str | None]) -> None:
    for name in names:
        if name is None or not NAME.fullmatch(name):
            raise InputRefused(
                f"'{name}' cannot name a marker: use letters, digits and '_', such as 'ndvi'."
            )
