"""What changed between two runs, and why."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest

from sen4cap.processors.l4a_crop_type.changes import (
    Cause,
    Provenance,
    changes,
    differences,
)

MADE = Provenance(
    processor="s4c_l4a/2",
    parameters={"red-rate": 0.01, "seed": 42},
    inputs={"may": "a", "june": "b"},
    parcels="1f",
    parcels_version=1,
    lut="2f",
)
BEFORE = pl.DataFrame(
    {
        "NewID": [1, 2, 3, 4, 5],
        "CT_decl": [10, 10, 20, 20, 20],
        "CT_pred_1": [10, 20, 20, None, 20],
        "light": ["conform", "not conform", "conform", None, "conform"],
        "why": ["as_declared", "other_crop", "as_declared", None, "as_declared"],
        "reason": ["", "", "", "too_small", ""],
    }
)
AFTER = pl.DataFrame(
    {
        "NewID": [6, 5, 4, 2, 1],
        "CT_decl": [20, 10, 20, 10, 10],
        "CT_pred_1": [20, 20, 20, 20, 10],
        "light": ["conform", "not conform", "conform", "not decided", "conform"],
        "why": ["as_declared", "other_crop", "as_declared", "other_likelier", "as_declared"],
        "reason": ["", "", "", "", ""],
    }
)


def test_each_changed_parcel_is_listed_with_what_it_was() -> None:
    found = changes(BEFORE, AFTER, MADE, replace(MADE, inputs={"may": "a"}))
    assert found.select("NewID", "change", "cause").rows() == [
        (2, "light,why", "image"),
        (3, "gone", "image"),
        (4, "predicted,light,why,reason", "image"),
        (5, "declared,light,why", "image"),
        (6, "new", "image"),
    ]
    row = found.row(2, named=True)
    assert (row["CT_pred_1_before"], row["CT_pred_1_after"]) == (None, 20)
    assert (row["reason_before"], row["reason_after"]) == ("too_small", "")


@pytest.mark.parametrize(
    ("key", "value", "cause", "said"),
    [
        ("inputs", {"may": "a"}, Cause.IMAGE, "1 marker product went."),
        ("inputs", {"may": "a", "june": "c"}, Cause.IMAGE, "1 marker product changed."),
        ("inputs", {**MADE.inputs, "x": "", "y": ""}, Cause.IMAGE, "2 marker products came."),
        ("lut", "3f", Cause.LUT, "The crop table is another."),
        ("processor", "s4c_l4a/3", Cause.VERSION, "Made by s4c_l4a/3, it was s4c_l4a/2."),
        (
            "parameters",
            {"red-rate": 0.02, "seed": 42},
            Cause.PARAMETER,
            "red-rate is 0.02, it was 0.01.",
        ),
        (
            "parameters",
            {**MADE.parameters, "folds": 5},
            Cause.PARAMETER,
            "folds is 5, it was not there.",
        ),
    ],
)
def test_causes_follow_from_what_differs(key: str, value: object, cause: Cause, said: str) -> None:
    after = replace(MADE, **{key: value})
    assert [(item.cause, item.sentence) for item in differences(MADE, after)] == [(cause, said)]
    assert set(changes(BEFORE, AFTER, MADE, after)["cause"]) == {cause}


def test_of_several_causes_those_of_the_declaration_explain_a_declared_class() -> None:
    after = replace(MADE, parcels="9f", parcels_version=2, inputs={}, processor="s4c_l4a/3")
    told = [item.sentence for item in differences(MADE, after)]
    assert told == [
        "2 marker products went.",
        "Parcels are version 2, they were 1.",
        "Made by s4c_l4a/3, it was s4c_l4a/2.",
    ]
    found = changes(BEFORE, AFTER, MADE, after).select("NewID", "cause", "causes").rows()
    any_of = ("several", "image,declaration,version")
    assert found == [
        (2, *any_of),
        (3, "declaration", "declaration"),
        (4, *any_of),
        (5, "declaration", "declaration"),
        (6, "declaration", "declaration"),
    ]


def test_nothing_changed_and_nothing_to_explain_it() -> None:
    assert differences(MADE, MADE) == ()
    assert changes(BEFORE, BEFORE, MADE, replace(MADE, lut="3f")).is_empty()
    assert set(changes(BEFORE, AFTER, MADE, MADE)["cause"]) == {Cause.UNKNOWN}


def test_tables_of_a_version_without_lights_can_be_compared() -> None:
    found = changes(BEFORE.drop("light", "why"), AFTER, MADE, replace(MADE, processor="s4c_l4a/3"))
    assert found.row(0)[:2] == (1, "light,why")
    assert found["light_before"].is_null().all()


def test_provenance_survives_json() -> None:
    assert Provenance.of_json(json.loads(json.dumps(MADE.as_json()))) == MADE
    with pytest.raises(TypeError):
        Provenance.of_json({"lut": "2f"})
