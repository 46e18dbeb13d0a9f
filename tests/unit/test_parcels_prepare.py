"""From declarations to a parcel set: identity, modes, flags, reasons, changes."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import pytest
import shapely
from shapely.geometry import Polygon

from sen4cap.domain import Reason
from sen4cap.domain.parcel import COLUMNS
from sen4cap.errors import EmptyLayer, InputRefused, MissingColumn, MissingCrs
from sen4cap.parcels import Columns, Mode, Prepared, prepare
from sen4cap.parcels.columns import as_text, joined, letters, unique_ids
from sen4cap.testing.parcels import declarations, lut, square

NAMED = Columns(("PARCEL",), ("FARM",), "CROP")
BOW_TIE = Polygon([(4e6, 3.2e6), (4e6 + 100, 3.2e6 + 100), (4e6 + 100, 3.2e6), (4e6, 3.2e6 + 100)])


def row_of(prepared: Prepared, ori_id: str) -> pd.Series:
    (row,) = (row for _, row in prepared.frame.iterrows() if row["ori_id"] == ori_id)
    return row


def numbers(prepared: Prepared) -> dict[str, int]:
    return dict(zip(prepared.frame["ori_id"], prepared.frame["NewID"], strict=True))


def test_columns_come_in_the_order_of_the_domain_and_attributes_follow() -> None:
    declared = declarations([square(0, 0)]).assign(Duplic="x", kind=3)
    made = prepare(declared, NAMED)
    further = ["PARCEL", "FARM", "CROP", "Duplic_declared", "kind"]
    assert list(made.frame.columns) == [*COLUMNS, *further, "geometry"]
    assert made.frame["NewID"].dtype == np.int64
    assert made.frame.crs.to_epsg() == 3035


def test_a_row_is_measured() -> None:
    row = row_of(prepare(declarations([square(0, 0)]), NAMED), "P0")
    assert row["Area_meters"] == pytest.approx(10_000, rel=1e-6)
    assert row["ShapeInd"] == pytest.approx(2 / np.sqrt(np.pi), rel=1e-4)
    assert (row["n_parts"], row["overlap_ratio"], row["reason"]) == (1, 0.0, "")
    assert (row["ori_hold"], row["HoldID"], row["ori_crop"]) == ("F1", 1, "1")
    assert np.isnan(row["geom_change_ratio"])


def test_every_declaration_is_there_with_the_first_reason_that_holds() -> None:
    geometries = [
        *(square(0, 0), square(2, 0), square(2, 0), square(4, 0), square(4.5, 0)),
        *(square(6, 0), square(8, 0), square(10, 0), None, Polygon()),
    ]
    crops = ["1", "1", "1", "1", "1", None, "77", "9", None, "1"]
    made = prepare(declarations(geometries, crops=crops), NAMED, lut=lut())
    reasons = dict(zip(made.frame["ori_id"], made.frame["reason"], strict=True))
    assert reasons == {
        "P0": "",
        "P1": "",
        "P2": Reason.DUPLICATE,
        "P3": Reason.OVERLAP,
        "P4": Reason.OVERLAP,
        "P5": Reason.NO_CROP,
        "P6": Reason.CROP_NOT_IN_LUT,
        "P7": Reason.LAND_COVER,
        "P8": Reason.NO_GEOMETRY,
        "P9": Reason.EMPTY_GEOMETRY,
    }
    report = made.report
    assert (report.declared, report.parcels, report.used) == (10, 10, 2)
    assert report.used + sum(report.reasons.values()) == report.parcels
    assert list(report.reasons) == [str(item) for item in Reason if item in reasons.values()]
    assert report.unknown_crops == {"77": 1}
    assert report.to_extract == 8


def test_equal_parcels_are_flagged_and_the_first_is_used() -> None:
    made = prepare(declarations([square(2, 0), square(2, 0), square(2.2, 0)]), NAMED)
    assert list(made.frame["Duplic"]) == [True, True, False]
    assert list(made.frame["overlap_ratio"]) == pytest.approx([0.8, 0.8, 0.8])
    assert list(made.frame["reason"]) == ["overlap", "duplicate", "overlap"]


def test_overlap_needs_more_than_a_tenth() -> None:
    made = prepare(declarations([square(0, 0), square(0.9, 0), square(3, 0, 300)]), NAMED)
    assert list(made.frame["overlap_ratio"]) == pytest.approx([0.1, 0.1, 0.0])
    big = prepare(declarations([square(0, 0, 1000), square(0, 0)]), NAMED)
    assert list(big.frame["overlap_ratio"]) == pytest.approx([0.01, 1.0])
    assert list(big.frame["Overlap"]) == [False, True]


def test_overlap_works_in_degrees() -> None:
    boxes = [shapely.box(5, 52, 5.001, 52.001), shapely.box(5.0008, 52, 5.0018, 52.001)]
    made = prepare(declarations(boxes, crs="EPSG:4326"), NAMED)
    assert list(made.frame["overlap_ratio"]) == pytest.approx([0.2, 0.2], rel=1e-6)
    assert list(made.frame["Overlap"]) == [True, True]


def test_a_bow_tie_is_kept_and_told() -> None:
    made = prepare(declarations([BOW_TIE]), NAMED)
    row = row_of(made, "P0")
    assert (row["GeomValid"], row["geom_fix"], row["n_parts"], row["reason"]) == (
        *(False, "repaired", 2, ""),
    )
    assert row["Area_meters"] == pytest.approx(5_000, rel=1e-6)
    assert made.report.fixes == {"repaired": 1}


def test_identifiers_are_joined_texts_of_numbers_without_decimals() -> None:
    table = pd.DataFrame({"a": [1.0, 2.0, np.nan], "b": [" x", None, None], "c": [0.5, 1.5, 2]})
    assert list(joined(table, ("a", "b"))[:2]) == ["1-x", "2-"]
    assert joined(table, ("a", "b")).isna().tolist() == [False, False, True]
    assert list(as_text(table["c"])) == ["0.5", "1.5", "2.0"]
    assert list(as_text(pd.Series([7, 8], dtype="Int64"))) == ["7", "8"]


def test_suffixes_count_like_spreadsheet_columns() -> None:
    found = [letters(n) for n in (0, 25, 26, 51, 52, 701, 702)]
    assert found == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


def test_repeated_identifiers_get_suffixes_by_geometry_and_not_by_row() -> None:
    squares = [square(column, 0) for column in (0, 2, 4, 6)]
    declared = declarations(squares, ids=["X", "X", "X", "Y"])
    one, other = prepare(declared, NAMED), prepare(declared.iloc[::-1], NAMED)
    assert sorted(one.frame["ori_id"]) == ["X-A", "X-B", "X-C", "Y"]
    assert one.report.repeated_ids == 1
    pd.testing.assert_frame_equal(one.frame, other.frame)
    assert list(one.frame.geometry) == list(other.frame.geometry)


# by hand; the digests order the rows as they stand
@pytest.mark.parametrize(
    ("declared", "made"),
    [
        ("X X X-A", "X-B X-C X-A"),
        ("X-B X X X", "X-B X-A X-C X-D"),
        ("X X X X-A X-C", "X-B X-D X-E X-A X-C"),
        ("X X X-A X-A", "X-B X-C X-A-A X-A-B"),
        ("X X Y Y X-A", "X-B X-C Y-A Y-B X-A"),
        ("X X-A Y", "X X-A Y"),
    ],
)
def test_a_declared_identifier_stays_and_suffixes_go_round_it(declared: str, made: str) -> None:
    ids = pd.Series(declared.split(), dtype="str")
    digests = np.array([str(row) for row in range(len(ids))], dtype=object)
    assert unique_ids(ids, digests).tolist() == made.split()


def test_without_identifier_the_geometry_is_one() -> None:
    declared = declarations([square(0, 0), square(2, 0), None], ids=[None, "B", None])
    made = prepare(declared, NAMED)
    assert made.report.ids_from_geometry == 2
    first = row_of(prepare(declarations([square(0, 0)]), NAMED), "P0")["geom_hash"]
    assert set(made.frame["ori_id"]) == {first, "B", "none"}
    hashes = set(made.frame["geom_hash"]) - {""}
    whole = prepare(declared, Columns(crop_code="CROP", id_from_geometry=True))
    assert set(whole.frame["ori_id"]) == {*hashes, "none"}
    assert whole.frame["HoldID"].isna().all()


def test_numbers_follow_the_identifiers_and_holdings_have_theirs() -> None:
    declared = declarations(
        [square(0, 0), square(2, 0), square(4, 0)], ids=["C", "A", "B"], farms=["g", "f", "g"]
    )
    made = prepare(declared, NAMED)
    assert numbers(made) == {"A": 1, "B": 2, "C": 3}
    assert list(made.frame["HoldID"]) == [1, 2, 2]


def first_and_next(mode: Mode, **known: object) -> tuple[Prepared, Prepared]:
    """A, B, C are declared; then C as before, B elsewhere, and the new AA."""
    first = prepare(
        declarations([square(0, 0), square(2, 0), square(4, 0)], ids=["A", "B", "C"]), NAMED
    )
    later = declarations(
        [square(4, 0), square(2.5, 0), square(8, 0)], ids=["C", "B", "AA"], crops=["2", "1", "1"]
    )
    return first, prepare(later, NAMED, mode=mode, previous=first.frame, **known)  # type: ignore[arg-type]


def test_update_keeps_numbers_and_marks_what_is_gone() -> None:
    _, second = first_and_next(Mode.UPDATE)
    assert numbers(second) == {"A": 1, "B": 2, "C": 3, "AA": 4}
    assert list(second.frame["is_deleted"]) == [True, False, False, False]
    assert row_of(second, "B")["geom_change_ratio"] == pytest.approx(10_000 / 15_000)
    assert row_of(second, "C")["geom_change_ratio"] == 0.0
    assert np.isnan(row_of(second, "AA")["geom_change_ratio"])
    report = second.report
    assert (report.new, report.changed_geometry, report.changed_crop) == (1, 1, 1)
    assert (report.removed, report.unchanged, report.to_extract) == (1, 0, 2)
    assert report.parcels == 3
    assert second.changes[["change", "ori_id"]].to_numpy().tolist() == [
        *(["crop", "C"], ["geometry", "B"], ["new", "AA"], ["removed", "A"]),
    ]
    crop = second.changes.iloc[0]
    assert (crop["before"], crop["after"]) == ("1", "2")


def test_incremental_leaves_the_others_alone() -> None:
    first, second = first_and_next(Mode.INCREMENTAL)
    assert not second.frame["is_deleted"].any()
    assert second.report.removed == 0
    assert second.report.parcels == 4
    assert row_of(second, "A").drop("geom_change_ratio").to_dict() == (
        row_of(first, "A").drop("geom_change_ratio").to_dict()
    )


def test_replace_holds_the_new_file_only_and_renumbers_nobody() -> None:
    first, second = first_and_next(Mode.REPLACE)
    assert numbers(second) == {"B": 2, "C": 3, "AA": 4}
    assert second.report.removed == 1
    identities = pd.concat([first.frame, second.frame])[["ori_id", "NewID"]].drop_duplicates()
    back = prepare(
        declarations([square(0, 0), square(9, 9)], ids=["A", "Z"]),
        NAMED,
        mode=Mode.REPLACE,
        previous=second.frame,
        identities=identities,
    )
    assert numbers(back) == {"A": 1, "Z": 5}


def test_a_parcel_that_returns_is_new_with_its_old_number() -> None:
    first, second = first_and_next(Mode.UPDATE)
    third = prepare(
        declarations([square(0, 0)], ids=["A"]), NAMED, previous=second.frame, mode=Mode.UPDATE
    )
    assert row_of(third, "A")["NewID"] == 1
    assert (third.report.new, third.report.removed, third.report.parcels) == (1, 3, 1)
    assert list(third.frame["is_deleted"]) == [False, True, True, True]
    assert len(first.frame) == 3


def test_the_same_declarations_change_nothing() -> None:
    declared = declarations([square(0, 0), BOW_TIE, None], crops=["1", None, "3"])
    first = prepare(declared, NAMED, lut=lut())
    again = prepare(declared, NAMED, lut=lut(), previous=first.frame)
    assert again.report.unchanged == 3
    assert again.report.to_extract == 0
    assert again.changes.empty
    columns = first.frame.columns.drop(["geometry", "geom_change_ratio"])
    pd.testing.assert_frame_equal(
        pd.DataFrame(first.frame[columns]), pd.DataFrame(again.frame[columns])
    )


def test_a_split_parcel_is_found_with_its_parts() -> None:
    first = prepare(declarations([square(0, 0, 200), square(5, 0)], ids=["A", "B"]), NAMED)
    halves = [square(0, 0).union(square(0, 1)), square(1, 0).union(square(1, 1)), square(5, 0)]
    made = prepare(declarations(halves, ids=["A", "A2", "B"]), NAMED, previous=first.frame)
    assert made.report.split == 1
    split = made.changes[made.changes["change"] == "split"]
    assert list(zip(split["ori_id"], split["after"], strict=True)) == [("A", "A"), ("A", "A2")]


def test_attributes_that_change_their_type_become_text() -> None:
    first = prepare(declarations([square(0, 0), square(2, 0)]).assign(kind=[1, 2]), NAMED)
    later = declarations([square(0, 0)]).assign(kind=["x"], note=[4])
    made = prepare(later, NAMED, previous=first.frame)
    assert list(made.frame["kind"]) == ["x", "2"]
    assert made.frame["note"].isna().tolist() == [False, True]
    assert made.frame["note"].dtype == "Int64"


def test_the_version_before_may_be_in_another_crs() -> None:
    first = prepare(declarations([square(0, 0), square(2, 0)]), NAMED)
    later = declarations([square(0, 0)]).to_crs("EPSG:32632")
    made = prepare(later, NAMED, previous=first.frame)
    assert made.frame.crs.to_epsg() == 32632
    assert row_of(made, "P0")["geom_change_ratio"] < 1e-6
    assert row_of(made, "P1")["Area_meters"] == pytest.approx(10_000, rel=1e-6)


def test_column_names_count_in_any_case_and_missing_ones_are_told() -> None:
    declared = declarations([square(0, 0)])
    assert numbers(prepare(declared, Columns(("parcel",), ("farm",), "Crop"))) == {"P0": 1}
    with pytest.raises(MissingColumn, match="no column 'KULTUR'; there are: PARCEL, FARM, CROP"):
        prepare(declared, Columns(("PARCEL",), (), "KULTUR"))


@pytest.mark.parametrize(
    ("declared", "columns", "error", "words"),
    [
        (declarations([]), NAMED, EmptyLayer, "no declaration"),
        (declarations([square(0, 0)]), Columns(), InputRefused, "--id-from-geometry"),
        (declarations([square(0, 0)]).assign(ORI_ID=1), NAMED, InputRefused, "'ORI_ID'"),
        (
            gpd.GeoDataFrame({"PARCEL": [1]}, geometry=[square(0, 0)]),
            Columns(("PARCEL",)),
            MissingCrs,
            "--crs",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(
    declared: gpd.GeoDataFrame, columns: Columns, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        prepare(declared, columns)


def test_the_report_reads_well_and_as_json() -> None:
    report = prepare(
        declarations([square(0, 0), BOW_TIE], crops=["1", "77"], ids=["X", "X"]), NAMED, lut=lut()
    ).report
    lines = report.lines()
    assert lines[0] == "2 declared; the set has 2 parcels, 1.5 ha, 0 without remark."
    assert "Identifiers that were repeated and have suffixes now: 1." in lines
    assert "Crop codes that are not in the crop table: 77 (1)." in lines
    assert '"unknown_crops": {\n    "77": 1\n  }' in report.to_json()


def test_crops_that_share_a_number_are_warned_of() -> None:
    shared = lut().with_columns(
        pl.when(pl.col("ori_crop") == "2").then(1).otherwise(pl.col("ctnum")).alias("ctnum")
    )
    report = prepare(declarations([square(0, 0)]), NAMED, lut=shared).report
    assert report.warnings == ("Several crops of the crop table share ctnum 1.",)
