"""The crop type report: one self-contained HTML page, the errors first."""

from __future__ import annotations

import math
from base64 import b64encode
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

from sen4cap.domain import Product, Reason, Season, Site
from sen4cap.geo.style import palette
from sen4cap.reports.figures import MapClass, crop_map, parcel_curve
from sen4cap.reports.scores import Scores, codes, score

LISTED = 25
"""Rows of the table of errors."""


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
    """All parcels: `NewID, ori_id, CT_decl, CT_pred_1, CT_conf_1, CT_pred_2, CT_conf_2, reason,
    Area_meters`, geometry; with `CT_true` too, the report compares with the truth."""
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
    errors = _errors(parcels, differs, names)
    classes = _classes(parcels, names)
    numbers = {row["NewID"]: row["number"] for row in errors[:LISTED]}
    return _template().render(
        report=report,
        figures=_key_figures(parcels, differs, report.accuracy),
        errors=errors[:LISTED],
        error_count=len(errors),
        left_out=_left_out(parcels),
        left_out_count=int(parcels["CT_pred_1"].isna().sum()),
        scores=_scores(parcels),
        confusion=_confusion(report.accuracy),
        per_class=report.accuracy.get("per_class", []),
        map_source=_data_url(crop_map(parcels, classes, differs, numbers)),
        curve=_curve(report.curve, parcels, names),
        products=_product_counts(report.products),
        parameters=_parameters(report.accuracy),
    )


def disagrees(parcels: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which parcels are predicted as another class than declared, shape (parcel,)."""
    declared, predicted = codes(parcels["CT_decl"]), codes(parcels["CT_pred_1"])
    known = ~np.isnan(declared) & ~np.isnan(predicted)
    return np.asarray(known & (declared != predicted))


def parcel_to_show(parcels: pd.DataFrame) -> int:
    """`NewID` of the parcel whose curve tells most.

    The most confident disagreement above the median area; else the largest parcel with a result,
    else the largest of all.
    """
    area = parcels["Area_meters"].to_numpy(dtype="float64", na_value=0.0)
    sure = parcels["CT_conf_1"].to_numpy(dtype="float64", na_value=0.0)
    large = area >= np.median(area)
    rank = np.lexsort((parcels["NewID"], -area, -sure, ~(sure > 0), ~(disagrees(parcels) & large)))
    if not (disagrees(parcels) & large).any():
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


def _errors(
    parcels: pd.DataFrame, differs: npt.NDArray[np.bool_], names: Mapping[int, str]
) -> list[dict[str, Any]]:
    """Parcels whose prediction differs from the declaration, the most confident first."""
    rows = parcels.loc[differs].sort_values(
        ["CT_conf_1", "Area_meters", "NewID"], ascending=[False, False, True], kind="stable"
    )
    named = pd.DataFrame(
        {
            "number": np.arange(1, len(rows) + 1),
            "NewID": rows["NewID"].astype(int),
            "ori_id": rows["ori_id"].astype(str),
            "area": rows["Area_meters"].astype(float) / 1e4,
            "declared": _named(rows["CT_decl"], names),
            "predicted": _named(rows["CT_pred_1"], names),
            "confidence": rows["CT_conf_1"].astype(float),
            "second": _named(rows["CT_pred_2"], names),
            "second_confidence": rows["CT_conf_2"].astype(float),
        }
    )
    if "CT_true" in rows:
        named["verdict"] = _verdicts(rows)
        named["truth"] = _named(rows["CT_true"], names)
    return list(named.to_dict("records"))


def _named(column: pd.Series, names: Mapping[int, str]) -> pd.Series:
    return column.map(
        lambda code: "" if pd.isna(code) else names.get(int(code), str(int(code)))
    ).astype(object)


def _verdicts(rows: pd.DataFrame) -> npt.NDArray[np.object_]:
    declared, predicted, truth = (
        codes(rows[column]) for column in ("CT_decl", "CT_pred_1", "CT_true")
    )
    verdict = np.full(len(rows), "both wrong", dtype=object)
    verdict[predicted == truth] = "declaration wrong"
    verdict[declared == truth] = "map wrong"
    verdict[np.isnan(truth)] = "unknown"
    return verdict


def _left_out(parcels: pd.DataFrame) -> list[dict[str, Any]]:
    """Count, share of the area and sentence per reason, the most frequent first."""
    missing = parcels[parcels["CT_pred_1"].isna()]
    reasons = missing["reason"].fillna("").astype(str)
    groups = missing.groupby(reasons)["Area_meters"].agg(["size", "sum"])
    ordered = groups.sort_index().sort_values("size", ascending=False, kind="stable")
    return [
        {"reason": code, "count": count, "area": area / 1e4, "sentence": sentence_of(code)}
        for code, count, area in zip(ordered.index, ordered["size"], ordered["sum"], strict=True)
    ]


def sentence_of(reason: str) -> str:
    """What a reason code means, also of one that this version does not know."""
    try:
        return Reason(reason).sentence
    except ValueError:
        return f"Reason '{reason}'." if reason else "No reason was recorded."


def _scores(parcels: pd.DataFrame) -> Scores | None:
    if "CT_true" not in parcels:
        return None
    columns = (codes(parcels[name]) for name in ("CT_decl", "CT_pred_1", "CT_true"))
    return score(*columns)


def _key_figures(
    parcels: pd.DataFrame, differs: npt.NDArray[np.bool_], accuracy: Mapping[str, Any]
) -> list[tuple[str, str]]:
    predicted = int(parcels["CT_pred_1"].notna().sum())
    return [
        (f"{len(parcels):,}", "parcels declared"),
        (f"{predicted:,}", "with a predicted crop"),
        (f"{int(differs.sum()):,}", "differ from their declaration"),
        (percent(accuracy.get("overall_accuracy")), "agree with their declaration"),
    ]


def _confusion(accuracy: Mapping[str, Any]) -> dict[str, Any]:
    """Rows predicted, columns declared; heat is the share of the declared class, 0-1."""
    counts = np.asarray(accuracy.get("confusion", []), dtype=np.float64)
    names = [str(item["name"]) for item in accuracy.get("classes", [])]
    if counts.ndim != 2:
        return {"names": [], "rows": []}
    totals = counts.sum(axis=0)
    heat = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    cells = [
        [(int(count), float(share)) for count, share in zip(row, shares, strict=True)]
        for row, shares in zip(counts, heat, strict=True)
    ]
    rows = zip(names, cells, counts.sum(axis=1).astype(int).tolist(), strict=True)
    return {"names": names, "rows": list(rows), "totals": totals.astype(int).tolist()}


def _curve(
    curve: ParcelCurve | None, parcels: pd.DataFrame, names: Mapping[int, str]
) -> dict[str, Any] | None:
    if curve is None:
        return None
    row = parcels[parcels["NewID"] == curve.parcel].iloc[0]
    drawing = parcel_curve(curve.series, curve.acquisitions, curve.references, curve.marker)
    declared, predicted = (_named(pd.Series([row[key]]), names)[0] for key in _BOTH)
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


def _data_url(picture: bytes) -> str:
    return "data:image/png;base64," + b64encode(picture).decode()


def percent(share: float | None, digits: int = 1) -> str:
    """A share (0-1) in per cent; a dash where it is missing or NaN."""
    if share is None or pd.isna(share) or math.isinf(share):
        return "–"
    return f"{100 * share:.{digits}f} %"


def number(value: float | None, digits: int = 2) -> str:
    """A number with fixed digits; a dash where it is missing or NaN."""
    return "–" if value is None or pd.isna(value) else f"{value:,.{digits}f}"


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("sen4cap.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, number=number)
    return environment.get_template("crop_type.html.j2")
