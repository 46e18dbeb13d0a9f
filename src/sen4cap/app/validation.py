"""Products against measurements in the field.

A measurement is a value of a place at a time. It is compared with every acquisition within some
days in which its pixel was seen; what several products tell of one acquisition counts once.
A table that holds reflectances beside the measurements needs no product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sen4cap.errors import (
    EmptyLayer,
    InputRefused,
    InvalidParameter,
    MissingColumn,
    NoInput,
    UnreadableFile,
)

if TYPE_CHECKING:
    import polars as pl

    from sen4cap.app.system import System
    from sen4cap.domain import Product
    from sen4cap.kernels.agreement import Agreement

ANGLE_COLUMNS = ("sun_zenith", "sun_azimuth", "view_zenith", "view_azimuth")
"""Degrees; of tables with reflectances."""
POINT = ("x", "y")


@dataclass(frozen=True)
class Asked:
    """What is compared."""

    table: Path
    """CSV, Parquet, or any vector format with points."""
    variable: str
    """Id: `lai`."""
    value: str
    """Column of the measurement."""
    time: str = "date"
    """Column of its day or instant, UTC."""
    crs: str | None = None
    """Of the columns `x` and `y`, where the table has no geometry."""
    days: float = 2.0
    """Most days between measurement and acquisition."""


@dataclass(frozen=True)
class Validation:
    """What came of it."""

    agreement: Agreement
    pairs: pl.DataFrame
    """Columns `measured`, `estimated`; of products also `time`, `product`, `row`."""

    def as_json(self) -> dict[str, Any]:
        """The figures; None where one is not defined."""
        figures = asdict(self.agreement)
        return {name: None if isnan(value) else value for name, value in figures.items()}


def of_products(system: System, site: str, asked: Asked) -> Validation:
    """Compare a site's L3B products with measurements.

    Raises
    ------
    NotFound
        If there is no such site.
    NoInput
        If no measurement meets a product.
    MissingColumn, InputRefused, UnreadableFile
        If the table cannot be used.
    """
    import polars as pl

    from sen4cap.domain import ProductType

    system.store.sites.get(site)
    measured = _points(asked)
    if measured.is_empty():
        raise EmptyLayer(f"'{asked.table}' has no row with a place, a time and a value: fill it.")
    within = timedelta(days=asked.days)
    times = cast("list[datetime]", measured["time"].to_list())
    first, last = min(times) - within, max(times) + within
    products = system.store.products.search(
        site, types=(ProductType.L3B,), start=first, end=last + timedelta(seconds=1)
    )
    found = list(_sampled(products, measured, asked.variable, within))
    if not any(len(part) for part in found):
        raise NoInput(
            f"No measurement of '{asked.table}' meets a clear '{asked.variable}' pixel of site "
            f"'{site}' within {asked.days:g} days: run 'l3b' for these days, or allow more."
        )
    pairs = pl.concat(found).unique(["row", "time"], keep="first", maintain_order=True)
    return _validation(pairs)


def of_spectra(asked: Asked, model: str = "s2toolbox") -> Validation:
    """Compare measurements with what the networks make of reflectances in the same table.

    Its columns are the bands (`B03`, reflectances 0-1), `sun_zenith`, `sun_azimuth`,
    `view_zenith` and `view_azimuth` in degrees, and `platform` where it is known.

    Raises
    ------
    MissingColumn
        If one of them is not there.
    InvalidParameter
        If there is no such model, or it has no network for the variable.
    """
    import polars as pl

    table = _tabular(asked.table)
    _need(table, asked, [asked.value, *ANGLE_COLUMNS])
    platforms = (
        table["platform"] if "platform" in table.columns else pl.repeat("", len(table), eager=True)
    )
    rows = table.with_columns(platform=platforms).with_row_index("row")
    parts = [
        _of_platform(part, asked, model)
        for _, part in rows.group_by("platform", maintain_order=True)
    ]
    return _validation(pl.concat(parts).sort("row"))


def _of_platform(rows: pl.DataFrame, asked: Asked, model: str) -> pl.DataFrame:
    import numpy as np
    import polars as pl

    from sen4cap.kernels.biophysical import estimate
    from sen4cap.processing.networks import Model, network_for

    try:
        network = network_for(Model(model), rows["platform"][0])
    except ValueError as error:
        known = ", ".join(Model)
        raise InvalidParameter(f"There is no model '{model}': give one of {known}.") from error
    if network is None or asked.variable not in network.outputs:
        raise InvalidParameter(f"Model '{model}' has no network for '{asked.variable}'.")
    _need(rows, asked, network.bands)
    sun, sun_azimuth, view, view_azimuth = (
        np.radians(rows[name].to_numpy().astype(float)) for name in ANGLE_COLUMNS
    )
    angles = np.cos(view), np.cos(sun), np.cos(sun_azimuth - view_azimuth)
    inputs = [*(rows[band].to_numpy() for band in network.bands), *angles]
    values = estimate(network.only([asked.variable]), inputs).values[0]
    return rows.select("row", measured=pl.col(asked.value).cast(pl.Float64)).with_columns(
        estimated=pl.Series(values.astype(float))
    )


def _validation(pairs: pl.DataFrame) -> Validation:
    from sen4cap.kernels.agreement import agreement

    found = agreement(pairs["estimated"].to_numpy(), pairs["measured"].to_numpy())
    return Validation(found, pairs)


def picture(found: Validation, asked: Asked, title: str = "") -> bytes:
    """PNG of the pairs."""
    from sen4cap.reports.scatter import scatter_plot

    pairs = found.pairs
    return scatter_plot(
        pairs["estimated"].to_numpy(),
        pairs["measured"].to_numpy(),
        found.agreement,
        name=asked.variable.upper(),
        title=title,
    )


def _tabular(path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        return pl.read_csv(path, try_parse_dates=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UnreadableFile(
            f"'{path}' cannot be read as a table: give CSV, Parquet, or a vector file with points."
        ) from error


def _points(asked: Asked) -> pl.DataFrame:
    """Measurements: row, time (UTC), measured, longitude, latitude; those that are whole."""
    import polars as pl

    table = _tabular(asked.table) if _is_plain(asked.table) else _of_vector(asked.table)
    _need(table, asked, [asked.value, asked.time, *POINT])
    crs = asked.crs or (str(table["crs"][0]) if "crs" in table.columns and len(table) else None)
    if crs is None:
        raise InputRefused(
            f"'{asked.table}' does not tell the system of its x and y: give it with --crs."
        )
    longitude, latitude = _degrees(table, crs)
    return table.with_row_index("row").select(
        "row",
        time=_instants(table, asked),
        measured=pl.col(asked.value).cast(pl.Float64),
        longitude=longitude,
        latitude=latitude,
    ).drop_nulls()  # fmt: skip


def _is_plain(path: Path) -> bool:
    return path.suffix.lower() in {".csv", ".parquet"}


def _of_vector(path: Path) -> pl.DataFrame:
    import polars as pl

    from sen4cap.geo.vector import read_vector

    frame = read_vector(path)
    centre = frame.geometry.representative_point()
    columns = frame.drop(columns=frame.geometry.name).assign(
        x=centre.x, y=centre.y, crs=str(frame.crs)
    )
    return pl.from_pandas(columns)


def _degrees(table: pl.DataFrame, crs: str) -> tuple[pl.Series, pl.Series]:
    import polars as pl

    from sen4cap.geo.crs import transformer

    x, y = (table[name].to_numpy() for name in POINT)
    longitude, latitude = transformer(crs, "EPSG:4326").transform(x, y)
    return pl.Series(longitude), pl.Series(latitude)


def _instants(table: pl.DataFrame, asked: Asked) -> pl.Series:
    import polars as pl

    times = table[asked.time]
    if times.dtype == pl.String:
        times = times.str.to_datetime(strict=False, time_zone="UTC")
    elif times.dtype == pl.Date:
        times = times.cast(pl.Datetime("us")).dt.offset_by("12h")
    elif not isinstance(times.dtype, pl.Datetime):
        raise InputRefused(
            f"Column '{asked.time}' of '{asked.table}' holds no dates: name another."
        )
    zone = getattr(times.dtype, "time_zone", None)
    return times.dt.convert_time_zone("UTC") if zone else times.dt.replace_time_zone("UTC")


def _need(table: pl.DataFrame, asked: Asked, columns: Sequence[str]) -> None:
    for name in columns:
        if name not in table.columns:
            known = ", ".join(table.columns)
            raise MissingColumn(f"'{asked.table}' has no column '{name}'; it has: {known}.")


def _sampled(
    products: Sequence[Product], measured: pl.DataFrame, variable: str, within: timedelta
) -> Iterator[pl.DataFrame]:
    """Pairs of each product: those that were seen."""
    import polars as pl

    for product in products:
        near = measured.filter((pl.col("time") - product.start).abs() <= within)
        assets: Mapping[str, Any] = {asset.name: asset for asset in product.assets}
        if variable not in assets or near.is_empty():
            continue
        values = _at(assets[variable], near)
        yield (
            near.with_columns(
                estimated=pl.Series(values),
                time=pl.lit(product.start),
                product=pl.lit(product.name),
            )
            .filter(pl.col("estimated").is_not_nan())
            .select("row", "time", "product", "measured", "estimated")
        )


def _at(asset: Any, places: pl.DataFrame) -> Any:
    """Physical values of a raster at some places, shape (n,); NaN where missing or outside."""
    import numpy as np

    from sen4cap.geo.crs import transformer
    from sen4cap.geo.raster import grid_of, open_asset, sample

    grid = grid_of(asset.href, "raster")
    x, y = transformer("EPSG:4326", grid.crs).transform(
        places["longitude"].to_numpy(), places["latitude"].to_numpy()
    )
    with open_asset(asset) as dataset:
        return sample(dataset, asset, np.column_stack([x, y])).astype(float)
