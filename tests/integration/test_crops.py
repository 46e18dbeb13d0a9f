"""What follows a crop map: changes since the last one, and crop diversification."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import pytest
import shapely

from sen4cap.app import crops, jobs, lpis
from sen4cap.app.system import System, session
from sen4cap.cli import app
from sen4cap.cli.output import guarded
from sen4cap.domain import Grid, Season
from sen4cap.errors import MissingColumn, NoInput, NotFound
from sen4cap.geo.vector import write_parcels
from sen4cap.settings import Settings
from sen4cap.store.parcels import SqlParcels
from sen4cap.testing.crop_type import crop_step, season_context

SEASON = Season("demo", "2017", date(2017, 1, 1), date(2017, 12, 31))
GRID = Grid("31UFT", "EPSG:32631", (10, 0, 600_000, 0, -10, 5_800_000), 1000, 1000)
LUT = pd.DataFrame(
    {
        "ori_crop": ["1", "2"],
        "lc": [1, 3],
        "ctnuml4a": [10, 20],
        "ctl4a": ["Maize", "Grass"],
        "ctnumdiv": [100, 200],
        "eaa": [1, 1],
        "al": [1, 0],
        "tgrass": [0, 0],
        "pgrass": [0, 1],
        "fallow": [0, 0],
        "cwater": [0, 0],
    }
)
OPTIONS = {"num-trees": 5, "block-size": 1000, "pa-min": 5, "min-node-size": 5}
SIDE = 8
"""Parcels of 100 m, 500 m apart: rows and columns."""
ORIGINALS = {"GeomValid": True, "Duplic": False, "Overlap": False, "S2Pix": 64, "S1Pix": 16}
"""Columns of the original's table that are the same for all parcels here."""


def squares() -> gpd.GeoDataFrame:
    """64 parcels of four holdings; every other one is declared maize, then grass."""
    number = np.arange(SIDE * SIDE)
    x, y = 600_100 + 500.0 * (number % SIDE), 5_799_900 - 500.0 * (number // SIDE)
    return gpd.GeoDataFrame(
        {
            "NewID": number + 1,
            "HoldID": 1 + number // 16,
            "ori_crop": np.where(number % 2, "2", "1"),
        },
        geometry=shapely.box(x, y - 100, x + 100, y),
        crs=GRID.crs,
    )


def observations(parcels: gpd.GeoDataFrame) -> pl.DataFrame:
    """One date: maize is low, grass is not; the first parcel is grass, whatever it says."""
    maize = (parcels["ori_crop"] == "1").to_numpy() & (parcels["NewID"] > 1).to_numpy()
    noise = np.random.default_rng(1).normal(0, 0.02, len(parcels))
    return pl.DataFrame(
        {
            "parcel": parcels["NewID"].to_numpy(),
            "time": [datetime(2017, 5, 6, 10, 50, tzinfo=UTC)] * len(parcels),
            "mean": np.where(maize, 0.3, 0.8) + noise,
            "stdev": np.full(len(parcels), 0.02),
            "count": np.full(len(parcels), 64.0),
        }
    )


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    parcels = squares()
    monkeypatch.setenv("SEN4CAP_HOME", str(tmp_path))
    with session(Settings(home=tmp_path, cores=1)) as here:
        markers = {"ndvi": observations(parcels)}
        ctx = season_context(here.archive, SEASON, GRID, parcels=parcels, lut=LUT, markers=markers)
        here.store.sites.add(ctx.site)
        here.store.seasons.add(SEASON)
        here.store.grids.add("demo", GRID)
        made = [replace(item, season="2017") for item in crop_step(ctx).inputs]
        here.store.products.commit(made)
        monkeypatch.setattr(SqlParcels, "current", lambda *_: ctx.parcel_set)
        monkeypatch.setattr(lpis, "lut_file", lambda *_: ctx.lut)
        yield here


def run(system: System, **options: object) -> str:
    [product] = jobs.run(system, "s4c_l4a", "demo", "2017", {**OPTIONS, **options}).made
    return product.name


def complete(system: System, name: str) -> None:
    """Give the table of a map the original's columns."""
    path = Path(system.store.products.get(name).asset("CropType.parquet").href)
    table = gpd.read_parquet(path)
    maize = table["CT_decl"] == 10
    table = table.assign(**ORIGINALS, LC=np.where(maize, 1, 3), CTnumDIV=np.where(maize, 100, 200))
    write_parcels(path, table)


def test_changes_since_the_last_run_name_parcels_and_cause(system: System) -> None:
    first = run(system)
    with pytest.raises(NoInput, match="one crop map"):
        crops.changes(system, "demo", "2017")
    second = run(system, **{"num-trees": 0})
    found = crops.changes(system, "demo", "2017")
    assert (found.previous.name, found.current.name) == (first, second)
    assert [item.sentence for item in found.differences] == ["num-trees is 0, it was 5."]
    table = found.table
    assert 20 < len(table) <= 64
    assert set(table["cause"]) == {"parameter"}
    assert table["change"].str.contains("predicted").all()
    assert crops.changes(system, "demo", "2017", first).previous.name == first
    with pytest.raises(NotFound, match=first):
        crops.changes(system, "demo", "2017", "nonsense")


def test_changes_are_printed_and_written(
    system: System, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(system)
    run(system, **{"num-trees": 0})
    path = tmp_path / "changes.csv"
    words = ["crop", "changes", "demo", "2017", "--csv", str(path)]
    assert guarded(lambda **kw: app(words, **kw)) == 0
    assert "num-trees is 0, it was 5." in " ".join(capsys.readouterr().out.split())
    assert guarded(lambda **kw: app([*words, "--json"], **kw)) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["differences"][0]["cause"] == "parameter"
    assert len(told["changes"]) == len(pl.read_csv(path))


def test_a_map_that_does_not_tell_its_inputs_is_refused(system: System) -> None:
    name = run(system)
    run(system, **{"num-trees": 0})
    path = Path(system.store.products.get(name).asset("accuracy.json").href)
    document = json.loads(path.read_text("utf-8"))
    del document["provenance"]
    stamp = path.stat().st_mtime_ns
    path.write_text(json.dumps(document), "utf-8")
    os.utime(path, ns=(stamp, stamp))
    with pytest.raises(NoInput, match="made from"):
        crops.changes(system, "demo", "2017")


def test_diversification_of_holdings(
    system: System, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each holding has 8 ha of maize and 8 ha of meadow; of two classes both conform."""
    name = run(system)
    complete(system, name)
    output = tmp_path / "CropDiversification.csv"
    words = ["crop", "diversification", "demo", "2017", str(output)]
    assert guarded(lambda **kw: app(words, **kw)) == 0
    assert "Not_required" in capsys.readouterr().out
    parcels, holdings = (
        pl.read_csv(output),
        pl.read_csv(tmp_path / "CropDiversification_holding.csv"),
    )
    assert parcels.columns == ["NewID", "Classif_r", "CD_cat", "CD_diagn", "Area_meters"]
    assert set(parcels["Classif_r"]) == {"Classified_conform"}
    assert set(holdings["CD_cat"]) == {"Exemption1"}
    assert holdings["area_tal_c"].to_list() == [80_000.0] * 4
    assert holdings["area_permGrass_c"].to_list() == [80_000.0] * 4


def test_diversification_needs_a_map_with_its_columns(system: System, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    with pytest.raises(NoInput, match="run 'sen4cap run s4c_l4a demo 2017' first"):
        crops.diversification(system, "demo", "2017", output)
    path = Path(system.store.products.get(run(system)).asset("CropType.parquet").href)
    write_parcels(path, gpd.read_parquet(path).drop(columns="CT_pred_2"))
    with pytest.raises(MissingColumn, match="CT_pred_2"):
        crops.diversification(system, "demo", "2017", output)
    assert not output.exists()
