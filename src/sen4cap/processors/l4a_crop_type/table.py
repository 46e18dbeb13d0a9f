"""The crop type table: one row per parcel, with a result or a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sen4cap.domain import Reason
from sen4cap.processors.l4a_crop_type.decision import Decision, sentences
from sen4cap.processors.l4a_crop_type.model import Sample
from sen4cap.processors.l4a_crop_type.params import ID, VERSION, CropTypeParams
from sen4cap.processors.l4a_crop_type.seen import Seen

COLUMNS: Mapping[str, str] = {
    "NewID": "number of the parcel",
    "HoldID": "number of the holding",
    "GeomValid": "whether the declared geometry was valid",
    "Duplic": "whether another parcel has the same geometry",
    "Overlap": "whether others cover more than 10 % of it",
    "Area_meters": "area, m²",
    "S2Pix": "whole 10 m pixels, 5 m off the border",
    "S1Pix": "whole 20 m pixels, 10 m off the border",
    "LC": "land cover of the declared crop",
    "CTnumDIV": "class of the declared crop in the diversification",
    "CT_decl": "declared class, `ctnuml4a`",
    "CT_pred_1": "most probable class",
    "CT_conf_1": "its calibrated probability, 3 decimals",
    "CT_pred_2": "second one",
    "CT_conf_2": "its probability",
    "CT_pred_3": "third one; missing where only two classes are known",
    "CT_conf_3": "its probability",
    "p_declared": "conformal p-value of the declared class",
    "rank": "place among the judged by the probability of the declared class, the least first",
    "light": "`conform`, `not decided` or `not conform`",
    "why": "code of what the light rests on",
    "group": "group whose declarations it is compared with, see `groups` in `accuracy.json`",
    "n_s2_dates": "clear acquisitions of Sentinel-2: of its NDVI, else of its first marker",
    "n_s1_dates": "acquisitions of Sentinel-1, as far as radar was used",
    "s2_eff_pix": "valid Sentinel-2 pixels on its clearest date, by the shares it covers",
    "s1_eff_pix": "Sentinel-1 pixels on its fullest date, by the shares it covers",
    "sensors": "`S1+S2`, `S2`, `S1`, or empty: what it was seen by",
    "fold": "fold of the parcel; its judge was taught by the others",
    "reason": "why there is no result; empty where there is one",
    "sentence": "`why` or `reason` in words",
    "model": "what judged it: processor, version and method",
    "ori_id": "identifier as declared",
    "CT_decl_name": "name of the declared class, `ctl4a`",
    "CT_pred_1_name": "of the most probable class",
    "CT_pred_2_name": "of the second one",
}
"""Columns of the tables, in order: the original's first, then ours."""

RANKS = (1, 2, 3)

Classes = Sequence[tuple[int, str]]
"""Code and name of each class."""


def crop_table(
    parcels: gpd.GeoDataFrame,
    seen: Seen,
    decision: Decision,
    sample: Sample,
    classes: Classes,
    params: CropTypeParams,
) -> gpd.GeoDataFrame:
    """One row per parcel with `COLUMNS` and geometry.

    Those whose `reason` is empty were judged, in the order of `decision` and `sample`. Of equally
    probable classes the first is named first. What is said of a parcel is missing where it was
    not judged. Confidences have 3 decimals, as the original's.
    """
    table = parcels.copy()
    judged = np.flatnonzero(table["reason"] == "")
    table["S2Pix"], table["S1Pix"] = seen.s2_pix, seen.s1_pix
    _rank(table, judged, decision.probability, classes)
    _decide(table, judged, decision)
    table["n_s2_dates"], table["n_s1_dates"] = seen.s2_dates, seen.s1_dates
    table["s2_eff_pix"], table["s1_eff_pix"] = seen.s2_valid.round(2), seen.s1_valid.round(2)
    table["sensors"] = _sensors(seen)
    table["fold"] = _spread(sample.fold, judged, len(table), "Int32")
    words = table["reason"].map({item.value: item.sentence for item in Reason}).to_numpy(object)
    words[judged] = sentences(decision, sample.target, [name for _, name in classes])
    table["sentence"] = pd.Series(words, dtype="str")
    table["model"] = model_name(params)
    return table[[*COLUMNS, "geometry"]]


def model_name(params: CropTypeParams) -> str:
    """What judges parcels: `s4c_l4a/3 boosted`."""
    return f"{ID}/{VERSION} {params.method}"


def _rank(
    table: gpd.GeoDataFrame,
    judged: NDArray[np.intp],
    probability: NDArray[np.floating],
    classes: Classes,
) -> None:
    """Add classes, names and confidences of the most probable ones."""
    codes, names = (np.array(part) for part in zip(*classes, strict=True))
    order = np.argsort(-probability, axis=1, kind="stable")[:, : len(RANKS)]
    confidence = np.take_along_axis(probability, order, axis=1).astype(np.float64).round(3)
    for rank in RANKS:
        here = judged if rank <= len(classes) else judged[:0]
        place = min(rank, len(classes)) - 1
        chosen, sure = order[: len(here), place], confidence[: len(here), place]
        table[f"CT_pred_{rank}"] = _spread(codes[chosen], here, len(table), "Int32")
        table[f"CT_pred_{rank}_name"] = _spread(names[chosen], here, len(table), "str")
        table[f"CT_conf_{rank}"] = _spread(sure, here, len(table), "float64")


def _decide(table: gpd.GeoDataFrame, judged: NDArray[np.intp], decision: Decision) -> None:
    said = {
        "p_declared": (decision.p_declared.round(6), "float64"),
        "rank": (decision.rank, "Int32"),
        "light": (decision.light, "str"),
        "why": (decision.why, "str"),
        "group": (decision.group, "Int32"),
    }
    for name, (values, kind) in said.items():
        table[name] = _spread(values, judged, len(table), kind)


def _sensors(seen: Seen) -> NDArray[np.str_]:
    by_radar, by_optics = seen.s1_dates > 0, seen.s2_dates > 0
    return np.select([by_radar & by_optics, by_optics, by_radar], ["S1+S2", "S2", "S1"], "")


def _spread(values: NDArray[Any], where: NDArray[np.intp], count: int, dtype: str) -> pd.Series:
    """Values at the rows of `where`, missing elsewhere."""
    return pd.Series(values, index=where).reindex(range(count)).astype(dtype)
