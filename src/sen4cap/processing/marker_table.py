"""Marker table: the parcel statistics of a season as long Parquet files, one folder per marker.

    <root>/<marker>/part-<name>.parquet            rows of one extraction, as they arrive
    <root>/<marker>/sorted-<digest>-<n>.parquet    compacted, sorted by parcel and time

A row is one parcel at one acquisition. Files are never changed. A newer extraction of a parcel
adds a row of a higher generation, and readers see the highest; a count of 0 there takes the older
row back. The same rows in two files count once, so that reading gives the same answer before,
during and after a compaction, wherever that is interrupted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from sen4cap.domain import as_utc
from sen4cap.processing.context import write_whole

SCHEMA: dict[str, pl.DataType] = {
    "parcel": pl.Int64(),
    "time": pl.Datetime("us", "UTC"),
    "grid": pl.String(),
    "orbit": pl.Int16(),
    "mean": pl.Float32(),
    "stdev": pl.Float32(),
    "count": pl.Float32(),
    "valid_fraction": pl.Float32(),
    "geom_hash": pl.String(),
    "generation": pl.Int32(),
    "product": pl.String(),
    "revision": pl.String(),
}
"""Columns of a row. `parcel` is the NewID, `time` the sensing start, `orbit` the relative orbit
(null where unknown), `count` the valid pixels weighted by their coverage, `geom_hash` the geometry
the row was extracted for, `product` and `revision` (8 hex digits) the raster product it is from."""

OBSERVATION = ("parcel", "time", "orbit")
"""What there is one current row of."""
ROW_GROUP = 100_000
ROWS_PER_FILE = 5_000_000
ATTEMPTS = 3

Query = Callable[[pl.LazyFrame], pl.LazyFrame]


@dataclass(frozen=True)
class MarkerTable:
    """The markers of a site and season."""

    root: Path
    """Folder with one folder per marker; need not exist."""

    def markers(self) -> tuple[str, ...]:
        """Names of the markers that hold files, sorted."""
        if not self.root.is_dir():
            return ()
        return tuple(sorted(item.name for item in self.root.iterdir() if _files(item)))

    def append(self, marker: str, frame: pl.DataFrame, *, name: str) -> Path:
        """File of new rows, complete or not there; the same name writes the same file again.

        `frame` has the columns of `SCHEMA`, in any order.

        Raises
        ------
        polars.exceptions.PolarsError
            If a column is missing or does not fit its type.
        """
        rows = frame.select(pl.col(column).cast(kind) for column, kind in SCHEMA.items())
        path = self.root / marker / f"part-{name}.parquet"
        _write(path, rows.sort(*OBSERVATION, "grid", "generation"))
        return path

    def read(
        self,
        marker: str,
        parcels: pl.DataFrame | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> pl.DataFrame:
        """One current row per parcel, time and orbit, sorted by them, in [start, end).

        `parcels` has the columns `parcel` and `geom_hash` and may have `grid`, the home grid: rows
        of other parcels and of other grids are left out. The result has the columns of `SCHEMA`
        and `stale`: true where the row is of another geometry than the parcel's, null where no
        parcels are given. Statistics are never missing; a parcel without a valid pixel at a date
        has no row.
        """

        def query(rows: pl.LazyFrame) -> pl.LazyFrame:
            chosen = _of_parcels(_between(rows, start, end), parcels)
            stale = pl.col("geom_hash") != pl.col("current_hash")
            return _current(chosen).select(*SCHEMA, stale=stale)

        return self._collect(marker, query)

    def series(self, parcel: int) -> pl.DataFrame:
        """All current rows of one parcel, sorted by `marker`, time and orbit.

        Compacted files are sorted by parcel, so that few row groups are read.
        """

        def query(rows: pl.LazyFrame) -> pl.LazyFrame:
            return _current(rows.filter(pl.col("parcel") == parcel)).select(*SCHEMA)

        found = [
            self._collect(marker, query).select(pl.lit(marker).alias("marker"), *SCHEMA)
            for marker in self.markers()
        ]
        return pl.concat(found) if found else pl.DataFrame(schema={"marker": pl.String(), **SCHEMA})

    def compact(
        self, marker: str, *, min_parts: int = 16, max_rows: int = ROWS_PER_FILE
    ) -> tuple[Path, ...]:
        """Files that now hold all rows of a marker, sorted; none where there was too little to do.

        Works when at least `min_parts` files have arrived since the last time. Memory is that of
        about `max_rows` rows, which a file holds at most (or one parcel). The old files go when
        all new ones are complete.
        """
        old = _files(self.root / marker)
        if sum(path.name.startswith("part-") for path in old) < max(min_parts, 1):
            return ()
        digest = hashlib.sha256("\n".join(path.name for path in old).encode()).hexdigest()[:12]
        new = []
        for number, (first, last) in enumerate(_parcel_ranges(old, max_rows)):
            path = self.root / marker / f"sorted-{digest}-{number:04d}.parquet"
            inside = pl.scan_parquet(old).filter(pl.col("parcel").is_between(first, last))
            _write(path, _newest(inside, (*OBSERVATION, "grid")).collect())
            new.append(path)
        for path in old:
            path.unlink(missing_ok=True)
        return tuple(new)

    def _collect(self, marker: str, query: Query) -> pl.DataFrame:
        """Result of a query; a compaction may replace files after they were listed: look again."""
        for attempt in range(ATTEMPTS):
            try:
                return query(_scan(_files(self.root / marker))).collect()
            except FileNotFoundError:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError


def _files(folder: Path) -> list[Path]:
    return [*sorted(folder.glob("part-*.parquet")), *sorted(folder.glob("sorted-*.parquet"))]


def _scan(files: Sequence[Path]) -> pl.LazyFrame:
    return pl.scan_parquet(list(files)) if files else pl.LazyFrame(schema=SCHEMA)


def _write(path: Path, rows: pl.DataFrame) -> None:
    with write_whole(path) as temporary:
        rows.write_parquet(
            temporary,
            compression="zstd",
            compression_level=1,
            statistics=True,
            row_group_size=ROW_GROUP,
        )


def _between(rows: pl.LazyFrame, start: datetime | None, end: datetime | None) -> pl.LazyFrame:
    if start is not None:
        rows = rows.filter(pl.col("time") >= as_utc(start))
    if end is not None:
        rows = rows.filter(pl.col("time") < as_utc(end))
    return rows


def _of_parcels(rows: pl.LazyFrame, parcels: pl.DataFrame | None) -> pl.LazyFrame:
    if parcels is None:
        return rows.with_columns(current_hash=pl.lit(None, pl.String()))
    keys = ["parcel", *({"grid"} & set(parcels.columns))]
    current = parcels.lazy().select(*keys, current_hash=pl.col("geom_hash"))
    return rows.join(current.cast({"parcel": pl.Int64()}), on=keys, how="inner")


def _current(rows: pl.LazyFrame) -> pl.LazyFrame:
    return _newest(rows, OBSERVATION).filter(pl.col("count") > 0)


def _newest(rows: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Row of the highest generation per key, sorted by key; ties are broken by name."""
    ties = ("generation", "product", "revision", "geom_hash", "grid")
    order = list(dict.fromkeys((*keys, *ties)))
    ranked = rows.sort(order, descending=[name == "generation" for name in order])
    return ranked.unique(list(keys), keep="first", maintain_order=True)


def _parcel_ranges(files: Sequence[Path], max_rows: int) -> list[tuple[int, int]]:
    """First and last parcel of runs of parcels that have up to `max_rows` rows together."""
    rows = _scan(files).group_by("parcel").len().sort("parcel").collect()
    run = (rows["len"].cast(pl.Int64()).cum_sum() - 1) // max_rows
    ranges = rows.group_by(run.alias("run")).agg(
        first=pl.col("parcel").min(), last=pl.col("parcel").max()
    )
    return list(ranges.sort("run").select("first", "last").iter_rows())
