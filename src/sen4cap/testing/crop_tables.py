"""Real tables of crops and series, as samples for the learner; see the READMEs of the test data.

Each set is split by its own rule into folds that a seed shuffles; the features are those of the
processor, with every column of a table as a period.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.kernels.blocks import balanced_folds, square_blocks
from sen4cap.kernels.features import (
    dyadic_intervals,
    interval_means,
    interval_quantiles,
    season_statistics,
)
from sen4cap.processing.marker_table import is_radar
from sen4cap.processors.l4a_crop_type.model import Sample

Series = Mapping[str, NDArray[np.float32]]

FOLDS = 5
BLOCK = 10_000.0
"""Edge of the blocks of a fold, metres."""
BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")
FEWEST = 8
"""Samples of a crop in France, at least."""


@dataclass(frozen=True)
class CropTable:
    """Series of parcels or pixels, and their crops."""

    series: Series
    """By marker, shape (n, periods); NaN is missing."""
    crop: NDArray[np.str_]
    block: NDArray[np.int64]
    """What shares a fold, shape (n,)."""

    def sample(self, seed: int, markers: Callable[[str], bool] = lambda _: True) -> Sample:
        """All of it as a sample in five folds, with the markers that are wanted."""
        names, target = np.unique(self.crop, return_inverse=True)
        wanted = [
            described(values, radar=is_radar(name))
            for name, values in self.series.items()
            if markers(name)
        ]
        fold = balanced_folds(self.block, FOLDS, seed)
        everyone = np.ones(len(target), bool)
        return Sample(np.concatenate(wanted, axis=1), target, len(names), everyone, fold)

    def plain(self) -> NDArray[np.float32]:
        """The series as they are, beside each other."""
        return np.concatenate(list(self.series.values()), axis=1)


def described(values: NDArray[np.float32], *, radar: bool) -> NDArray[np.float32]:
    """The processor's features of a series whose columns are its periods."""
    known = np.sum(~np.isnan(values), axis=1, keepdims=True)
    intervals = dyadic_intervals(values.shape[1])
    if radar:
        columns = [known, interval_means(values, intervals)]
    else:
        quantiles = interval_quantiles(values, intervals)
        columns = [values, season_statistics(values), known, quantiles]
    return np.concatenate(columns, axis=1).astype(np.float32)


def france(folder: Path) -> CropTable:
    """`fr_be_lpis_s1s2_timeseries`: temporary crops of fr2023_dekad with at least 8 samples.

    36 dekads from November 2022 to October 2023, the year of the crops of 2023.
    """
    given = pl.read_parquet(folder / "fr2023_dekad_samples.parquet").filter(
        ~pl.col("croptype24").is_in(["ignore", "no_crop"]),
        pl.len().over("croptype24") >= FEWEST,
    )
    samples = given.sort("sample_id")
    rows = pl.read_parquet(folder / "fr2023_dekad_ts.parquet").filter(
        pl.col("sample_id").is_in(samples["sample_id"].implode()),
        pl.col("date").is_between(pl.datetime(2022, 11, 1), pl.datetime(2023, 10, 31)),
    )
    series = {name.lower(): _matrix(rows, name) / 1e4 for name in BANDS}
    series |= indices(series)
    series |= {f"amp_{name.lower()}": _matrix(rows, f"{name}_dB") for name in ("VV", "VH")}
    series["amp_vvvh"] = series["amp_vv"] - series["amp_vh"]
    crop = samples["croptype24"].cast(pl.String).to_numpy().astype(str)
    longitude, latitude = samples["lon"].to_numpy(), samples["lat"].to_numpy()
    return CropTable(series, crop, _blocks(gpd.points_from_xy(longitude, latitude)))


def indices(bands: Series) -> Series:
    """NDVI, NDWI and brightness as the original has them."""
    red, green, near, short = (bands[name] for name in ("b04", "b03", "b08", "b11"))
    return {
        "ndvi": (near - red) / (near + red),
        "ndwi": (short - near) / (short + near),
        "brightness": np.sqrt(green**2 + red**2 + near**2 + short**2),
    }


def central_asia(folder: Path) -> CropTable:
    """`uz_tj_cawa_croptype_ndvi`: all 4,944 fields, `label_1` as crop: 33, 12 of them alone."""
    fields = gpd.read_parquet(folder / "parcels_ndvi.parquet")
    columns = [name for name in fields.columns if name.startswith("doy_")]
    values = fields[columns].to_numpy(np.float32)
    crop = fields["label_1"].astype(str).to_numpy().astype(str)
    return CropTable({"ndvi": values}, crop, _blocks(fields.geometry))


def toulouse(folder: Path) -> CropTable:
    """`fr_toulouse_formosat2006_crop24`: 3,602 pixels of 24 classes; places are not known."""
    pixels = pl.read_parquet(folder / "crop_ndvi46.parquet")
    values = pixels.select(pl.col("^t\\d+$").cast(pl.Float32)).to_numpy()
    crop = pixels["class"].cast(pl.String).to_numpy().astype(str)
    return CropTable({"ndvi": values}, crop, np.arange(len(crop)))


def _matrix(rows: pl.DataFrame, name: str) -> NDArray[np.float32]:
    """Samples in order of their name, dates in columns."""
    value = pl.col(name).cast(pl.Float32).fill_null(float("nan"))
    wide = rows.select("sample_id", "date", value).pivot(
        on="date", index="sample_id", values=name, sort_columns=True
    )
    return wide.sort("sample_id").drop("sample_id").to_numpy()


def _blocks(places: object) -> NDArray[np.int64]:
    points = gpd.GeoSeries(places, crs="EPSG:4326").representative_point().to_crs("EPSG:6933")
    return square_blocks(points.x.to_numpy(), points.y.to_numpy(), BLOCK)
