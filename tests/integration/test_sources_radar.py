"""Radar rasters brought to the grid of a tile: values by hand, names, and what stays untouched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from sen4cap.domain import Grid, ProductType, Sensor
from sen4cap.domain.found import Found
from sen4cap.errors import EmptyLayer
from sen4cap.geo.mgrs import tile_grid
from sen4cap.geo.raster import grid_of
from sen4cap.geo.warp import Part, mosaic
from sen4cap.sources import discover, radar
from sen4cap.sources.radar_names import Stored
from sen4cap.testing.formats import write_radar

TILE = "31UDS"
OPERA = (
    "OPERA_L2_RTC-S1_T015-031234-IW{swath}_20240501T0550{second}Z_20240501T101112Z_S1A_30_v1.0"
    "_{pol}.tif"
)


def inside(pixel: float, x: float = 20_000.0, size: int = 60, shift: float = 0.0) -> Grid:
    """A small grid in the tile, `x` metres from its corner."""
    left, _, _, top = tile_grid(TILE).bounds
    corner = (left + x + shift, top - 20_000.0 + shift)
    transform = (pixel, 0.0, corner[0], 0.0, -pixel, corner[1])
    return Grid("raw", "EPSG:32631", transform, size, size)


def opera(folder: Path, swath: int = 1, second: int = 10, pol: str = "VV") -> Path:
    return folder / OPERA.format(swath=swath, second=second, pol=pol)


def values(path: Path, grid: Grid) -> np.ndarray:
    """Values of a raster on a small grid that is a part of its own."""
    whole = tile_grid(TILE).bounds
    left, _, _, top = grid.bounds
    window = Window((left - whole[0]) / 20, (whole[3] - top) / 20, grid.width, grid.height)
    with rasterio.open(path) as dataset:
        return dataset.read(1, window=window)


def test_a_radar_grid_is_nested_in_the_tile() -> None:
    grid, fine = radar.radar_grid(TILE), tile_grid(TILE)
    assert (grid.bounds, grid.pixel, grid.sensor) == (fine.bounds, (20.0, 20.0), Sensor.S1)


def test_bursts_of_a_pass_become_one_product(tmp_path: Path) -> None:
    tags = {"ORBIT_PASS_DIRECTION": "descending"}
    for swath, second, level in ((1, 10, 0.1), (2, 12, 0.3)):
        grid = inside(30.0, 20_000.0 + 1_200.0 * (swath - 1))
        for pol in ("VV", "VH"):
            image = np.full((60, 60), level if pol == "VV" else level / 4)
            write_radar(opera(tmp_path / "in", swath, second, pol), grid, image, **tags)
    (folder,) = radar.prepare(tmp_path / "in", tmp_path / "out", (TILE,))
    (found,) = discover(folder)

    assert isinstance(found, Found)
    assert folder.parent.name == "s1_l2a_amp"
    assert found.name == "S1A_L2_BCK_20240501T055010_015_31UDS"
    assert (found.type, found.grid) == (ProductType.S1_AMP, radar.radar_grid(TILE))
    assert [band.name for band in found.bands] == ["VH", "VV"]
    told = found.properties
    assert (told["sat:relative_orbit"], told["sat:orbit_state"]) == (15, "descending")
    assert told["sen4cap:quantity"] == "gamma0"
    assert "sen4cap:pair" not in told
    band = found.band("VV")
    assert band is not None
    # 3 km wide and 1.8 km high: the first burst's values, then the second's, 0.3 beside.
    seen = values(Path(band.href), inside(20.0, 20_000.0, 90))
    assert seen[45, 45] == pytest.approx(0.1)
    assert seen[45, 88] == pytest.approx(0.1)  # both are there: the first counts
    further = values(Path(band.href), inside(20.0, 22_000.0, 40))
    assert further[20, 20] == pytest.approx(0.3)
    with rasterio.open(band.href) as dataset:
        assert np.isnan(dataset.read(1, window=Window(0, 0, 10, 10))).all()

    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert radar.prepare(tmp_path / "in", tmp_path / "out", (TILE,)) == [folder]
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert radar.prepare(folder, tmp_path / "again") == []  # it lies on the grid already


def test_amplitudes_are_squared_before_they_are_averaged(tmp_path: Path) -> None:
    grid = inside(10.0)
    image = np.full((60, 60), 0.2)
    image[:, ::2] = 0.4
    name = "SEN4CAP_L2A_S3_V20190507T054009_20190501T054050_VH_139_AMP.tif"
    path = write_radar(tmp_path / "in" / name, grid, image)
    (raw,) = radar.rasters(tmp_path / "in")
    (found,) = (
        block
        for window, block in mosaic([Part(path, radar.power_of(raw.stored))], inside(20.0, size=30))
    )
    assert found == pytest.approx(np.full((30, 30), (0.04 + 0.16) / 2))


def test_a_raster_between_the_pixels_is_interpolated(tmp_path: Path) -> None:
    # Of a plane the linear interpolation is exact: 7 m aside it is 7 / 20 further.
    ramp = np.tile(np.arange(1.0, 61.0), (60, 1))
    path = write_radar(tmp_path / "a.tif", inside(20.0, shift=-7.0), ramp)
    ((_, found),) = mosaic([Part(path, radar.power_of(Stored.POWER))], inside(20.0, size=30))
    assert found[15] == pytest.approx(np.arange(1, 31) + 7 / 20, abs=1e-3)


def test_pairs_of_six_and_twelve_days_stay_apart(tmp_path: Path) -> None:
    for first, days in (("20190501", 6), ("20190425", 12)):
        name = f"SEN4CAP_L2A_S3_V20190507T054009_{first}T054050_VV_139_COHE.tif"
        write_radar(tmp_path / "in" / name, inside(20.0, shift=7.0), np.full((60, 60), days / 20))
    folders = radar.prepare(tmp_path / "in", tmp_path / "out", (TILE,))
    found = {
        item.properties["sen4cap:baseline_days"]: item
        for folder in folders
        for item in discover(folder)
        if isinstance(item, Found)
    }

    assert sorted(found) == [6, 12]
    assert found[6].type == ProductType.S1_COHE
    assert found[6].properties["sen4cap:pair"] == [
        "2019-05-01T05:40:50+00:00",
        "2019-05-07T05:40:09+00:00",
    ]
    band = found[12].band("VV")
    assert band is not None
    assert values(Path(band.href), inside(20.0, size=30))[15, 15] == pytest.approx(0.6)


def test_without_an_orbit_nothing_is_made(tmp_path: Path) -> None:
    name = "S1A_IW_20210809T173953_DVP_RTC20_G_gpuned_6FF8_VV.tif"
    write_radar(tmp_path / name, inside(20.0), np.ones((60, 60)))
    with pytest.raises(EmptyLayer, match="relative orbit"):
        radar.prepare(tmp_path, tmp_path / "out", (TILE,))
    assert not (tmp_path / "out").exists()


def test_rasters_off_the_grid_are_left_out(tmp_path: Path) -> None:
    path = write_radar(opera(tmp_path), inside(30.0), np.ones((60, 60)))
    assert grid_of(path, TILE).pixel == (30.0, 30.0)
    with pytest.raises(EmptyLayer, match="lies on no radar grid"):
        discover(tmp_path)


def test_a_tile_without_a_value_gets_no_product(tmp_path: Path) -> None:
    write_radar(opera(tmp_path / "in"), inside(30.0), np.full((60, 60), np.nan))
    assert radar.prepare(tmp_path / "in", tmp_path / "out", (TILE,)) == []
    assert list((tmp_path / "out").rglob("*.tif")) == []
