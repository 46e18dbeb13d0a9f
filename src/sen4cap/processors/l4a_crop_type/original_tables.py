"""The statistics tables of the original, under its columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sen4cap.kernels import accuracy
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.processors.l4a_crop_type.table import Classes

CONFUSED = 3
"""Classes that are named as those a class is confused with most."""

LUT_NAMES = {
    "ori_crop": "Ori_crop",
    "ctnum": "CTnum",
    "ct": "CT",
    "lc": "LC",
    "ctnuml4a": "CTnumL4A",
    "ctl4a": "CTL4A",
    "ctnumdiv": "CTnumDIV",
    "ctdiv": "CTDIV",
    "eaa": "EAA",
    "al": "AL",
    "pgrass": "PGrass",
    "tgrass": "TGrass",
    "fallow": "Fallow",
    "cwater": "Cwater",
}
"""The original's spelling of the columns of the crop table."""

PREDICTIONS = {
    "NewID": "NewID",
    "AreaDeclared": "Area_meters",
    "S1Pix": "S1Pix",
    "S2Pix": "S2Pix",
    "CTnumL4A": "CT_decl",
    "CTL4A": "CT_decl_name",
    "LC": "LC",
    **{name: name for name in ("CT_decl", "CT_pred_1", "CT_conf_1", "CT_pred_2", "CT_conf_2")},
}
"""Columns of the original's tables of predictions, and ours that hold the same."""


def predictions(table: pd.DataFrame) -> pd.DataFrame:
    """The table of all parcels as the original's `Parcels_all_with_predictions`."""
    return pd.DataFrame({name: table[own] for name, own in PREDICTIONS.items()})


def crop_table(lut: pd.DataFrame) -> pd.DataFrame:
    """The crop table in the original's spelling."""
    return lut[[name for name in LUT_NAMES if name in lut]].rename(columns=LUT_NAMES)


def accuracy_metrics(document: Mapping[str, Any]) -> pd.DataFrame:
    """`Accuracy_metrics`: the original's two figures, then parcels and intervals."""
    figures = ("overall_accuracy", "kappa")
    bounds = [document[f"{name}_interval"] or (None, None) for name in figures]
    return pd.DataFrame(
        {
            "Accuracy": [document["overall_accuracy"]],
            "Kappa": [document["kappa"]],
            "Parcels": [document["overall_accuracy_n"]],
            "Accuracy_low": [bounds[0][0]],
            "Accuracy_high": [bounds[0][1]],
            "Kappa_low": [bounds[1][0]],
            "Kappa_high": [bounds[1][1]],
        }
    )


def confusion_matrix(document: Mapping[str, Any]) -> pd.DataFrame:
    """`Confusion_matrix`: predicted in rows, declared in columns, with sums, UA, PA and OA."""
    matrix = np.array(document["confusion"], np.int64)
    codes = [str(item["code"]) for item in document["classes"]]
    table = pd.DataFrame(matrix, columns=codes, dtype=object)
    table.insert(0, "predicted", codes)
    table["Sum"] = matrix.sum(axis=1)
    table["UA"] = accuracy.user_accuracy(matrix).round(6)
    sums = dict(zip(codes, matrix.sum(axis=0).tolist(), strict=True))
    right = dict(zip(codes, accuracy.producer_accuracy(matrix).round(6).tolist(), strict=True))
    total, overall = int(matrix.sum()), document["overall_accuracy"]
    last = [{"predicted": "Sum", **sums, "Sum": total}, {"predicted": "PA", **right, "UA": overall}]
    return pd.concat([table, pd.DataFrame(last, dtype=object)], ignore_index=True)


def confusion_user(document: Mapping[str, Any]) -> pd.DataFrame:
    """`Confusion_user`: of each predicted class, what its parcels are declared as."""
    matrix = np.array(document["confusion"], np.int64)
    return _confused(document, matrix, "sum_class", "user_accuracy")


def confusion_producer(document: Mapping[str, Any]) -> pd.DataFrame:
    """`Confusion_producer`: of each declared class, what its parcels are predicted as."""
    matrix = np.array(document["confusion"], np.int64)
    return _confused(document, matrix.T, "sum_dec", "producer_accuracy")


def _confused(
    document: Mapping[str, Any], matrix: NDArray[np.int64], total: str, share: str
) -> pd.DataFrame:
    """Rows of a matrix: their sum, what is right of it, and the classes it is confused with."""
    codes = np.array([item["code"] for item in document["classes"]])
    count, right = matrix.sum(axis=1), np.diagonal(matrix)
    table = pd.DataFrame(
        {
            "CTnumL4A": codes,
            "CTL4A": [item["name"] for item in document["classes"]],
            total: count,
            "well_class": right,
            share: _share(right, count).round(6),
        }
    )
    wrong = matrix - np.diag(right)
    order = np.argsort(-wrong, axis=1, kind="stable")
    for rank in range(CONFUSED):
        chosen = order[:, rank] if rank < len(codes) else np.zeros(len(codes), np.int64)
        number = np.take_along_axis(wrong, chosen[:, None], axis=1)[:, 0]
        known = (number > 0) & (rank < len(codes))
        code = pd.Series(codes[chosen]).astype("Int64").where(known)
        table[f"conf_class{rank + 1}"] = code
        table[f"conf_per{rank + 1}"] = pd.Series(100 * _share(number, count)).round(2).where(known)
    return table


def _share(part: NDArray[np.integer], whole: NDArray[np.integer]) -> NDArray[np.float64]:
    share = np.full(len(whole), np.nan)
    np.divide(part, whole, out=share, where=whole > 0)
    return share


def summary(
    table: pd.DataFrame, classes: Classes, teachers: Mapping[int, int], params: CropTypeParams
) -> pd.DataFrame:
    """`Crop_types_summary`: parcels and area of each declared class, and how it is sampled.

    `Classified` is 1 for classes that are predicted. `Strategy` is that of the original for as
    many large parcels, `teachers` by class: 1 many, 2 between, 3 few; 0 not classified.
    """
    known = table[table["CT_decl"].notna()]
    groups = known.groupby("CT_decl", sort=True)
    names, area = groups["CT_decl_name"].first(), groups["Area_meters"].sum()
    count, codes = groups.size(), groups["CT_decl"].first().to_numpy(np.int64)
    classified = np.isin(codes, [code for code, _ in classes])
    best = np.array([teachers.get(int(code), 0) for code in codes])
    strategy = np.select([best >= params.pa_train_h, best >= params.pa_train_l], [1, 2], 3)
    return pd.DataFrame(
        {
            "CTnumL4A": codes,
            "CTL4A": names.to_numpy(),
            "Count": count.to_numpy(),
            "Countratio": (count / max(count.sum(), 1)).round(6).to_numpy(),
            "Area": area.round(1).to_numpy(),
            "Arearatio": (area / max(area.sum(), 1e-9)).round(6).to_numpy(),
            "Classified": classified.astype(int),
            "Strategy": np.where(classified, strategy, 0),
        }
    )
