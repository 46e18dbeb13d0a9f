"""MAJA, MACCS and Landsat: real metadata with small rasters beside them, and what is refused."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely

from sen4cap.acquisition import dark_pixels, radiometry_of, to_product
from sen4cap.domain import Grid, ProductType, Role, Sensor
from sen4cap.domain.found import Found
from sen4cap.errors import EmptyLayer, RadiometryRefused, UnreadableFile
from sen4cap.geo.mgrs import tile_grid
from sen4cap.processing.classification import validity_of
from sen4cap.sources import discover, landsat, maccs, safe
from sen4cap.testing.formats import write_landsat, write_muscate
from sen4cap.testing.rasters import small_grid, write_raster
from sen4cap.testing.scenes import Scene, write_safe

ORIGINAL = "sen4cap_config_samples/product_metadata"
MAJA = "SENTINEL2A_20160928-105637-665_L2A_T31UDS_C_V1-0"
R1 = ("B2", "B3", "B4", "B8")
R2 = ("B5", "B6", "B7", "B8A", "B11", "B12")


def corner_of(tile: str) -> Grid:
    whole = tile_grid(tile)
    return Grid(whole.name, whole.crs, whole.transform, 40, 40)


def maja(folder: Path, shared_data: Path, kind: str = "FRE") -> Path:
    """The real metadata of a product, with rasters of its upper left corner."""
    target = folder / MAJA / f"{MAJA}_MTD_ALL.xml"
    target.parent.mkdir(parents=True)
    shutil.copy(shared_data / ORIGINAL / "MAJA" / target.name, target)
    fine, coarse = (np.full((side, side), 900, np.int16) for side in (40, 20))
    fine[0, 0] = -10000
    masks = {code: np.zeros((40, 40), np.uint8) for code in ("MG2_R1", "EDG_R1", "SAT_R1")}
    masks["MG2_R1"][0, 1] = 2
    saturated = np.zeros((20, 20), np.uint8)
    saturated[1, 1] = 4
    bands = {f"{kind}_{band}": fine for band in R1} | {f"{kind}_{band}": coarse for band in R2}
    write_muscate(target, corner_of("31UDS"), {**bands, **masks, "SAT_R2": saturated})
    return target


@pytest.mark.data
def test_maja_product_of_the_original(tmp_path: Path, shared_data: Path) -> None:
    maja(tmp_path, shared_data)
    (found,) = discover(tmp_path)

    assert isinstance(found, Found)
    assert (found.name, found.type, found.grid.name) == (MAJA, ProductType.L2A, "31UDS")
    assert found.start == datetime(2016, 9, 28, 10, 56, 37, 665000, UTC)
    assert found.grid.pixel == (10.0, 10.0)
    told = found.properties
    assert (told["platform"], told["sat:relative_orbit"]) == ("sentinel-2a", 51)
    assert told["eo:cloud_cover"] == 54.0
    assert told["view:sun_elevation"] == pytest.approx(90 - 54.0684)
    assert told["view:sun_azimuth"] == pytest.approx(166.336)
    west, south, east, north = shapely.from_wkt(found.footprint).bounds
    assert (west, south, east, north) == (1.56055, 50.4553, 3.14046, 51.4511)
    assert {band.name for band in found.bands if band.role is Role.DATA} == {
        *("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
    }


@pytest.mark.data
def test_maja_reflectances_and_flags(tmp_path: Path, shared_data: Path) -> None:
    maja(tmp_path, shared_data)
    (found,) = discover(tmp_path)
    assert isinstance(found, Found)
    product = to_product(found, "site", radiometry_of(found, dark_pixels(found)))

    red = product.asset("B04")
    assert (red.scale, red.offset, red.nodata) == (1e-4, 0.0, -10000.0)
    assert product.asset("angles").href.endswith("_MTD_ALL.xml")
    validity = validity_of(product)
    assert validity is not None
    assert [mask.name for mask in validity.masks] == ["MG2", "EDG", "SAT", "SAT_R2"]


@pytest.mark.data
def test_maja_without_slope_correction_and_without_masks(tmp_path: Path, shared_data: Path) -> None:
    metadata = maja(tmp_path, shared_data, kind="SRE")
    (found,) = discover(tmp_path)
    assert isinstance(found, Found)
    assert all("_SRE_" in band.href for band in found.bands if band.role is Role.DATA)

    shutil.rmtree(metadata.parent / "MASKS")
    with pytest.raises(UnreadableFile, match="MG2_R1"):
        discover(tmp_path)


def maccs_folder(folder: Path, shared_data: Path, name: str) -> Path:
    """The real headers of a product, laid as on delivery."""
    source = shared_data / ORIGINAL / "MACCS"
    inside = folder / f"{name}.DBL.DIR"
    inside.mkdir(parents=True)
    mission, instance = name.split("_L2VALD_", maxsplit=1)[0][:7], name.split("_L2VALD_")[1]
    for path in source.glob(f"{mission}*{instance}*.HDR"):
        shutil.copy(path, folder if path.stem == name else inside)
    return inside


@pytest.mark.data
def test_maccs_sentinel_2(tmp_path: Path, shared_data: Path) -> None:
    name = "S2A_OPER_SSC_L2VALD_15SVD____20091211"
    inside = maccs_folder(tmp_path, shared_data, name)
    grid = corner_of("15SVD")
    stem = "S2A_OPER_SSC_{}_L2VALD_15SVD____20091211_{}.DBL.TIF"
    for part, count in (("R1", 4), ("R2", 6)):
        own = grid if part == "R1" else grid.at(20.0)
        image = np.stack([np.full((own.height, own.width), n + 1, np.int16) for n in range(count)])
        write_raster(inside / stem.format("PDTIMG", f"FRE_{part}"), own, image)
    for code, count in (("CLD", 8), ("MSK", 1), ("QLT", 3)):
        image = np.zeros((count, 40, 40), np.uint8)
        write_raster(inside / stem.format("PDTANX", f"{code}_R1"), grid, image)
    (found,) = discover(tmp_path)

    assert isinstance(found, Found)
    assert (found.name, found.grid.name) == (name, "15SVD")
    assert found.start == datetime(2009, 12, 11, 16, 58, 51, tzinfo=UTC)
    assert found.properties["sat:relative_orbit"] == 65
    assert found.properties["view:sun_elevation"] == pytest.approx(90 - 64.155021)
    swir, quality = found.band("B11"), found.band("QLT_OTH")
    assert swir is not None
    assert quality is not None
    assert (swir.index, swir.nodata, swir.declared[0].scale) == (5, -10000.0, 0.000683994528)
    assert (quality.index, quality.role) == (3, Role.MASK)


@pytest.mark.data
def test_maccs_header_of_landsat(shared_data: Path) -> None:
    header = maccs.read(shared_data / ORIGINAL / "MACCS" / "L8_TEST_L8C_L2VALD_198030_20130626.HDR")
    assert (header.place, header.platform, header.scale) == ("198030", "landsat-8", 0.001)
    assert header.start == datetime(2013, 6, 26, 10, 38, 11, tzinfo=UTC)
    assert header.properties["eo:cloud_cover"] == 5.0
    # Its own corners: 44.0979 N 0.38468 E to 42.2751 N 3.1258 E.
    latitude, longitude = landsat.scene_centre(198, 30)
    assert latitude == pytest.approx((44.0979 + 42.2751) / 2, abs=0.02)
    assert longitude == pytest.approx((0.38468 + 3.1258) / 2, abs=0.05)


@pytest.mark.parametrize("as_json", [False, True])
def test_landsat_written_from_the_format_document(tmp_path: Path, *, as_json: bool) -> None:
    grid = small_grid(30, 30, pixel=30.0, corner=(400_005.0, 5_700_015.0))
    image = np.full((30, 30), 10_000, np.uint16)
    image[0] = 0
    write_landsat(tmp_path, grid, {"SR_B4": image}, as_json=as_json)
    (found,) = discover(tmp_path)
    assert isinstance(found, Found)
    product = to_product(found, "site", radiometry_of(found, dark_pixels(found)))

    assert found.name == "LC09_L2SP_198024_20220620_20220622_02_T1"
    assert (found.grid.name, found.grid.sensor) == ("198024", Sensor.L8)
    assert found.start == datetime(2022, 6, 20, 10, 33, 41, 123456, UTC)
    assert found.properties["platform"] == "landsat-9"
    assert found.properties["view:sun_elevation"] == 58.25
    red, infrared = product.asset("B04"), product.asset("B08")
    assert (red.scale, red.offset, red.nodata) == (2.75e-5, -0.2, 0.0)  # 10000 is 0.075
    assert infrared.href.endswith("_SR_B5.TIF")
    validity = validity_of(product)
    assert validity is not None
    assert [mask.name for mask in validity.masks] == ["QA_PIXEL", "QA_RADSAT"]


def test_landsat_scenes_that_shift_are_of_one_grid() -> None:
    grid = landsat.scene_grid("198024", "EPSG:32631")

    assert landsat.scene_grid("198024", "EPSG:32631") == grid
    left, bottom, right, top = grid.bounds
    assert (left % 30, top % 30) == (15.0, 15.0)  # centres on multiples of 30 m
    assert (right - left, top - bottom) == (270_000.0, 270_000.0)


def test_a_landsat_scene_lacks_a_band(tmp_path: Path) -> None:
    grid = small_grid(4, 4, pixel=30.0)
    metadata = write_landsat(tmp_path, grid, {}, as_json=False)
    next(metadata.parent.glob("*_SR_B6.TIF")).unlink()
    with pytest.raises(UnreadableFile, match="SR_B6"):
        discover(tmp_path)
    metadata.write_text("GROUP = X\n")
    with pytest.raises(UnreadableFile, match="no DATE_ACQUIRED"):
        discover(tmp_path)


def test_nothing_known_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(EmptyLayer, match="no usable product"):
        discover(tmp_path)


def test_landsat_with_another_offset_is_refused(tmp_path: Path) -> None:
    grid = small_grid(4, 4, pixel=30.0)
    metadata = write_landsat(tmp_path, grid, {}, as_json=False)
    image = np.full((4, 4), 10_000, np.uint16)
    path = next(metadata.parent.glob("*_SR_B4.TIF"))
    write_raster(path, grid, image, scale=2.75e-5, offset=-0.1)
    (found,) = discover(tmp_path)
    assert isinstance(found, Found)
    with pytest.raises(RadiometryRefused, match=r"says offset -0.2 and the raster file says -0.1"):
        radiometry_of(found, dark_pixels(found))


def test_sentinel_2c_written_from_the_format_document(tmp_path: Path) -> None:
    image = np.full((64, 64), 1500, np.uint16)
    scene = Scene({"B04": image}, platform="sentinel-2c", baseline="05.11", sun=(40.0, 150.0))
    write_safe(tmp_path, scene, add_offset=-1000)
    (found,) = discover(tmp_path)
    assert isinstance(found, Found)
    product = to_product(found, "site", radiometry_of(found, dark_pixels(found)))

    assert found.name.startswith("S2C_MSIL2A_")
    assert found.properties["platform"] == "sentinel-2c"
    assert found.properties["view:sun_elevation"] == pytest.approx(50.0)
    assert product.asset("B04").offset == pytest.approx(-0.1)
    assert product.asset("angles").role is Role.METADATA


@pytest.mark.data
def test_sen2cor_product_of_the_original(shared_data: Path) -> None:
    read = safe.read(shared_data / ORIGINAL / "SEN2COR")

    assert (read.tile.grid.name, read.baseline, read.relative_orbit) == ("28RBN", "02.11", 123)
    assert read.start.date().isoformat() == "2018-11-27"
    assert read.tile.angles is not None
    assert read.tile.angles.sun.zenith == pytest.approx(48.4167, abs=1e-4)
