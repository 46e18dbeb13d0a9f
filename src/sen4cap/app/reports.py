"""Reports: pages that people read, made from products."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sen4cap.domain import Asset, Product, ProductType, Role
from sen4cap.processing import Context, Step, write_whole

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    from geopandas import GeoDataFrame

    from sen4cap.reports import ParcelCurve

CURVE_MARKERS = ("ndvi",)
"""Markers to draw the curve of, the first that is there."""
CURVE_COLUMNS = ("time", "mean", "stdev", "count")
MOST_PARCELS = 2000
"""Of a crop, to draw its curve from: the first by `NewID`."""


def with_report(context: Context, step: Step, product: Product) -> Product:
    """The product with its page and plot as further assets, where there are such for its type.

    Made where the step runs: they read files that the step read or wrote, and nothing else.
    """
    if product.type is not ProductType.L4A:
        return product
    folder = Path(product.asset("accuracy.json").href).parent
    plot = folder / f"Accuracy_metrics_plot_r{product.revision[:8]}.png"
    write_crop_plot(product, plot)
    picture = Asset("Accuracy_metrics_plot.png", str(plot), Role.OVERVIEW, "image/png")
    drawn = replace(product, assets=(*product.assets, picture))
    path = folder.parent / "report.html"
    write_crop_report(context, step, drawn, path)
    page = Asset("report.html", str(path), Role.OVERVIEW, "text/html")
    return replace(drawn, assets=(*drawn.assets, page))


def write_crop_plot(product: Product, path: Path) -> None:
    """Draw the F1 of each crop of a crop type product, the largest first."""
    from sen4cap.reports import class_picture

    with write_whole(path) as temporary:
        temporary.write_bytes(class_picture(_accuracy(product)["per_class"]))


def _accuracy(product: Product) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        Path(product.asset("accuracy.json").href).read_text("utf-8")
    )
    return document


def write_crop_report(
    context: Context,
    step: Step,
    product: Product,
    path: Path,
    truth: pd.DataFrame | None = None,
) -> None:
    """Write the page of a crop type product; with `truth` it compares with what grew."""
    from sen4cap import __version__
    from sen4cap.geo.vector import read_parcels
    from sen4cap.reports import CropReport, parcel_to_show, with_truth
    from sen4cap.reports import write_crop_report as write

    parcels = read_parcels(Path(product.asset("CropType.parquet").href))
    report = CropReport(
        title=f"Crop types: {product.site}, season {context.season.name}",
        site=context.site,
        season=context.season,
        parcels=parcels if truth is None else with_truth(parcels, truth),
        accuracy=_accuracy(product),
        curve=_curve(context, step, parcels, parcel_to_show(parcels)),
        class_names=_class_names(context),
        products=step.inputs,
        files=[Path(Path(asset.href).name) for asset in product.assets],
        provenance={"Made with": f"sen4cap {__version__}", "Product": product.name},
    )
    with write_whole(path) as temporary:
        write(temporary, report)


def _class_names(context: Context) -> dict[int, str]:
    """Names of the classes by code; none without a crop table."""
    import polars as pl

    if context.lut is None:
        return {}
    lut = pl.read_parquet(context.lut, columns=["ctnuml4a", "ctl4a"])
    return dict(zip(lut["ctnuml4a"], lut["ctl4a"], strict=True))


def _curve(context: Context, step: Step, parcels: GeoDataFrame, number: int) -> ParcelCurve | None:
    """The curve of one parcel, beside the middle of the crops it is declared and predicted as."""
    from sen4cap.processing.homes import homes_in
    from sen4cap.processing.marker_table import MarkerTable, acquisitions_of
    from sen4cap.reports import ParcelCurve

    table = MarkerTable.of(context.archive, context.season)
    marker = next((name for name in CURVE_MARKERS if name in table.markers()), None)
    if marker is None:
        return None
    homes = partial(homes_in, context.parcels.path, context.grids)
    read = partial(table.read, marker, acquisitions=acquisitions_of(step.inputs))
    return ParcelCurve(
        parcel=number,
        series=read(homes([number]), columns=CURVE_COLUMNS).to_pandas(),
        acquisitions=sorted({item.start for item in step.inputs}),
        references={
            title: _median(read(homes(numbers), columns=("time", "mean", "stale")))
            for title, numbers in references(parcels, number).items()
        },
        marker=marker.upper(),
    )


def references(parcels: GeoDataFrame, number: int) -> dict[str, list[int]]:
    """Parcels to compare one with: those that agree, of the crops this one is said to be."""
    row = parcels.loc[parcels["NewID"] == number].iloc[0]
    agree = parcels[(parcels["CT_decl"] == parcels["CT_pred_1"]).fillna(value=False)]
    found = {}
    for said, what in (("CT_decl", "declared"), ("CT_pred_1", "predicted")):
        if row.isna()[said]:
            continue
        same = agree.loc[agree["CT_decl"] == row[said], ["NewID", "CT_decl_name"]]
        if same.empty:
            continue
        title = f"{what}: {same['CT_decl_name'].iloc[0]}"
        found[title] = same["NewID"].sort_values().head(MOST_PARCELS).tolist()
    return found


def _median(rows: pl.DataFrame) -> pd.DataFrame:
    """Median of the parcels at each date, stale rows left out: `time` and `mean`."""
    import polars as pl

    current = rows.filter(~pl.col("stale"))
    return current.group_by("time").agg(pl.col("mean").median()).sort("time").to_pandas()
