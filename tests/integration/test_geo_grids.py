"""Grids of tiles, transformations and home grids.

Expected values come from the metadata of real products, from published coordinates, and from
the other way round: the grid's outline brought to the parcels instead of parcels to the grid.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import shapely

from sen4cap.domain import Grid
from sen4cap.errors import InvalidParameter, MissingCrs
from sen4cap.geo.crs import accuracy, reproject, same
from sen4cap.geo.home import home_grids
from sen4cap.geo.mgrs import tile_grid, tiles_over
from sen4cap.testing.rasters import small_grid


@pytest.mark.data
def test_tile_grids_equal_the_metadata_of_real_products(shared_data: Path) -> None:
    samples = shared_data / "sentinel_metadata_samples" / "s2_safe_mtd"
    files = sorted(samples.glob("*/GRANULE/*/MTD_TL.xml"))
    assert len(files) >= 5
    for file in files:
        text, tile = file.read_text(), re.findall(r"_T(\d\d[A-Z]{3})_", str(file))[-1]
        grid = tile_grid(tile)
        assert grid.crs == re.findall(r"<HORIZONTAL_CS_CODE>(.+?)<", text)[0]
        assert grid.transform[2] == float(re.findall(r"<ULX>(-?\d+)<", text)[0])
        assert grid.transform[5] == float(re.findall(r"<ULY>(-?\d+)<", text)[0])
        assert (grid.height, grid.width) == (10980, 10980)


@pytest.mark.parametrize(
    ("tile", "crs", "left", "top"),
    [
        ("T31UDS", "EPSG:32631", 399960, 5700000),
        ("31uds", "EPSG:32631", 399960, 5700000),
        ("32UNB", "EPSG:32632", 499980, 5700000),
        ("33UVP", "EPSG:32633", 399960, 5400000),
        ("18TWL", "EPSG:32618", 499980, 4600020),
        ("1KAB", "EPSG:32701", 99960, 8200000),
    ],
)
def test_tile_grids_of_published_corners(tile: str, crs: str, left: float, top: float) -> None:
    grid = tile_grid(tile)
    assert (grid.crs, grid.transform[2], grid.transform[5]) == (crs, left, top)
    assert len(grid.name) == 5


@pytest.mark.parametrize("tile", ["", "31IDS", "31UJS", "61UDS", "00UDS", "31UDW", "demarke"])
def test_what_is_no_tile_is_refused(tile: str) -> None:
    with pytest.raises(InvalidParameter, match="no Sentinel-2 tile"):
        tile_grid(tile)


def test_reproject_gives_published_coordinates() -> None:
    # Origin of the Dutch grid, Onze Lieve Vrouwetoren in Amersfoort: 5.38720 E, 52.15517 N
    points = np.array([shapely.Point(155000, 463000), None], dtype=object)
    moved = reproject(points, "EPSG:28992", "EPSG:4326")
    assert (moved[0].x, moved[0].y) == pytest.approx((5.387206, 52.155174), abs=2e-5)
    assert moved[1] is None


def test_accuracy_is_stated_in_metres() -> None:
    assert accuracy("EPSG:28992", "EPSG:32631") == 1.0
    assert accuracy("EPSG:32631", "EPSG:32632") == 0.0
    assert accuracy("EPSG:3035", "EPSG:3035") == 0.0
    assert same("EPSG:4326", "OGC:CRS84")
    assert not same("EPSG:32631", "EPSG:25831")


def test_an_unknown_crs_is_refused() -> None:
    with pytest.raises(MissingCrs, match="EPSG:3035"):
        reproject(np.array([shapely.Point(0, 0)]), "EPSG:999999", "EPSG:4326")


def dense_outline(grid: Grid, crs: str) -> shapely.Polygon:
    outline = shapely.segmentize(shapely.box(*grid.bounds), 500)
    return reproject(np.array([outline]), grid.crs, crs)[0]


def test_homes_in_two_zones_equal_shares_of_the_outlines() -> None:
    grids = [tile_grid(name) for name in ("31UFT", "31UGT", "32UKC", "32ULC", "31UGS")]
    rng = np.random.default_rng(7)
    centre = reproject(np.array([shapely.Point(6, 51.9)]), "EPSG:4326", "EPSG:28992")[0]
    xs, ys = centre.x + rng.uniform(-60e3, 60e3, 600), centre.y + rng.uniform(-70e3, 40e3, 600)
    parcels = shapely.box(xs, ys, xs + rng.uniform(50, 8000, 600), ys + rng.uniform(50, 8000, 600))
    found = home_grids(parcels, "EPSG:28992", grids)

    ordered = sorted(grids, key=lambda grid: grid.name)
    outlines = [dense_outline(grid, "EPSG:28992") for grid in ordered]
    shares = np.stack([shapely.area(shapely.intersection(parcels, item)) for item in outlines])
    shares /= shapely.area(parcels)
    clear = np.diff(np.sort(shares, axis=0)[-2:], axis=0)[0] > 1e-4
    whole = (shares > 1 - 1e-9).sum(axis=0) > 1
    expected = np.array([grid.name for grid in ordered])[
        np.argmax(np.where(shares > 1 - 1e-9, 1.0, shares), axis=0)
    ]
    assert clear.sum() > 30
    assert whole.sum() > 50
    assert (found[clear | whole] == expected[clear | whole]).all()
    assert {"31UGT", "32UKC"} <= set(found)


def test_home_by_hand() -> None:
    west = small_grid(10, 10, corner=(0, 100), name="b", crs="EPSG:3035")
    east = small_grid(10, 10, corner=(80, 100), name="a", crs="EPSG:3035", south_up=False)
    parcels = np.array(
        [
            shapely.box(10, 10, 20, 20),  # only b
            shapely.box(82, 10, 98, 20),  # both, wholly: a by name
            shapely.box(70, 10, 92, 20),  # b wholly, a 12 of 22
            shapely.box(150, 10, 250, 20),  # a, 30 of 100
            shapely.box(90, 110, 100, 120),  # none
            shapely.box(180, 10, 190, 20),  # touches
            shapely.Polygon(),
            None,
            shapely.Point(5, 5),
        ],
        dtype=object,
    )
    expected = ["b", "a", "b", "a", "", "", "", "", ""]
    assert home_grids(parcels, "EPSG:3035", [west, east]).tolist() == expected
    assert home_grids(parcels, "EPSG:3035", [east, west]).tolist() == expected
    assert home_grids(parcels[:1], "EPSG:3035", [west, east]).tolist() == ["b"]
    assert home_grids(parcels, "EPSG:3035", []).tolist() == [""] * 9


def test_homes_on_both_sides_of_the_antimeridian() -> None:
    # 01KAB reaches from 179.2 E over 180 to 179.7 W
    west, east = (
        shapely.box(179.7, -16.8, 179.71, -16.79),
        shapely.box(-179.9, -16.8, -179.8, -16.7),
    )
    far = shapely.box(0, -16.8, 0.1, -16.7)
    homes = home_grids(np.array([west, east, far]), "EPSG:4326", [tile_grid("01KAB")])
    assert homes.tolist() == ["01KAB", "01KAB", ""]


@pytest.mark.parametrize(
    ("place", "tiles"),
    [
        (shapely.box(174.77, -36.95, 174.9, -36.8), ("60HUE",)),
        (shapely.box(-9.2, 38.65, -9.1, 38.75), ("29SMC",)),
        (shapely.box(5.28, 60.3, 5.32, 60.34), ("32VKM",)),
        (shapely.box(15.8, 80.1, 15.9, 80.15), ("33XWJ",)),
        (shapely.box(-179.95, -17.1, -179.9, -17.0), ("01KAB",)),
    ],
)
def test_tiles_over_a_place(place: shapely.Geometry, tiles: tuple[str, ...]) -> None:
    """Auckland, Lisbon, Bergen (zone 32 by exception), Svalbard, Fiji: from published tile maps."""
    assert tiles_over(place.wkt) == tiles


def test_tiles_on_both_sides_of_the_antimeridian() -> None:
    east, west = shapely.box(179.9, -17.1, 180, -17.0), shapely.box(-180, -17.1, -179.9, -17.0)
    found = tiles_over(shapely.MultiPolygon([east, west]).wkt)
    assert "01KAB" in found
    assert {name[:2] for name in found} == {"01", "60"}
