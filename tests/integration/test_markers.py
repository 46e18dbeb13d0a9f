"""Markers on a small scene: equal to exactextract, extracted once, kept when rasters go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import polars as pl
import pytest
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource

from sen4cap.domain import (
    Asset,
    Grid,
    ParcelSet,
    Product,
    ProductType,
    Reason,
    Role,
    Season,
    Site,
    revision_of,
)
from sen4cap.errors import InputRefused, InvalidParameter, NoInput, UnreadableFile
from sen4cap.geo.coverage import CoverageIndex
from sen4cap.geo.zonal import Statistics
from sen4cap.processing import Context, config_metadata, validate
from sen4cap.processing.marker_table import MarkerTable
from sen4cap.processors.markers import MarkersParams, extraction, select
from sen4cap.testing import markers
from sen4cap.testing.markers import SCOPE, run
from sen4cap.testing.rasters import small_grid, write_raster

TIME = datetime(2018, 6, 1, 10, 50, 31, tzinfo=UTC)
GRID = small_grid(60, 40, name="31UDS")
EAST = small_grid(60, 40, name="31UES", corner=(500_300.0, 5_700_000.0))
VALUES = np.random.default_rng(7).integers(-200, 950, (40, 60)).astype(np.int16)
VALUES[:15, :15] = -10000
SCL = np.full((20, 30), 4, np.uint8)
SCL[10:, :] = 9


def shapes() -> list[shapely.Geometry]:
    """In the grid's CRS: a lens, one under missing pixels, a small one, one across the rim."""
    return [
        shapely.Point(500_300, 5_699_800).buffer(83.3),
        shapely.box(500_003, 5_699_903, 500_097, 5_699_998),
        shapely.box(500_202, 5_699_702, 500_206, 5_699_707),
        shapely.Polygon([(499_900, 5_699_650), (500_150, 5_699_650), (500_100, 5_699_800)]),
    ]


def parcel_set(
    folder: Path, geometries: Sequence[shapely.Geometry], version: int = 1, **columns: object
) -> ParcelSet:
    return markers.parcel_set(folder, geometries, GRID.crs, version, **columns)


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    season = Season("s", "2018", date(2018, 1, 1), date(2018, 12, 31))
    parcels = parcel_set(tmp_path, shapes())
    return Context(Site("S", "s"), season, tmp_path / "archive", parcels, grids=(GRID,))


@pytest.fixture
def l3b(tmp_path: Path) -> Product:
    path = write_raster(tmp_path / "ndvi.tif", GRID, VALUES)
    asset = Asset("ndvi", str(path), scale=0.001, nodata=-10000)
    return Product(
        "L3B_1", "s", ProductType.L3B, "31UDS", TIME, TIME, "a1" * 16, (asset,),
        properties={"sat:relative_orbit": 51},
    )  # fmt: skip


@pytest.fixture
def l2a(tmp_path: Path) -> Product:
    coarse = GRID.at(20)
    fine = write_raster(tmp_path / "B04.tif", GRID, (VALUES + 11000).astype(np.uint16))
    b11 = write_raster(tmp_path / "B11.tif", coarse, VALUES[::2, ::2] + 11000)
    scl = write_raster(tmp_path / "SCL.tif", coarse, SCL)
    assets = (
        Asset("B04", str(fine), scale=0.0001, offset=-0.1, nodata=0),
        Asset("B11", str(b11), scale=0.0001, offset=-0.1, nodata=0),
        Asset("SCL", str(scl), Role.MASK),
    )
    return Product("L2A_1", "s", ProductType.L2A, "31UDS", TIME, TIME, "b2" * 16, assets)


def table(ctx: Context) -> MarkerTable:
    return MarkerTable.of(ctx.archive, ctx.season)


def extracted(raster: str, buffer: float = 0.0) -> str:
    """Column `revision` of rows from a raster product of that revision."""
    return revision_of(raster, buffer, "s4c_mdb1/2", 0.0, "exact")[:8]


def parts(ctx: Context) -> list[str]:
    return sorted(str(path.relative_to(table(ctx).root)) for path in table(ctx).root.rglob("*.*"))


def reference(values: np.ndarray, grid: Grid, parcels: ParcelSet) -> dict[int, tuple[float, ...]]:
    """NewID → mean, stdev, count by exactextract itself."""
    frame = gpd.read_parquet(parcels.path).to_crs(grid.crs)
    source = NumPyRasterSource(values, *grid.bounds, nodata=np.nan)
    found = exact_extract(
        source, frame, ["mean", "stdev", "count"], include_cols=["NewID"], output="pandas"
    )
    return {int(row[0]): tuple(row[1:]) for row in found.itertuples(index=False)}


def assert_equal(found: pl.DataFrame, expected: dict[int, tuple[float, ...]]) -> None:
    assert found["parcel"].to_list() == [key for key, row in expected.items() if row[2] > 0]
    for row in found.iter_rows(named=True):
        values = (row["mean"], row["stdev"], row["count"])
        assert values == pytest.approx(expected[row["parcel"]], rel=1e-6, abs=1e-6)


def test_equal_to_exactextract(ctx: Context, l3b: Product) -> None:
    product = run(ctx, [l3b])
    found = table(ctx).read("ndvi")
    physical = np.where(VALUES == -10000, np.nan, VALUES * 0.001)
    assert_equal(found, reference(physical, GRID, ctx.parcels))
    assert found["parcel"].to_list() == [10, 12, 13]  # 11 has no valid pixel: no row
    assert found["count"][1] == pytest.approx(0.2, rel=1e-4)  # 4 m x 5 m of 100 m²
    assert found["valid_fraction"].to_list() == pytest.approx([1, 1, 1])
    assert found.row(0, named=True) | {"mean": 0, "stdev": 0, "count": 0} == {
        "parcel": 10, "time": TIME, "grid": "31UDS", "orbit": 51, "mean": 0, "stdev": 0,
        "count": 0, "valid_fraction": 1.0, "min": None, "max": None, "median": None, "p25": None,
        "p75": None, "generation": 0, "stale": None, "product": "L3B_1",
        "revision": extracted("a1" * 16), "geom_hash": revision_of(shapes()[0].wkt)[:16],
    }  # fmt: skip
    revision = product.revision[:8]
    assert product.name == f"SEN4CAP_MDB1_Ss_A20180601T105031_T31UDS_r{revision}"
    assert parts(ctx) == ["ndvi/part-20180601T105031_T31UDS_g0.parquet"]
    assert product.properties["parcels"] == 4
    assert product.properties["rows"] == {"ndvi": 3}
    assert Path(product.asset("ndvi").href).is_dir()


def test_bands_are_masked_by_the_classification(ctx: Context, l2a: Product) -> None:
    params = MarkersParams(l2ab04_enabled=True, l2ab11_enabled=True)
    product = run(ctx, [l2a], params)
    assert product.properties["markers"] == ["b04", "b11"]
    clear = np.isin(SCL, [2, 4, 5, 6, 7])
    fine = np.kron(clear, np.ones((2, 2), bool))
    red = np.where(fine, (VALUES + 11000.0) * 0.0001 - 0.1, np.nan)
    assert_equal(table(ctx).read("b04"), reference(red, GRID, ctx.parcels))
    coarse = np.where(clear, (VALUES[::2, ::2] + 11000.0) * 0.0001 - 0.1, np.nan)
    assert_equal(table(ctx).read("b11"), reference(coarse, GRID.at(20), ctx.parcels))
    assert table(ctx).read("b04")["orbit"].null_count() == 2


def test_a_rerun_adds_nothing(ctx: Context, l3b: Product) -> None:
    first = run(ctx, [l3b])
    before = parts(ctx)
    again = run(ctx, [l3b], previous=first)
    assert parts(ctx) == before
    assert again.properties["rows"] == {}
    assert again.properties["extraction"] == first.properties["extraction"]


def test_each_season_has_its_own_table(ctx: Context, l3b: Product) -> None:
    """An acquisition in two seasons is extracted for both."""
    first = run(ctx, [l3b])
    other = replace(ctx, season=replace(ctx.season, name="winter"))
    second = run(other, [l3b])
    assert first.slot != second.slot
    assert first.properties["rows"] == second.properties["rows"] == {"ndvi": 3}
    assert MarkerTable(ctx.folder("s4c_mdb1", "winter")).read("ndvi").height == 3
    assert table(ctx).read("ndvi").height == 3


def test_a_changed_set_extracts_only_what_changed(
    ctx: Context, l3b: Product, tmp_path: Path
) -> None:
    first = run(ctx, [l3b])
    moved = shapes()
    moved[0] = shapely.box(500_250, 5_699_750, 500_333, 5_699_833)
    moved.append(shapely.box(500_400, 5_699_700, 500_455, 5_699_755))
    later = replace(ctx, parcel_set=parcel_set(tmp_path, moved, 2))
    second = run(later, [l3b], previous=first)
    assert second.properties["rows"] == {"ndvi": 2}
    new = pl.read_parquet(table(ctx).root / "ndvi" / "part-20180601T105031_T31UDS_g1.parquet")
    assert new["parcel"].to_list() == [10, 14]
    physical = np.where(VALUES == -10000, np.nan, VALUES * 0.001)
    assert_equal(table(ctx).read("ndvi"), reference(physical, GRID, later.parcels))
    third = run(later, [l3b], previous=second)
    assert third.properties["rows"] == {}


def test_a_new_raster_extracts_all_and_takes_back_what_it_does_not_see(
    ctx: Context, l3b: Product, tmp_path: Path
) -> None:
    first = run(ctx, [l3b])
    cloudy = VALUES.copy()
    cloudy[15:, :] = -10000
    path = write_raster(tmp_path / "ndvi2.tif", GRID, cloudy)
    newer = replace(l3b, revision="c3" * 16, assets=(replace(l3b.assets[0], href=str(path)),))
    second = run(ctx, [newer], previous=first)
    assert second.properties["rows"] == {"ndvi": 3}  # 11 was never seen: nothing to take back
    found = table(ctx).read("ndvi")
    assert found["parcel"].to_list() == [10]
    assert found["revision"].to_list() == [extracted("c3" * 16)]
    assert 0 < found["valid_fraction"][0] < 0.5


def test_a_raster_forth_and_back(ctx: Context, l3b: Product, tmp_path: Path) -> None:
    """The third product equals the first, whose record stays; the fourth starts from that one."""
    path = write_raster(tmp_path / "other.tif", GRID, np.where(VALUES < 0, VALUES, VALUES + 40))
    other = replace(l3b, revision="c3" * 16, assets=(replace(l3b.assets[0], href=str(path)),))
    first = run(ctx, [l3b])
    before = table(ctx).read("ndvi")
    second = run(ctx, [other], previous=first)
    third = run(ctx, [l3b], previous=second)
    assert (third.name, third.revision) == (first.name, first.revision)
    again = table(ctx).read("ndvi")
    assert again["generation"].to_list() == [2, 2, 2]
    assert again.drop("generation").equals(before.drop("generation"))
    moved = [shapely.box(500_250, 5_699_750, 500_333, 5_699_833), *shapes()[1:]]
    later = replace(ctx, parcel_set=parcel_set(tmp_path, moved, 2))
    fourth = run(later, [l3b], previous=first)
    assert fourth.properties["rows"] == {"ndvi": 1}
    assert_equal(
        table(ctx).read("ndvi"),
        reference(np.where(VALUES == -10000, np.nan, VALUES * 0.001), GRID, later.parcels),
    )


def test_a_step_that_ended_before_its_record_is_not_done_twice(
    ctx: Context, l3b: Product, tmp_path: Path
) -> None:
    """Rows were appended, but no product committed; then the parcels change."""
    first = run(ctx, [l3b])
    moved = [shapely.box(500_250, 5_699_750, 500_333, 5_699_833), *shapes()[1:]]
    later = replace(ctx, parcel_set=parcel_set(tmp_path, moved, 2))
    run(later, [l3b], previous=first)
    assert run(later, [l3b], previous=first).properties["rows"] == {}
    back = run(ctx, [l3b], previous=first)
    assert back.properties["rows"] == {"ndvi": 1}
    physical = np.where(VALUES == -10000, np.nan, VALUES * 0.001)
    assert_equal(table(ctx).read("ndvi"), reference(physical, GRID, ctx.parcels))


def test_unseen_parcels_are_not_looked_at_again(
    ctx: Context, l3b: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parcel 11 has no row; the product of the first run tells that it was extracted."""
    first = run(ctx, [l3b])
    moved = [shapely.box(500_250, 5_699_750, 500_333, 5_699_833), *shapes()[1:]]
    later = replace(ctx, parcel_set=parcel_set(tmp_path, moved, 2))
    looked: list[list[int]] = []
    real = extraction.parcel_statistics

    def spy(index: CoverageIndex, *args: Any, **options: Any) -> dict[str, Statistics]:
        looked.append(index.parcels.tolist())
        return real(index, *args, **options)

    monkeypatch.setattr(extraction, "parcel_statistics", spy)
    run(later, [l3b], previous=first)
    assert looked == [[10]]
    other = replace(ctx, parcel_set=parcel_set(tmp_path, [*shapes(), shapes()[0]], 3))
    run(other, [l3b], previous=None)
    assert looked[1] == [10, 11, 14]


def test_a_band_switched_on_later_is_extracted_alone(
    ctx: Context, l3b: Product, l2a: Product
) -> None:
    first = run(ctx, [l3b, l2a])
    assert first.parents == ("L3B_1",)
    second = run(ctx, [l3b, l2a], MarkersParams(l2ab04_enabled=True), previous=first)
    assert second.parents == ("L2A_1", "L3B_1")
    assert second.properties["rows"] == {"b04": 2}
    assert second.slot == first.slot


def test_a_raster_that_is_gone_leaves_rows_and_flags_them(
    ctx: Context, l3b: Product, tmp_path: Path
) -> None:
    first = run(ctx, [l3b])
    before = table(ctx).read("ndvi").drop("stale")
    Path(l3b.assets[0].href).unlink()
    moved = [shapely.box(500_250, 5_699_750, 500_333, 5_699_833), *shapes()[1:]]
    later = replace(ctx, parcel_set=parcel_set(tmp_path, moved, 2))
    second = run(later, [l3b], previous=first)
    assert (second.properties["raster"], second.properties["stale"]) == ("gone", 1)
    assert second.properties["extraction"] == first.properties["extraction"]
    current = gpd.read_parquet(later.parcels.path)
    parcels = pl.DataFrame(
        {"parcel": current["NewID"].to_numpy(), "geom_hash": current["geom_hash"].to_list()}
    )
    found = table(ctx).read("ndvi", parcels)
    assert found["stale"].to_list() == [True, False, False]
    assert found.drop("stale").equals(before)
    with pytest.raises(UnreadableFile, match=r"ndvi\.tif"):
        run(later, [l3b])


def test_each_parcel_is_counted_on_its_home_grid(ctx: Context, l3b: Product) -> None:
    """31UES covers x from 500 300 on: half of parcel 10, which goes to the first by name."""
    both = replace(ctx, grids=(GRID, EAST))
    run(both, [l3b])
    assert table(ctx).read("ndvi")["parcel"].to_list() == [10, 12, 13]
    east = replace(l3b, name="L3B_E", grid="31UES")
    assert run(both, [east]).properties["parcels"] == 0
    with pytest.raises(NoInput, match="31UXX"):
        run(ctx, [replace(l3b, grid="31UXX")])


def test_parcels_without_area_and_deleted_ones_are_left_out(
    ctx: Context, l3b: Product, tmp_path: Path
) -> None:
    reasons = ["", "", Reason.OVERLAP.value, Reason.INVALID_GEOMETRY.value]
    deleted = [True, False, False, False]
    chosen = parcel_set(tmp_path, shapes(), 2, reason=reasons, is_deleted=deleted)
    product = run(replace(ctx, parcel_set=chosen), [l3b])
    assert product.properties["parcels"] == 2
    assert table(ctx).read("ndvi")["parcel"].to_list() == [12]


def test_an_inner_buffer_shrinks_parcels(ctx: Context, l3b: Product, tmp_path: Path) -> None:
    run(ctx, [l3b], MarkersParams(buffer=10.0))
    shrunk = [item.buffer(-10) for item in shapes()]
    inner = parcel_set(tmp_path, [item for item in shrunk if not item.is_empty], 9)
    expected = reference(np.where(VALUES == -10000, np.nan, VALUES * 0.001), GRID, inner)
    found = table(ctx).read("ndvi")
    assert found["parcel"].to_list() == [10, 13]  # 12 is narrower than 20 m
    assert found["mean"].to_list() == pytest.approx([expected[10][0], expected[12][0]], abs=1e-4)
    degrees = replace(GRID, crs="EPSG:4326", transform=(0.01, 0.0, 3.0, 0.0, -0.01, 51.6))
    path = write_raster(tmp_path / "degrees.tif", degrees, VALUES)
    assets = (replace(l3b.assets[0], href=str(path)),)
    with pytest.raises(InputRefused, match="buffer to 0"):
        run(replace(ctx, grids=(degrees,)), [replace(l3b, assets=assets)], MarkersParams(buffer=5))


def test_tables_are_the_same_bytes_whatever_the_cores(
    ctx: Context, l3b: Product, tmp_path: Path
) -> None:
    first = run(ctx, [l3b])
    second = run(replace(ctx, archive=tmp_path / "again", cores=3), [l3b])
    one, two = (Path(item.asset("ndvi").href) for item in (first, second))
    for path in one.iterdir():
        assert (two / path.name).read_bytes() == path.read_bytes()


def test_selection(l3b: Product, l2a: Product) -> None:
    later = replace(l3b, name="L3B_2", start=TIME + timedelta(days=5), end=TIME + timedelta(days=5))
    outside = replace(l3b, name="L3B_3", start=SCOPE.end, end=SCOPE.end)
    steps = select(MarkersParams(l2ab8a_enabled=True), SCOPE, [outside, later, l3b, l2a])
    assert [[item.name for item in step.inputs] for step in steps] == [["L3B_1"], ["L3B_2"]]
    assert [step.slot for step in steps] == [
        f"s/s4c_mdb1/31UDS/20180601T105031/{SCOPE.season}",
        f"s/s4c_mdb1/31UDS/20180606T105031/{SCOPE.season}",
    ]
    assert select(MarkersParams(ndvi_enabled=False), SCOPE, [l3b, l2a]) == ()


def test_configuration_has_the_original_keys_and_defaults() -> None:
    rows = {row.key: row for row in config_metadata("s4c_mdb1", "Marker DB", MarkersParams)}
    on = {key.split(".")[-1] for key, row in rows.items() if row.default_value == "true"}
    radar = {"amp_enabled", "amp_vvvh_enabled", "cohe_enabled"}
    assert on == {"ndvi_enabled", "lai_enabled", "fapar_enabled", "fcover_enabled"} | radar
    assert "processor.s4c_mdb1.l2ab8a_enabled" in rows
    with pytest.raises(InvalidParameter, match=r"processor\.s4c_mdb1\.buffer"):
        validate("s4c_mdb1", MarkersParams, {"buffer": "51"})
