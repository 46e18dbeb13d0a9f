"""Exact coverage: against overlays by GEOS, by hand, and what must hold for any shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from sen4cap.domain import PixelRule
from sen4cap.geo.coverage import CoverageIndex, build_coverage
from sen4cap.kernels.coverage import Rings, cover
from sen4cap.testing.rasters import small_grid

GRID = small_grid(24, 18, pixel=1.0, corner=(0.0, 18.0))
CELLS = shapely.box(
    *np.mgrid[0:24, 0:18].reshape(2, -1), *(np.mgrid[0:24, 0:18] + 1).reshape(2, -1)
)
"""Cells of the grid, column by column from below."""

coordinate = st.floats(-4, 28, allow_nan=False).map(lambda value: round(value, 3))
points = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9, unique=True)


def index_of(*shapes: Any) -> CoverageIndex:
    numbers = np.arange(len(shapes))
    return build_coverage(numbers, np.full(len(shapes), "h"), np.array(shapes, dtype=object), GRID)


def raster_of(index: CoverageIndex) -> Any:
    """Sum of the shares in each cell, shape (rows, columns)."""
    parts = index.parts
    found = np.zeros(GRID.height * GRID.width)
    for first, length in zip(parts.run_cell, parts.run_length, strict=True):
        found[first : first + length] += 1
    np.add.at(found, parts.rim_cell, parts.rim_share)
    return found.reshape(GRID.height, GRID.width)


def overlay(shape: Any) -> Any:
    """As `raster_of`, by GEOS."""
    shares = shapely.area(shapely.intersection(shape, CELLS))
    return shares.reshape(GRID.width, GRID.height).T[::-1]


@settings(max_examples=150, deadline=None)
@given(points)
def test_a_polygon_covers_what_an_overlay_says(corners: list[tuple[float, float]]) -> None:
    """Hulls and their halves with a bite: any slope, partly or wholly outside the raster."""
    hull = shapely.convex_hull(shapely.multipoints(corners))
    bite = shapely.buffer(shapely.points(corners[0]), 2.3, quad_segs=2)
    for shape in (hull, shapely.difference(hull, bite)):
        if shape.geom_type not in {"Polygon", "MultiPolygon"} or shape.is_empty:
            continue
        np.testing.assert_allclose(raster_of(index_of(shape)), overlay(shape), atol=2e-7)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=12, unique=True))
def test_parcels_that_share_all_borders_cover_each_cell_once(
    seeds: list[tuple[float, float]],
) -> None:
    around = shapely.box(-5, -5, 30, 30)
    pieces = shapely.get_parts(
        shapely.voronoi_polygons(shapely.multipoints(seeds), extend_to=around)
    )
    pieces = shapely.intersection(pieces, around)
    whole = shapely.union_all(pieces)
    inside = overlay(whole)
    np.testing.assert_allclose(raster_of(index_of(*pieces)), inside, atol=2e-6)


def test_a_polygon_with_a_hole_and_an_island_in_it() -> None:
    """By hand: 10 × 10, less 4 × 4, and 1 × 1 in the hole; rings in either direction."""
    outer, hole = shapely.box(2, 2, 12, 12), shapely.box(5, 5, 9, 9)
    island = shapely.box(6.5, 6.5, 7.5, 7.5)
    shape = shapely.union_all([shapely.difference(outer, hole), island])
    for turned in (shape, shapely.reverse(shape), shapely.normalize(shape)):
        index = index_of(turned)
        assert index.total.tolist() == [85.0]
        found = raster_of(index)
        assert found[[10, 11]][:, [6, 7]].tolist() == [[0.25, 0.25], [0.25, 0.25]]
        assert found[GRID.height - 6, 5] == 0
        assert found[GRID.height - 3, 2] == 1


def test_a_shape_that_crosses_itself_counts_no_cell_twice() -> None:
    """Against the rules of simple features, as an import would not let it through."""
    bow = shapely.Polygon([(2, 2), (10, 10), (10, 2), (2, 10)])
    twice = shapely.MultiPolygon([shapely.box(1, 1, 5, 5), shapely.box(3, 3, 8, 8)])
    assert not bow.is_valid
    for shape in (bow, twice):
        found = raster_of(index_of(shape))
        assert found.min() >= 0
        assert found.max() <= 1
    assert index_of(twice).total[0] == pytest.approx(16 + 25 - 4)


@pytest.mark.parametrize("rows", [1, 3, 5, 512])
def test_the_height_of_strips_changes_no_share(rows: int) -> None:
    x = np.array([1.3, 20.7, 14.2, 3.1, 1.3])
    y = np.array([1.1, 4.4, 16.9, 12.5, 1.1])
    one = np.array([0, 1])
    rings = Rings(x, y, np.array([0, 5]), np.array([False]), one)
    whole, cut = cover(rings, (18, 24), 18), cover(rings, (18, 24), rows)
    assert cut.strip.tolist() == list(range(1 // rows, 16 // rows + 1))
    offset = np.repeat(cut.strip * rows * 24, np.diff(cut.rim_start))
    assert (cut.rim_cell + offset).tolist() == whole.rim_cell.tolist()
    np.testing.assert_allclose(cut.rim_share, whole.rim_share, atol=1e-7)
    assert cut.run_length.tolist() == whole.run_length.tolist()


def test_cells_by_the_rule_of_centres() -> None:
    """By hand: centres 2.5 to 6.5 lie inside from left to right, 2.5 to 5.5 from below to above."""
    numbers, shape = np.array([1]), np.array([shapely.box(2.4, 2.4, 6.6, 6.5)])
    index = build_coverage(numbers, np.array(["h"]), shape, GRID, PixelRule.CENTRE)
    assert index.total.tolist() == [20.0]  # 5 columns, 4 rows: the centre at 6.5 is on the rim
    assert set(index.parts.rim_share.tolist()) == {1.0}


def test_what_is_no_polygon_on_the_grid_has_no_cell() -> None:
    shapes = (None, shapely.Polygon(), shapely.Point(3, 3), shapely.box(100, 100, 110, 110))
    index = index_of(*shapes, shapely.box(0.25, 0.25, 0.75, 0.5))
    assert index.total.tolist() == pytest.approx([0, 0, 0, 0, 0.125])
    assert index.parts.owner.tolist() == [4]
