"""The main job on real parcels and rasters, through the command line."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .demarke import classify, prepare, scores, write_lut

pytestmark = pytest.mark.data


ORIGINAL = {
    "mode": "both",
    "lc": "1234",
    "min-s2-pix": "3",
    "min-s1-pix": "1",
    "best-s2-pix": "10",
    "pa-min": "30",
    "pa-train-h": "4000",
    "pa-train-l": "1333",
    "sample-ratio-h": "0.25",
    "sample-ratio-l": "0.75",
    "smote-target": "1000",
    "smote-k": "5",
    "num-trees": "300",
    "min-node-size": "10",
}
"""The fourteen parameters of the original's processor, and its defaults."""


@pytest.fixture
def data(shared_data: Path) -> Path:
    return shared_data / "nl_demarke_brp2017_ndvi"


def test_crop_types_of_de_marke(
    terminal: Any, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Out of fold, mean of fold seeds 0-4; a random forest on the same statistics has 0.916."""
    prepare(terminal, data, write_lut(data, tmp_path / "lut.csv"))
    found = [scores(classify(terminal, seed)) for seed in range(5)]
    mean = {name: float(np.mean([item[name] for item in found])) for name in found[0]}
    with capsys.disabled():
        sys.stdout.write(f"\nDe Marke, mean of seeds 0-4: {mean}\n")
    assert mean["parcels"] == 1611
    assert mean["overall"] >= 0.922
    assert mean["grass"] >= 0.95
    assert mean["maize"] >= 0.91


def test_mean_ndvi_of_july(terminal: Any, data: Path, tmp_path: Path) -> None:
    """0.862 over the parcels on 17 July 2017; the rasters carry scale 0.004."""
    prepare(terminal, data, write_lut(data, tmp_path / "lut.csv"))
    parts = sorted((terminal.home / "archive/demarke/s4c_mdb1/2017/ndvi").glob("*.parquet"))
    import polars as pl

    rows = pl.concat([pl.read_parquet(part) for part in parts])
    day = rows.filter(pl.col("time").dt.date() == pl.date(2017, 7, 17))
    assert float(day["mean"].mean()) == pytest.approx(0.862, abs=0.001)  # type: ignore[arg-type]


def test_same_tables_on_both_databases_and_when_run_twice(
    open_terminal: Callable[..., Any], data: Path, tmp_path: Path, postgresql_url: str
) -> None:
    lut = write_lut(data, tmp_path / "lut.csv")
    homes = [open_terminal("one"), open_terminal("two"), open_terminal("three", postgresql_url)]
    homes[2]("db", "upgrade")
    products = []
    for terminal in homes:
        prepare(terminal, data, lut)
        products.append(classify(terminal, seed=0))
    assert len(products[0]) == 19
    for name in products[0]:
        contents = [files[name].read_bytes() for files in products]
        assert contents[0] == contents[1] == contents[2], name


def test_a_series_in_two_folders_is_one_grid(terminal: Any, data: Path, tmp_path: Path) -> None:
    """All 13 dates reach the parcel, whatever folders their rasters came in."""
    terminal("site", "create", "De Marke", "--short", "demarke")
    terminal("season", "create", "demarke", "2017", "--start", "2017-01-01", "--end", "2017-12-31")
    columns = ("--parcel-id-cols", "parcel_id", "--crop-code-col", "crop_code")
    terminal("lpis", "import", "demarke", 2017, data / "parcels.gpkg", *columns)
    rasters = sorted((data / "ndvi").glob("NDVI_2017*.tif"))
    for name, part in (("winter", rasters[:5]), ("autumn", rasters[5:])):
        (tmp_path / name).mkdir()
        for raster in part:
            shutil.copy(raster, tmp_path / name)
        terminal("product", "ingest", "demarke", tmp_path / name)
    terminal("run", "s4c_mdb1", "demarke", "2017")
    assert [grid["name"] for grid in terminal("site", "show", "demarke")["grids"]] == ["winter"]
    series = terminal("markers", "query", "demarke", "2017", "--parcel", "1526985")
    assert len(series) == 11
    assert {row["time"][5:7] for row in series} >= {"02", "05", "07", "10"}


def test_a_second_run_adds_nothing(terminal: Any, data: Path, tmp_path: Path) -> None:
    prepare(terminal, data, write_lut(data, tmp_path / "lut.csv"))
    archive = terminal.home / "archive"
    before = sorted(path.relative_to(archive) for path in archive.rglob("*"))
    again = terminal("run", "s4c_mdb1", "demarke", "2017")
    assert (again["made"], again["standing"]) == ([], 13)
    ingested = terminal(
        *("product", "ingest", "demarke", data / "ndvi"),
        *("--pattern", "NDVI_{date}.tif", "--band", "ndvi", "--grid", "demarke"),
    )
    assert (ingested["made"], ingested["standing"]) == ([], 26)
    assert sorted(path.relative_to(archive) for path in archive.rglob("*")) == before


def test_what_operators_look_at(terminal: Any, data: Path, tmp_path: Path) -> None:
    """The view of the declarations, the configuration, one parcel's series, the jobs."""
    prepare(terminal, data, write_lut(data, tmp_path / "lut.csv"))
    database = sqlite3.connect(terminal.home / "sen4cap.sqlite")
    count, pixels = database.execute(
        "select count(*), sum(\"S2Pix\" > 0) from decl_demarke_2017 where reason = ''"
    ).fetchone()
    assert count > 1500
    assert pixels > 1500
    keys = database.execute("select key, value from config where key like '%l4a%'").fetchall()
    assert set(keys) >= {(f"processor.s4c_l4a.{key}", value) for key, value in ORIGINAL.items()}
    database.close()
    series = terminal(
        "markers", "query", "demarke", "2017", "--parcel", "1526985", "--marker", "ndvi"
    )
    assert 1 <= len(series) <= 13
    assert all(-0.1 <= row["mean"] <= 1.0 for row in series)
    assert [job["status"] for job in terminal("job", "list")] == ["successful"]
