"""Whose declaration is in doubt, and who has no result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sen4cap.domain import Reason
from sen4cap.reports.scores import codes

RED = "not conform"
"""Value of `light`."""


def disagrees(parcels: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which parcels are predicted as another class than declared, shape (parcel,)."""
    declared, predicted = codes(parcels["CT_decl"]), codes(parcels["CT_pred_1"])
    known = ~np.isnan(declared) & ~np.isnan(predicted)
    return np.asarray(known & (declared != predicted))


def doubted(
    parcels: pd.DataFrame, differs: npt.NDArray[np.bool_], names: Mapping[int, str]
) -> list[dict[str, Any]]:
    """Parcels that are not conform, and others that are predicted as another crop than declared.

    The least likely declaration first; of the others the most confident prediction first.
    """
    red = (parcels["light"] == RED).to_numpy(dtype=bool, na_value=False)
    rows = parcels.assign(rank=np.where(red, parcels["p_declared"], 1.0)).loc[red | differs]
    rows = rows.sort_values(
        ["rank", "CT_conf_1", "Area_meters", "NewID"],
        ascending=[True, False, False, True],
        kind="stable",
    )
    told = pd.DataFrame(
        {
            "number": np.arange(1, len(rows) + 1),
            "NewID": rows["NewID"].astype(int),
            "ori_id": rows["ori_id"].astype(str),
            "area": rows["Area_meters"].astype(float) / 1e4,
            "declared": named(rows["CT_decl"], names),
            "predicted": named(rows["CT_pred_1"], names),
            "confidence": rows["CT_conf_1"].astype(float),
            "second": named(rows["CT_pred_2"], names),
            "second_confidence": rows["CT_conf_2"].astype(float),
            "light": rows["light"].astype(str),
            "p_declared": rows["p_declared"].astype(float),
            "sentence": rows["sentence"].fillna("").astype(str),
        }
    )
    if "CT_true" in rows:
        told["verdict"] = _verdicts(rows)
        told["truth"] = named(rows["CT_true"], names)
    return list(told.to_dict("records"))


def named(column: pd.Series, names: Mapping[int, str]) -> pd.Series:
    """Names of class codes; '' where there is none."""
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


def left_out(parcels: pd.DataFrame) -> list[dict[str, Any]]:
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
