"""Markers in and out through the command line: series, tables of a day, imports, wide tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import geopandas as gpd
import numpy as np
import polars as pl
import pytest
import shapely

from sen4cap.errors import InputRefused, InvalidParameter, NoInput, NotFound
from sen4cap.testing.rasters import small_grid, write_raster

from .conftest import Terminal

GRID = small_grid(64, 64, name="31UDS")
SHAPES = {
    "a": shapely.box(500_050, 5_699_800, 500_150, 5_699_900),
    "b": shapely.box(500_400, 5_699_960, 500_500, 5_699_990),
    "tiny": shapely.box(500_202, 5_699_702, 500_206, 5_699_707),
    "far": shapely.box(600_000, 5_699_000, 600_100, 5_699_100),
    "none": None,
}


@pytest.fixture
def farm(terminal: Terminal, tmp_path: Path) -> Terminal:
    """Two dates of NDVI: 0.2 and 0.4, missing in the uppermost rows, where `b` lies."""
    terminal("site", "create", "Farm")
    terminal("season", "create", "farm", "2018", "--start", "2018-01-01", "--end", "2018-12-31")
    (tmp_path / "ndvi").mkdir()
    for day, value in (("2018-05-04", 50), ("2018-06-08", 100)):
        values = np.full((64, 64), value, np.uint8)
        values[:5] = 0
        write_raster(tmp_path / "ndvi" / f"NDVI_{day}.tif", GRID, values, nodata=0)
    table = {"id": list(SHAPES), "crop": "1"}
    frame = gpd.GeoDataFrame(table, geometry=list(SHAPES.values()), crs=GRID.crs)
    frame.to_file(tmp_path / "fields.gpkg", geometry_type="Polygon")
    columns = ("--parcel-id-cols", "id", "--crop-code-col", "crop")
    terminal("product", "ingest", "farm", tmp_path / "ndvi", "--scale", 0.004)
    terminal("lpis", "import", "farm", 2018, tmp_path / "fields.gpkg", *columns)
    terminal("run", "s4c_mdb1", "farm", "2018")
    return terminal


def query(terminal: Terminal, *options: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = terminal("markers", "query", "farm", "2018", *options)
    return found


def numbers(terminal: Terminal) -> dict[str, int]:
    rows = terminal("markers", "parcels", "farm", "2018")
    return {row["ori_id"]: row["NewID"] for row in rows}


def test_a_series_a_day_and_a_box(farm: Terminal) -> None:
    of = numbers(farm)
    series = query(farm, "--parcel", "a")
    assert [row["mean"] for row in series] == pytest.approx([0.2, 0.4])
    assert [row["time"][:10] for row in series] == ["2018-05-04", "2018-06-08"]
    day = query(farm, "--date", "2018-06-08")
    assert [row["parcel"] for row in day] == sorted([of["a"], of["tiny"]])
    west, south, east, north = shapely.bounds(SHAPES["a"])
    corners = gpd.GeoSeries([shapely.box(west, south, east, north)], crs=GRID.crs).to_crs(4326)
    box = query(farm, "--bbox", *corners.total_bounds, "--marker", "ndvi")
    assert [row["parcel"] for row in box] == [of["a"]] * 2
    both = query(farm, "--parcel", "a", "--parcel", "tiny", "--date", "2018-05-04")
    assert [row["count"] for row in both] == pytest.approx([100, 0.2])
    with pytest.raises(InvalidParameter, match="--parcel, --date or --bbox"):
        query(farm)
    with pytest.raises(NotFound, match="there are: ndvi"):
        query(farm, "--parcel", "a", "--marker", "lai")


def test_rows_go_to_a_file(farm: Terminal, tmp_path: Path) -> None:
    for name in ("rows.csv", "rows.parquet"):
        farm("markers", "query", "farm", "2018", "--parcel", "a", "--out", tmp_path / name)
    rows = pl.read_parquet(tmp_path / "rows.parquet")
    assert rows["mean"].to_list() == pytest.approx([0.2, 0.4])
    assert pl.read_csv(tmp_path / "rows.csv")["mean"].to_list() == pytest.approx([0.2, 0.4])
    with pytest.raises(InvalidParameter, match="\\.parquet or \\.csv"):
        farm("markers", "query", "farm", "2018", "--parcel", "a", "--out", tmp_path / "rows.txt")


def test_every_parcel_has_a_row_and_a_reason(farm: Terminal) -> None:
    rows = farm("markers", "parcels", "farm", "2018")
    found = {row["ori_id"]: (row["dates"], row["reason"]) for row in rows}
    assert found["a"] == (2, "")
    assert found["b"] == (0, "No pixel of it was seen clearly: see 'sen4cap ledger show'.")
    assert found["tiny"][0] == 2
    assert found["tiny"][1].startswith("No pixel lies wholly inside")
    assert found["far"] == (0, "It lies outside all images.")
    assert found["none"] == (0, "The declaration has no geometry.")
    assert (rows[0]["first"], rows[0]["last"]) == ("2018-05-04", "2018-06-08")


@pytest.mark.parametrize("name", ["wide.csv", "wide.ipc"])
def test_a_wide_table_has_the_columns_of_the_original(
    farm: Terminal, tmp_path: Path, name: str
) -> None:
    of, path = numbers(farm), tmp_path / name
    signals = pl.DataFrame(
        {
            "parcel_id": ["a", "a"],
            "date": ["2018-05-06T17:20:00Z", "2018-05-12T17:20:00Z"],
            "orbit": [88, 88],
            "marker": ["amp_vv", "cohe_vh_6d"],
            "mean": [0.125, 0.5],
            "count": [30, 30],
        }
    )
    signals.write_csv(tmp_path / "radar.csv")
    farm("markers", "import", "farm", "2018", tmp_path / "radar.csv")
    told = farm(
        "markers", "export", "farm", "2018", path, "--statistic", "mean", "--statistic", "count"
    )
    assert (told["parcels"], told["columns"]) == (5, 9)
    wide = pl.read_csv(path) if name.endswith("csv") else pl.read_ipc(path)
    assert wide.columns == [
        "NewID",
        "20180504_cnt_NDVI", "20180504_mean_NDVI",
        "20180506_cnt_AMP_VV_088", "20180506_mean_AMP_VV_088",
        "20180512_cnt_COHE_VH_6D_088", "20180512_mean_COHE_VH_6D_088",
        "20180608_cnt_NDVI", "20180608_mean_NDVI",
    ]  # fmt: skip
    assert wide["NewID"].to_list() == sorted(of.values())
    [row] = wide.filter(pl.col("NewID") == of["a"]).iter_rows()
    assert row[1:] == pytest.approx((100, 0.2, 30, 0.125, 30, 0.5, 100, 0.4))
    [row] = wide.filter(pl.col("NewID") == of["far"]).iter_rows()
    assert row[1:] == (None,) * 8
    with pytest.raises(InvalidParameter, match=r"\.ipc, \.arrow, \.csv"):
        farm("markers", "export", "farm", "2018", tmp_path / "wide.xlsx")


def test_an_import_is_refused_as_a_whole(farm: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "signals.csv"
    before = query(farm, "--parcel", "a")

    def refused(table: dict[str, list[Any]], kind: type[Exception], text: str) -> None:
        pl.DataFrame(table).write_csv(path)
        with pytest.raises(kind, match=text):
            farm("markers", "import", "farm", "2018", path)
        assert query(farm, "--parcel", "a") == before

    whole = {"parcel": ["a"], "date": ["2018-05-05"], "marker": ["lai"], "mean": [1.5]}
    refused({**whole, "parcel": ["zz"]}, NotFound, "zz.*--declare")
    refused({**whole, "date": ["2017-05-05"]}, NoInput, "season '2018'")
    refused({**whole, "marker": ["/.."]}, InputRefused, "'' cannot name a marker")
    without = {name: values for name, values in whole.items() if name != "mean"}
    refused(without, InputRefused, "no column for the mean; it has: parcel, date, marker")
    (tmp_path / "signals.csv").write_bytes(b"PAR1 nothing")
    with pytest.raises(InputRefused):
        farm("markers", "import", "farm", "2018", path)


def test_imported_rows_stand_before_older_ones(farm: Terminal, tmp_path: Path) -> None:
    """The same date: the later word counts; the same file again changes nothing."""
    path = tmp_path / "signals.parquet"
    table = {"parcel": ["a"], "date": ["2018-05-04"], "marker": ["ndvi"], "mean": [0.75]}
    pl.DataFrame(table).write_parquet(path)
    catalogs = []
    for _ in range(2):
        done = farm("markers", "import", "farm", "2018", path)
        assert (done["rows"], done["parcels"], done["outside"]) == (1, 1, 0)
        assert [row["mean"] for row in query(farm, "--parcel", "a")] == pytest.approx([0.75, 0.4])
        catalogs.append([item["id"] for item in farm("product", "list", "farm")])
    assert catalogs[0] == catalogs[1]
    assert sum("_I" in name for name in catalogs[0]) == 1


CURRENT = """
    SELECT parcel, time, mean FROM read_parquet('{folder}/*.parquet')
    QUALIFY row_number() OVER (
        PARTITION BY parcel, time, orbit ORDER BY generation DESC, grid) = 1 AND count > 0
    ORDER BY parcel, time
"""
"""As the page of the processor tells it."""


def test_duckdb_and_polars_read_the_table_as_it_lies(farm: Terminal, tmp_path: Path) -> None:
    """With a row that was replaced by an import."""
    path = tmp_path / "signals.csv"
    table = {"parcel": ["a"], "date": ["2018-05-04"], "marker": ["ndvi"], "mean": [0.75]}
    pl.DataFrame(table).write_csv(path)
    farm("markers", "import", "farm", "2018", path)
    folder = tmp_path / "home" / "archive" / "farm" / "s4c_mdb1" / "2018" / "ndvi"
    with duckdb.connect() as database:
        found = database.execute(CURRENT.format(folder=folder)).fetchall()
    expected = [row for day in ("2018-05-04", "2018-06-08") for row in query(farm, "--date", day)]
    expected.sort(key=lambda row: (row["parcel"], row["time"]))
    assert [(row[0], row[2]) for row in found] == [(row["parcel"], row["mean"]) for row in expected]
    rows = pl.scan_parquet(folder / "*.parquet").filter(pl.col("count") > 0)
    newest = rows.sort("generation").unique(["parcel", "time", "orbit"], keep="last").collect()
    assert newest.height == len(found) == 4


@pytest.mark.data
def test_signals_of_jrc_and_of_camera_plots(
    terminal: Terminal, shared_data: Path, tmp_path: Path
) -> None:
    """Parcels whose place is secret, and a wide table of plots that are declared."""
    terminal("site", "create", "JRC")
    terminal("season", "create", "jrc", "2020", "--start", "2020-01-01", "--end", "2020-12-31")
    signals = shared_data / "jrc_salms_10parcels" / "signals.parquet"
    told = terminal(
        "markers", "import", "jrc", "2020", signals, "--declare",
        "--marker-col", "source", "--marker-col", "band",
    )  # fmt: skip
    theirs = pl.read_parquet(signals).filter(pl.col("MEAN").is_not_null())
    assert (told["rows"], told["parcels"], told["declared"]) == (theirs.height, 10, 10)
    rows = terminal("markers", "query", "jrc", "2020", "--parcel", "4", "--marker", "s2_idx_ndvi")
    ndvi = theirs.filter(pl.col("parcel_id") == 4, pl.col("band") == "NDVI").sort("datetime")
    assert [row["mean"] for row in rows] == pytest.approx(ndvi["MEAN"].to_list(), abs=1e-6)
    assert [row["p25"] for row in rows] == pytest.approx(ndvi["P25"].to_list(), abs=1e-6)
    assert [row["count"] for row in rows] == pytest.approx(ndvi["count"].to_list())

    mowing = shared_data / "ch_sk_grassland_mowing"
    terminal("site", "create", "Plots")
    terminal("season", "create", "plots", "2020", "--start", "2020-01-01", "--end", "2020-12-31")
    ids = [
        option for name in ("region", "plot_id", "year") for option in ("--parcel-id-cols", name)
    ]
    terminal("lpis", "import", "plots", 2020, mowing / "camera_plots.gpkg", *ids)
    keys = [option for name in ("region", "plot_id", "year") for option in ("--parcel-col", name)]
    told = terminal(
        "markers", "import", "plots", "2020", mowing / "camera_s2_ts.parquet", *keys,
        "--value", "ndvi", "--where", "region = 'CH' AND mask = 1",
    )  # fmt: skip
    plots = pl.read_parquet(mowing / "camera_s2_ts.parquet").filter(
        pl.col("region") == "CH", pl.col("mask") == 1, pl.col("ndvi").is_not_null()
    )
    assert (told["rows"], told["parcels"]) == (plots.height, 70)
    rows = terminal("markers", "query", "plots", "2020", "--parcel", "CH-AI_001-2020")
    own = plots.filter(pl.col("plot_id") == "AI_001").sort("date")
    assert [row["mean"] for row in rows] == pytest.approx(own["ndvi"].to_list(), abs=1e-6)
