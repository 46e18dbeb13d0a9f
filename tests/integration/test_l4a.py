"""The crop type step on a generated season and on real parcels."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import pyogrio
import pytest
import shapely

from sen4cap.app import jobs, lpis
from sen4cap.app.system import System, session
from sen4cap.domain import Grid, Product, ProductType, Reason, Season, Sensor
from sen4cap.errors import InvalidParameter, NoInput
from sen4cap.processing import Context
from sen4cap.processing.marker_table import MarkerTable
from sen4cap.processors.l4a_crop_type import processor
from sen4cap.processors.l4a_crop_type.params import CropTypeParams, Method, Mode
from sen4cap.processors.l4a_crop_type.seen import Acquired
from sen4cap.settings import Settings
from sen4cap.store.parcels import SqlParcels
from sen4cap.testing.crop_type import crop_step, season_context
from sen4cap.testing.demarke import demarke_context

SEASON = Season("demo", "2017", date(2017, 1, 1), date(2017, 12, 31))
GRID = Grid("31UFT", "EPSG:32631", (10, 0, 600_000, 0, -10, 5_800_000), 1000, 1000)
LUT = pd.DataFrame(
    {
        "ori_crop": ["1", "2", "3", "9"],
        "lc": [1, 3, 1, 0],
        "ctnuml4a": [10, 20, 30, 90],
        "ctl4a": ["Maize", "Grass", "Beet", "Water"],
    }
)
SMALL = CropTypeParams(num_trees=20, block_size=1000, pa_min=10)
SIDE = 16
"""Parcels of 100 m, 300 m apart: rows and columns."""


def squares() -> gpd.GeoDataFrame:
    """256 parcels; every other one is maize, then grass; a few are special."""
    number = np.arange(SIDE * SIDE)
    x, y = 600_100 + 300.0 * (number % SIDE), 5_799_900 - 300.0 * (number // SIDE)
    frame = gpd.GeoDataFrame(
        {"NewID": number + 1, "ori_crop": np.where(number % 2, "2", "1"), "reason": ""},
        geometry=shapely.box(x, y - 100, x + 100, y),
        crs=GRID.crs,
    )
    frame.loc[0, "reason"] = "duplicate"
    frame.loc[1, "ori_crop"] = "unheard of"
    frame.loc[2, "ori_crop"] = "9"
    frame.loc[3:7, "ori_crop"] = "3"
    frame.loc[[10], "geometry"] = shapely.box(700_000, 5_700_000, 700_100, 5_700_100)
    return frame


def observations(parcels: gpd.GeoDataFrame) -> pl.DataFrame:
    """Three dates: maize is low in May and high in July, grass the same all year."""
    noise = np.random.default_rng(1)
    maize = parcels["ori_crop"].to_numpy() == "1"
    frames = []
    for day, level in (((2017, 5, 6), 0.3), ((2017, 7, 17), 0.9), ((2017, 10, 15), 0.3)):
        mean = np.where(maize, level, 0.8) + noise.normal(0, 0.05, len(parcels))
        frames.append(
            pl.DataFrame(
                {
                    "parcel": parcels["NewID"].to_numpy(),
                    "time": [datetime(*day, 10, 50, tzinfo=UTC)] * len(parcels),
                    "mean": mean,
                    "stdev": np.full(len(parcels), 0.02),
                    "count": np.full(len(parcels), 100.0),
                }
            )
        )
    rows = pl.concat(frames)
    tiny, middling, unseen = pl.col("parcel") == 12, pl.col("parcel") == 13, pl.col("parcel") == 14
    count = pl.when(tiny).then(2.0).when(middling).then(5.0).otherwise(pl.col("count"))
    return rows.with_columns(count=count).filter(~unseen)


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    parcels = squares()
    markers = {"ndvi": observations(parcels)}
    return season_context(tmp_path, SEASON, GRID, parcels=parcels, lut=LUT, markers=markers)


def result(product: Product) -> pd.DataFrame:
    return pd.read_parquet(product.asset("CropType.parquet").href).set_index("NewID")


def accuracy(product: Product) -> dict:
    return json.loads(Path(product.asset("accuracy.json").href).read_text("utf-8"))


def test_the_archive_is_listed_as_in_the_originals_training(tmp_path: Path) -> None:
    """`ls /mnt/archive/nld_2019/s4c_l4a` shows a folder per product."""
    season, parcels = replace(SEASON, site="nld_2019"), squares()
    markers = {"ndvi": observations(parcels)}
    ctx = season_context(tmp_path, season, GRID, parcels=parcels, lut=LUT, markers=markers)
    product = processor.run(ctx, SMALL, crop_step(ctx))
    words = ["ls", str(tmp_path / "nld_2019" / "s4c_l4a")]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert listed == [product.name]
    assert product.name.startswith("S2AGRI_S4C_L4A_PRD_Snld_2019_V20170101_20171231_r")
    inside = sorted(path.name for path in (Path(words[1]) / product.name).iterdir())
    assert inside == ["VECTOR_DATA"]


def test_every_parcel_has_a_result_or_a_reason(ctx: Context) -> None:
    product = processor.run(ctx, SMALL, crop_step(ctx))
    table = result(product)
    assert len(table) == 256
    assert ((table["reason"] == "") == table["CT_pred_1"].notna()).all()
    expected = {
        1: "duplicate",
        2: "crop_not_in_lut",
        3: "land_cover",
        **dict.fromkeys(range(4, 9), "rare_class"),
        11: "outside_grid",
        12: "too_small",
        14: "no_data",
    }
    assert table["reason"][table["reason"] != ""].to_dict() == expected
    assert {Reason(code) for code in expected.values()} <= set(Reason)
    assert product.properties["reasons"] == dict(
        sorted({**dict.fromkeys(set(expected.values()), 1), "rare_class": 5}.items())
    )


def test_figures_follow_from_the_table(ctx: Context) -> None:
    product = processor.run(ctx, SMALL, crop_step(ctx))
    table, document = result(product), accuracy(product)
    judged = table[table["reason"] == ""]
    right = (judged["CT_pred_1"] == judged["CT_decl"]).sum()
    # Maize and grass differ by ten standard deviations in May: nothing can be confused.
    assert right == len(judged) == 245
    assert document["overall_accuracy"] == 1.0
    assert document["kappa"] == 1.0
    assert document["overall_accuracy_with_rare"] == pytest.approx(245 / 250, abs=1e-6)
    assert document["log_loss"] < 0.5 * document["log_loss_of_shares"]
    assert document["classes"] == [{"code": 10, "name": "Maize"}, {"code": 20, "name": "Grass"}]
    assert np.trace(document["confusion"]) == 245
    assert document["training_parcels"] == 244  # one parcel is judged, but too small to teach
    assert sum(document["parcels_per_fold"]) == 245
    confidence = judged[["CT_conf_1", "CT_conf_2"]]
    assert np.allclose(confidence.sum(axis=1), 1.0, atol=1.1e-3)
    assert (confidence == confidence.round(3)).all(axis=None)


def test_same_input_same_bytes(ctx: Context, tmp_path: Path) -> None:
    step = crop_step(ctx)
    first = processor.run(ctx, SMALL, step)
    other = replace(ctx, archive=tmp_path / "again", cores=2)
    markers = other.folder("s4c_mdb1")
    markers.parent.mkdir(parents=True)
    ctx.folder("s4c_mdb1").rename(markers)
    second = processor.run(other, SMALL, step)
    assert len(first.assets) == 17
    for asset in first.assets:
        again = second.asset(asset.name)
        assert Path(asset.href).read_bytes() == Path(again.href).read_bytes(), asset.name


def test_geopackage_opens_coloured_and_csv_has_integers(ctx: Context) -> None:
    product = processor.run(ctx, SMALL, crop_step(ctx))
    path = product.asset("CropType.gpkg").href
    assert {"CropType", "layer_styles"} == set(pyogrio.list_layers(path)[:, 0])
    style = pyogrio.read_dataframe(path, layer="layer_styles", read_geometry=False)
    assert 'value="10" label="Maize"' in style["styleQML"][0]
    assert pyogrio.read_info(path, layer="CropType")["features"] == 256
    lines = Path(product.asset("CropType.csv").href).read_text("utf-8").splitlines()
    assert lines[0].startswith(
        "NewID,HoldID,GeomValid,Duplic,Overlap,Area_meters,S2Pix,S1Pix,LC,CTnumDIV,CT_decl,"
        "CT_pred_1,CT_conf_1,CT_pred_2,CT_conf_2,"
    )
    # A square of 100 m holds 8 x 8 pixels of 10 m whose centres are 5 m and more off its border,
    # and 3 x 3 of 20 m that are 10 m and more off: the other centres lie on the rim.
    assert lines[1].startswith("1,1,1,0,0,10000.0,64,9,1,10,10,,,,,")
    assert ",duplicate,Another parcel has the same geometry.,s4c_l4a/" in lines[1]
    assert lines[9].startswith("9,1,1,0,0,10000.0,64,9,1,10,10,10,")
    assert ",3,0,100.0,,S2," in lines[9]


def test_every_row_speaks(ctx: Context) -> None:
    """A light with its sentence, or a reason with its; never both, and the same in all files."""
    product = processor.run(ctx, SMALL, crop_step(ctx))
    table = result(product)
    judged = table["reason"] == ""
    assert table["sentence"].str.endswith((".", ").")).all()
    assert table.loc[judged, ["light", "why", "p_declared", "rank", "group"]].notna().all(axis=None)
    assert table.loc[~judged, ["light", "why", "p_declared", "rank"]].isna().all(axis=None)
    assert sorted(table.loc[judged, "rank"]) == list(range(1, 246))
    assert (table.loc[judged, "sensors"] == "S2").all()
    lights = {item["light"]: item["parcels"] for item in accuracy(product)["lights"]}
    counted = table["light"].value_counts()
    assert lights == {light: int(counted.get(light, 0)) for light in lights}
    assert sum(lights.values()) == 245
    assert [item["light"] for item in product.properties["lights"]] == list(lights)


def test_shapefile_holds_every_parcel_under_short_names(ctx: Context) -> None:
    product = processor.run(ctx, SMALL, crop_step(ctx))
    path = Path(product.asset("CropType.shp").href)
    shape = pyogrio.read_dataframe(path)
    assert pyogrio.read_info(path)["encoding"] == "UTF-8"
    assert shape.crs == GRID.crs
    assert max(map(len, shape.columns)) <= 10
    table = gpd.read_parquet(product.asset("CropType.parquet").href)
    assert shape["NewID"].tolist() == table["NewID"].tolist()
    assert shape["CT_pred_1"].fillna(0).tolist() == table["CT_pred_1"].fillna(0).tolist()
    assert shape["reason"].fillna("").tolist() == table["reason"].tolist()
    assert shape["Duplic"].tolist() == table["Duplic"].astype(int).tolist()
    assert shape.geometry.geom_equals(table.geometry).all()


def test_the_large_files_of_the_original_can_be_left_out(ctx: Context) -> None:
    params = SMALL.model_copy(update={"original_files": False})
    product = processor.run(ctx, params, crop_step(ctx))
    names = {asset.name for asset in product.assets}
    assert len(names) == 10
    assert not names & {"CropType.shp", "Parcels_all_with_predictions.csv"}
    folder = Path(product.asset("CropType.csv").href).parent
    assert not (folder / "SHP").exists()


def test_parcels_of_a_block_share_their_fold(ctx: Context) -> None:
    table = gpd.read_parquet(processor.run(ctx, SMALL, crop_step(ctx)).assets[0].href)
    judged = table[table["reason"] == ""]
    block = (judged.centroid.x // 1000).astype(int) * 10**6 + judged.centroid.y // 1000
    assert judged.groupby(block)["fold"].nunique().max() == 1
    assert judged["fold"].nunique() == 5


def test_observations_of_a_former_geometry_are_left_out(tmp_path: Path) -> None:
    parcels = squares()
    rows = observations(parcels).with_columns(geom_hash=pl.lit("former"))
    ctx = season_context(tmp_path, SEASON, GRID, parcels=parcels, lut=LUT, markers={"ndvi": rows})
    with pytest.raises(NoInput, match="no markers of the parcels"):
        processor.run(ctx, SMALL, crop_step(ctx))


def test_refusals_name_the_parameter_and_write_nothing(ctx: Context) -> None:
    with pytest.raises(InvalidParameter, match=r"block-size = 10000 m .* 1 block, too few for 5"):
        processor.run(ctx, SMALL.model_copy(update={"block_size": 10_000}), crop_step(ctx))
    with pytest.raises(NoInput, match="outside_grid 253"):
        processor.run(ctx, SMALL.model_copy(update={"mode": "s1-only"}), crop_step(ctx))
    with pytest.raises(NoInput, match="pa-min"):
        processor.run(ctx, SMALL.model_copy(update={"lc": "3"}), crop_step(ctx))
    with pytest.raises(NoInput, match="no crop look-up table"):
        processor.run(replace(ctx, lut=None), SMALL, crop_step(ctx))
    assert not ctx.folder("s4c_l4a").exists()


def test_no_trees_predict_the_shares(ctx: Context) -> None:
    document = accuracy(
        processor.run(ctx, SMALL.model_copy(update={"num_trees": 0}), crop_step(ctx))
    )
    # 124 of 245 are grass at most: the larger class of the teachers is named everywhere.
    assert document["overall_accuracy"] < 0.55
    assert document["log_loss"] == pytest.approx(document["log_loss_of_shares"], abs=0.02)


@contextmanager
def installation(home: Path, days: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """One that has the first so many of the three dates."""
    parcels = squares()
    rows = observations(parcels)
    first = rows.filter(pl.col("time").is_in(rows["time"].unique().sort()[:days].implode()))
    with session(Settings(home=home, cores=1)) as system:
        ctx = season_context(
            system.archive, SEASON, GRID, parcels=parcels, lut=LUT, markers={"ndvi": first}
        )
        system.store.sites.add(ctx.site)
        system.store.seasons.add(SEASON)
        system.store.grids.add("demo", GRID)
        made = [replace(item, season="2017") for item in crop_step(ctx).inputs]
        system.store.products.commit(made)
        monkeypatch.setattr(SqlParcels, "current", lambda *_: ctx.parcel_set)
        monkeypatch.setattr(lpis, "lut_file", lambda *_: ctx.lut)
        yield system


def test_a_nominal_day_gives_what_a_job_of_that_day_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """May and July of May, July and October; and the map of the season stands beside it."""
    options = {"num-trees": 20, "block-size": 1000, "pa-min": 10}
    found: list[Product] = []
    for days in (2, 3):
        with installation(tmp_path / str(days), days, monkeypatch) as system:
            words = ("s4c_l4a", "demo", "2017", options)
            done = jobs.run(system, *words, nominal=date(2017, 7, 31))
            found += done.made
            assert jobs.run(system, *words, nominal=date(2017, 7, 31)).standing == 1
            whole = jobs.run(system, *words).made
            current = system.store.products.search("demo", types=[ProductType.L4A])
            assert {item.name for item in current} == {done.made[0].name, whole[0].name}
            assert whole[0].name.startswith("S2AGRI_S4C_L4A_PRD_Sdemo_V20170101_20171231_r")
    then, now = found
    assert then.name == now.name
    assert then.name.startswith("S2AGRI_S4C_L4A_PRD_Sdemo_V20170101_20170731_r")
    assert len(now.parents) == 2
    for asset in then.assets:
        again = now.asset(asset.name)
        assert Path(asset.href).read_bytes() == Path(again.href).read_bytes(), asset.name


@pytest.mark.data
def test_de_marke_groups_out_of_fold(shared_data: Path, tmp_path: Path) -> None:
    """One seed of the acceptance; a plain random forest gives 0.91."""
    ctx = demarke_context(shared_data / "nl_demarke_brp2017_ndvi", tmp_path)
    params = CropTypeParams(block_size=1000, pa_min=1, min_s2_pix=0, seed=0)
    document = accuracy(processor.run(ctx, params, crop_step(ctx)))
    f1 = {item["name"]: item["f1"] for item in document["per_class"]}
    assert document["parcels"]["judged"] == 1611
    assert document["overall_accuracy"] >= 0.91
    assert f1["grass"] >= 0.95
    assert f1["maize"] >= 0.91


def test_acquisitions_of_both_sensors_are_counted(tmp_path: Path) -> None:
    """By hand: three clear dates but for the parcel that is never seen; two of radar, one used."""
    parcels = squares()
    rows = observations(parcels)
    radar = rows.filter(pl.col("time").dt.month() > 5)
    markers = {"ndvi": rows, "evi": rows.head(1), "amp_vv": radar}
    ctx = season_context(tmp_path, SEASON, GRID, parcels=parcels, lut=LUT, markers=markers)
    numbers = parcels["NewID"].to_numpy(np.int64)
    homes = pl.DataFrame(
        {"parcel": numbers, "geom_hash": [f"{n:016x}" for n in numbers], "grid": GRID.name}
    )
    july = pl.DataFrame({"time": rows["time"].unique().sort().head(2), "grid": GRID.name})
    table = MarkerTable.of(ctx.archive, SEASON)
    acquired = Acquired(table, july, homes, (Sensor.S2, Sensor.S1))
    clear, flown = (acquired.count(numbers, sensor) for sensor in (Sensor.S2, Sensor.S1))
    assert (clear[13], flown[13]) == (0, 0)
    assert (np.delete(clear, 13) == 2).all()
    assert (np.delete(flown, 13) == 1).all()
    unused = replace(acquired, sensors=(Sensor.S2,)).count(numbers, Sensor.S1)
    assert not unused.any()


def test_the_originals_method_fills_the_same_files(ctx: Context) -> None:
    params = SMALL.model_copy(update={"method": Method.SEN4CAP, "mode": Mode.S2_ONLY})
    product = processor.run(ctx, params, crop_step(ctx))
    table, document = result(product), accuracy(product)
    judged = table["reason"] == ""
    assert document["model"] == f"{product.processor} sen4cap"
    assert (table["model"] == document["model"]).all()
    assert document["overall_accuracy"] > 0.9
    assert (table.loc[judged, "n_s2_dates"] == 3).all()
    assert len(product.assets) == 17
