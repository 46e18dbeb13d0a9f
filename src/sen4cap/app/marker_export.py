"""Markers as a wide table with the columns of the original: a row per parcel.

    NewID, 20190405_mean_NDVI, 20190405_stdev_NDVI, …, 20190407_mean_AMP_VV_088, …

A column is `{date}_{statistic}_{type}_{polarisation}_{orbit}_{band}`; parts that do not apply are
left out. Parcels are worked on in chunks, so that memory is that of `CHUNK` rows of the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sen4cap.app.markers import places_of, table_of, wanted_markers
from sen4cap.app.system import System
from sen4cap.errors import InvalidParameter, NoInput, NotFound
from sen4cap.processing import Progress, no_progress, write_whole

if TYPE_CHECKING:
    import polars as pl

    from sen4cap.processing.marker_table import MarkerTable

CHUNK = 20_000
STATISTICS = {
    "mean": "mean",
    "stdev": "stdev",
    "min": "min",
    "max": "max",
    "median": "median",
    "p25": "p25",
    "p75": "p75",
    "count": "cnt",
}
"""Columns of the table and their names at the original."""
FORMATS = (".ipc", ".arrow", ".csv")


@dataclass(frozen=True)
class Exported:
    """What an export wrote."""

    path: Path
    parcels: int
    columns: int


def export_markers(
    system: System,
    site: str,
    season: str,
    path: Path,
    *,
    markers: Sequence[str] = (),
    statistics: Sequence[str] = ("mean", "stdev"),
    progress: Progress = no_progress,
) -> Exported:
    """Write the markers of a season as one wide table, Arrow IPC or CSV by the file's ending.

    Missing values are null, empty in CSV. Rows of former geometries are left out.

    Raises
    ------
    NotFound
        If there is no such site, season, marker or statistic.
    InvalidParameter
        If the file's ending tells no known format.
    NoInput
        If there are no markers.
    """
    _check(path, statistics)
    when = system.store.seasons.get(site, season)
    table = table_of(system, when)
    numbers = system.store.parcels.identities(site, when.year).parcels["NewID"].sort().to_list()
    homes = places_of(system, when, numbers)
    wide = _Wide(table, wanted_markers(table, markers), tuple(statistics))
    columns = wide.columns()
    if not columns:
        raise NoInput(f"Season '{season}' of '{site}' has no marker of any parcel.")
    with write_whole(path) as temporary:
        _write(temporary, columns, wide.chunks(homes, numbers, columns, progress))
    return Exported(path, len(numbers), len(columns) + 1)


def _check(path: Path, statistics: Sequence[str]) -> None:
    if path.suffix.lower() not in FORMATS:
        raise InvalidParameter(f"'{path.name}' must end in one of {', '.join(FORMATS)}.")
    for name in statistics:
        if name not in STATISTICS:
            raise NotFound(f"There is no statistic '{name}'; there are: {', '.join(STATISTICS)}.")


@dataclass(frozen=True)
class _Wide:
    table: MarkerTable
    markers: tuple[str, ...]
    statistics: tuple[str, ...]

    def columns(self) -> list[str]:
        """Names of all columns but the first, sorted."""
        names: set[str] = set()
        for marker in self.markers:
            found = self.table.acquisitions(marker)
            for statistic in self.statistics:
                names |= set(found.select(_column(marker, statistic)).to_series())
        return sorted(names)

    def chunks(
        self, homes: pl.DataFrame, numbers: Sequence[int], columns: Sequence[str], tell: Progress
    ) -> Iterator[pl.DataFrame]:
        """Rows of the wide table, some parcels at a time."""
        import polars as pl

        for first in range(0, len(numbers), CHUNK):
            tell(first / len(numbers), "writing parcels")
            here = pl.DataFrame({"NewID": numbers[first : first + CHUNK]}, {"NewID": pl.Int64})
            yield self._chunk(homes, here, columns)

    def _chunk(
        self, homes: pl.DataFrame, here: pl.DataFrame, columns: Sequence[str]
    ) -> pl.DataFrame:
        import polars as pl

        mine = homes.join(here, left_on="parcel", right_on="NewID", how="semi")
        current = {
            marker: self.table.read(marker, mine).filter(~pl.col("stale"))
            for marker in self.markers
        }
        cells = [
            rows.select("parcel", _column(marker, name).alias("column"), value=pl.col(name))
            for marker, rows in current.items()
            for name in self.statistics
        ]
        wide = pl.concat(cells).pivot(
            "column", index="parcel", values="value", aggregate_function="first"
        )
        absent = [pl.lit(None, pl.Float32).alias(name) for name in columns if name not in wide]
        rows = here.join(wide.with_columns(absent), left_on="NewID", right_on="parcel", how="left")
        return rows.select("NewID", *columns).sort("NewID")


def _column(marker: str, statistic: str) -> pl.Expr:
    """Name of the column of a row."""
    import polars as pl

    from sen4cap.processing.marker_table import is_radar

    date, told = pl.col("time").dt.strftime("%Y%m%d"), (STATISTICS[statistic], *type_of(marker))
    orbit = [pl.col("orbit").cast(pl.String).str.zfill(3)] if is_radar(marker) else []
    return pl.concat_str([date, *map(pl.lit, told), *orbit], separator="_", ignore_nulls=True)


def type_of(marker: str) -> tuple[str, ...]:
    """Type of a marker and its polarisation or band, in the original's words.

    `amp_vv` → AMP VV; `cohe_vh_12d` → COHE VH 12D; `b8a` → L2A B8A; `ndvi` → NDVI.
    """
    words = marker.upper().split("_")
    if words[0] in {"AMP", "COHE"}:
        return tuple(words)
    is_band = len(marker) == 3 and marker[0] == "b" and marker[1].isdigit()
    return ("L2A", marker.upper()) if is_band else (marker.upper(),)


def _write(path: Path, columns: Sequence[str], chunks: Iterator[pl.DataFrame]) -> None:
    import pyarrow as pa
    from pyarrow import csv, ipc

    schema = pa.schema([("NewID", pa.int64()), *((name, pa.float32()) for name in columns)])
    is_csv = path.suffix.lower() == ".csv"
    opened: Any = csv.CSVWriter(str(path), schema) if is_csv else ipc.new_file(str(path), schema)
    with opened as writer:
        for chunk in chunks:
            writer.write_table(chunk.to_arrow().cast(schema))
