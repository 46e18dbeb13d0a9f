"""Series of parcels, taken from the marker table.

Memory: about 60 bytes per row of the markers that are read, of the parcels that are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.kernels.series import Series
from sen4cap.processing.marker_table import MarkerTable

COLUMNS = ("parcel", "time", "orbit", "mean", "count", "stale")
SPAN = re.compile(r"(?P<signal>.+)_(?P<days>\d+)d")
"""Marker of a pair of images: `cohe_vh_12d`."""
KEYS = ("parcel", "day", "track", "span")


class Marker(NamedTuple):
    """A marker of the table, as a signal."""

    name: str
    signal: str
    """`cohe_vh`."""
    span: int
    """Days between the images of a pair; 0 where it does not tell."""


@dataclass(frozen=True)
class Reader:
    """Where the series of one sensor come from."""

    table: MarkerTable
    acquisitions: pl.DataFrame
    """`time`, `grid`: those that are read."""
    places: pl.DataFrame
    """`parcel`, `geom_hash`, `grid`: where each parcel's rows are; sorted by parcel."""
    signals: Sequence[str]
    """Rows of the values of its series, in order; the number of pixels follows them."""
    keys: Sequence[str] = KEYS
    """What there is one observation of; of several the one with the most pixels is taken."""

    def series(self, parcels: NDArray[np.int64]) -> Series:
        """Observations of some parcels, sorted by parcel and day.

        `parcels`: numbers, ascending, shape (n,). Rows of a former geometry are left out. Rows of
        the values are the signals and last the number of pixels; what a marker has not seen is
        NaN.
        """
        rows = self._rows(parcels)
        start = np.searchsorted(rows["parcel"].to_numpy(), parcels).astype(np.int64)
        values = [rows[name].to_numpy() for name in (*self.signals, "pixels")]
        return Series(
            np.append(start, rows.height),
            rows["day"].to_numpy(),
            np.stack(values).astype(np.float32, copy=False),
            rows["track"].to_numpy(),
            rows["span"].to_numpy(),
        )

    def _rows(self, parcels: NDArray[np.int64]) -> pl.DataFrame:
        chosen = pl.col("parcel").is_between(int(parcels[0]), int(parcels[-1]))
        places = self.places.filter(chosen)
        numbers = pl.DataFrame({"parcel": parcels})
        places = places.join(numbers, on="parcel", how="semi")
        found = [self._of(marker, places) for marker in markers_of(self.table, self.signals)]
        if len(found) == 1:
            return self._completed(found[0])
        columns = [*self.signals, "pixels"]
        together = pl.concat([_NOTHING, *found], how="diagonal")
        first = [pl.col(name).drop_nulls().first() for name in columns if name in together.columns]
        return self._completed(together.group_by(KEYS).agg(first).sort(KEYS))

    def _of(self, marker: Marker, places: pl.DataFrame) -> pl.DataFrame:
        rows = self.table.read(marker.name, places, self.acquisitions, columns=COLUMNS)
        return rows.filter(~pl.col("stale")).select(
            "parcel",
            day=pl.col("time").dt.date().cast(pl.Int32),
            track=pl.col("orbit").fill_null(-1),
            span=pl.lit(marker.span, pl.Int16),
            pixels=pl.col("count"),
            **{marker.signal: _physical(marker)},
        )

    def _completed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with a column of each signal, one per key."""
        absent = [name for name in (*self.signals, "pixels") if name not in rows.columns]
        whole = rows.with_columns(pl.lit(np.nan, pl.Float32).alias(name) for name in absent)
        whole = whole.fill_null(np.nan)
        same = pl.all_horizontal(pl.col(key) == pl.col(key).shift() for key in self.keys)
        if not whole.select(same.any()).item():
            return whole
        ranked = whole.sort(*self.keys, "pixels", descending=[False] * len(self.keys) + [True])
        return ranked.unique(self.keys, keep="first", maintain_order=True)


def _physical(marker: Marker) -> pl.Expr:
    """The mean of a marker; backscatter, which may be power or decibels already, in decibels.

    Power is above 0, and decibels of land are below.
    """
    mean = pl.col("mean")
    if not marker.signal.startswith("amp_"):
        return mean
    return pl.when(mean > 0).then(10 * mean.log10()).otherwise(mean).cast(pl.Float32)


_NOTHING = pl.DataFrame(
    schema={
        "parcel": pl.Int64,
        "day": pl.Int32,
        "track": pl.Int16,
        "span": pl.Int16,
        "pixels": pl.Float32,
    }
)


def markers_of(table: MarkerTable, signals: Sequence[str]) -> tuple[Marker, ...]:
    """The markers of a table that hold one of some signals, sorted by name."""
    found = (_marker(name) for name in table.markers())
    return tuple(marker for marker in found if marker.signal in signals)


def _marker(name: str) -> Marker:
    pair = SPAN.fullmatch(name)
    return Marker(name, pair["signal"], int(pair["days"])) if pair else Marker(name, name, 0)
