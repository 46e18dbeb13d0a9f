"""Reading and writing rasters; expected values by hand, written with rasterio."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from matplotlib.image import imread
from rasterio.windows import Window

from sen4cap.domain import Asset, Grid, Sensor
from sen4cap.errors import InputRefused, MissingCrs, OutsideSite, UnreadableFile
from sen4cap.geo.raster import (
    encode,
    grid_of,
    open_asset,
    read_codes,
    read_physical,
    sample,
    strips,
    verify,
    write_cog,
    write_quicklook,
)
from sen4cap.testing.rasters import row_and_column, small_grid, write_raster

WHOLE = Window(0, 0, 60, 40)


def physical(asset: Asset, grid: Grid, window: Window = WHOLE) -> Any:
    with open_asset(asset) as dataset:
        return read_physical(dataset, asset, grid, window)


def noise(height: int = 700, width: int = 600) -> Any:
    values = np.random.default_rng(1).integers(1, 9000, (height, width))
    return values.astype(np.int16)


# grids


def test_grid_of_a_file(tmp_path: Path) -> None:
    grid = small_grid(crs="EPSG:28992", corner=(220000, 456000))
    path = write_raster(tmp_path / "a.tif", grid, np.zeros((40, 60), np.uint8))
    assert grid_of(path, "test") == grid
    assert grid_of(path, "x", Sensor.S1).sensor == Sensor.S1


def test_a_raster_without_place_is_refused(tmp_path: Path) -> None:
    zeros = np.zeros((40, 60), np.uint8)
    options: dict[str, Any] = {"crs": None}
    path = write_raster(tmp_path / "a.tif", small_grid(), zeros, **options)
    with pytest.raises(MissingCrs, match="no coordinate reference system"):
        grid_of(path, "test")
    turned = rasterio.Affine.translation(5e5, 5e6) @ rasterio.Affine.rotation(10)
    path = write_raster(tmp_path / "b.tif", small_grid(), zeros, transform=turned)
    with pytest.raises(InputRefused, match="rotated"):
        grid_of(path, "test")
    (tmp_path / "c.tif").write_text("no raster")
    for name in ("c.tif", "missing.tif"):
        with pytest.raises(UnreadableFile, match=name):
            grid_of(tmp_path / name, "test")


def test_strips_cover_a_grid_without_overlap() -> None:
    found = list(strips(small_grid(60, 1100)))
    assert [(item.row_off, item.height, item.width) for item in found] == [
        (0, 512, 60),
        (512, 512, 60),
        (1024, 76, 60),
    ]


# whole files

KINDS: dict[str, dict[str, Any]] = {
    "stripes": {},
    "tiles": {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"},
    "pixels": {"interleave": "pixel", "tiled": True, "blockxsize": 256, "blockysize": 256},
    "jpeg2000": {"driver": "JP2OpenJPEG", "quality": "100", "reversible": "yes"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.7, 0.999])
def test_a_truncated_raster_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    name = "a.jp2" if kind == "jpeg2000" else "a.tif"
    bands = np.stack([noise(), noise()]).astype(np.uint16)
    path = write_raster(tmp_path / name, small_grid(600, 700), bands, **KINDS[kind])
    verify(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnreadableFile, match="truncated"):
        verify(path)


def test_a_truncated_cog_and_its_overviews_are_refused(tmp_path: Path) -> None:
    path, grid = tmp_path / "a.tif", small_grid(1100, 1100)
    write_cog(path, grid, [(Window(0, 0, 1100, 1100), noise(1100, 1100))], dtype="int16", nodata=0)
    verify(path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UnreadableFile, match="truncated"):
        verify(path)
    plain = write_raster(tmp_path / "b.tif", grid, noise(1100, 1100))
    with rasterio.open(plain, "r+") as dataset:
        dataset.build_overviews([2, 4])
    verify(plain)
    plain.write_bytes(plain.read_bytes()[:-4])
    with pytest.raises(UnreadableFile, match="truncated"):
        verify(plain)


def test_overviews_beside_a_raster_do_not_confuse(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", small_grid(60, 40), np.zeros((40, 60), np.uint8))
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2])
    assert (tmp_path / "a.tif.ovr").exists()
    verify(path)


def test_damage_that_shows_while_reading_is_refused(tmp_path: Path) -> None:
    grid = small_grid(600, 700)
    path = write_raster(tmp_path / "a.tif", grid, noise(), compress="deflate")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + b"\0" * (len(content) - len(content) // 2))
    with pytest.raises(UnreadableFile, match=r"a\.tif"):
        physical(Asset("a", str(path)), grid, Window(0, 0, 600, 700))


# values


def test_nodata_goes_first_then_scale_and_offset_once(tmp_path: Path) -> None:
    stored = np.full((40, 60), 6000, np.uint16)
    stored[0, :3] = 0, 1000, 11000
    # the file says nodata 11000 and other scales: only the asset counts
    path = write_raster(
        tmp_path / "a.tif", small_grid(), stored, nodata=11000, scale=0.5, offset=7.0
    )
    asset = Asset("B04", str(path), scale=1e-4, offset=-0.1, nodata=0)
    values = physical(asset, small_grid())
    assert values.dtype == np.float32
    assert np.isnan(values[0, 0])
    assert values[0, 1:4].tolist() == pytest.approx([0.0, 1.0, 0.5], abs=1e-7)
    unnamed = physical(replace(asset, nodata=None), small_grid())
    assert unnamed[0, 0] == pytest.approx(-0.1)
    assert np.isnan(unnamed[0, 2])


def test_masks_and_nan_are_missing(tmp_path: Path) -> None:
    values = np.ones((40, 60), np.float32)
    values[3, 4], values[5, 6] = np.nan, -9999.0
    path = write_raster(tmp_path / "a.tif", small_grid(), values)
    found = physical(Asset("a", str(path), nodata=-9999.0), small_grid())
    assert np.argwhere(np.isnan(found)).tolist() == [[3, 4], [5, 6]]
    masked = write_raster(tmp_path / "b.tif", small_grid(), np.ones((40, 60), np.uint8))
    with rasterio.open(masked, "r+") as dataset:
        dataset.write_mask(np.arange(2400).reshape(40, 60) != 61)
    found = physical(Asset("b", str(masked)), small_grid())
    assert np.argwhere(np.isnan(found)).tolist() == [[1, 1]]


def test_one_band_of_several(tmp_path: Path) -> None:
    bands = np.stack([np.full((40, 60), 1.0), np.full((40, 60), 2.0)]).astype(np.float32)
    path = write_raster(tmp_path / "a.tif", small_grid(), bands)
    assert (physical(Asset("b", str(path), index=2), small_grid()) == 2).all()


def test_a_coarser_raster_gives_each_cell_its_pixel(tmp_path: Path) -> None:
    grid, coarse = small_grid(), small_grid(30, 20, pixel=20.0)
    rows, columns = row_and_column(coarse)
    path = write_raster(tmp_path / "a.tif", coarse, np.stack([rows, columns]))
    window = Window(0, 5, 60, 7)
    assert physical(Asset("r", str(path)), grid, window)[:, 0].tolist() == [2, 3, 3, 4, 4, 5, 5]
    found = physical(Asset("c", str(path), index=2), grid, window)
    assert (found == np.arange(60) // 2).all()


@pytest.mark.parametrize(("shift", "expected"), [(5.0, 0), (-5.0, 1), (4.0, 0), (-4.0, 0)])
def test_a_shifted_raster_gives_the_pixel_that_holds_the_centre(
    tmp_path: Path, shift: float, expected: int
) -> None:
    grid, moved = small_grid(), small_grid(corner=(500_000.0 + shift, 5_700_000.0))
    path = write_raster(tmp_path / "a.tif", moved, row_and_column(moved)[1])
    found = physical(Asset("c", str(path)), grid)[0]
    assert found[:59].tolist() == [column + expected for column in range(59)]


def test_cells_outside_the_raster_are_missing(tmp_path: Path) -> None:
    small = small_grid(10, 10, corner=(500_050.0, 5_699_900.0))
    path = write_raster(tmp_path / "a.tif", small, np.full((10, 10), 7, np.uint8))
    found = physical(Asset("a", str(path)), small_grid())
    inside = np.zeros((40, 60), bool)
    inside[10:20, 5:15] = True
    assert (np.isnan(found) == ~inside).all()
    away = small_grid(corner=(600_000.0, 5_700_000.0))
    assert np.isnan(physical(Asset("a", str(path)), away)).all()
    with open_asset(Asset("a", str(path))) as dataset:
        codes = read_codes(dataset, Asset("a", str(path)), small_grid(), WHOLE)
    assert codes.dtype == np.uint8
    assert (codes == np.where(inside, 7, 0)).all()


def test_a_south_up_raster_is_turned(tmp_path: Path) -> None:
    grid = small_grid()
    south_up = small_grid(corner=(500_000.0, 5_699_600.0), south_up=True)
    path = write_raster(tmp_path / "a.tif", south_up, row_and_column(south_up)[0])
    found = physical(Asset("r", str(path)), grid)
    assert found[:, 0].tolist() == list(range(39, -1, -1))
    assert physical(Asset("r", str(path)), south_up)[:, 0].tolist() == list(range(40))


def test_another_crs_is_refused(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", small_grid(), np.zeros((40, 60), np.uint8))
    with pytest.raises(OutsideSite, match="warp it to EPSG:32632"):
        physical(Asset("a", str(path)), small_grid(crs="EPSG:32632"))


# writing


def test_encode_rounds_keeps_within_the_type_and_marks_missing() -> None:
    values = np.array([0.1234, 0.1236, np.nan, 1e9, -1.0], np.float32)
    found = encode(values, "int16", -10000, scale=0.001)
    assert found.tolist() == [123, 124, -10000, 32767, -1000]
    assert encode(np.array([5], np.uint8), "int16", 0, scale=0.1).tolist() == [5]
    with pytest.raises(InputRefused, match="nodata"):
        encode(values, "uint8", None)


def write_ndvi(path: Path, **options: Any) -> Grid:
    grid = small_grid(1300, 1100)
    values = (noise(1100, 1300) / 9000).astype(np.float32)
    values[:20] = np.nan
    blocks = ((item, values[item.row_off : item.row_off + item.height]) for item in strips(grid))
    settings: dict[str, Any] = {"dtype": "int16", "nodata": -10000, "scale": 0.001}
    write_cog(path, grid, blocks, **(settings | options))
    return grid


def test_a_written_cog_is_valid_and_says_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    grid = write_ndvi(path, description="NDVI", tags={"PRODUCT": "x"})
    with rasterio.open(path) as dataset:
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        assert (structure["LAYOUT"], structure["COMPRESSION"]) == ("COG", "ZSTD")
        assert structure["PREDICTOR"] == "2"
        assert dataset.block_shapes == [(512, 512)]
        assert dataset.overviews(1) == [2, 4]
        assert (dataset.scales, dataset.offsets, dataset.nodata) == ((0.001,), (0.0,), -10000)
        assert (dataset.descriptions, dataset.tags()["PRODUCT"]) == (("NDVI",), "x")
        stored = dataset.read(1)
    assert (stored[:20] == -10000).all()
    assert (stored[20:] == np.rint(noise(1100, 1300)[20:] / 9.0)).mean() > 0.9999
    assert grid_of(path, "test") == grid
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    write_ndvi(tmp_path / "a.tif")
    write_ndvi(tmp_path / "b.tif")
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_floats_are_written_with_their_predictor(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_ndvi(path, dtype="float32", nodata=np.nan, scale=1.0)
    with rasterio.open(path) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "3"
        assert np.isnan(dataset.read(1)[:20]).all()


def test_a_failing_source_leaves_no_file(tmp_path: Path) -> None:
    def blocks() -> Any:
        yield Window(0, 0, 60, 20), np.zeros((20, 60), np.uint8)
        raise UnreadableFile

    with pytest.raises(UnreadableFile):
        write_cog(tmp_path / "a.tif", small_grid(), blocks(), dtype="uint8", nodata=0)
    assert list(tmp_path.iterdir()) == []


def test_a_quicklook_is_small_coloured_and_north_up(tmp_path: Path) -> None:
    values = np.tile(np.linspace(0, 1, 1300, dtype=np.float32), (1100, 1))
    values[:110] = np.nan
    red_to_green = [(255, 0, 0), (0, 255, 0)]
    for south_up in (False, True):
        path, grid = tmp_path / f"{south_up}.png", small_grid(1300, 1100, south_up=south_up)
        write_quicklook(path, grid, values, vmin=0, vmax=1, colours=red_to_green)
        picture = np.rint(imread(path) * 255).astype(int)
        assert max(picture.shape) <= 512
        missing = picture[:30] if not south_up else picture[-30:]
        assert (missing == 0).all()
        middle = len(picture) // 2
        assert picture[middle, 0].tolist() == [255, 0, 0, 255]
        assert picture[middle, 217, :2].tolist() == pytest.approx([127, 128], abs=2)


def test_a_quicklook_of_an_asset_reads_its_overview(tmp_path: Path) -> None:
    grid = write_ndvi(tmp_path / "a.tif")
    asset = Asset("ndvi", str(tmp_path / "a.tif"), scale=0.001, nodata=-10000)
    write_quicklook(tmp_path / "a.png", grid, asset, vmin=0, vmax=1, colours=[(0,) * 3, (200,) * 3])
    picture = np.rint(imread(tmp_path / "a.png") * 255)
    assert picture.shape == (433, 512, 4)
    assert (picture[:6, :, 3] == 0).all()
    assert picture[20:, :, 0].mean() == pytest.approx(100, abs=2)
    first = (tmp_path / "a.png").read_bytes()
    write_quicklook(tmp_path / "a.png", grid, asset, vmin=0, vmax=1, colours=[(0,) * 3, (200,) * 3])
    assert (tmp_path / "a.png").read_bytes() == first


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    """A transform of numpy floats, as coordinates of a file give it."""
    step, left, top = np.array([10.0, 475_780.0, 5_255_640.0])
    grid = Grid("t", "EPSG:32632", (step, 0.0, left, 0.0, -step, top), 2, 2)
    block = (Window(0, 0, 2, 2), np.ones((2, 2), np.uint8))
    write_cog(tmp_path / "a.tif", grid, [block], dtype="uint8", nodata=0, scale=np.float64(0.5))
    found = grid_of(tmp_path / "a.tif", "t")
    assert (found.transform, found.crs) == (
        (10.0, 0.0, 475_780.0, 0.0, -10.0, 5_255_640.0),
        "EPSG:32632",
    )


def test_windows_in_any_order_and_overviews(tmp_path: Path) -> None:
    """Quarters of a raster, the last one first; overviews hold the means of what is there."""
    grid = small_grid(700, 600)
    values = np.random.default_rng(4).integers(0, 1000, (600, 700)).astype(np.int16)
    values[:2, :4] = [[10, 20, -1, -1], [30, 41, -1, -1]]
    windows = [Window(x, y, 350, 300) for y in (300, 0) for x in (350, 0)]
    blocks = (
        (item, values[item.row_off : item.row_off + 300, item.col_off : item.col_off + 350])
        for item in windows
    )
    write_cog(tmp_path / "a.tif", grid, blocks, dtype="int16", nodata=-1)
    with rasterio.open(tmp_path / "a.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), values)
        half = dataset.read(1, out_shape=(300, 350))
    assert half[0, :2].tolist() == [25, -1]  # (10 + 20 + 30 + 41) / 4 = 25.25
    assert list(tmp_path.iterdir()) == [tmp_path / "a.tif"]


def test_large_windows_read_as_small_ones(tmp_path: Path) -> None:
    """From some size on values are converted by compiled code: the same bits."""
    grid = small_grid(600, 600)
    stored = np.random.default_rng(4).integers(0, 9000, (600, 600)).astype(np.uint16)
    path = write_raster(tmp_path / "a.tif", grid, stored)
    asset = Asset("B04", str(path), scale=0.0001, offset=-0.1, nodata=0)
    with open_asset(asset) as dataset:
        whole = read_physical(dataset, asset, grid, Window(0, 0, 600, 600))
        parts = [read_physical(dataset, asset, grid, window) for window in strips(grid, 50)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert (np.isnan(whole) == (stored == 0)).all()
    back = encode(whole, "int16", -10000, scale=0.001)
    np.testing.assert_array_equal(back[:50], encode(whole[:50], "int16", -10000, scale=0.001))


def test_values_at_places(tmp_path: Path) -> None:
    """By hand: pixel centres of a 10 m grid; outside and nodata are missing."""
    grid = small_grid(3, 2)
    path = write_raster(tmp_path / "a.tif", grid, np.array([[10, 20, 0], [40, 50, 60]], np.uint16))
    asset = Asset("lai", str(path), scale=0.1, nodata=0)
    left, top = grid.transform[2], grid.transform[5]
    offsets = np.array([[5, -5], [25, -5], [15, -15], [29, -19], [-1, -5], [5, 5]])
    with open_asset(asset) as dataset:
        found = sample(dataset, asset, offsets + np.array([left, top]))
        nothing = sample(dataset, asset, np.zeros((0, 2)))
    np.testing.assert_allclose(found, [1.0, np.nan, 5.0, 6.0, np.nan, np.nan])
    assert nothing.shape == (0,)
