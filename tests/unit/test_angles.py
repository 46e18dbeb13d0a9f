"""Angles from metadata; expected values are the metadata's own means and stactools' items."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rasterio.windows import Window

from sen4cap.geo.angles import AngleGrid, Angles, Direction, read_angles
from sen4cap.testing.rasters import small_grid
from sen4cap.testing.scenes import Scene, write_safe

SAMPLES = "sentinel_metadata_samples/s2_safe_mtd"
ORIGINAL = "sen4cap_config_samples/product_metadata"


def vectors(zenith: list[list[float]], azimuth: list[list[float]]) -> AngleGrid:
    z, a = np.radians(zenith), np.radians(azimuth)
    return AngleGrid(np.stack([np.sin(z) * np.sin(a), np.sin(z) * np.cos(a), np.cos(z)], -1), 100.0)


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        "S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248.SAFE",
        "S2A_MSIL2A_20190212T192651_N0212_R013_T07HFE_20201007T160857.SAFE",
        "S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825.SAFE",
        "S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126.SAFE",
        "esa_S2B_MSIL2A_20210122T133229_N0214_R081_T22HBD_20210122T155500.SAFE",
    ],
)
def test_real_angles_are_those_of_stactools(shared_data: Path, name: str) -> None:
    folder = shared_data / SAMPLES / name
    angles = read_angles(next(folder.glob("GRANULE/*/MTD_TL.xml")))
    told = json.loads((folder / "expected_output.json").read_text())["properties"]

    assert angles is not None
    assert angles.sun_grid is not None
    found = angles.properties
    assert found["view:sun_azimuth"] == pytest.approx(told["view:sun_azimuth"], abs=1e-9)
    assert found["view:sun_elevation"] == pytest.approx(told["view:sun_elevation"], abs=1e-9)
    assert found["view:incidence_angle"] == pytest.approx(told["view:incidence_angle"], abs=1e-4)
    assert angles.sun_grid.vectors.shape == (23, 23, 3)
    assert angles.sun_grid.mean.zenith == pytest.approx(angles.sun.zenith, abs=0.02)
    if "T33XWJ" not in name:  # at the wrap of 360 degrees stactools takes the plain mean
        assert found["view:azimuth"] == pytest.approx(told["view:azimuth"], abs=0.2)


@pytest.mark.data
def test_azimuths_around_north_are_averaged_as_directions(shared_data: Path) -> None:
    name = "S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126.SAFE"
    angles = read_angles(next((shared_data / SAMPLES / name).glob("GRANULE/*/MTD_TL.xml")))

    assert angles is not None
    assert angles.view_grids is not None
    # The metadata give 190.5 degrees for B02, the plain mean of azimuths on both sides of north.
    assert angles.views["B02"].azimuth == pytest.approx(190.52, abs=0.01)
    assert angles.view_grids["B02"].mean.azimuth == pytest.approx(359.94, abs=0.01)


@pytest.mark.data
@pytest.mark.parametrize(
    ("path", "sun", "view"),
    [
        ("MAJA/SENTINEL2A_20160928-105637-665_L2A_T31UDS_C_V1-0_MTD_ALL.xml", 54.0684, 8.128501),
        ("MACCS/S2A_OPER_SSC_L2VALD_15SVD____20091211.HDR", 64.155021, 3.3013),
    ],
)
def test_grids_of_maja_and_maccs_agree_with_their_means(
    shared_data: Path, path: str, sun: float, view: float
) -> None:
    angles = read_angles(shared_data / ORIGINAL / path)

    assert angles is not None
    assert angles.sun_grid is not None
    assert angles.view_grid is not None
    assert angles.view_grids is not None
    assert angles.sun.zenith == pytest.approx(sun)
    assert angles.view.zenith == pytest.approx(view, abs=1e-3)
    assert angles.sun_grid.mean.zenith == pytest.approx(sun, abs=0.01)
    for band, stated in angles.views.items():
        assert angles.view_grids[band].mean.zenith == pytest.approx(stated.zenith, abs=0.4)


@pytest.mark.data
def test_landsat_of_maccs_has_means_alone(shared_data: Path) -> None:
    angles = read_angles(shared_data / ORIGINAL / "MACCS/L8_TEST_L8C_L2VALD_198030_20130626.HDR")

    assert angles is not None
    assert angles.sun_grid is None
    assert (angles.sun.zenith, angles.sun.azimuth) == (25.35412688, 134.62294485)
    assert angles.view.zenith == 0.0


def test_interpolation_is_linear_and_passes_north() -> None:
    grid = vectors([[30, 30], [30, 30]], [[350, 10], [350, 10]])
    zenith, azimuth = grid.at(small_grid(10, 10), Window(0, 0, 10, 10))

    assert zenith.shape == (10, 10)
    assert zenith == pytest.approx(np.full((10, 10), 30), abs=0.5)
    assert azimuth[0, 0] == pytest.approx(351, abs=0.1)  # 5 m of 100 m on the way over 20 degrees
    assert azimuth[0, 9] == pytest.approx(9, abs=0.1)


def test_beyond_what_is_seen_the_nearest_node_counts() -> None:
    grid = vectors([[10, np.nan], [10, np.nan]], [[90, np.nan], [90, np.nan]])
    zenith, azimuth = grid.at(small_grid(10, 10), Window(0, 5, 10, 5))

    assert zenith == pytest.approx(np.full((5, 10), 10.0))
    assert azimuth == pytest.approx(np.full((5, 10), 90.0))
    assert np.isnan(vectors([[np.nan]], [[np.nan]]).mean.zenith)


def test_sentinel_2c_written_from_the_format_document(tmp_path: Path) -> None:
    bands = {"B04": np.full((20, 20), 1500, np.uint16)}
    scene = Scene(
        bands, small_grid(20, 20, name="31UDS"), platform="sentinel-2c", sun=(40.0, 150.0)
    )
    angles = read_angles(next(write_safe(tmp_path, scene).glob("GRANULE/*/MTD_TL.xml")))

    assert angles is not None
    assert angles.view_grid is not None
    assert angles.properties == pytest.approx(
        {
            "view:sun_azimuth": 150.0,
            "view:sun_elevation": 50.0,
            "view:incidence_angle": 5.0,
            "view:azimuth": 100.0,
        }
    )
    zenith, _ = angles.view_grid.at(scene.grid, Window(0, 0, 20, 20))
    assert zenith == pytest.approx(np.full((20, 20), 5.0))


def test_cosines_for_the_networks() -> None:
    """By hand: sun at 60° zenith, 10° azimuth; view at 0° in the first column, 60° and 350°."""
    sun = vectors([[60.0] * 2] * 2, [[10.0] * 2] * 2)
    view = vectors([[0.0, 60.0]] * 2, [[350.0] * 2] * 2)
    angles = Angles(Direction(60, 10), {"": Direction(30, 350)}, sun, {"B02": view})
    found = angles.cosines
    expected = [1.0, 0.5, 0.0], [0.5, 0.5, np.cos(np.radians(20))]
    np.testing.assert_allclose(found.nodes[0], expected, atol=1e-12)
    grid = small_grid(10, 10)
    view_at, sun_at, azimuth_at = found.at(grid, Window(0, 2, 10, 3))
    assert sun_at.shape == (3, 10)
    np.testing.assert_allclose(sun_at, 0.5, atol=1e-7)
    assert view_at[0, [0, 9]].tolist() == pytest.approx([0.975, 0.525])
    some = found.at_pixels(grid, np.array([2, 4]), np.array([0, 9]))
    assert some[0].tolist() == pytest.approx([view_at[0, 0], view_at[2, 9]])
    assert some[2].tolist() == pytest.approx([azimuth_at[0, 0], azimuth_at[2, 9]])


def test_a_view_without_grid_is_the_mean() -> None:
    sun = vectors([[60.0] * 2] * 2, [[10.0] * 2] * 2)
    angles = Angles(Direction(60, 10), {"": Direction(60, 100)}, sun)
    np.testing.assert_allclose(angles.cosines.nodes, np.full((2, 2, 3), [0.5, 0.5, 0.0]), atol=1e-9)
    no_grid = Angles(Direction(60, 10), {"": Direction(60, 100)}).cosines
    assert no_grid.nodes.shape == (1, 1, 3)
    everywhere = no_grid.at(small_grid(5, 5), Window(0, 0, 5, 5))
    np.testing.assert_allclose(everywhere[2], 0.0, atol=1e-7)
