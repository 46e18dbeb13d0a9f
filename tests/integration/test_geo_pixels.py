"""Whole pixels on grids in degrees and in feet; counts by hand and by GDAL."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import rasterize

from sen4cap.domain import Grid
from sen4cap.geo.crs import metres_per_unit, reproject
from sen4cap.geo.pixels import whole_pixels

DEGREES = Grid("ll", "EPSG:4326", (1e-4, 0.0, 2.999, 0.0, -1e-4, 51.46), 200, 200)
FEET = Grid("ny", "EPSG:2263", (30.0, 0.0, 900_000.0, 0.0, -30.0, 200_000.0), 300, 300)


def test_units() -> None:
    codes = ("EPSG:32631", "EPSG:2263", "EPSG:4326")
    found = [metres_per_unit(code) for code in codes]
    assert found == [1.0, pytest.approx(1200 / 3937), None]


@pytest.mark.parametrize(("pixel", "buffer", "by_hand"), [(10, 5, [81, 171]), (20, 10, [16, 36])])
def test_degrees_count_the_pixels_of_the_utm_zone(
    pixel: float, buffer: float, by_hand: list[int]
) -> None:
    """100 × 100 m and 100 × 200 m, 3 m off the pixels: 9 × 9 and 9 × 19 whole ones of 10 m."""
    corners = np.array([[500_053, 5_699_803], [500_253, 5_699_503]])
    sizes = np.array([[100, 100], [100, 200]])
    parcels = shapely.box(*corners.T, *(corners + sizes).T)
    parcels = np.append(parcels, np.array([None, shapely.Polygon()], dtype=object))
    found = whole_pixels(parcels, "EPSG:32631", DEGREES, pixel, buffer)
    assert found.tolist() == [*by_hand, 0, 0]
    degrees = reproject(parcels, "EPSG:32631", "EPSG:4326")
    assert whole_pixels(degrees, "EPSG:4326", DEGREES, pixel, buffer).tolist() == found.tolist()


def test_what_lies_beside_a_grid_in_degrees_does_not_count() -> None:
    """The grid begins 69.5 m west of the meridian: of 100 m from 120 m west, 49.5 m are on it."""
    parcels = np.array([shapely.box(499_883, 5_699_803, 499_983, 5_699_903)])
    assert whole_pixels(parcels, "EPSG:32631", DEGREES, 10, 5).tolist() == [4 * 9]


def test_zones_of_both_halves_and_of_the_antimeridian() -> None:
    """Squares of 93 m off the pixels by 3.5 m hold 8 × 8 centres of 10 m, 5 m from their rim."""
    corner = {"EPSG:32701": (200_003.5, 8_000_003.5), "EPSG:32760": (600_003.5, 8_000_003.5)}
    world = Grid("world", "EPSG:4326", (0.1, 0.0, -180.0, 0.0, -0.1, 90.0), 3600, 1800)
    for crs, (x, y) in corner.items():
        square = np.array([shapely.box(x, y, x + 93, y + 93)])
        assert whole_pixels(square, crs, world, 10, 5).tolist() == [64]


def test_a_grid_in_feet_counts_pixels_of_metres() -> None:
    corners = np.array([[901_000.0, 195_000.0], [903_003.0, 196_007.0]])
    parcels = shapely.box(*corners.T, *(corners + np.array([[400, 700], [650, 333]])).T)
    found = whole_pixels(parcels, FEET.crs, FEET, 10, 5)
    side = 10 * 3937 / 1200
    place = rasterio.Affine(side, 0, 900_000, 0, -side, 200_000)
    burnt = [
        rasterize([shapely.buffer(parcel, -side / 2)], (275, 275), transform=place).sum()
        for parcel in parcels
    ]
    assert found.tolist() == burnt
    assert min(burnt) > 100
