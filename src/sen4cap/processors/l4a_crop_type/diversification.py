"""Crop diversification: whether the crops of a holding are as many as is required of it.

The areas of parcels whose declaration is confirmed are certain; the others are *open*: they may be
what was declared, or anything else. A holding is only called compliant, or not, where that is so
whatever became of the open ones. The rules are data (`diversification.toml`), so that an agency
can give its own; what they can name is written there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from itertools import compress, product, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.errors import InvalidParameter, UnreadableFile

FLAGS = ("EAA", "AL", "TGrass", "PGrass", "Fallow", "Cwater")
"""Of a declared crop: eligible, arable, temporary or permanent grass, fallow, under water."""
NOT_REQUIRED, COMPLIANT, FAILING, MISSING = (
    "Not_required",
    "Compliant",
    "Not_compliant",
    "Missing_info",
)
"""Diagnoses of a holding."""
HOLDING_COLUMNS = {
    "nb_types_c": "crops",
    "area_eaa_c": "eaa",
    "area_tal_c": "arable",
    "area_tempGrass_c": "temporary_grass",
    "area_permGrass_c": "permanent_grass",
    "area_llf_c": "fallow",
    "area_cwater_c": "under_water",
    "area_remAl_ex2_c": "rest2",
    "area_remAl_ex3_c": "rest3",
    "area_mainCrop_c": "main_crop",
    "area_2mainCrop_c": "second_crop",
    "nb_parcels_nc": "open_parcels",
    "area_nc": "open",
}
"""The original's names of what rules know of a holding."""

Flags = NDArray[np.bool_]
Rule = Mapping[str, Any]


@dataclass(frozen=True)
class Rules:
    """What is required; see `diversification.toml`."""

    thresholds: Mapping[str, float]
    parcel: Sequence[Rule]
    exemption: Sequence[Rule]
    category: Sequence[Rule]


@dataclass(frozen=True)
class Assessment:
    """The original's two tables."""

    parcels: pl.DataFrame
    """`NewID, Classif_r, CD_cat, CD_diagn, Area_meters`, in the order given."""
    holdings: pl.DataFrame
    """`HoldID, CD_cat, CD_diagn` and `HOLDING_COLUMNS` (areas in m²), by `HoldID`."""


def read_rules(path: Path | None = None) -> Rules:
    """The rules of a file, or the original's.

    Raises
    ------
    UnreadableFile
        If it is no TOML file, or a part lacks.
    """
    own = files("sen4cap.processors.l4a_crop_type") / "diversification.toml"
    try:
        text = path.read_text("utf-8") if path else own.read_text("utf-8")
        return Rules(**tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise UnreadableFile(
            f"'{path}' holds no rules of crop diversification ({error}): start from a copy of "
            "diversification.toml."
        ) from error


def with_classes(table: pl.DataFrame, lut: pl.DataFrame) -> pl.DataFrame:
    """The table with `CTnumDIV_pred_1`, `CTnumDIV_pred_2` of the predicted classes, and `FLAGS`.

    `table`: `ori_crop`, `CTnumDIV`, `CT_decl`, `CT_pred_1`, `CT_pred_2`; `lut`: `ori_crop`,
    `ctnuml4a`, `ctnumdiv` and the flags in lower case, 0 or 1. Where a predicted class is the
    declared one, so is its number; else it is the first of its class in the crop table, which may
    tell several crops apart that the map does not.
    """
    numbers = lut.select("ctnuml4a", "ctnumdiv").unique("ctnuml4a", keep="first")
    known = dict(zip(numbers["ctnuml4a"], numbers["ctnumdiv"], strict=True))
    flags = lut.select(
        pl.col("ori_crop").cast(pl.String),
        *(pl.col(name.lower()).cast(pl.Boolean).alias(name) for name in FLAGS),
    )
    predicted = [
        pl.when(pl.col(f"CT_pred_{rank}") == pl.col("CT_decl"))
        .then(pl.col("CTnumDIV"))
        .otherwise(pl.col(f"CT_pred_{rank}").replace_strict(known, default=None))
        .cast(pl.Int64)
        .alias(f"CTnumDIV_pred_{rank}")
        for rank in (1, 2)
    ]
    given = table.with_columns(pl.col("CTnumDIV").cast(pl.Int64)).with_columns(predicted)
    return given.join(flags, "ori_crop", "left", maintain_order="left")


def assess(parcels: pl.DataFrame, rules: Rules) -> Assessment:
    """What each holding grows, what is required of it, and whether it does it.

    Parameters
    ----------
    parcels
        `NewID`, `HoldID`, `Area_meters` (m²), the columns that rules of parcels name, and `FLAGS`
        of the declared crop (missing: none applies).

    Raises
    ------
    InvalidParameter
        If a rule is no condition, or names something that is not there.
    """
    said = _said(parcels, rules)
    holdings = _diagnosed(_sums(said), rules)
    told = said.join(
        holdings.select("HoldID", "CD_cat", "CD_diagn"), "HoldID", "left", maintain_order="left"
    )
    areas = [pl.col(column).alias(name) for name, column in HOLDING_COLUMNS.items()]
    return Assessment(
        told.select("NewID", "Classif_r", "CD_cat", "CD_diagn", "Area_meters"),
        holdings.select("HoldID", "CD_cat", "CD_diagn", *areas).sort("HoldID"),
    )


def _said(parcels: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Parcels with `Classif_r`, and whether they are `conform`; flags are never missing."""
    given = parcels.with_columns(pl.col(FLAGS).fill_null(value=False))
    first = _first(_met(given, rules, rules.parcel, "when"))
    results = np.array([*(str(rule["result"]) for rule in rules.parcel), None], object)
    good = np.array([*(bool(rule.get("conform")) for rule in rules.parcel), False])
    return given.with_columns(
        Classif_r=pl.Series(results[first].tolist(), dtype=pl.String),
        conform=pl.Series(good[first]),
    )


def _sums(said: pl.DataFrame) -> pl.DataFrame:
    """What rules know of each holding, by `HoldID`."""
    area, sure = pl.col("Area_meters").cast(pl.Float64), pl.col("conform")
    unsure = ~sure & pl.col("EAA")
    names = ("eaa", "arable", "temporary_grass", "permanent_grass", "fallow", "under_water")
    sums = said.group_by("HoldID").agg(
        *(
            area.filter(sure & pl.col(flag)).sum().alias(name)
            for flag, name in zip(FLAGS, names, strict=True)
        ),
        open=area.filter(unsure).sum(),
        open_parcels=unsure.sum().cast(pl.Int64),
    )
    return (
        sums.join(_crops(said), "HoldID", "left")
        .with_columns(pl.col("crops", "main_crop", "second_crop", "main_rest").fill_null(0))
        .with_columns(
            rest2=pl.col("arable") - pl.col("temporary_grass") - pl.col("fallow"),
            rest3=pl.col("arable") - pl.col("temporary_grass") - pl.col("under_water"),
        )
    )


def _crops(said: pl.DataFrame) -> pl.DataFrame:
    """Number of arable crops of each holding and the area of the largest, by `HoldID`."""
    lying = pl.col("TGrass") | pl.col("Fallow")
    area = pl.col("Area_meters").cast(pl.Float64)
    grown = (
        said.filter(pl.col("conform") & pl.col("AL"))
        .group_by("HoldID", "CTnumDIV")
        .agg(area=area.sum(), rest=area.filter(~lying).sum())
        .sort("area", descending=True)
    )
    return grown.group_by("HoldID").agg(
        crops=pl.len().cast(pl.Int64),
        main_crop=pl.col("area").first(),
        second_crop=pl.col("area").get(1, null_on_oob=True),
        main_rest=pl.col("rest").max(),
    )


def _diagnosed(holdings: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Holdings with `CD_cat` and `CD_diagn`."""
    closed = (holdings["open"] == 0).to_numpy()
    met = partial(_met, holdings, rules)
    known, certain = (met(rules.exemption, key) for key in ("known", "certain"))
    exempt = _first(np.where(closed, known, certain))
    half = known.any(axis=0) & ~closed
    only = _only_first(met(rules.category, "known"))
    may = np.where(closed, only, met(rules.category, "possible"))
    found = may.any(axis=0)
    compliant, failing = (
        found & (met(rules.category, key) | ~may).all(axis=0) for key in ("compliant", "failing")
    )
    names = np.array([*(str(rule["name"]) for rule in rules.exemption), None], object)[exempt]
    others = np.where(half & found, "Exemption_or_", "") + _together(may, rules.category)
    required = exempt == len(rules.exemption)
    cases = {NOT_REQUIRED: ~required, COMPLIANT: compliant, FAILING: failing & ~half}
    return holdings.with_columns(
        CD_cat=pl.Series(np.where(required, others, names).tolist(), dtype=pl.String),
        CD_diagn=pl.Series(np.select(list(cases.values()), list(cases), MISSING)),
    )


def _met(table: pl.DataFrame, rules: Rules, of: Sequence[Rule], key: str) -> Flags:
    """Whether each condition is met in each row, shape (rules, rows)."""
    given = table.with_columns(**{name: pl.lit(value) for name, value in rules.thresholds.items()})
    return np.array([_condition(given, str(rule.get(key, ""))) for rule in of]).reshape(
        len(of), len(table)
    )


def _condition(table: pl.DataFrame, text: str) -> Flags:
    try:
        met = table.select(pl.sql_expr(text).alias("met")).to_series()
    except pl.exceptions.PolarsError as error:
        raise InvalidParameter(
            f"The rule '{text}' cannot be followed ({error}): mend it, its names stand in "
            "diversification.toml."
        ) from error
    if met.dtype != pl.Boolean:
        raise InvalidParameter(f"The rule '{text}' is no condition: compare something.")
    if len(met) != len(table):
        met = pl.repeat(met[0], len(table), eager=True)
    answers: Flags = met.fill_null(value=False).to_numpy()
    return answers


def _only_first(met: Flags) -> Flags:
    """The first rule that is met in each row and no other; shape (rules, rows)."""
    only: Flags = met & (met.cumsum(axis=0) == 1)
    return only


def _first(met: Flags) -> NDArray[np.intp]:
    """Position of the first rule that is met in each row; the number of rules where none is."""
    return np.where(met.any(axis=0), met.argmax(axis=0), len(met))


def _together(may: Flags, categories: Sequence[Rule]) -> NDArray[np.object_]:
    """Name of what is possible in each row: `Category2`, `Category1_or_2`; empty of nothing."""
    names = [str(rule["name"]) for rule in categories]
    subsets = product((False, True), repeat=len(names))
    table = [_joined(sorted(compress(names, subset))) for subset in subsets]
    weights = 2 ** np.arange(len(names))[::-1]
    told: NDArray[np.object_] = np.array(table, object)[weights @ may]
    return told


def _joined(names: Sequence[str]) -> str:
    """One name of several, without what they share: `Category1_2_or_3`."""
    if len(names) < 2:
        return "".join(names)
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    shared = sum(1 for _ in alike)
    first, *others = names
    *middle, last = [name[shared:] for name in others]
    return "_".join([first, *middle, "or", last])
