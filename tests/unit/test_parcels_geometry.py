"""Repair, measures, hashes and overlap of parcel geometries."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from pyproj import CRS, Geod, Transformer
from shapely.geometry import LineString, MultiPolygon, Point, Polygon

from sen4cap.parcels.geometry import (
    Repaired,
    area_and_perimeter,
    change_ratio,
    geometry_hash,
    repair,
    shape_index,
)
from sen4cap.parcels.overlap import covered_share, duplicates, parts_of
from sen4cap.testing.parcels import square

ETRS = CRS("EPSG:3035")


def array(*geometries: object) -> np.ndarray:
    return np.array([*geometries, None], dtype=object)[:-1]


def repaired(*geometries: object) -> Repaired:
    return repair(array(*geometries), np.zeros(len(geometries), bool))


def test_a_bow_tie_becomes_two_triangles() -> None:
    made = repaired(Polygon([(0, 0), (2, 2), (2, 0), (0, 2)]))
    assert shapely.get_num_geometries(made.geometry[0]) == 2
    assert shapely.area(made.geometry[0]) == 2.0  # two triangles of base 2 and height 1
    assert (made.fix[0], made.valid[0], made.reason[0]) == ("repaired", False, "")


def test_overlapping_parts_become_one_and_lose_no_ground() -> None:
    made = repaired(MultiPolygon([shapely.box(0, 0, 2, 2), shapely.box(1, 1, 3, 3)]))
    assert shapely.area(made.geometry[0]) == 7.0  # 4 + 4 - 1
    assert shapely.get_num_geometries(made.geometry[0]) == 1


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        (None, "no_geometry"),
        (Polygon(), "empty_geometry"),
        (Point(1, 1), "empty_geometry"),
        (LineString([(0, 0), (1, 1)]), "empty_geometry"),
        (Polygon([(0, 0), (1, 1), (0, 0)]), "empty_geometry"),
    ],
)
def test_what_encloses_nothing_is_told(declared: object, reason: str) -> None:
    made = repaired(declared)
    assert (made.geometry[0], made.reason[0], made.fix[0]) == (None, reason, "")


def test_endless_coordinates_are_beyond_repair_and_harm_no_other() -> None:
    wkt = "POLYGON ((0 0, 1 0, 1 inf, 0 0))"
    made = repaired(shapely.from_wkt(wkt), shapely.box(0, 0, 1, 1))
    assert list(made.reason) == ["invalid_geometry", ""]
    assert shapely.area(made.geometry[1]) == 1.0


def test_three_dimensions_curves_holes_and_parts() -> None:
    hole = Polygon(shapely.box(0, 0, 4, 4).exterior, [shapely.box(1, 1, 2, 2).exterior])
    parts = MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(5, 5, 6, 6)])
    high = Polygon([(0, 0, 7), (2, 0, 7), (2, 2, 7)])
    made = repair(array(hole, parts, high, hole), np.array([False, False, False, True]))
    assert list(made.fix) == ["", "", "flattened", "linearized"]
    assert list(shapely.area(made.geometry)) == [15.0, 2.0, 2.0, 15.0]
    assert list(shapely.get_num_geometries(made.geometry)) == [1, 2, 1, 1]
    assert not shapely.has_z(made.geometry).any()
    assert made.valid.all()


@pytest.mark.parametrize(
    ("code", "x", "y", "side"),
    [
        ("EPSG:4326", 5.9, 52.0, 0.003),
        ("EPSG:3035", 3.4e6, 3.0e6, 300),
        ("EPSG:28992", 215000, 450000, 300),
        ("EPSG:2154", 600000, 6800000, 300),
        ("EPSG:2229", 6.5e6, 1.8e6, 900),  # US survey feet
    ],
)
def test_areas_and_perimeters_are_those_on_the_ellipsoid(
    code: str, x: float, y: float, side: float
) -> None:
    # expected: geodesic polygon of pyproj.Geod on WGS 84, parcels near and 500 km apart
    crs = CRS(code)
    away = 5.0 if crs.is_geographic else 5e5
    squares = [shapely.box(at, y, at + side, y + side) for at in (x, x + away)]
    ring = shapely.box(x, y, x + side, y + side).difference(
        shapely.box(x + side / 4, y + side / 4, x + side / 2, y + side / 2)
    )
    dense = [shapely.segmentize(item, side / 20) for item in (*squares, ring)]
    area, perimeter = area_and_perimeter(array(*dense, None), crs)
    move = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    globe = Geod(ellps="WGS84")
    turned = [
        shapely.transform(shapely.orient_polygons(item), move.transform, interleaved=False)
        for item in dense
    ]
    lengths = [sum(map(globe.geometry_length, shapely.get_rings(item))) for item in turned]
    expected = [globe.geometry_area_perimeter(item)[0] for item in turned]
    assert area[:3] == pytest.approx(expected, rel=5e-5)
    assert perimeter[:3] == pytest.approx(lengths, rel=5e-5)
    assert np.isnan(area[3])
    assert np.isnan(perimeter[3])


def test_areas_hold_on_both_sides_of_the_antimeridian() -> None:
    west, east = (
        shapely.box(-179.999, -17, -179.998, -16.999),
        shapely.box(179.5, -17, 179.501, -16.999),
    )
    area, perimeter = area_and_perimeter(array(west, east), CRS("EPSG:4326"))
    expected = Geod(ellps="WGS84").geometry_area_perimeter(west.normalize().reverse())
    assert area == pytest.approx([abs(expected[0])] * 2, rel=1e-5)
    assert perimeter == pytest.approx([expected[1]] * 2, rel=1e-5)


def test_outside_the_range_of_the_crs_there_is_no_area() -> None:
    area, perimeter = area_and_perimeter(
        array(shapely.box(5, 52, 5.01, 52.01), shapely.box(5, 95, 6, 96)), CRS("EPSG:4326")
    )
    assert area[0] == pytest.approx(764_000, rel=1e-2)  # 686 m × 1113 m
    assert np.isnan(area[1])
    assert np.isnan(perimeter[1])


def test_shape_index_of_a_square_and_a_circle() -> None:
    area = np.array([1.0, np.pi, np.nan])
    found = shape_index(area, np.array([4.0, 2 * np.pi, np.nan]))
    assert found[:2] == pytest.approx([2 / np.sqrt(np.pi), 1.0])
    assert np.isnan(found[2])


def test_hash_is_of_the_shape_not_of_its_writing() -> None:
    ring = [(0, 0), (10, 0), (10, 10), (0, 10)]
    one = Polygon(ring)
    turned = Polygon([ring[2], ring[1], ring[0], ring[3]])
    parts = [shapely.box(0, 0, 1, 1), shapely.box(5, 5, 6, 6)]
    shifted = shapely.transform(one, lambda points: points + 0.0004)
    moved = shapely.transform(one, lambda points: points + 0.001)
    digests = geometry_hash(
        array(one, turned, shifted, moved, MultiPolygon(parts), MultiPolygon(parts[::-1]), None),
        ETRS,
    )
    assert digests[0] == digests[1] == digests[2]
    assert digests[0] != digests[3]
    assert digests[4] == digests[5]
    assert len(digests[0]) == 16
    assert digests[6] == ""


def test_hash_stays_what_it_is() -> None:
    # it stands in archives: another value would have everything extracted again
    assert list(geometry_hash(array(MultiPolygon([square(0, 0)])), ETRS)) == ["c2a74aa7e888483e"]


def test_change_ratio() -> None:
    before = array(shapely.box(0, 0, 2, 2), shapely.box(0, 0, 1, 1), None)
    after = array(shapely.box(1, 0, 3, 2), shapely.box(0, 0, 1, 1), shapely.box(0, 0, 1, 1))
    found = change_ratio(before, after)
    assert found[:2] == pytest.approx([4 / 6, 0.0])
    assert np.isnan(found[2])


def test_ground_under_three_squares_counts_once() -> None:
    # A and B share 50, B and C share 50, A and C share 25, all three share the same 25
    squares = array(
        shapely.box(0, 0, 10, 10),
        shapely.box(5, 0, 15, 10),
        shapely.box(5, 5, 15, 15),
        None,
        shapely.box(15, 0, 20, 5),
    )
    assert list(covered_share(squares)) == pytest.approx([0.5, 0.75, 0.5, 0.0, 0.0])


def test_overlap_is_the_same_in_any_order() -> None:
    rng = np.random.default_rng(1)
    corners = rng.uniform(0, 50, (40, 2))
    squares = np.array([shapely.box(x, y, x + 9, y + 9) for x, y in corners], dtype=object)
    others = [shapely.union_all(np.delete(squares, i)) for i in range(40)]
    expected = shapely.area(shapely.intersection(squares, np.array(others))) / 81
    order = rng.permutation(40)
    assert covered_share(squares) == pytest.approx(expected, abs=1e-12)
    assert covered_share(squares[order]) == pytest.approx(expected[order], abs=1e-12)


def test_the_lowest_number_of_equal_parcels_is_the_first() -> None:
    shared, later = duplicates(
        np.array(["a", "b", "a", "a", "b"], dtype=object),
        np.array([3, 4, 1, 2, 5]),
        np.array([True, True, True, True, False]),
    )
    assert list(shared) == [True, False, True, True, False]
    assert list(later) == [True, False, False, True, False]


def test_parts_of_a_split_parcel() -> None:
    wholes = array(square(0, 0, 200), square(5, 0))
    parts = array(square(0, 0, 90), square(1, 0), square(5, 0, 50), square(-1, 0, 120))
    rows, others = parts_of(wholes, parts)
    assert list(rows) == [0, 0]
    assert list(others) == [0, 1]
