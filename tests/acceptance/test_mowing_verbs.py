"""Mowing through the command line: rules in, lists, changes, figures and scores out."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import polars as pl
import pytest
import shapely

from sen4cap.errors import InputRefused, InvalidParameter, MissingColumn, NoInput, NotFound

from .conftest import Terminal

LUT = "ori_crop,ctnum,ct,lc,ctnuml4a,ctl4a\nG,1,Grass,3,1,Grass\nM,2,Maize,1,2,Maize\n"
SERIES = {
    "early": {"05-01": 0.8, "05-11": 0.5, "05-21": 0.55, "07-20": 0.85, "09-20": 0.85},
    "late": {"05-01": 0.8, "07-01": 0.8, "07-08": 0.4, "07-20": 0.55, "09-20": 0.8},
    "never": {"05-01": 0.8, "06-01": 0.8, "07-01": 0.8, "08-01": 0.8},
    "dark": {"05-01": 0.8},
}
RULES = """
[[groups]]
name = "Meadows"
crops = ["G"]
windows = [["05-01", "06-30"]]
exclusive = true
"""
TRUTH = """parcel,date,kind,place
early,2019-05-08,mowing,north
late,2019-07-05,mowing,south
never,2019-06-15,mowing,south
never,2019-08-15,grazing,south
dark,,none,north
"""


@pytest.fixture
def farm(terminal: Terminal, tmp_path: Path) -> Terminal:
    """Four meadows and a field of maize, with NDVI of some days."""
    terminal("site", "create", "Farm")
    terminal("season", "create", "farm", 2019, "--start", "2019-04-01", "--end", "2019-10-31")
    names = [*SERIES, "maize"]
    frame = gpd.GeoDataFrame(
        {"id": names, "crop": ["G"] * 4 + ["M"]},
        geometry=[shapely.box(at, 0, at + 100, 100) for at in range(0, 1000, 200)],
        crs="EPSG:32631",
    )
    frame.to_file(tmp_path / "fields.gpkg")
    (tmp_path / "lut.csv").write_text(LUT)
    (tmp_path / "rules.toml").write_text(RULES)
    rows = [
        {"parcel": name, "date": f"2019-{day}", "ndvi": value}
        for name, values in {**SERIES, "maize": SERIES["early"]}.items()
        for day, value in values.items()
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "ndvi.csv")
    terminal(
        *("lpis", "import", "farm", 2019, tmp_path / "fields.gpkg", "--lut", tmp_path / "lut.csv"),
        *("--parcel-id-cols", "id", "--crop-code-col", "crop"),
    )
    terminal("markers", "import", "farm", 2019, tmp_path / "ndvi.csv", "--value", "ndvi")
    terminal("mowing", "rules", tmp_path / "rules.toml", "--site", "farm")
    return terminal


def made(farm: Terminal, until: str = "2019-10-31") -> str:
    done = farm("run", "s4c_l4b", "farm", "2019", "--nominal", until, "--method", "sen4cap")
    return str(done["made"][0])


def test_who_has_not_mown_yet(farm: Terminal) -> None:
    """Up to 20 June: `early` is known to be mown, the window of all ends on 30 June."""
    product = made(farm, "2019-06-20")
    rows = farm("mowing", "pending", product, "--within", 10)
    assert [(row["Ori_id"], row["deadline"], row["days_left"]) for row in rows] == [
        (name, "2019-06-30", 10) for name in ("dark", "late", "never")
    ]
    assert rows[0]["why"] == "Too few clear observations of the parcel to tell anything."
    assert farm("mowing", "pending", product, "--within", 9) == []
    later = farm("mowing", "pending", product, "--within", 11, "--deadline", "2019-07-01")
    assert [row["days_left"] for row in later] == [11, 11, 11]


def test_what_changed_since_the_run_before(farm: Terminal) -> None:
    earlier, later = made(farm, "2019-06-30"), made(farm)
    rows = farm("mowing", "changes", later)
    assert [(row["Ori_id"], row["change"]) for row in rows] == [
        ("late", "compliance"), ("late", "mowing added"), ("never", "compliance")
    ]  # fmt: skip
    assert rows[0]["now"] == (
        "Not mown within 2019-05-01 to 2019-06-30; mown once outside 2019-05-01 to 2019-06-30."
    )
    assert rows[1]["now"] == "2019-07-01 to 2019-07-08"
    assert farm("mowing", "changes", later, "--since", later) == []
    back = farm("mowing", "changes", earlier, "--since", later)
    assert ("late", "mowing gone") in {(row["Ori_id"], row["change"]) for row in back}
    with pytest.raises(NotFound, match="--since"):
        farm("mowing", "changes", earlier)


def test_the_season_of_a_parcel_as_a_picture(farm: Terminal, tmp_path: Path) -> None:
    product = made(farm)
    first, again, vector = (tmp_path / name for name in ("a.png", "b.png", "a.svg"))
    for path in (first, again, vector):
        farm("mowing", "figure", product, "late", "--out", path)
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes().startswith(b"\x89PNG")
    assert "Parcel late, crop G, season 2019" in vector.read_text()
    with pytest.raises(InvalidParameter, match="png, pdf, svg"):
        farm("mowing", "figure", product, "late", "--out", tmp_path / "a.gif")
    with pytest.raises(NotFound, match="not monitored"):
        farm("mowing", "figure", product, "maize", "--out", tmp_path / "a.png")


def test_scores_of_a_product_and_of_its_files(farm: Terminal, tmp_path: Path) -> None:
    """3 true, 2 found and both right: precision 1, recall 2/3, F1 0.8."""
    product = made(farm)
    truth = tmp_path / "truth.csv"
    truth.write_text(TRUTH)
    expected = farm("validate", "l4b", truth, "--product", product, "--by", "place")
    overall = expected["overall"]
    assert (overall["parcels"], overall["true"], overall["found"]) == (4, 3, 2)
    assert overall["f1"] == pytest.approx(0.8)
    assert [(row["group"], row["true"], row["matched"]) for row in expected["groups"]] == [
        (["north"], 1, 1), (["south"], 2, 1)
    ]  # fmt: skip
    files = farm("product", "show", product)["assets"]
    for name in ("MowingEvents.parquet", "MowingEvents.csv", "MowingDetection.parquet"):
        found = farm("validate", "l4b", truth, "--found", files[name]["href"], "--by", "place")
        assert {**found["overall"], "days_median": 0} == {**overall, "days_median": 0}, name
    shape = next(name for name in files if name.endswith(".shp"))
    of_shape = farm("validate", "l4b", truth, "--found", files[shape]["href"])
    assert of_shape["overall"]["f1"] == overall["f1"]


def test_a_configuration_of_the_original_sets_parameters(farm: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "S4C_L4B_Config_2019.cfg"
    path.write_text("[S2_processing]\ndecreasing_abs_th = 0.35\nerode_pixels = 2\n")
    done = farm("mowing", "import-config", path, "--site", "farm")
    assert done["values"] == {"processor.s4c_l4b.decreasing_abs_th": "0.35"}
    assert "erode_pixels" in done["notes"][0]
    item = farm("product", "show", made(farm))
    assert item["properties"]["mowings"] == 1


def test_refusals_change_nothing(farm: Terminal, tmp_path: Path) -> None:
    key = "processor.s4c_l4b.compliance"
    before = farm("config", "get", key, "--site", "farm")["value"]
    bad = tmp_path / "bad.toml"
    bad.write_text('[[groups]]\ncrops = ["G"]\nwindows = [["May", "June"]]\n')
    with pytest.raises(InvalidParameter, match="'May' is no day: give MM-DD"):
        farm("mowing", "rules", bad, "--site", "farm")
    bad.write_text("crops = ")
    with pytest.raises(InputRefused, match="neither TOML nor JSON"):
        farm("mowing", "rules", bad)
    cfg = tmp_path / "bad.cfg"
    cfg.write_text("[S2_processing]\nhigh_abs_th = 0.7\nlow_abs_th = 7\n")
    with pytest.raises(InvalidParameter, match=r"low_abs_th = '7' is refused"):
        farm("mowing", "import-config", cfg)
    assert farm("config", "get", "processor.s4c_l4b.high_abs_th")["value"] == "0.75"
    assert farm("config", "get", key, "--site", "farm")["value"] == before
    truth = tmp_path / "truth.csv"
    truth.write_text("parcel,when\nearly,2019-05-08\n")
    product = made(farm)
    with pytest.raises(MissingColumn, match="no column 'day'"):
        farm("validate", "l4b", truth, "--product", product)
    truth.write_text("parcel,date\nsomewhere,2019-05-08\n")
    with pytest.raises(NoInput, match="check the identifiers"):
        farm("validate", "l4b", truth, "--product", product)
    with pytest.raises(InvalidParameter, match="--product or --found"):
        farm("validate", "l4b", truth)
