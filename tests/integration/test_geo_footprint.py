"""Footprints: hulls by hand, and on both sides of the antimeridian against a real tile."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import shapely

from sen4cap.geo import footprint as module
from sen4cap.geo.crs import reproject
from sen4cap.geo.footprint import hull, widened
from sen4cap.geo.mgrs import tiles_over

FIJI = np.array(
    [shapely.box(179.9, -16.6, 179.95, -16.55), shapely.box(-179.95, -16.6, -179.9, -16.55)]
)
BOTH_SIDES = shapely.union(
    shapely.box(179.9, -16.6, 180, -16.55), shapely.box(-180, -16.6, -179.9, -16.55)
)


def difference(one: str | None, other: shapely.Geometry) -> float:
    """Area, square degrees, that only one of them covers."""
    return float(shapely.symmetric_difference(shapely.from_wkt(one), other).area)


# their own CRS, a UTM zone at its edge, and Mercator with and without a seam between them
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32701", "EPSG:3857", "EPSG:3832"])
def test_a_hull_across_the_antimeridian_is_short_and_cut(crs: str) -> None:
    found = hull(reproject(FIJI, "EPSG:4326", crs), crs)
    assert difference(found, BOTH_SIDES) < 2e-6
    assert tiles_over(str(found)) == ("01KAB", "60KZG")


def test_order_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = hull(FIJI, "EPSG:4326")
    monkeypatch.setattr(module, "CHUNK", 1)
    for parcels in (FIJI, FIJI[::-1], np.array([None, *FIJI, shapely.Polygon()])):
        assert difference(hull(parcels, "EPSG:4326"), shapely.from_wkt(whole)) < 1e-9


def test_the_sides_of_a_large_extent_are_followed() -> None:
    """The north side of 200 km in UTM bulges by 0.01°: pyproj on its middle gives the latitude."""
    extent = np.array([shapely.box(400_000, 5_500_000, 600_000, 5_600_000)])
    middle = reproject(np.array([shapely.Point(500_000, 5_600_000)]), "EPSG:32631", "EPSG:4326")
    found = shapely.from_wkt(hull(extent, "EPSG:32631"))
    assert found.bounds[3] == pytest.approx(middle[0].y, abs=2e-6)


@pytest.mark.parametrize(
    "nothing",
    [
        [],
        [None, None],
        [shapely.Polygon()],
        [shapely.Point(3, 4)],
        [shapely.LineString([(3, 4), (5, 6)])],
    ],
)
def test_what_has_no_area_has_no_hull(nothing: list[shapely.Geometry | None]) -> None:
    assert hull(np.array(nothing, dtype=object), "EPSG:4326") is None


def test_a_footprint_is_widened_by_what_it_does_not_cover() -> None:
    both, east = hull(FIJI, "EPSG:4326"), hull(FIJI[:1], "EPSG:4326")
    assert widened(None, east) == east
    assert widened(east, None) == east
    assert widened(both, east) == both
    assert difference(widened(east, hull(FIJI[1:], "EPSG:4326")), BOTH_SIDES) < 1e-9


@pytest.mark.data
def test_a_hull_in_fiji_lies_on_the_real_product_of_its_tile(shared_data: Path) -> None:
    folder = shared_data / "sentinel_metadata_samples" / "s2_safe_mtd"
    text = next(folder.glob("*T01KAB*/MTD_MSIL2A.xml")).read_text()
    numbers = re.findall(r"<EXT_POS_LIST>(.+?)<", text)[0].split()
    ring = np.array(numbers, np.float64).reshape(-1, 2)[:, ::-1]
    product = shapely.make_valid(shapely.Polygon(np.column_stack([ring[:, 0] % 360, ring[:, 1]])))
    west = shapely.box(179.9, -16.6, 180, -16.55)
    assert shapely.covers(product, west)
    assert shapely.covers(shapely.from_wkt(hull(FIJI, "EPSG:4326")), west)
