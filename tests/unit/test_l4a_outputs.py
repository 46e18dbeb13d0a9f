"""The accuracy document and the original's tables; expected values by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sen4cap.domain import Reason
from sen4cap.processors.l4a_crop_type import original_tables, table
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.processors.l4a_crop_type.scores import Judged, agreement, rate
from sen4cap.processors.l4a_crop_type.table import COLUMNS

CLASSES = [(10, "Maize"), (20, "Grass"), (30, "Beet")]
DECLARED = np.array([0, 0, 0, 0, 1, 1, 1, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 1, 2, 0])
HECTARES = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 10.0])
PIXELS = np.array([2, 9, 10, 29, 30, 300, np.nan, 50])


@pytest.fixture(scope="module")
def document() -> dict:
    probability = np.full((8, 3), 0.1)
    probability[np.arange(8), PREDICTED] = 0.8
    judged = Judged(DECLARED, probability, HECTARES * 1e4, PIXELS)
    return agreement(judged, CLASSES, {Reason.RARE_CLASS.value: 2, Reason.NO_DATA.value: 1})


def test_overall_figures_by_parcels_and_area(document: dict) -> None:
    assert document["parcels"] == {"judged": 8, "left_out": 3}
    assert document["overall_accuracy"] == pytest.approx(5 / 8)
    assert document["overall_accuracy_n"] == 8
    # Wilson, z = 1.96: (5/8 + z²/16 ± z √(5/8·3/8/8 + z²/256)) / (1 + z²/8)
    assert document["overall_accuracy_interval"] == pytest.approx([0.3057, 0.8632], abs=1e-4)
    assert document["overall_accuracy_with_rare"] == pytest.approx(5 / 10)
    assert document["overall_accuracy_by_area"] == pytest.approx(7 / 20)
    assert document["overall_accuracy_by_area_n"] == round(20**2 / 116, 1)
    # By chance: (4·4 + 3·3 + 1·1) / 64 = 26/64.
    assert document["kappa"] == pytest.approx((5 / 8 - 26 / 64) / (1 - 26 / 64), abs=1e-6)
    assert document["kappa_interval"][0] < document["kappa"] < document["kappa_interval"][1]
    assert (document["macro_f1"], document["macro_f1_classes"]) == (None, 0)


def test_each_class_by_parcels_and_area(document: dict) -> None:
    maize, grass, beet = document["per_class"]
    assert (maize["user_accuracy"], maize["user_accuracy_n"]) == (0.75, 4)
    assert (maize["producer_accuracy"], maize["support"]) == (0.75, 4)
    assert maize["user_accuracy_by_area"] == pytest.approx(3 / 13, abs=1e-6)
    assert grass["f1"] == pytest.approx(2 / 3, abs=1e-6)
    assert grass["f1_by_area"] == pytest.approx(8 / (6 + 5), abs=1e-6)
    assert (beet["f1"], beet["hectares"], beet["user_accuracy"]) == (0.0, 10.0, 0.0)
    assert beet["producer_accuracy_interval"] == pytest.approx([0.0, 0.7935], abs=1e-4)


def test_sizes_have_their_own_accuracy(document: dict) -> None:
    found = {item["size"]: item["overall_accuracy_n"] for item in document["per_size"]}
    assert found == {
        "under 3 pixels": 1,
        "3-9 pixels": 1,
        "10-29 pixels": 2,
        "30 and more pixels": 3,
        "not seen by Sentinel-2": 1,
    }
    assert document["per_size"][2]["overall_accuracy"] == 0.5


def test_a_share_of_nothing_is_null() -> None:
    assert rate("share", 0, 0) == {"share": None, "share_n": 0, "share_interval": None}


def test_confusion_matrix_as_the_original_writes_it(document: dict) -> None:
    table = original_tables.confusion_matrix(document)
    assert table.to_csv(index=False, lineterminator="\n") == (
        "predicted,10,20,30,Sum,UA\n"
        "10,3,0,1,4,0.75\n"
        "20,1,2,0,3,0.666667\n"
        "30,0,1,0,1,0.0\n"
        "Sum,4,3,1,8,\n"
        "PA,0.75,0.666667,0.0,,0.625\n"
    )


def test_what_classes_are_confused_with(document: dict) -> None:
    user = original_tables.confusion_user(document).set_index("CTnumL4A")
    assert list(user.columns) == [
        *("CTL4A", "sum_class", "well_class", "user_accuracy"),
        *("conf_class1", "conf_per1", "conf_class2", "conf_per2", "conf_class3", "conf_per3"),
    ]
    assert user.loc[10, ["sum_class", "well_class", "conf_class1"]].tolist() == [4, 3, 30]
    assert user.loc[10, "conf_per1"] == 25.0
    assert user.loc[10, ["conf_class2", "conf_per2", "conf_class3"]].isna().all()
    producer = original_tables.confusion_producer(document).set_index("CTnumL4A")
    assert producer.loc[10, ["sum_dec", "well_class", "conf_class1"]].tolist() == [4, 3, 20]
    assert producer.loc[30, "conf_per1"] == 100.0


def test_summary_counts_every_declared_class_and_its_strategy() -> None:
    table = pd.DataFrame(
        {
            "CT_decl": pd.array([10, 10, 20, 40, None], dtype="Int32"),
            "CT_decl_name": ["Maize", "Maize", "Grass", "Flax", None],
            "Area_meters": [100.0, 200.0, 600.0, 100.0, 50.0],
        }
    )
    params = CropTypeParams(pa_train_h=40, pa_train_l=20)
    found = original_tables.summary(table, CLASSES, {10: 40, 20: 20, 30: 19}, params)
    assert found.to_csv(index=False, lineterminator="\n") == (
        "CTnumL4A,CTL4A,Count,Countratio,Area,Arearatio,Classified,Strategy\n"
        "10,Maize,2,0.5,300.0,0.3,1,1\n"
        "20,Grass,1,0.25,600.0,0.6,1,2\n"
        "40,Flax,1,0.25,100.0,0.1,0,0\n"
    )


def test_the_originals_columns_come_first_in_its_order() -> None:
    assert list(COLUMNS)[:15] == [
        *("NewID", "HoldID", "GeomValid", "Duplic", "Overlap", "Area_meters", "S2Pix", "S1Pix"),
        *("LC", "CTnumDIV", "CT_decl", "CT_pred_1", "CT_conf_1", "CT_pred_2", "CT_conf_2"),
    ]
    assert list(original_tables.PREDICTIONS) == [
        *("NewID", "AreaDeclared", "S1Pix", "S2Pix", "CTnumL4A", "CTL4A", "LC"),
        *("CT_decl", "CT_pred_1", "CT_conf_1", "CT_pred_2", "CT_conf_2"),
    ]


def test_every_column_is_documented() -> None:
    page = Path(table.__file__).with_name("README.md").read_text("utf-8")
    for name, meaning in COLUMNS.items():
        assert f"| `{name}` | {meaning} |" in page
