"""Coverage and statistics per parcel.

Expected values come from exactextract on the same files, from GDAL's rasterizer and
transformations, from GEOS overlays of parcels with single cells, and from hand calculation on
rasters that hold their own row and column numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from exactextract import exact_extract
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize
from rasterio.warp import transform

from sen4cap.domain import Asset, Grid
from sen4cap.errors import InputRefused, OutsideSite, UnreadableFile
from sen4cap.geo.coverage import CoverageIndex, build_coverage, pixel_counts
from sen4cap.geo.crs import reproject
from sen4cap.geo.raster import grid_of, write_cog
from sen4cap.geo.zonal import Statistics, Visible, parcel_statistics
from sen4cap.testing.rasters import row_and_column, small_grid, write_raster


def index_of(geometries: Any, grid: Grid) -> CoverageIndex:
    count = len(geometries)
    return build_coverage(np.arange(1, count + 1), np.full(count, "h"), geometries, grid)


def blobs(grid: Grid, count: int = 60, *, seed: int = 3) -> Any:
    """Rounded, cornered and holed polygons of all sizes, some reaching over the rim."""
    rng = np.random.default_rng(seed)
    left, bottom, right, top = grid.bounds
    xs, ys = rng.uniform(left - 20, right + 20, count), rng.uniform(bottom - 20, top + 20, count)
    size = rng.uniform(3, 120, count)
    discs = shapely.buffer(shapely.points(xs, ys), size, quad_segs=3)
    bites = shapely.buffer(shapely.points(xs + size / 3, ys), size / 3, quad_segs=2)
    return shapely.difference(discs, bites)


def random_raster(path: Path, grid: Grid, *, seed: int = 5, nodata: float = -9.0) -> Path:
    rng = np.random.default_rng(seed)
    values = rng.normal(0.5, 0.2, (grid.height, grid.width)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = nodata
    return write_raster(path, grid, values, nodata=nodata, tiled=True, blockxsize=64, blockysize=64)


NAMES = {"mean": "mean", "stdev": "stdev", "count": "count", "low": "min", "high": "max"}
QUANTILES = {0.25: "quantile_25", 0.5: "median", 0.75: "quantile_75"}
ASKED = [*NAMES.values(), "quantile(q=0.25)", "median", "quantile(q=0.75)"]


def reference(path: Path, geometries: Any) -> Any:
    frame = gpd.GeoDataFrame(geometry=geometries, crs="EPSG:32631")
    found = exact_extract(str(path), frame, ASKED, output="pandas")
    return found.astype(float)


def arrays(found: Statistics) -> dict[Any, Any]:
    plain = {item.name: getattr(found, item.name) for item in fields(Statistics)}
    quantiles = plain.pop("quantiles")
    return plain | dict(quantiles)


def same_bits(first: Statistics, second: Statistics) -> bool:
    one, other = arrays(first), arrays(second)
    return one.keys() == other.keys() and all(
        one[name].tobytes() == other[name].tobytes() for name in one
    )


def same_index(first: CoverageIndex, second: CoverageIndex) -> bool:
    own = [item.name for item in fields(CoverageIndex) if item.name != "parts"]
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in own) and all(
        np.array_equal(one, other) and one.dtype == other.dtype
        for one, other in zip(first.parts, second.parts, strict=True)
    )


# against exactextract


@pytest.mark.parametrize("height", [40, 1100])
def test_quantiles_equal_exactextract(tmp_path: Path, height: int) -> None:
    """Of parcels on one strip and, 1,100 rows high, on several."""
    grid = small_grid(90, height)
    parcels = np.append(blobs(grid), shapely.box(*grid.bounds))
    path = random_raster(tmp_path / "a.tif", grid)
    assets = [Asset("a", str(path))]
    found = parcel_statistics(index_of(parcels, grid), grid, assets, quantiles=tuple(QUANTILES))
    expected = reference(path, parcels)
    for share, name in QUANTILES.items():
        actual = found["a"].quantiles[share]
        np.testing.assert_allclose(actual, expected[name], rtol=1e-6, atol=1e-6)
    for name, theirs in NAMES.items():
        actual = getattr(found["a"], name)
        np.testing.assert_allclose(actual, expected[theirs], rtol=1e-6, atol=1e-6)
    several = parcel_statistics(
        index_of(parcels, grid), grid, assets, quantiles=tuple(QUANTILES), cores=2
    )
    assert same_bits(found["a"], several["a"])


@pytest.mark.parametrize("height", [40, 1100])
def test_statistics_equal_exactextract(tmp_path: Path, height: int) -> None:
    grid = small_grid(90, height)
    path, parcels = random_raster(tmp_path / "a.tif", grid), blobs(grid)
    index = index_of(parcels, grid)
    found = parcel_statistics(index, grid, [Asset("a", str(path))])["a"]
    expected = reference(path, parcels)
    for name, theirs in NAMES.items():
        np.testing.assert_allclose(getattr(found, name), expected[theirs], rtol=1e-6, atol=1e-6)
    whole = write_raster(tmp_path / "b.tif", grid, np.ones((height, 90), np.uint8))
    total = reference(whole, parcels)["count"].to_numpy()
    np.testing.assert_allclose(index.total, total, rtol=1e-6)
    share = np.divide(found.count, total, out=np.zeros(len(total)), where=total > 0)
    np.testing.assert_allclose(found.valid_fraction, share, rtol=1e-6)
    assert ((found.valid_fraction > 0) & (found.valid_fraction < 1)).sum() > 20


def test_a_mask_hides_cells_in_every_asset(tmp_path: Path) -> None:
    grid = small_grid(90, 600)
    files = [random_raster(tmp_path / f"{seed}.tif", grid, seed=seed) for seed in (1, 2)]
    codes = np.random.default_rng(0).integers(0, 12, (300, 45)).astype(np.uint8)
    scl = write_raster(tmp_path / "scl.tif", small_grid(45, 300, pixel=20.0), codes)
    parcels, valid = blobs(grid, 25), frozenset({4, 5, 6, 11})
    found = parcel_statistics(
        index_of(parcels, grid),
        grid,
        [Asset(path.stem, str(path)) for path in files],
        visible=Visible(
            (Asset("SCL", str(scl)),), lambda codes: np.isin(codes["SCL"], sorted(valid))
        ),
    )
    hidden = ~np.isin(codes.repeat(2, axis=0).repeat(2, axis=1), sorted(valid))
    for path in files:
        with rasterio.open(path, "r+") as dataset:
            values = dataset.read(1)
            values[hidden] = -9.0
            dataset.write(values, 1)
        expected = reference(path, parcels)
        for name, theirs in NAMES.items():
            actual = getattr(found[path.stem], name)
            np.testing.assert_allclose(actual, expected[theirs], rtol=1e-6, atol=1e-6)


def test_the_margin_lets_a_mask_act_across_strips(tmp_path: Path) -> None:
    grid = small_grid(10, 600)  # strips of 512 rows
    ones = write_raster(tmp_path / "a.tif", grid, np.ones((600, 10), np.uint8))
    mask = np.zeros((600, 10), np.uint8)
    mask[513] = 1  # hides two rows to both sides: 511 is in the strip above
    path = write_raster(tmp_path / "m.tif", grid, mask)

    def clear(codes: Any) -> Any:
        near = np.lib.stride_tricks.sliding_window_view(codes["m"], 5, axis=0)
        return near.sum(axis=-1) == 0

    found = parcel_statistics(
        index_of(np.array([shapely.box(*grid.bounds)]), grid),
        grid,
        [Asset("a", str(ones))],
        visible=Visible((Asset("m", str(path)),), clear, margin=2),
    )["a"]
    assert found.count.tolist() == [5950.0]
    assert found.valid_fraction.tolist() == pytest.approx([595 / 600])


def test_compute_reduces_what_it_makes_of_the_assets(tmp_path: Path) -> None:
    grid = small_grid(90, 600)
    red, nir = (random_raster(tmp_path / f"{seed}.tif", grid, seed=seed) for seed in (1, 2))

    def ratio(values: Any, _places: Any = None) -> dict[str, Any]:
        return {"ratio": values["nir"] / (np.abs(values["red"]) + np.float32(1))}

    with rasterio.open(red) as first, rasterio.open(nir) as second:
        bands = {"red": first.read(1, masked=True), "nir": second.read(1, masked=True)}
    made = write_raster(tmp_path / "r.tif", grid, ratio(bands)["ratio"].filled(-9.0), nodata=-9.0)
    parcels = blobs(grid, 25)
    assets = [Asset("red", str(red)), Asset("nir", str(nir))]
    found = parcel_statistics(index_of(parcels, grid), grid, assets, compute=ratio)
    assert list(found) == ["ratio"]
    expected = reference(made, parcels)["mean"]
    np.testing.assert_allclose(found["ratio"].mean, expected, rtol=1e-6)


def test_threads_change_no_bit_and_progress_ends_at_one(tmp_path: Path) -> None:
    grid = small_grid(90, 2600)
    path, parcels = random_raster(tmp_path / "a.tif", grid), blobs(grid, 200)
    index, assets = index_of(parcels, grid), [Asset("a", str(path))]
    told: list[float] = []
    alone = parcel_statistics(index, grid, assets, progress=lambda share, _: told.append(share))
    assert told == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1.0])
    for cores in (2, 3, 16):
        told.clear()
        found = parcel_statistics(
            index, grid, assets, cores=cores, progress=lambda share, _: told.append(share)
        )
        assert same_bits(found["a"], alone["a"])
        assert (len(told), told[-1]) == (6, 1.0)


def test_the_order_of_parcels_changes_no_bit(tmp_path: Path) -> None:
    grid = small_grid(90, 600)
    path, parcels = random_raster(tmp_path / "a.tif", grid), blobs(grid, 40)
    numbers, shuffled = np.arange(40) * 3, np.random.default_rng(1).permutation(40)
    index = build_coverage(numbers, np.full(40, "h"), parcels, grid)
    other = build_coverage(numbers[shuffled], np.full(40, "h"), parcels[shuffled], grid)
    assert (other.parcels == numbers).all()
    found = [parcel_statistics(item, grid, [Asset("a", str(path))])["a"] for item in (index, other)]
    assert same_bits(*found)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([16, 64, 128, 256]), st.integers(1, 4))
def test_blocks_order_and_threads_change_no_bit(seed: int, block: int, cores: int) -> None:
    """The raster in blocks of another size, parcels in another order, several threads."""
    grid, rng = small_grid(700, 1100), np.random.default_rng(seed)
    values = rng.integers(1, 9000, (1100, 700)).astype(np.uint16)
    values[rng.random(values.shape) < 0.1] = 0
    parcels, numbers = blobs(grid, 40, seed=seed), rng.permutation(10**6)[:40]
    shuffled = rng.permutation(40)

    def statistics(order: Any, cores: int, **layout: Any) -> Statistics:
        with TemporaryDirectory() as folder:
            path = write_raster(Path(folder) / "a.tif", grid, values, nodata=0, **layout)
            hashes = np.full(40, "h")
            index = build_coverage(numbers[order], hashes, parcels[order], grid)
            asset = Asset("a", str(path), scale=1e-4)
            found = parcel_statistics(index, grid, [asset], quantiles=(0.5,), cores=cores)
            plain = parcel_statistics(index, grid, [asset], cores=cores)
            np.testing.assert_allclose(plain["a"].mean, found["a"].mean, rtol=1e-6)
        return found["a"]

    tiled = {"tiled": True, "blockxsize": block, "blockysize": block}
    one, other = statistics(np.arange(40), 1), statistics(shuffled, cores, **tiled)
    assert same_bits(one, other)


def test_a_raster_in_two_tiles_tells_the_same_as_in_one(tmp_path: Path) -> None:
    """Moments of a left and a right half, put together by their definition."""
    grid = small_grid(90, 600)
    path, parcels = random_raster(tmp_path / "a.tif", grid), blobs(grid)
    whole = parcel_statistics(index_of(parcels, grid), grid, [Asset("a", str(path))])["a"]
    with rasterio.open(path) as dataset:
        values = dataset.read(1)
    halves = []
    for name, left, width in (("l", 0, 37), ("r", 37, 53)):
        part = small_grid(width, 600, corner=(500_000.0 + 10 * left, 5_700_000.0))
        own = write_raster(tmp_path / name, part, values[:, left : left + width], nodata=-9.0)
        found = parcel_statistics(index_of(parcels, part), part, [Asset("a", str(own))])["a"]
        halves.append((found.count, np.nan_to_num(found.mean), np.nan_to_num(found.stdev)))
    count = sum(item[0] for item in halves)
    with np.errstate(invalid="ignore"):
        mean = sum(item[0] * item[1] for item in halves) / count
        square = sum(item[0] * (item[2] ** 2 + item[1] ** 2) for item in halves) / count
    np.testing.assert_allclose(whole.count, count, rtol=1e-6)
    np.testing.assert_allclose(whole.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(whole.stdev, np.sqrt(square - mean**2), rtol=1e-5, atol=1e-6)


# rasters that hold their own row and column


def coordinates(path: Path, grid: Grid, parcels: Any, *, on: Grid | None = None) -> Any:
    """Mean row and column per parcel of a raster on `grid`, read on another grid if given."""
    write_raster(path, grid, np.stack(row_and_column(grid)))
    assets = [Asset("row", str(path), index=1), Asset("column", str(path), index=2)]
    home = on or grid
    found = parcel_statistics(index_of(parcels, home), home, assets)
    return np.stack([found["row"].mean, found["column"].mean], axis=1)


def cells_to_polygons(grid: Grid, corners: Sequence[Sequence[tuple[float, float]]]) -> Any:
    """Polygons with corners in (column, row) of a grid."""
    a, _, c, _, e, f = grid.transform
    rings = [[(c + x * a, f + y * e) for x, y in ring] for ring in corners]
    return np.array([shapely.Polygon(ring) for ring in rings])


def rectangle(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


SHAPES = [
    rectangle(3, 2, 11, 7),  # cells 3-10 by 2-6
    rectangle(20.5, 4, 22.5, 5),  # half of cell 20, all of 21, half of 22
    rectangle(30.25, 10, 32, 11.5),  # columns (0.75·30 + 31)/1.75, rows (10 + 0.5·11)/1.5
    [(40, 20), (43, 20), (40, 23)],  # columns and rows weigh 2.5, 1.5, 0.5
]
EXPECTED = np.array(
    [
        [4.0, 6.5],
        [4.0, 21.0],
        [15.5 / 1.5, 53.5 / 1.75],
        [20 + 2.5 / 4.5, 40 + 2.5 / 4.5],
    ]
)

GRIDS = {
    "zone 31": small_grid(corner=(699_960.0, 5_700_000.0), crs="EPSG:32631"),
    "zone 32": small_grid(corner=(300_000.0, 5_700_000.0), crs="EPSG:32632"),
    "national": small_grid(corner=(220_000.0, 456_000.0), crs="EPSG:28992"),
    "20 m": small_grid(pixel=20.0, corner=(699_960.0, 5_700_000.0)),
    "half a pixel off": small_grid(corner=(699_965.0, 5_699_995.0)),
    "south-up": small_grid(corner=(699_960.0, 5_600_000.0), south_up=True),
}


@pytest.mark.parametrize("kind", GRIDS)
def test_coordinates_come_back_exactly(tmp_path: Path, kind: str) -> None:
    grid = GRIDS[kind]
    declared = reproject(cells_to_polygons(grid, SHAPES), grid.crs, "EPSG:28992")
    parcels = reproject(declared, "EPSG:28992", grid.crs)
    found = coordinates(tmp_path / "a.tif", grid, parcels)
    # declared and brought back, a corner moves by less than a millimetre
    np.testing.assert_allclose(found, EXPECTED, atol=1e-4)


def test_a_declared_point_falls_in_its_cell_in_both_zones(tmp_path: Path) -> None:
    # 6 E, 52 N lies 3 degrees off both meridians: at equal distances from 500 000 E
    point = reproject(np.array([shapely.Point(6, 52)]), "EPSG:4326", "EPSG:28992")
    for crs, left in (("EPSG:32631", 705_000.0), ("EPSG:32632", 293_500.0)):
        grid = small_grid(100, 100, crs=crs, corner=(left, 5_765_500.0))
        (x,), (y,) = transform("EPSG:4326", crs, [6], [52])
        parcel = shapely.buffer(reproject(point, "EPSG:28992", crs), 0.5)
        row, column = coordinates(tmp_path / "a.tif", grid, parcel)[0]
        assert column == (x - left) // 10 == {"EPSG:32631": 92, "EPSG:32632": 57}[crs]
        assert row == (5_765_500.0 - y) // 10 == 21


def test_a_coarse_raster_under_a_fine_grid(tmp_path: Path) -> None:
    fine, coarse = small_grid(), small_grid(30, 20, pixel=20.0)
    shapes = [rectangle(4, 6, 12, 10), rectangle(3, 2, 8, 3)]
    found = coordinates(tmp_path / "a.tif", coarse, cells_to_polygons(fine, shapes), on=fine)
    # cells 3-7 of 10 m lie in pixels 1, 2, 2, 3, 3 of 20 m
    np.testing.assert_allclose(found, [[3.5, 3.5], [1.0, 2.2]], atol=1e-6)


def test_random_parcels_equal_overlays_with_single_cells(tmp_path: Path) -> None:
    for grid in (GRIDS["zone 31"], GRIDS["south-up"]):
        parcels = blobs(grid, 12)
        a, _, c, _, e, f = grid.transform
        rows, columns = row_and_column(grid)
        xs, ys = c + columns * a, f + rows * e
        cells = shapely.box(
            *(np.minimum(xs, xs + a), np.minimum(ys, ys + e)), xs + a, np.maximum(ys, ys + e)
        )
        shares = shapely.area(shapely.intersection(parcels[:, None, None], cells))
        weight = shares.sum(axis=(1, 2))
        inside = weight > 0
        expected = np.stack([(shares * item).sum(axis=(1, 2)) for item in (rows, columns)], axis=1)
        found = coordinates(tmp_path / "a.tif", grid, parcels)
        np.testing.assert_allclose(found[inside], (expected.T / weight).T[inside], atol=1e-4)
        assert np.isnan(found[~inside]).all()
        np.testing.assert_allclose(index_of(parcels, grid).total, weight / 100, atol=1e-4)


# the index


def test_parcels_without_cells_stay(tmp_path: Path) -> None:
    grid = small_grid(10, 10, corner=(0.0, 100.0))
    parcels = np.array(
        [
            shapely.box(-50, 10, 10, 20),  # one cell inside
            shapely.box(500, 10, 510, 20),
            shapely.Polygon(),
            None,
            shapely.box(35, 35, 45, 45),  # a quarter of each of four cells
        ],
        dtype=object,
    )
    index = index_of(parcels, grid)
    assert index.parcels.tolist() == [1, 2, 3, 4, 5]
    assert index.total.tolist() == [1.0, 0.0, 0.0, 0.0, 1.0]
    assert index.parts.run_cell.tolist() == [80]
    assert index.parts.rim_share.tolist() == [0.25, 0.25, 0.25, 0.25]
    assert index.parts.rim_cell.tolist() == [53, 54, 63, 64]
    path = write_raster(tmp_path / "a.tif", grid, np.full((10, 10), 3, np.uint8))
    found = parcel_statistics(index, grid, [Asset("a", str(path))])["a"]
    assert found.count.tolist() == [1.0, 0.0, 0.0, 0.0, 1.0]
    assert found.valid_fraction.tolist() == [1.0, 0.0, 0.0, 0.0, 1.0]
    assert np.isnan(found.mean).tolist() == [False, True, True, True, False]
    nowhere = parcel_statistics(index_of(parcels[1:4], grid), grid, [Asset("a", str(path))])
    assert nowhere["a"].count.tolist() == [0.0, 0.0, 0.0]


def test_strips_without_parcels_are_not_read(tmp_path: Path) -> None:
    grid = small_grid(64, 2048)
    values = np.random.default_rng(0).integers(1, 99, (2048, 64)).astype(np.uint8)
    path = write_raster(tmp_path / "a.tif", grid, values, tiled=True, blockxsize=64, blockysize=512)
    parcel = cells_to_polygons(grid, [rectangle(0, 10, 64, 20)])
    index = index_of(parcel, grid)
    assert index.occupied.tolist() == [0]
    path.write_bytes(path.read_bytes()[:-40_000])  # only later strips are damaged
    found = parcel_statistics(index, grid, [Asset("a", str(path))])["a"]
    assert found.mean[0] == pytest.approx(values[10:20].mean())


def test_an_index_survives_its_file_with_constant_bytes(tmp_path: Path) -> None:
    grid = small_grid(90, 1100)
    index = index_of(blobs(grid), grid)
    index.save(tmp_path / "a")
    loaded = CoverageIndex.load(tmp_path / "a")
    loaded.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert same_index(loaded, index)
    assert isinstance(loaded.parts.rim_cell.base, np.memmap)
    (tmp_path / "b").write_bytes((tmp_path / "a").read_bytes()[:-100])
    for name in ("b", "c"):
        with pytest.raises(UnreadableFile, match=name):
            CoverageIndex.load(tmp_path / name)


def test_a_part_of_an_index_equals_the_index_of_a_part() -> None:
    grid = small_grid(90, 1100)
    parcels, keep = blobs(grid), np.random.default_rng(0).random(60) < 0.3
    whole = index_of(parcels, grid)
    alone = build_coverage(np.arange(1, 61)[keep], np.full(keep.sum(), "h"), parcels[keep], grid)
    assert same_index(whole.take(keep), alone)
    assert same_index(whole.take(~keep).joined(alone), whole)


def test_an_index_of_another_grid_or_crs_is_refused(tmp_path: Path) -> None:
    grid = small_grid()
    path = write_raster(tmp_path / "a.tif", grid, np.zeros((40, 60), np.uint8))
    assets = [Asset("a", str(path))]
    with pytest.raises(InputRefused, match="coverage index"):
        parcel_statistics(index_of(blobs(grid, 3), grid), small_grid(61), assets)
    other = replace(grid, crs="EPSG:32632")
    for cores in (1, 2):
        with pytest.raises(OutsideSite, match="EPSG:32632"):
            parcel_statistics(index_of(blobs(grid, 3), other), other, assets, cores=cores)


@pytest.mark.parametrize("south_up", [False, True])
def test_pixel_counts_equal_gdal(south_up: bool) -> None:
    corner = (500_000.0, 5_700_000.0)
    grid = small_grid(90, 80, corner=corner, south_up=south_up)
    parcels = np.append(blobs(grid, 40), np.array([None, shapely.Polygon()], dtype=object))
    for pixel, buffer in ((10.0, 5.0), (10.0, 0.0), (20.0, 10.0)):
        own = grid.at(pixel)
        found = pixel_counts(parcels, own, buffer)
        shape, place = (own.height, own.width), rasterio.Affine(*own.transform)
        for parcel, count in zip(shapely.buffer(parcels, -buffer), found, strict=True):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # rasterio warns of empty shapes
                burnt = rasterize([parcel], shape, transform=place) if parcel else np.zeros(1)
            assert count == burnt.sum()
        assert found.max() > 20


def test_a_centre_on_the_rim_is_outside() -> None:
    grid = small_grid(10, 10, corner=(0.0, 100.0))
    parcels = np.array([shapely.box(15, 15, 45, 45), shapely.box(14, 14, 46, 46)])
    assert pixel_counts(parcels, grid, 0.0).tolist() == [4, 16]
    assert pixel_counts(parcels, grid, 1.0).tolist() == [4, 4]


# real data


@pytest.fixture(scope="module")
def demarke(shared_data: Path) -> Any:
    return gpd.read_file(shared_data / "nl_demarke_brp2017_ndvi" / "parcels.gpkg")


@pytest.mark.data
def test_de_marke_in_july(shared_data: Path, demarke: Any) -> None:
    path = shared_data / "nl_demarke_brp2017_ndvi" / "ndvi" / "NDVI_2017-07-17.tif"
    grid = grid_of(path, "demarke")
    index = index_of(demarke.geometry.to_numpy(), grid)
    # the file carries scale 0.004 and nodata 0; exactextract applies both by itself
    found = parcel_statistics(index, grid, [Asset("ndvi", str(path), scale=0.004)])["ndvi"]
    assert (len(found.mean), int((found.count > 0).sum())) == (1690, 1687)
    # the mean of the means of all parcels with a valid cell, each parcel counting once
    assert np.nanmean(found.mean) == pytest.approx(0.862, abs=0.001)
    expected = exact_extract(str(path), demarke, ["mean", "stdev", "count"], output="pandas")
    for name in ("mean", "stdev", "count"):
        actual = getattr(found, name)
        np.testing.assert_allclose(actual, expected[name].astype(float), atol=1e-6)


def test_statistics_of_a_written_cog_are_those_of_its_values(tmp_path: Path) -> None:
    grid = small_grid(90, 600)
    values = np.random.default_rng(2).uniform(-0.2, 0.9, (600, 90)).astype(np.float32)
    window = rasterio.windows.Window(0, 0, 90, 600)
    path = tmp_path / "a.tif"
    write_cog(path, grid, [(window, values)], dtype="int16", nodata=-10000, scale=0.001)
    asset = Asset("a", str(path), scale=0.001, nodata=-10000)
    parcels = blobs(grid, 30)
    found = parcel_statistics(index_of(parcels, grid), grid, [asset])["a"]
    expected = reference(path, parcels)  # reads scale and nodata from the file
    np.testing.assert_allclose(found.mean, expected["mean"], atol=1e-6)
