"""The mowing step on a small season: files, columns, reasons, and that a run is repeatable."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import pyogrio
import pytest
import shapely

from sen4cap.catalog import to_dict
from sen4cap.domain import Product, Reason
from sen4cap.errors import InvalidParameter, NoInput
from sen4cap.processing import Context
from sen4cap.testing.meadow_season import OPTICAL, append, meadow_context
from sen4cap.testing.mowing_runs import run

MOWN = {"05-01": 0.8, "05-11": 0.5, "05-21": 0.55, "06-20": 0.8, "07-20": 0.82}
EVEN = dict.fromkeys(MOWN, 0.8)
OFTEN = {
    f"{month:02d}-{day:02d}": level
    for month in range(4, 11)
    for day, level in ((2, 0.85), (9, 0.4), (16, 0.6), (28, 0.85))
}
RULES = json.dumps(
    {"groups": [{"crops": ["GRA"], "windows": [["05-01", "06-15"]], "exclusive": True}]}
)


def meadows() -> gpd.GeoDataFrame:
    """Eleven squares of 100 m; the tenth lies elsewhere, the last has no geometry."""
    number = np.arange(11)
    x, y = 600_100 + 300.0 * number, np.full(11, 5_799_900.0)
    frame = gpd.GeoDataFrame(
        {
            "NewID": number + 1,
            "ori_hold": "farm",
            "ori_crop": ["GRA"] * 7 + ["MEA", "MAI", "GRA", "GRA"],
            "reason": [""] * 10 + ["no_geometry"],
        },
        geometry=shapely.box(x, y - 100, x + 100, y),
        crs=OPTICAL.crs,
    )
    frame.loc[9, "geometry"] = shapely.box(100_000, 5_700_000, 100_100, 5_700_100)
    frame.loc[10, "geometry"] = None
    return frame


def pairs(parcel: int, jump: date, orbit: int = 15) -> list[tuple[int, date, float, int]]:
    """Six-day pairs: coherence is 0.3, and 0.6 where the later image comes after a day."""
    first = date(2019, 4, 3)
    days = [first + timedelta(days=6 * at) for at in range(34)]
    return [(parcel, day, 0.6 if day > jump else 0.3, orbit) for day in days]


def curve(parcel: int, levels: dict[str, float]) -> list[tuple[int, date, float]]:
    """Rows of a parcel from values by day, `MM-DD`."""
    return [(parcel, date.fromisoformat(f"2019-{day}"), value) for day, value in levels.items()]


def observed() -> list[tuple[int, date, float]]:
    """Of parcels 1 to 5 and 7 to 9; the third has one date, the fourth two."""
    levels = {1: MOWN, 2: EVEN, 3: {"05-01": 0.8}, 4: {"05-01": 0.8, "05-11": 0.5}}
    levels |= {5: OFTEN, 7: MOWN, 8: MOWN, 9: MOWN}
    return [row for parcel, values in levels.items() for row in curve(parcel, values)]


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    made = meadow_context(tmp_path, meadows())
    append(made, "ndvi", observed(), "one")
    append(made, "cohe_vh_6d", pairs(6, date(2019, 6, 2)) + pairs(7, date(2019, 5, 14)), "one")
    return made


def result(product: Product) -> pd.DataFrame:
    return pd.read_parquet(product.asset("MowingDetection.parquet").href).set_index("NewID")


def events(product: Product) -> pl.DataFrame:
    return pl.read_parquet(product.asset("MowingEvents.parquet").href)


def test_every_monitored_parcel_has_a_row_and_maize_has_none(ctx: Context) -> None:
    product = run(ctx)
    table = result(product)
    assert table.index.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 10, 11]
    assert table["reason"].to_dict() == {
        **dict.fromkeys((1, 2, 5, 6, 7, 8), ""),
        3: Reason.FEW_DATES,
        4: Reason.FEW_DATES,
        10: Reason.OUTSIDE_GRID,
        11: Reason.NO_GEOMETRY,
    }
    assert (table["proc"] == (table["reason"] == "")).all()
    assert table["mow_n"].to_dict() == {
        **dict.fromkeys((2, 3, 4, 10, 11), 0), **dict.fromkeys((1, 6, 7, 8), 1), 5: 4
    }  # fmt: skip
    assert product.properties["reasons"] == {"few_dates": 2, "no_geometry": 1, "outside_grid": 1}


def test_the_columns_are_the_originals_and_then_ours(ctx: Context) -> None:
    table = result(run(ctx))
    places = [f"m{at}_{what}" for at in range(1, 5) for what in ("dstart", "dend", "conf", "mis")]
    assert table.columns.tolist() == [
        *("Ori_id", "Ori_hold", "Ori_crop", "CTnum", "Area_meter", "mow_n"),
        *places,
        *("proc", "compl", "compl_why", "reason", "s2_dates", "s1_pairs", "geometry"),
    ]


def test_an_optical_event_as_the_original_writes_it(ctx: Context) -> None:
    """0.8 - 0.5 - 0.12 = 0.18 is 0.36 of 0.5; 1 - 0.5 e^-0.36 = 0.651."""
    row = result(run(ctx)).loc[1]
    assert row["m1_dstart"] == "2019-05-01 10:30:00"
    assert row["m1_dend"] == "2019-05-11 10:30:00"
    assert row["m1_conf"] == 0.651
    assert row["m1_mis"] == "S2"
    assert (row["m2_dstart"], row["m2_dend"], row["m2_conf"], row["m2_mis"]) == ("0", "0", 0, "0")


def test_a_radar_event_and_one_of_both(ctx: Context) -> None:
    """Pairs end on 2 June, 8 June …; both images of the one that jumped are of 2 June or later."""
    table = result(run(ctx))
    assert table.loc[6, "m1_mis"] == "S1"
    assert table.loc[6, ["m1_dstart", "m1_dend"]].tolist() == [
        "2019-05-27 18:00:00", "2019-06-02 18:00:00"
    ]  # fmt: skip
    assert table.loc[7, "m1_mis"] == "S2/S1"
    assert table.loc[7, "m1_conf"] > table.loc[1, "m1_conf"]
    assert table.loc[7, "m1_dend"] == "2019-05-11 10:30:00"


def test_one_sensor_alone(ctx: Context) -> None:
    optical, radar = run(ctx, input_product_types="S2"), run(ctx, input_product_types="S1")
    assert result(optical)["mow_n"].loc[[1, 6, 7]].tolist() == [1, 0, 1]
    assert result(optical).loc[6, "reason"] == Reason.NO_DATA
    assert result(radar)["mow_n"].loc[[1, 6, 7]].tolist() == [0, 1, 1]
    assert any(item.name == "SEN4CAP_L4B_S1_MowingDetection.shp" for item in radar.assets)


def test_days_of_detection(ctx: Context) -> None:
    assert result(run(ctx, start_date="20190502")).loc[1, "mow_n"] == 0
    assert result(run(ctx, end_date="2019-05-20")).loc[1, "mow_n"] == 0
    late = run(ctx, end_date="20190521")
    assert result(late).loc[1, "mow_n"] == 1
    assert late.properties["searched"] == ["2019-04-01", "2019-05-21"]
    with pytest.raises(InvalidParameter, match="begin on 2019-09-01 and end on 2019-08-01"):
        run(ctx, start_date="20190901", end_date="20190801")


def test_the_table_of_events_has_them_all(ctx: Context) -> None:
    found = events(run(ctx))
    assert found.columns == [
        *("NewID", "Ori_id", "event", "kind", "first", "day", "last", "probability", "sensors"),
        *("ndvi_drop", "coherence_jump"),
    ]
    [both] = found.filter(pl.col("NewID") == 7).to_dicts()
    assert (both["first"], both["day"], both["last"]) == (
        date(2019, 5, 1), date(2019, 5, 6), date(2019, 5, 11)
    )  # fmt: skip
    assert both["ndvi_drop"] == pytest.approx(0.3)
    assert both["coherence_jump"] > 5.41
    assert both["kind"] == "mowing"
    assert found.filter(pl.col("NewID") == 5)["event"].to_list() == [1, 2, 3, 4]
    assert found.filter(pl.col("NewID") == 1)["coherence_jump"].to_list() == [None]


def test_compliance_has_a_code_and_a_sentence(ctx: Context) -> None:
    table = result(run(ctx, compliance=RULES))
    assert table["compl"].to_dict() == {
        1: 1, 2: 2, 3: 0, 4: 0, 5: 3, 6: 1, 7: 1, 8: -1, 10: 0, 11: 0
    }  # fmt: skip
    assert table.loc[1, "compl_why"] == "Mown once within 2019-05-01 to 2019-06-15."
    assert table.loc[2, "compl_why"] == "Not mown within 2019-05-01 to 2019-06-15."
    assert table.loc[5, "compl_why"] == "Mown 3 times outside 2019-05-01 to 2019-06-15."
    assert table.loc[8, "compl_why"] == "No rule for crop 'MEA'."


def test_monitored_are_crops_that_are_named(ctx: Context) -> None:
    assert result(run(ctx, monitored_crops="MAI, MEA")).index.tolist() == [8, 9]
    assert result(run(ctx, ctnum_filter="4")).index.tolist() == [9]
    assert len(result(run(ctx, monitored_crops="*"))) == 11
    with pytest.raises(NoInput, match="monitored-crops"):
        run(ctx, monitored_crops="BEE")


def test_radar_orbits_are_chosen(ctx: Context) -> None:
    assert result(run(ctx, s1_orbit_list_filter="88, 15"))["mow_n"].loc[6] == 1
    assert result(run(ctx, s1_orbit_list_filter="88"))["mow_n"].loc[6] == 0
    assert result(run(ctx, s2_tiles_list_filter="30UXB"))["mow_n"].loc[1] == 0


def test_without_the_markers_of_a_sensor(ctx: Context, tmp_path: Path) -> None:
    bare = meadow_context(tmp_path / "bare", meadows())
    append(bare, "lai", observed(), "one")
    with pytest.raises(NoInput, match="no marker ndvi or cohe_vv"):
        run(bare, pol_types="VV")
    assert result(run(ctx, pol_types="VV"))["mow_n"].loc[7] == 1


def test_files_of_people_hold_the_same(ctx: Context) -> None:
    product = run(ctx)
    table = result(product).drop(columns="geometry")
    for name in ("SEN4CAP_L4B_S1_S2_MowingDetection.gpkg", "SEN4CAP_L4B_S1_S2_MowingDetection.shp"):
        path = Path(product.asset(name).href)
        read = pyogrio.read_dataframe(path, layer=path.stem).set_index("NewID")
        assert read.geometry.isna().sum() == 1
        for column, values in table.items():
            told = read[column] if values.dtype.kind in "if" else read[column].fillna("")
            assert told.tolist() == pytest.approx(values.tolist(), nan_ok=True), column
    style = pyogrio.read_dataframe(
        product.asset("SEN4CAP_L4B_S1_S2_MowingDetection.gpkg").href, layer="layer_styles"
    )
    assert "mown once" in style["styleQML"][0]
    item = to_dict(product)
    assert item["collection"] == "s4c_l4b"
    assert item["properties"]["mowings"] == 8


def test_the_shapefile_can_be_left_out(ctx: Context) -> None:
    product = run(ctx, shapefile=False)
    assert not [name for name in digests(product) if name.endswith(".dbf")]
    assert not [item for item in product.assets if item.name.endswith(".shp")]


def digests(product: Product) -> dict[str, bytes]:
    folder = Path(product.assets[0].href).parent
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_season_bit_by_bit_ends_as_one_at_once(tmp_path: Path) -> None:
    """Files arrive after each other, a product is made of each state; parcels come in any order."""
    rows = observed()
    radar = pairs(6, date(2019, 6, 2)) + pairs(7, date(2019, 5, 14), orbit=88)
    whole = meadow_context(tmp_path / "whole", meadows())
    append(whole, "ndvi", rows[::-1], "one")
    append(whole, "cohe_vh_6d", radar, "one")
    bits = meadow_context(tmp_path / "bits", meadows())
    for number, day in enumerate((date(2019, 5, 15), date(2019, 7, 1), date(2019, 10, 31))):
        for marker, of in (("ndvi", rows), ("cohe_vh_6d", radar)):
            before = (date(2019, 1, 1), date(2019, 5, 15), date(2019, 7, 1))[number]
            arrived = [row for row in of if before < row[1] <= day]
            append(bits, marker, arrived, f"bit{number}")
        product = run(bits, until=day)
        assert product.properties["searched"][1] == day.isoformat()
    at_once = run(whole)
    assert product.revision == at_once.revision
    assert digests(product) == digests(at_once)


def test_chunks_of_parcels_and_threads_change_nothing(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(run(ctx))
    for size, threads in ((1, 1), (3, 2)):
        monkeypatch.setattr("sen4cap.processors.l4b_mowing.detection.CHUNK", size)
        assert digests(run(replace(ctx, cores=threads))) == before
