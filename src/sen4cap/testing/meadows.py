"""Swiss and Slovak meadows with observed events, and ten with radar: series and truth.

Camera plots and points of S. Opravil's data set, ten parcels of the JRC; see the READMEs of the
data sets. LAI and FAPAR come from reflectances by the 10 m networks; the data tell no angles: the
sun stands as at 10:30 and the satellite 5° off the zenith.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.kernels.biophysical import estimate
from sen4cap.kernels.mowing import Kind
from sen4cap.kernels.mowing_labels import Truth
from sen4cap.kernels.series import Series
from sen4cap.processing.networks import Model, network_for

CLEAR = 0.6
"""Cloud score (cs_cdf) from which a date is clear."""
LATITUDE, VIEW = 47.5, 5.0
OPTICAL = ("ndvi", "lai", "fapar")
RADAR = ("cohe_vv", "cohe_vh", "amp_vv", "amp_vh", "pixels")
FIRST, LAST = (3, 15), (11, 15)
"""Season in which candidates are looked for."""


class Field(NamedTuple):
    """n parcels in one year each."""

    region: NDArray[np.str_]
    plot: NDArray[np.str_]
    year: NDArray[np.int64]
    optical: Series
    radar: Series | None
    truth: Truth

    @property
    def place(self) -> NDArray[np.str_]:
        """What lies together: a village's plots, a camera's."""
        return np.array([_place(*item) for item in zip(self.region, self.plot, strict=True)])

    def take(self, rows: NDArray[np.bool_]) -> Field:
        """Some of the parcels, numbered anew."""
        number = np.cumsum(rows) - 1
        kept = rows[self.truth.parcel]
        truth = self.truth.take(kept)
        return Field(
            self.region[rows],
            self.plot[rows],
            self.year[rows],
            taken(self.optical, rows),
            None if self.radar is None else taken(self.radar, rows),
            truth._replace(parcel=number[truth.parcel].astype(np.int64)),
        )

    def day(self, month: int, day: int) -> NDArray[np.int64]:
        """A day of each parcel's year, since 1970-01-01."""
        days = [np.datetime64(f"{year}-{month:02}-{day:02}", "D") for year in self.year]
        return np.array(days, "datetime64[D]").astype(np.int64)


def cameras(folder: Path) -> Field:
    """Plots in the view of cameras: all mowings and grazings of a year are known."""
    keys = ("region", "plot_id", "year")
    events = pl.read_parquet(folder / "camera_events.parquet")
    rows = pl.read_parquet(folder / "camera_s2_ts.parquet").with_columns(pl.col("year").cast(int))
    plots = rows.select(keys).unique().sort(keys).with_row_index("parcel")
    events = events.with_columns(pl.col("year").cast(int)).join(plots, on=keys)
    return _field(plots, rows.join(plots, on=keys), None, events)


def points(folder: Path) -> Field:
    """Slovak points with known mowings, or none, and such as are never mown by their land use."""
    keys = ("plot_id", "year")
    events = pl.read_parquet(folder / "gmi_events.parquet").with_columns(pl.col("year").cast(int))
    never = _never_mown(folder / "gmi_plots.gpkg")
    years = pl.DataFrame({"year": [2021, 2022, 2023]}, schema={"year": pl.Int64})
    known = pl.concat(
        [events.select("region", *keys), never.join(years, how="cross").select("region", *keys)]
    )
    plots = known.unique().sort("region", *keys).with_row_index("parcel")
    year = pl.col("date").dt.year().cast(pl.Int64).alias("year")
    rows = pl.read_parquet(folder / "gmi_s2_ts.parquet").with_columns(year).drop("region")
    mown = events.filter(pl.col("event") == "mowing").join(plots.drop("region"), on=keys)
    mown = mown.with_columns(end_date=pl.col("date"))
    return _field(plots, rows.join(plots, on=keys), _point_radar(folder, plots), mown)


def salms(folder: Path) -> Field:
    """Ten meadows of the JRC: NDVI, weekly pairs of six days, and dated events of one kind.

    The data name no orbit, so that pairs are of track -1; their dates are taken for those of the
    later image. Backscatter is left out: its bands are not explained.
    """
    events = pl.read_csv(folder / "events.csv", try_parse_dates=True)
    rows = pl.read_parquet(folder / "signals.parquet").with_columns(
        parcel=pl.col("parcel_id") - 1, date=pl.col("datetime").dt.date()
    )
    keys = ("parcel", "date")
    ndvi = rows.filter(pl.col("band") == "NDVI").group_by(keys).agg(ndvi=pl.col("MEAN").mean())
    pairs = [
        rows.filter(pl.col("band") == f"s1_coh6_{name}").select(
            *keys, pixels="count", **{f"cohe_{name.lower()}": "MEAN"}
        )
        for name in ("VV", "VH")
    ]
    radar = pairs[0].join(pairs[1].drop("pixels"), on=keys).with_columns(span=pl.lit(6))
    days = events.select(parcel=pl.col("parcel_id") - 1, date="event_date", end_date="event_date")
    return Field(
        np.full(10, "SALMS"),
        np.arange(1, 11).astype(str),
        np.full(10, 2020),
        series(ndvi, OPTICAL, 10),
        series(radar, RADAR, 10),
        _truth(days.with_columns(event=pl.lit("mowing"))),
    )


def _never_mown(path: Path) -> pl.DataFrame:
    import pyogrio

    table = pyogrio.read_dataframe(path, read_geometry=False)
    table = table[table["MowingPres"] == 0]
    return pl.DataFrame({name: table[name].to_list() for name in ("region", "plot_id")})


def _point_radar(folder: Path, plots: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("date2").alias("date")
    span = (pl.col("date2") - pl.col("date1")).dt.total_days().cast(pl.Int16).alias("span")
    pairs = pl.read_parquet(folder / "gmi_coh_ts.parquet").select(
        "plot_id", day, span, pl.lit(175, pl.Int16).alias("track"), cohe_vv="b1", cohe_vh="b2"
    )
    images = pl.read_parquet(folder / "gmi_s1_ts.parquet").select(
        "plot_id", "date", pl.lit(0, pl.Int16).alias("span"),
        pl.col("rel_orbit").cast(pl.Int16).alias("track"), amp_vv="VV_dB", amp_vh="VH_dB",
    )  # fmt: skip
    both = pl.concat([pairs, images], how="diagonal")
    both = both.with_columns(
        pl.col("date").dt.year().cast(pl.Int64).alias("year"), pl.lit(1.0).alias("pixels")
    )
    return both.join(plots, on=("plot_id", "year"))


def _field(
    plots: pl.DataFrame, rows: pl.DataFrame, radar: pl.DataFrame | None, events: pl.DataFrame
) -> Field:
    clear = rows.filter(pl.col("cs_cdf") >= CLEAR, pl.col("ndvi").is_not_null())
    clear = clear.filter(pl.col("ndvi").is_not_nan())
    seen = clear.group_by("parcel", "date").agg(pl.col("ndvi", "green", "red", "nir").mean())
    seen = _with_variables(seen.sort("parcel", "date"))
    return Field(
        plots["region"].to_numpy().astype(str),
        plots["plot_id"].to_numpy().astype(str),
        plots["year"].to_numpy(),
        series(seen, OPTICAL, len(plots)),
        None if radar is None else series(radar, RADAR, len(plots)),
        _truth(events),
    )


def _with_variables(seen: pl.DataFrame) -> pl.DataFrame:
    family = network_for(Model.S2TOOLBOX_10M, "sentinel-2a")
    assert family is not None
    network = family.only([name for name in family.outputs if name.lower() in OPTICAL])
    bands = [seen[name].to_numpy().astype(np.float32) for name in ("green", "red", "nir")]
    sun = _sun(seen["date"].dt.ordinal_day().to_numpy())
    view, away = np.cos(np.radians([VIEW])).astype(np.float32), np.zeros(1, np.float32)
    found = estimate(network, [*bands, view, sun, away]).values
    return seen.with_columns(
        pl.Series(name.lower(), value) for name, value in zip(network.outputs, found, strict=True)
    )


def _sun(day: NDArray[np.integer]) -> NDArray[np.float32]:
    """Cosine of the sun's zenith an hour and a bit before noon."""
    declination = np.radians(-23.44) * np.cos(2 * np.pi * (day + 10) / 365)
    latitude, hour = np.radians(LATITUDE), np.radians(-4.5)
    up = np.sin(latitude) * np.sin(declination)
    cosine = up + np.cos(latitude) * np.cos(declination) * np.cos(hour)
    return np.asarray(cosine, np.float32)


def series(rows: pl.DataFrame, signals: Sequence[str], parcels: int) -> Series:
    """Rows `parcel, date, track, span` and signals, as series; track and span may be absent."""
    defaults = {"track": -1, "span": 0} | dict.fromkeys(signals, np.nan)
    absent = [pl.lit(value).alias(name) for name, value in defaults.items() if name not in rows]
    rows = rows.with_columns(absent).sort("parcel", "date", "track", "span", maintain_order=True)
    start = np.searchsorted(rows["parcel"].to_numpy(), np.arange(parcels + 1))
    values = [rows[name].cast(pl.Float32).fill_null(np.nan).to_numpy() for name in signals]
    return Series(
        start.astype(np.int64),
        rows["date"].cast(pl.Date).to_physical().to_numpy().astype(np.int32),
        np.stack(values),
        rows["track"].cast(pl.Int16).to_numpy(),
        rows["span"].cast(pl.Int16).to_numpy(),
    )


def taken(given: Series, rows: NDArray[np.bool_]) -> Series:
    """The series of some parcels."""
    count = np.diff(given.start)
    kept = np.repeat(rows, count)
    start = np.concatenate([[0], np.cumsum(count[rows])])
    return Series(
        start, given.day[kept], given.values[:, kept], given.track[kept], given.span[kept]
    )


def _truth(events: pl.DataFrame) -> Truth:
    days = pl.col("date", "end_date").cast(pl.Date).to_physical()
    ordered = events.with_columns(pl.col("end_date").fill_null(pl.col("date"))).sort(
        "parcel", "date"
    )
    ordered = ordered.with_columns(days)
    kind = np.where(ordered["event"].to_numpy() == "mowing", Kind.MOWING, Kind.GRAZING)
    return Truth(
        ordered["parcel"].to_numpy().astype(np.int64),
        ordered["date"].to_numpy().astype(np.int32),
        ordered["end_date"].to_numpy().astype(np.int32),
        kind.astype(np.uint8),
    )


def _place(region: str, plot: str) -> str:
    if region == "CH":
        return f"CH {plot[:-1] if plot[-1].isalpha() else plot}"
    return f"SK {plot.rpartition('_')[0] or plot}"
