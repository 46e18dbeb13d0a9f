"""The crop type report: one self-contained HTML page, the doubts first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from sen4cap.domain import Product, Season, Site
from sen4cap.geo.style import palette
from sen4cap.reports.agreement import figures_of
from sen4cap.reports.doubts import RED, disagrees, doubted, left_out, named
from sen4cap.reports.figures import MapClass, crop_map, parcel_curve
from sen4cap.reports.scores import Scores, codes, score
from sen4cap.reports.words import data_url, number, percent, within

LISTED = 25
"""Rows of the table of doubts."""
LIGHTS = (
    MapClass("conform", "conform", "#009e73"),
    MapClass("not decided", "not decided", "#f0e442"),
    MapClass("not conform", "not conform", "#d55e00"),
)
"""Values of `light`, and their colours."""


@dataclass(frozen=True)
class ParcelCurve:
    """A marker of one parcel over the season."""

    parcel: int
    """Its `NewID`."""
    series: pd.DataFrame
    """Columns `time` (UTC), `mean`, `stdev`, `count`; one row per clear date."""
    acquisitions: Sequence[datetime]
    """All dates of the season, UTC."""
    references: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Curves to compare with (columns `time`, `mean`), at most three, by what they are called."""
    marker: str = "NDVI"


@dataclass(frozen=True)
class CropReport:
    """What a crop type report tells."""

    title: str
    site: Site
    season: Season
    parcels: gpd.GeoDataFrame
    """All parcels: `NewID, ori_id, CT_decl, CT_pred_1, CT_conf_1, CT_pred_2, CT_conf_2, p_declared,
    light, sentence, reason, Area_meters`, geometry; with `CT_true` too, the report compares with
    the truth."""
    accuracy: Mapping[str, Any]
    """Content of the map's `accuracy.json`."""
    curve: ParcelCurve | None = None
    class_names: Mapping[int, str] = field(default_factory=dict)
    """Names of classes that `accuracy` does not name."""
    products: Sequence[Product] = ()
    """What the map was made from."""
    files: Sequence[Path] = ()
    """What was made."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Further facts: versions of software, parcels and processors."""


def write_crop_report(path: Path, report: CropReport) -> None:
    """Write the page as UTF-8 to `path` as given: wrap it in `sen4cap.processing.write_whole`."""
    path.write_text(build_crop_report(report), encoding="utf-8")


def build_crop_report(report: CropReport) -> str:
    """The page as HTML, with its pictures inside it; equal reports give equal text."""
    parcels = report.parcels.sort_values("NewID", kind="stable").reset_index(drop=True)
    names = _names(report)
    differs = disagrees(parcels)
    doubts = doubted(parcels, differs, names)
    numbers = {row["NewID"]: row["number"] for row in doubts[:LISTED]}
    return _template().render(
        report=report,
        figures=_key_figures(parcels, differs, report.accuracy),
        doubts=doubts[:LISTED],
        doubt_count=len(doubts),
        red_count=int((parcels["light"] == RED).sum()),
        left_out=left_out(parcels),
        left_out_count=int(parcels["CT_pred_1"].isna().sum()),
        scores=_scores(parcels),
        accuracy=figures_of(report.accuracy),
        crops_source=data_url(crop_map(parcels, _classes(parcels, names), differs, numbers)),
        lights_source=data_url(_light_map(parcels, numbers)),
        curve=_curve(report.curve, parcels, names),
        products=_product_counts(report.products),
        parameters=_parameters(report.accuracy),
    )


def _light_map(parcels: gpd.GeoDataFrame, numbers: Mapping[int, int]) -> bytes:
    red = (parcels["light"] == RED).to_numpy(dtype=bool, na_value=False)
    return crop_map(parcels, LIGHTS, red, numbers, column="light", outline=RED)


def parcel_to_show(parcels: pd.DataFrame) -> int:
    """`NewID` of the parcel whose curve tells most.

    The most confident disagreement above the median area; else the largest parcel with a result,
    else the largest of all.
    """
    area = parcels["Area_meters"].to_numpy(dtype="float64", na_value=0.0)
    sure = parcels["CT_conf_1"].to_numpy(dtype="float64", na_value=0.0)
    striking = disagrees(parcels) & (area >= np.median(area))
    rank = np.lexsort((parcels["NewID"], -area, -sure, ~(sure > 0), ~striking))
    if not striking.any():
        rank = np.lexsort((parcels["NewID"], -area, ~(sure > 0)))
    return int(parcels["NewID"].iloc[rank[0]])


def _names(report: CropReport) -> dict[int, str]:
    """Names by class code, those of the accuracy document before others."""
    known = {int(item["code"]): str(item["name"]) for item in report.accuracy.get("classes", [])}
    return known | {c: name for c, name in report.class_names.items() if c not in known}


def _classes(parcels: pd.DataFrame, names: Mapping[int, str]) -> list[MapClass]:
    """Predicted classes; coloured in the order of the names, as in the map's QGIS style."""
    found = set(pd.unique(parcels["CT_pred_1"].dropna()).astype(int))
    listed = [*names, *sorted(found - set(names))]
    coloured = zip(listed, palette(len(listed)), strict=True)
    return [
        MapClass(code, names.get(code, str(code)), colour)
        for code, colour in coloured
        if code in found
    ]


def _scores(parcels: pd.DataFrame) -> Scores | None:
    if "CT_true" not in parcels:
        return None
    columns = (codes(parcels[name]) for name in ("CT_decl", "CT_pred_1", "CT_true"))
    return score(*columns)


def _key_figures(
    parcels: pd.DataFrame, differs: npt.NDArray[np.bool_], accuracy: Mapping[str, Any]
) -> list[tuple[str, str]]:
    lights = parcels["light"].value_counts()
    return [
        (f"{len(parcels):,}", "parcels declared"),
        (f"{int(parcels['CT_pred_1'].notna().sum()):,}", "with a predicted crop"),
        *((f"{int(lights.get(item.code, 0)):,}", item.name) for item in LIGHTS),
        (f"{int(differs.sum()):,}", "differ from their declaration"),
        (percent(accuracy.get("overall_accuracy")), "agree with their declaration"),
    ]


def _curve(
    curve: ParcelCurve | None, parcels: pd.DataFrame, names: Mapping[int, str]
) -> dict[str, Any] | None:
    if curve is None:
        return None
    row = parcels[parcels["NewID"] == curve.parcel].iloc[0]
    drawing = parcel_curve(curve.series, curve.acquisitions, curve.references, curve.marker)
    declared, predicted = (named(pd.Series([row[key]]), names)[0] for key in _BOTH)
    return {
        "svg": Markup(drawing),  # noqa: S704 - our own drawing; its texts are escaped by the writer
        "parcel": row["ori_id"],
        "declared": declared or "no crop",
        "predicted": predicted or "nothing",
        "confidence": row["CT_conf_1"],
        "seen": len(curve.series),
        "dates": len(curve.acquisitions),
        "marker": curve.marker,
    }


_BOTH = ("CT_decl", "CT_pred_1")


def _product_counts(products: Sequence[Product]) -> list[dict[str, Any]]:
    """Products by type: how many, from when to when, made by what."""
    kinds = sorted({product.type for product in products})
    grouped = {kind: [item for item in products if item.type == kind] for kind in kinds}
    return [
        {
            "type": str(kind),
            "count": len(items),
            "first": min(item.date for item in items),
            "last": max(item.date for item in items),
            "processor": ", ".join(sorted({item.processor or "source" for item in items})),
            "names": sorted(item.name for item in items),
        }
        for kind, items in grouped.items()
    ]


def _parameters(accuracy: Mapping[str, Any]) -> list[tuple[str, str]]:
    given = accuracy.get("parameters", {})
    return [(str(key), str(value)) for key, value in sorted(given.items())]


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("sen4cap.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, number=number, within=within)
    return environment.get_template("crop_type.html.j2")
