"""SAFE folders: real metadata against stactools' items, and what is refused."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from sen4cap.domain.found import Found, Skipped
from sen4cap.errors import EmptyLayer, UnreadableFile
from sen4cap.sources import discover, safe
from sen4cap.testing.rasters import small_grid
from sen4cap.testing.scenes import Scene, write_safe

REAL = (
    "S2A_MSIL2A_20190212T192651_N0212_R013_T07HFE_20201007T160857.SAFE",
    "S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825.SAFE",
    "S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126.SAFE",
    "esa_S2B_MSIL2A_20210122T133229_N0214_R081_T22HBD_20210122T155500.SAFE",
)


@pytest.fixture
def samples(shared_data: Path) -> Path:
    return shared_data / "sentinel_metadata_samples" / "s2_safe_mtd"


def expected(folder: Path) -> dict[str, Any]:
    """What stactools 2025 makes of the folder."""
    item: dict[str, Any] = json.loads((folder / "expected_output.json").read_text())
    return item


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_metadata_are_read_as_stactools_reads_them(samples: Path, name: str) -> None:
    read, item = safe.read(samples / name), expected(samples / name)
    properties = item["properties"]

    assert read.start == datetime.fromisoformat(properties["datetime"])
    assert f"MGRS-{read.tile.grid.name}" == properties["grid:code"]
    crs = properties.get("proj:code") or f"EPSG:{properties['proj:epsg']}"
    assert read.tile.grid.crs == crs
    assert read.baseline == properties["s2:processing_baseline"] == read.tile.baseline
    assert read.relative_orbit == properties["sat:relative_orbit"]
    assert read.orbit_state == properties["sat:orbit_state"]
    assert read.platform == properties["platform"]
    assert read.cloud_cover == properties["eo:cloud_cover"]
    assert f"{read.name}.SAFE" == properties["s2:product_uri"]


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_grids_and_offsets_are_those_of_stactools(samples: Path, name: str) -> None:
    read, red = safe.read(samples / name), expected(samples / name)["assets"]["red"]

    assert list(read.tile.grid.transform) == red["proj:transform"]
    assert [read.tile.grid.height, read.tile.grid.width] == red["proj:shape"]
    assert list(read.tile.grid.bounds) == red["proj:bbox"]
    told = red["raster:bands"][0]
    assert read.scale == pytest.approx(told["scale"])
    assert read.offsets.get("B04", 0.0) == pytest.approx(told["offset"])


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_footprints_cover_those_of_stactools(samples: Path, name: str) -> None:
    ours = shapely.from_wkt(safe.read(samples / name).footprint)
    theirs = shapely.geometry.shape(expected(samples / name)["geometry"])

    shared = shapely.area(shapely.intersection(ours, theirs))
    assert shared / shapely.area(shapely.union(ours, theirs)) > 0.9999


@pytest.mark.data
def test_tile_at_the_antimeridian_has_its_utc_date_and_two_parts(samples: Path) -> None:
    read = safe.read(samples / REAL[1])
    footprint = shapely.from_wkt(read.footprint)

    assert read.start.date() == date(2023, 8, 21)  # 22 August on the ground in Fiji
    assert read.tile.grid.name == "01KAB"
    assert footprint.geom_type == "MultiPolygon"
    west, east = sorted(footprint.geoms, key=lambda part: part.bounds[0])
    assert west.bounds[0] == -180.0
    assert east.bounds[2] == 180.0
    assert footprint.area < 2


@pytest.mark.data
def test_tile_metadata_stand_alone(samples: Path) -> None:
    folder = samples / "S2A_OPER_MSI_L2A_TL_2APS_20240108T121951_A044635_T34VEL"
    tile, item = safe.read_tile(folder / "metadata.xml"), expected(folder)
    properties = item["properties"]

    assert f"MGRS-{tile.grid.name}" == properties["grid:code"]
    assert tile.grid.crs == properties["proj:code"]
    assert tile.baseline == properties["s2:processing_baseline"]
    assert tile.cloud_cover == properties["eo:cloud_cover"]
    difference = tile.sensing - datetime.fromisoformat(properties["datetime"])
    assert abs(difference.total_seconds()) < 0.001
    assert list(tile.grid.transform) == item["assets"]["red"]["proj:transform"]


@pytest.mark.data
def test_real_samples_without_pixels_are_left_out_with_their_reasons(samples: Path) -> None:
    with pytest.raises(EmptyLayer, match="no usable"):
        discover(samples, keep_going=True)


def scene(baseline: str = "05.10") -> Scene:
    image = np.full((64, 64), 1500, np.uint16)
    bands = {"B04": image, "B02": image, "SCL": np.full((32, 32), 4, np.uint8)}
    return Scene(bands, small_grid(64, 64, name="31UDS"), baseline=baseline)


@pytest.mark.parametrize(("driver", "suffix"), [("JP2OpenJPEG", ".jp2"), ("GTiff", ".tif")])
def test_each_band_is_taken_at_its_best_resolution(
    tmp_path: Path, driver: str, suffix: str
) -> None:
    coarse = {name: image[::2, ::2].copy() for name, image in scene().bands.items()}
    write_safe(tmp_path, Scene(coarse, scene().grid), driver=driver)
    write_safe(tmp_path, scene(), driver=driver, add_offset=-1000)
    found = discover(tmp_path)[0]

    assert isinstance(found, Found)
    endings = [band.href[-len("B02_10m.jp2") :] for band in found.bands]
    assert endings == [f"B02_10m{suffix}", f"B04_10m{suffix}", f"SCL_20m{suffix}"]
    assert [item.offset for item in found.bands[0].declared] == [-0.1]
    assert found.properties["sat:relative_orbit"] == 51


def test_level_1c_is_left_out_with_its_reason(tmp_path: Path) -> None:
    write_safe(tmp_path, scene())
    l1c = tmp_path / "S2A_MSIL1C_20180717T105328_N0206_R051_T31UDS_20180717T130000.SAFE"
    l1c.mkdir()
    (l1c / "MTD_MSIL1C.xml").write_text("<x/>")
    found, skipped = discover(tmp_path)

    assert isinstance(found, Found)
    assert isinstance(skipped, Skipped)
    assert skipped.path == l1c
    assert "Level 1C" in skipped.reason


def test_a_document_type_is_refused(tmp_path: Path) -> None:
    """Entities that expand ("billion laughs") need one."""
    path = write_safe(tmp_path, scene()) / "MTD_MSIL2A.xml"
    bomb = '<!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    path.write_text(path.read_text().replace("<n1:Level", f"{bomb}\n<n1:Level", 1))

    with pytest.raises(UnreadableFile, match="document type"):
        discover(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("<PROCESSING_BASELINE>05.10</PROCESSING_BASELINE>", "", "PROCESSING_BASELINE"),
        ("10000</BOA", "many</BOA", "many"),
        ("</n1:Level-2A_User_Product>", "", "MTD_MSIL2A.xml"),
        ("2018-07-17T10:53", "2018-17-17T10:53", "2018-17-17"),
    ],
)
def test_broken_metadata_are_refused_by_name(
    tmp_path: Path, old: str, new: str, named: str
) -> None:
    path = write_safe(tmp_path, scene()) / "MTD_MSIL2A.xml"
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(Exception, match=named) as refused:
        discover(tmp_path)
    assert type(refused.value).__name__ in {"UnreadableFile", "UnreadableDate"}


def test_the_same_product_twice_is_taken_once(tmp_path: Path) -> None:
    write_safe(tmp_path / "a", scene())
    write_safe(tmp_path / "b", scene())
    found, skipped = discover(tmp_path)

    assert isinstance(found, Found)
    assert isinstance(skipped, Skipped)
    assert "again" in skipped.reason
