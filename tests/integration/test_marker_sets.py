"""All marker sets, the statistics and settings that may be chosen, and parcels of every kind.

Expected values come from exactextract and numpy on the same rasters, or by hand.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import polars as pl
import pytest
import rasterio
import rasterio.shutil
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource

from sen4cap.domain import (
    Asset,
    Grid,
    PixelRule,
    Product,
    ProductType,
    Role,
    Season,
    Sensor,
    Site,
)
from sen4cap.geo import coverage
from sen4cap.processing import Context, Step
from sen4cap.processing.marker_table import MarkerTable
from sen4cap.processors import l3b
from sen4cap.processors.l3b import L3bParams
from sen4cap.processors.markers import MarkersParams, homes
from sen4cap.processors.markers.layers import layers
from sen4cap.processors.markers.params import Averaging
from sen4cap.testing.markers import parcel_set, run
from sen4cap.testing.rasters import small_grid, write_raster

TIME = datetime(2018, 6, 1, 10, 50, 31, tzinfo=UTC)
GRID = small_grid(60, 40, name="31UDS")
RADAR = replace(GRID.at(20), sensor=Sensor.S1)
RNG = np.random.default_rng(11)
BANDS = {
    name: RNG.integers(1200, 6000, (40, 60)).astype(np.uint16) for name in ("B03", "B04", "B08")
}
BANDS["B04"] = (1200 + RNG.permutation(2400)).reshape(40, 60).astype(np.uint16)
"""No value twice: in which order exactextract takes equal values is not defined."""
COARSE = RNG.integers(1200, 6000, (20, 30)).astype(np.uint16)
SCL = np.full((20, 30), 4, np.uint8)
SCL[:, 24:] = 9
POWER = {name: RNG.gamma(4, 0.05, (20, 30)).astype(np.float32) for name in ("VV", "VH")}
POWER["VH"][:4] = np.nan


def shapes() -> list[shapely.Geometry]:
    """A lens, one with a hole, one smaller than a pixel, one over the rim, one far away."""
    disc = shapely.Point(500_300, 5_699_800).buffer(83.3)
    return [
        disc,
        shapely.difference(
            shapely.box(500_020, 5_699_620, 500_180, 5_699_780), disc.buffer(30)
        ).difference(shapely.box(500_080, 5_699_660, 500_120, 5_699_700)),
        shapely.box(500_202, 5_699_702, 500_206, 5_699_707),
        shapely.Polygon([(499_903, 5_699_953), (500_153, 5_699_953), (500_103, 5_699_803)]),
        shapely.box(600_000, 5_699_000, 600_100, 5_699_100),
    ]


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    season = Season("s", "2018", date(2018, 1, 1), date(2018, 12, 31))
    parcels = parcel_set(tmp_path, shapes(), GRID.crs)
    grids = (GRID, RADAR)
    return Context(Site("S", "s"), season, tmp_path / "archive", parcels, grids=grids)


@pytest.fixture
def l2a(tmp_path: Path) -> Product:
    files = {
        name: write_raster(tmp_path / f"{name}.tif", GRID, item) for name, item in BANDS.items()
    }
    files["B11"] = write_raster(tmp_path / "B11.tif", GRID.at(20), COARSE)
    scl = write_raster(tmp_path / "SCL.tif", GRID.at(20), SCL)
    assets = [
        Asset(name, str(path), scale=0.0001, offset=-0.1, nodata=0) for name, path in files.items()
    ]
    assets.append(Asset("SCL", str(scl), Role.MASK))
    return Product("L2A_1", "s", ProductType.L2A, "31UDS", TIME, TIME, "b2" * 16, tuple(assets))


def radar(folder: Path, kind: ProductType, name: str, **properties: Any) -> Product:
    assets = tuple(
        Asset(pol, str(write_raster(folder / f"{name}_{pol}.tif", RADAR, values)), nodata=np.nan)
        for pol, values in POWER.items()
    )
    told = {"sat:relative_orbit": 110, **properties}
    return Product(name, "s", kind, "31UDS", TIME, TIME, "d4" * 16, assets, properties=told)


def table(ctx: Context) -> MarkerTable:
    return MarkerTable.of(ctx.archive, ctx.season)


def reference(values: Any, grid: Grid, ctx: Context, *stats: str) -> pl.DataFrame:
    """By exactextract, of the parcels with a valid pixel, sorted."""
    frame = gpd.read_parquet(ctx.parcels.path).to_crs(grid.crs)
    source = NumPyRasterSource(values, *grid.bounds, nodata=np.nan)
    found = exact_extract(
        source, frame, ["mean", "stdev", "count", *stats], include_cols=["NewID"], output="pandas"
    )
    return pl.from_pandas(found).filter(pl.col("count") > 0).sort("NewID")


def assert_equal(found: pl.DataFrame, expected: pl.DataFrame, **columns: str) -> None:
    """To 2e-6; quantiles to 1e-5, because the shares, summed up, are of single precision."""
    assert found["parcel"].to_list() == expected["NewID"].to_list()
    for own, theirs in {"mean": "mean", "stdev": "stdev", "count": "count", **columns}.items():
        one, other = found[own].to_numpy(), expected[theirs].cast(pl.Float64).to_numpy()
        near = 1e-5 if own in {"median", "p25", "p75"} else 2e-6
        np.testing.assert_allclose(one, other, rtol=near, atol=near, err_msg=own)


def test_all_statistics_equal_exactextract(ctx: Context, l2a: Product) -> None:
    params = MarkersParams(
        l2ab04_enabled=True, minmax_enabled=True, median_enabled=True, p25_enabled=True,
        p75_enabled=True,
    )  # fmt: skip
    run(ctx, [l2a], params)
    clear = np.kron(SCL != 9, np.ones((2, 2), bool))
    red = np.where(clear, BANDS["B04"] * 0.0001 - 0.1, np.nan)
    asked = ("min", "max", "median", "quantile(q=0.25)", "quantile(q=0.75)")
    expected = reference(red, GRID, ctx, *asked)
    names = {name: name for name in ("min", "max", "median")}
    assert_equal(table(ctx).read("b04"), expected, **names, p25="quantile_25", p75="quantile_75")


def test_a_statistic_that_is_switched_on_is_made_for_what_stands(
    ctx: Context, l2a: Product
) -> None:
    first = run(ctx, [l2a], MarkersParams(l2ab04_enabled=True))
    assert table(ctx).read("b04")["median"].null_count() == 4
    second = run(ctx, [l2a], MarkersParams(l2ab04_enabled=True, median_enabled=True), first)
    assert second.properties["rows"] == {"b04": 4}
    found = table(ctx).read("b04")
    assert found["median"].null_count() == 0
    assert found["min"].null_count() == 4


def test_backscatter_is_averaged_as_power(ctx: Context, tmp_path: Path) -> None:
    product = run(ctx, [radar(tmp_path, ProductType.S1_AMP, "AMP_1")])
    assert product.properties["markers"] == ["amp_vh", "amp_vv", "amp_vvvh"]
    for pol, values in POWER.items():
        found = table(ctx).read(f"amp_{pol.lower()}")
        assert_equal(found, reference(values.astype(float), RADAR, ctx))
        assert found["orbit"].to_list() == [110] * found.height
    both = np.isnan(POWER["VH"])
    means = {
        pol: reference(np.where(both, np.nan, item).astype(float), RADAR, ctx)
        for pol, item in POWER.items()
    }
    found = table(ctx).read("amp_vvvh")
    expected = table(ctx).read("amp_vv").join(table(ctx).read("amp_vh"), on="parcel", suffix="_vh")
    assert found["parcel"].to_list() == means["VH"]["NewID"].to_list()
    ratio = expected["mean"] / expected["mean_vh"]
    np.testing.assert_allclose(found["mean"], ratio, rtol=1e-6)
    spread = (
        (expected["stdev"] / expected["mean"]) ** 2
        + (expected["stdev_vh"] / expected["mean_vh"]) ** 2
    ).sqrt()
    np.testing.assert_allclose(found["stdev"], ratio * spread, rtol=1e-5)


def test_radar_has_homes_of_its_own(ctx: Context, l2a: Product, tmp_path: Path) -> None:
    """Radar has a neighbouring tile too, which covers all that is near and goes first by name."""
    neighbour = replace(RADAR, name="31UCS", width=40, height=40)
    both = replace(ctx, grids=(neighbour, GRID, RADAR))
    run(both, [l2a], MarkersParams(l2ab04_enabled=True))
    assert set(table(both).read("b04")["parcel"]) == {10, 11, 12, 13}
    product = run(both, [radar(tmp_path, ProductType.S1_AMP, "AMP_1")])
    assert product.properties["parcels"] == 0


def test_decibels_are_averaged_if_asked(ctx: Context, tmp_path: Path) -> None:
    """The original's way: lower than the decibels of the mean power."""
    source = radar(tmp_path, ProductType.S1_AMP, "AMP_1")
    first = run(ctx, [source])
    linear = table(ctx).read("amp_vv")
    second = run(ctx, [source], MarkersParams(sar_averaging=Averaging.DECIBELS), first)
    assert second.properties["rows"]["amp_vv"] == 4
    found = table(ctx).read("amp_vv")
    assert_equal(found, reference(10 * np.log10(POWER["VV"].astype(float)), RADAR, ctx))
    large = found["count"].to_numpy() > 5
    assert (found["mean"].to_numpy() < 10 * np.log10(linear["mean"].to_numpy()))[large].all()
    vh = table(ctx).read("amp_vh")
    joined = found.join(vh, on="parcel", suffix="_vh").join(
        table(ctx).read("amp_vvvh"), on="parcel", suffix="_ratio"
    )
    difference = joined["mean"] - joined["mean_vh"]
    np.testing.assert_allclose(joined["mean_ratio"], difference, atol=1e-5)


def test_pairs_of_6_and_12_days_are_markers_of_their_own(ctx: Context, tmp_path: Path) -> None:
    pairs = [
        radar(tmp_path, ProductType.S1_COHE, f"COHE_{days}", **{"sen4cap:baseline_days": days})
        for days in (6, 12)
    ]
    product = run(ctx, pairs)
    expected = [f"cohe_{pol}_{days}d" for pol in ("vh", "vv") for days in (12, 6)]
    assert product.properties["markers"] == expected
    for days in (6, 12):
        found = table(ctx).read(f"cohe_vv_{days}d")
        assert_equal(found, reference(POWER["VV"].astype(float), RADAR, ctx))


def test_parcels_only_gives_what_rasters_give_but_for_their_rounding(
    ctx: Context, l2a: Product
) -> None:
    """NDVI and NDWI, which needs a band of 20 m; in L3B rasters in steps of 0.001."""
    params = L3bParams(produce_ndwi=True)
    step = Step((l2a,), "s/l3b/31UDS/20180601T105031", revision="e5" * 16)
    rasters = l3b.run(ctx, params, step)
    chosen = MarkersParams(ndwi_enabled=True)
    run(ctx, [rasters], chosen)
    expected = {name: table(ctx).read(name) for name in ("ndvi", "ndwi")}
    alone = replace(ctx, archive=ctx.archive.with_name("alone"))
    only = chosen.model_copy(update={"parcels_only": True})
    product = run(alone, [l2a], only)
    assert product.properties["markers"] == ["ndvi", "ndwi"]
    assert [item.marker for item in layers(only, [rasters])] == []
    for name, rows in expected.items():
        found = table(alone).read(name)
        assert found["parcel"].to_list() == rows["parcel"].to_list()
        np.testing.assert_allclose(found["mean"], rows["mean"], atol=5.1e-4)
        np.testing.assert_allclose(found["stdev"], rows["stdev"], atol=5.1e-4)
        assert found["count"].to_list() == pytest.approx(rows["count"].to_list())
    assert not list(alone.archive.rglob("*.TIF"))


def test_biophysical_variables_on_parcels_only(ctx: Context, l2a: Product, tmp_path: Path) -> None:
    """Networks with the angles of each pixel's place, as in the rasters."""
    held = {asset.name: asset for asset in l2a.assets}
    told = {"platform": "sentinel-2a", "view:sun_azimuth": 150.0, "view:sun_elevation": 55.0,
            "view:incidence_angle": 6.0, "view:azimuth": 100.0}  # fmt: skip
    levels = {"B03": 1500, "B04": 1400, "B05": 2000, "B06": 3500, "B07": 4200, "B8A": 4600,
              "B11": 3000, "B12": 2100}  # fmt: skip
    for name, level in levels.items():
        grid = GRID if name in {"B03", "B04"} else GRID.at(20)
        noise = RNG.integers(-150, 150, (grid.height, grid.width))
        path = write_raster(tmp_path / f"green_{name}.tif", grid, (level + noise).astype(np.uint16))
        held[name] = replace(held["B04"], name=name, href=str(path))
    whole = replace(l2a, assets=tuple(held.values()), properties=told)
    step = Step((whole,), "s/l3b/31UDS/20180601T105031", revision="e5" * 16)
    run(ctx, [l3b.run(ctx, L3bParams(), step)])
    alone = replace(ctx, archive=ctx.archive.with_name("alone"))
    product = run(alone, [whole], MarkersParams(parcels_only=True))
    assert product.properties["markers"] == ["fapar", "fcover", "lai", "ndvi"]
    for name in product.properties["markers"]:
        rows, found = table(ctx).read(name), table(alone).read(name)
        assert found["parcel"].to_list() == rows["parcel"].to_list() == [10, 11, 12, 13]
        np.testing.assert_allclose(found["mean"], rows["mean"], atol=5.1e-4)
        assert found["stdev"].max() > 0.005


def test_the_rule_of_centres_counts_whole_pixels(ctx: Context, l2a: Product) -> None:
    params = MarkersParams(l2ab04_enabled=True, pixel_rule=PixelRule.CENTRE)
    run(ctx, [l2a], params)
    found = table(ctx).read("b04")
    frame = gpd.read_parquet(ctx.parcels.path).to_crs(GRID.crs)
    xs, ys = np.meshgrid(500_005 + 10.0 * np.arange(60), 5_699_995 - 10.0 * np.arange(40))
    clear = np.kron(SCL != 9, np.ones((2, 2), bool))
    red = BANDS["B04"] * 0.0001 - 0.1
    inside = {
        number: shapely.contains_xy(shape, xs, ys) & clear
        for number, shape in zip(frame["NewID"], frame.geometry, strict=True)
    }
    expected = {number: red[where].mean() for number, where in inside.items() if where.any()}
    assert dict(found.select("parcel", "mean").iter_rows()) == pytest.approx(expected, abs=1e-6)
    assert found["count"].to_list() == [inside[number].sum() for number in expected]


def test_radar_and_optical_rasters_may_have_rims_of_their_own(
    ctx: Context, l2a: Product, tmp_path: Path
) -> None:
    amp = radar(tmp_path, ProductType.S1_AMP, "AMP_1")
    run(ctx, [l2a, amp], MarkersParams(l2ab04_enabled=True, sar_buffer=10.0))
    whole = reference(POWER["VV"].astype(float), RADAR, ctx)
    pixels = dict(table(ctx).read("amp_vv").select("parcel", "count").iter_rows())
    assert pixels[10] < 0.85 * dict(whole.select("NewID", "count").iter_rows())[10]
    red = table(ctx).read("b04")
    assert red["valid_fraction"].max() == pytest.approx(1.0)


def test_only_parcels_that_changed_are_covered_again(
    ctx: Context, l2a: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = MarkersParams(l2ab04_enabled=True)
    first = run(ctx, [l2a], params)
    moved = shapes()
    moved[0] = shapely.box(500_250, 5_699_750, 500_333, 5_699_833)
    moved.append(shapely.box(500_400, 5_699_700, 500_455, 5_699_755))
    later = replace(ctx, parcel_set=parcel_set(tmp_path, moved, GRID.crs, 2))
    covered: list[list[int]] = []

    def spy(parcels: Any, *args: Any) -> coverage.CoverageIndex:
        covered.append(parcels.tolist())
        return coverage.build_coverage(parcels, *args)

    monkeypatch.setattr(homes, "build_coverage", spy)
    run(later, [l2a], params, first)
    assert covered == [[10, 15]]
    [kept] = (ctx.archive / "s" / "index").glob("coverage-*.arrays")
    kept_bytes = kept.read_bytes()
    kept.unlink()
    run(replace(later, season=replace(ctx.season, name="again")), [l2a], params)
    [fresh] = (ctx.archive / "s" / "index").glob("coverage-*.arrays")
    assert fresh.read_bytes() == kept_bytes


def test_a_damaged_index_is_made_again(ctx: Context, l2a: Product) -> None:
    params = MarkersParams(l2ab04_enabled=True)
    run(ctx, [l2a], params)
    before = table(ctx).read("b04")
    [path] = (ctx.archive / "s" / "index").glob("coverage-*.arrays")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    again = replace(ctx, season=replace(ctx.season, name="again"))
    run(again, [l2a], params)
    assert path.read_bytes() == whole
    assert table(again).read("b04").equals(before)


def test_parcels_of_every_kind_do_not_stop_the_others(
    ctx: Context, l2a: Product, tmp_path: Path
) -> None:
    """A bow tie that slipped through, an empty one and a line beside a good one."""
    bow = shapely.Polygon(
        [(500_020, 5_699_700), (500_090, 5_699_770), (500_090, 5_699_700), (500_020, 5_699_770)]
    )
    line = shapely.LineString([(500_000, 5_699_700), (500_300, 5_699_900)])
    kinds = [shapes()[0], bow, shapely.Polygon(), line, shapes()[2]]
    odd = replace(ctx, parcel_set=parcel_set(tmp_path, kinds, GRID.crs, 5))
    run(odd, [l2a], MarkersParams(l2ab04_enabled=True))
    found = table(odd).read("b04")
    assert set(found["parcel"]) >= {10, 14}
    assert set(found["parcel"]) <= {10, 11, 14}


def test_jpeg2000_is_decoded_once(ctx: Context, l2a: Product, tmp_path: Path) -> None:
    """Bands and mask of a SAFE product; later the originals are not looked at any more."""
    run(ctx, [l2a], MarkersParams(l2ab04_enabled=True))
    expected = table(ctx).read("b04")
    packed = []
    for asset in l2a.assets:
        path = tmp_path / f"{asset.name}.jp2"
        with rasterio.open(asset.href) as source:
            rasterio.shutil.copy(
                source, path, driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES"
            )
        packed.append(replace(asset, href=str(path)))
    safe = replace(l2a, name="SAFE_1", assets=tuple(packed))
    other = replace(ctx, season=replace(ctx.season, name="other"))
    run(other, [safe], MarkersParams(l2ab04_enabled=True))
    assert table(other).read("b04").drop("product").equals(expected.drop("product"))
    kept = ctx.archive / "s" / "l2a" / "SAFE_1" / "decoded"
    assert sorted(path.name for path in kept.iterdir()) == ["B04_1.tif", "SCL_1.tif"]
    Path(packed[1].href).write_bytes(b"gone")
    third = replace(ctx, season=replace(ctx.season, name="third"))
    run(third, [safe], MarkersParams(l2ab04_enabled=True))
    assert table(third).read("b04").drop("product").equals(expected.drop("product"))
