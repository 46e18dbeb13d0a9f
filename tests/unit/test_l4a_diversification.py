"""Crop diversification: each row of the original's tables, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from sen4cap.errors import InvalidParameter, UnreadableFile
from sen4cap.processors.l4a_crop_type.diversification import (
    HOLDING_COLUMNS,
    assess,
    read_rules,
    with_classes,
)

RULES = read_rules()
CONFORM = {
    "HoldID": 1,
    "Area_meters": 1e4,
    "CTnumDIV": 1,
    "CTnumDIV_pred_1": 1,
    "CTnumDIV_pred_2": 2,
    "CT_conf_1": 0.9,
    "GeomValid": True,
    "Duplic": False,
    "Overlap": False,
    "LC": 1,
    "S2Pix": 50,
    "S1Pix": 10,
}
UNSEEN = {"CTnumDIV_pred_1": None, "CTnumDIV_pred_2": None, "CT_conf_1": None}
LAND = {
    "wheat": (1, "EAA AL"),
    "maize": (2, "EAA AL"),
    "beet": (3, "EAA AL"),
    "flax": (4, "EAA AL"),
    "lucerne": (5, "EAA AL TGrass"),
    "meadow": (6, "EAA PGrass"),
    "fallow": (7, "EAA AL Fallow"),
    "rice": (8, "EAA AL Cwater"),
    "wood": (9, ""),
}
FLAGS = ("EAA", "AL", "TGrass", "PGrass", "Fallow", "Cwater")


def table(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    flags = dict.fromkeys(FLAGS, True)
    made = [{**CONFORM, **flags, **row, "NewID": number} for number, row in enumerate(rows, 1)]
    return pl.DataFrame(made, infer_schema_length=None).cast(
        {"CTnumDIV_pred_1": pl.Int64, "CTnumDIV_pred_2": pl.Int64, "CT_conf_1": pl.Float64}
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "Classified_conform"),
        ({"CTnumDIV_pred_1": 2, "CTnumDIV_pred_2": 1}, "Classified_conform"),
        ({"CTnumDIV_pred_2": None}, "Classified_conform"),
        ({"CTnumDIV_pred_1": 2, "CTnumDIV_pred_2": 3}, "Classified_not_conform"),
        ({"CTnumDIV_pred_1": 2, "CTnumDIV_pred_2": None}, "Classified_not_conform"),
        ({"CTnumDIV_pred_1": 2, "CTnumDIV_pred_2": 3, "CT_conf_1": 1.0}, "Classified_not_conform"),
        (
            {"CTnumDIV_pred_1": 2, "CTnumDIV_pred_2": 3, "CT_conf_1": 2.0},
            "Classified_not_conform_prediction_used",
        ),
        ({**UNSEEN, "GeomValid": False}, "Not_classified_geometry"),
        ({**UNSEEN, "Duplic": True, "LC": 0}, "Not_classified_geometry"),
        ({**UNSEEN, "Overlap": True}, "Not_classified_geometry"),
        ({**UNSEEN, "LC": None}, "Not_classified_land_cover"),
        ({**UNSEEN, "LC": 0}, "Not_classified_land_cover"),
        ({**UNSEEN, "LC": 5, "S2Pix": 1}, "Not_classified_land_cover"),
        ({**UNSEEN, "S2Pix": 2, "S1Pix": 0}, "Not_classified_minS2pix"),
        ({**UNSEEN, "S1Pix": 0}, "Not_classified_noS1pix"),
        (UNSEEN, "Not_classified_undefined"),
    ],
)
def test_what_is_said_of_a_parcel(row: dict[str, object], said: str) -> None:
    assert assess(table([row]), RULES).parcels["Classif_r"].to_list() == [said]


def holding(known: dict[str, float], unverified: dict[str, float] | None = None) -> pl.DataFrame:
    """Parcels of one holding: hectares by crop, of confirmed declarations and of others."""
    rows = []
    for sure, land in ((True, known), (False, unverified or {})):
        for crop, hectares in land.items():
            number, flags = LAND[crop]
            predicted = {"CTnumDIV_pred_1": number} if sure else UNSEEN
            marked = {flag: flag in flags.split() for flag in FLAGS}
            area = {"Area_meters": 1e4 * hectares}
            rows.append({"CTnumDIV": number, **predicted, **marked, **area})
    return table(rows)


@pytest.mark.parametrize(
    ("known", "unverified", "category", "diagnosis"),
    [
        # Nothing open: the first category that applies.
        ({"wheat": 9.9}, {}, "Exemption1", "Not_required"),
        ({"lucerne": 70, "fallow": 20, "wheat": 29}, {}, "Exemption2", "Not_required"),
        ({"meadow": 45, "wheat": 15}, {}, "Category1", "Not_compliant"),
        ({"meadow": 61, "wheat": 20}, {}, "Exemption3", "Not_required"),
        ({"rice": 40}, {}, "Exemption3", "Not_required"),
        ({"rice": 40, "meadow": 1}, {}, "Exemption3", "Not_required"),
        ({"lucerne": 200, "wheat": 30, "maize": 10}, {}, "Category3", "Compliant"),
        ({"lucerne": 200, "wheat": 31, "maize": 10}, {}, "Category3", "Not_compliant"),
        ({"wheat": 15, "maize": 5}, {}, "Category1", "Compliant"),
        ({"wheat": 15.1, "maize": 5}, {}, "Category1", "Not_compliant"),
        ({"wheat": 20}, {}, "Category1", "Not_compliant"),
        ({"wheat": 20, "maize": 10}, {}, "Category1", "Compliant"),
        ({"wheat": 21, "maize": 10}, {}, "Category2", "Not_compliant"),
        ({"wheat": 30, "maize": 8, "beet": 2}, {}, "Category2", "Compliant"),
        ({"wheat": 30.1, "maize": 7.9, "beet": 2}, {}, "Category2", "Not_compliant"),
        ({"wheat": 30, "maize": 8.1, "beet": 1.9}, {}, "Category2", "Not_compliant"),
        # Something open, and yet certain.
        ({"wheat": 5}, {"maize": 4.9}, "Exemption1", "Not_required"),
        ({"lucerne": 90, "wheat": 20}, {"maize": 9}, "Exemption2", "Not_required"),
        ({"meadow": 100, "wheat": 20}, {"maize": 10}, "Exemption3", "Not_required"),
        ({"lucerne": 200, "wheat": 24, "maize": 16}, {"beet": 5}, "Category3", "Compliant"),
        ({"lucerne": 200, "wheat": 35, "maize": 5}, {"beet": 5}, "Category3", "Not_compliant"),
        ({"lucerne": 200, "wheat": 30, "maize": 10}, {"beet": 5}, "Category3", "Missing_info"),
        ({"wheat": 10, "maize": 8}, {"beet": 2}, "Category1", "Compliant"),
        ({"wheat": 19, "maize": 1}, {"beet": 2}, "Category1", "Not_compliant"),
        ({"wheat": 14, "maize": 4}, {"beet": 2}, "Category1", "Missing_info"),
        ({"wheat": 20}, {"wheat": 2}, "Category1", "Not_compliant"),
        ({"wheat": 20, "maize": 10, "beet": 10}, {"flax": 2}, "Category2", "Compliant"),
        ({"wheat": 36, "maize": 2, "beet": 2}, {"flax": 2}, "Category2", "Not_compliant"),
        ({"wheat": 28, "maize": 14}, {"beet": 2}, "Category2", "Not_compliant"),
        ({"wheat": 28, "maize": 12}, {"beet": 4}, "Category2", "Missing_info"),
        # Something open, and more than one category possible.
        ({"wheat": 15, "maize": 13}, {"beet": 4}, "Category1_or_2", "Missing_info"),
        ({"wheat": 27, "maize": 1}, {"beet": 4}, "Category1_or_2", "Not_compliant"),
        ({"wheat": 10, "maize": 9, "beet": 9}, {"flax": 3}, "Category1_or_2", "Compliant"),
        (
            {"lucerne": 60, "wheat": 21, "maize": 14},
            {"beet": 70},
            "Category2_or_3",
            "Missing_info",
        ),
        ({"wheat": 15, "maize": 13}, {"beet": 150}, "Category1_2_or_3", "Missing_info"),
        ({"wheat": 9}, {"maize": 9}, "Exemption_or_Category1", "Missing_info"),
        (
            {"lucerne": 6, "fallow": 6, "wheat": 3},
            {"flax": 5},
            "Exemption_or_Category1",
            "Compliant",
        ),
        ({"wheat": 9}, {"wheat": 2}, "Exemption_or_Category1", "Missing_info"),
        ({"wheat": 9}, {"maize": 50}, "Exemption_or_Category1_or_2", "Missing_info"),
        ({"meadow": 100, "wheat": 25}, {"maize": 3}, "Exemption3", "Not_required"),
        ({"meadow": 100, "wheat": 30}, {"wheat": 20}, "Exemption_or_Category2", "Missing_info"),
        # Open parcels that are not eligible do not count.
        ({"wheat": 15, "maize": 5}, {"wood": 90}, "Category1", "Compliant"),
    ],
)
def test_what_is_required_of_a_holding(
    known: dict[str, float], unverified: dict[str, float], category: str, diagnosis: str
) -> None:
    found = assess(holding(known, unverified), RULES)
    assert found.holdings.select("CD_cat", "CD_diagn").row(0) == (category, diagnosis)
    assert set(found.parcels.select("CD_cat", "CD_diagn").rows()) == {(category, diagnosis)}


def test_exemption_of_flooded_land_where_the_third_does_not_apply() -> None:
    """Rice on all 40 ha of arable land, besides 20 ha of orchards: 67 % of the holding."""
    orchard = {"EAA": True, **dict.fromkeys(FLAGS[1:], False)}
    rows = holding({"rice": 40, "wood": 20}).with_columns(EAA=pl.lit(value=orchard["EAA"]))
    found = assess(rows, RULES).holdings
    assert found.select("CD_cat", "CD_diagn").row(0) == ("Exemption4", "Not_required")


def test_areas_of_a_holding_by_hand() -> None:
    known = {"wheat": 12, "maize": 7, "lucerne": 5, "meadow": 4, "fallow": 3, "rice": 2, "wood": 1}
    found = assess(holding(known, {"beet": 6, "flax": 5, "wood": 9}), RULES).holdings
    assert found.columns == ["HoldID", "CD_cat", "CD_diagn", *HOLDING_COLUMNS]
    assert dict(zip(found.columns[3:], found.row(0)[3:], strict=True)) == {
        "nb_types_c": 5,
        "area_eaa_c": 330_000,
        "area_tal_c": 290_000,
        "area_tempGrass_c": 50_000,
        "area_permGrass_c": 40_000,
        "area_llf_c": 30_000,
        "area_cwater_c": 20_000,
        "area_remAl_ex2_c": 210_000,
        "area_remAl_ex3_c": 220_000,
        "area_mainCrop_c": 120_000,
        "area_2mainCrop_c": 70_000,
        "nb_parcels_nc": 2,
        "area_nc": 110_000,
    }


def test_parcels_of_one_crop_add_up_and_holdings_stay_apart() -> None:
    rows = [
        {"HoldID": hold, "CTnumDIV": crop, "CTnumDIV_pred_1": crop, "Area_meters": area}
        for hold, crop, area in [(2, 1, 6e4), (1, 1, 5e4), (2, 1, 5e4), (2, 2, 8e4)]
    ]
    flags = {"TGrass": False, "PGrass": False, "Fallow": False, "Cwater": False}
    found = assess(table([{**row, **flags} for row in rows]), RULES)
    told = found.holdings.select("HoldID", "CD_cat", "nb_types_c", "area_mainCrop_c").rows()
    assert told == [(1, "Exemption1", 1, 5e4), (2, "Category1", 2, 11e4)]
    assert found.parcels["CD_cat"].to_list() == [
        "Category1",
        "Exemption1",
        "Category1",
        "Category1",
    ]


def test_predicted_classes_become_crops_of_the_diversification() -> None:
    """Class 20 holds two of them: where it is declared and predicted, it is the declared one."""
    lut = pl.DataFrame(
        {
            "ori_crop": ["259", "266", "265"],
            "ctnuml4a": [10, 20, 20],
            "ctnumdiv": [1, 2, 3],
            "eaa": [1, 1, 1],
            "al": [1, 1, 0],
            "tgrass": [0, 1, 0],
            "pgrass": [0, 0, 1],
            "fallow": [0, 0, 0],
            "cwater": [0, 0, 0],
        }
    )
    given = pl.DataFrame(
        {
            "ori_crop": ["259", "265", "259", "unheard of"],
            "CTnumDIV": [1, 3, 1, 9],
            "CT_decl": [10, 20, 10, None],
            "CT_pred_1": [10, 20, 20, None],
            "CT_pred_2": [20, 10, 10, None],
        }
    )
    found = with_classes(given, lut)
    assert found["CTnumDIV_pred_1"].to_list() == [1, 3, 2, None]
    assert found["CTnumDIV_pred_2"].to_list() == [2, 1, 1, None]
    assert found["PGrass"].to_list() == [False, True, False, None]


def test_an_agency_may_give_its_own_rules(tmp_path: Path) -> None:
    text = (Path(read_rules.__code__.co_filename).parent / "diversification.toml").read_text()
    path = tmp_path / "rules.toml"
    path.write_text(text.replace("small = 100_000", "small = 50_000"))
    one_crop = holding({"wheat": 9})
    assert assess(one_crop, RULES).holdings["CD_cat"].item() == "Exemption1"
    assert assess(one_crop, read_rules(path)).holdings["CD_cat"].item() == "Category1"


def test_rules_that_cannot_be_followed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[thresholds]\nsmall = 1\n")
    for file in (path, tmp_path / "none.toml"):
        with pytest.raises(UnreadableFile, match="start from a copy"):
            read_rules(file)
    for text, said in [("arabel < 1", "arabel"), ("arable <", "arable <"), ("arable", "no cond")]:
        rule = {"name": "Exemption1", "known": text, "certain": text}
        with pytest.raises(InvalidParameter, match=said):
            assess(holding({"wheat": 1}), replace(RULES, exemption=[rule]))
