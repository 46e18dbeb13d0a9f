"""The ground of the generated season: roads, a river, and fields cut out of the blocks between.

A square is cut into halves again and again, each time across the longer side and never quite in
the middle or at a right angle, the largest pieces first. The first pieces are blocks between
roads, the last ones are fields between ditches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

Geometries = npt.NDArray[Any]

ROAD = 14.0
"""Half the distance between blocks, metres."""
DITCH = 5.0
"""Half the distance between fields, metres."""
RIVER = 38.0
"""Half the width of the river, metres."""
BLOCKS = 16
SMALLEST = 900.0
"""Area below which a piece is no field, m²."""


@dataclass(frozen=True)
class Landscape:
    """Fields and water in metres of the grid's CRS."""

    fields: Geometries
    """Polygons and a few MultiPolygons, shape (field,); they do not meet."""
    river: shapely.Polygon
    size: float
    """Edge of the square, metres."""


def landscape(
    left: float, top: float, size: float, count: int, rng: np.random.Generator
) -> Landscape:
    """About `count` fields in a square with the given upper left corner.

    A few fields have a pond in them (a hole), a few lie on both sides of a ditch (multipart).
    """
    square = shapely.box(left, top - size, left + size, top)
    river = _river(left, top, size, rng)
    blocks = _cut(np.array([square]), BLOCKS, rng)
    blocks = shapely.difference(shapely.buffer(blocks, -ROAD, join_style="mitre"), river)
    pieces = shapely.get_parts(blocks)
    fields = shapely.get_parts(_cut(pieces, count, rng))
    fields = shapely.buffer(fields, -DITCH, join_style="mitre")
    fields = fields[shapely.area(fields) > SMALLEST]
    return Landscape(_join_neighbours(_dig_ponds(fields, rng)), river, size)


def _river(left: float, top: float, size: float, rng: np.random.Generator) -> shapely.Polygon:
    along = np.linspace(-0.05, 1.05, 60)
    phase, offset = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 0.6)
    bends = 0.05 * np.sin(2 * np.pi * along * 1.5 + phase) + 0.15 * (along - 0.5)
    line = np.column_stack([left + size * along, top - size * (offset + bends)])
    square = shapely.box(left, top - size, left + size, top)
    return shapely.intersection(shapely.buffer(shapely.linestrings(line), RIVER), square)


def _cut(pieces: Geometries, count: int, rng: np.random.Generator) -> Geometries:
    """Pieces cut into halves, the largest first, until there are `count`."""
    while pieces.size < count:
        weight = shapely.area(pieces) * rng.lognormal(0.0, 0.8, pieces.size)
        order = np.argsort(-weight, kind="stable")
        chosen = order[: min(max(pieces.size // 2, 1), count - pieces.size)]
        halves = _halves(pieces[chosen], rng)
        pieces = np.concatenate([np.delete(pieces, chosen), halves])
        pieces = pieces[~shapely.is_empty(pieces)]
    return pieces


def _halves(pieces: Geometries, rng: np.random.Generator) -> Geometries:
    """Both sides of a line across the longer side of each piece, shape (2 · piece,)."""
    corners = shapely.get_coordinates(
        shapely.get_exterior_ring(shapely.oriented_envelope(pieces))
    ).reshape(-1, 5, 2)
    sides = np.diff(corners, axis=1)
    lengths = np.hypot(sides[..., 0], sides[..., 1])
    first = np.argmax(lengths[:, :2], axis=1)
    rows = np.arange(pieces.size)
    start, along = corners[rows, first], sides[rows, first]
    across = sides[rows, first + 1]
    share = rng.uniform(0.38, 0.62, (pieces.size, 1))
    tilt = rng.normal(0.0, 0.05, (pieces.size, 1))
    centre = start + along * share + across / 2
    unit = along / np.linalg.norm(along, axis=1, keepdims=True)
    normal = np.column_stack([-unit[:, 1], unit[:, 0]]) + tilt * unit
    reach = lengths.max(axis=1)[:, None] * 2
    a, b, ahead = centre - normal * reach, centre + normal * reach, unit * reach
    front = shapely.polygons(np.stack([a, b, b + ahead, a + ahead], axis=1))
    back = shapely.polygons(np.stack([a, b, b - ahead, a - ahead], axis=1))
    return np.concatenate([shapely.intersection(pieces, front), shapely.intersection(pieces, back)])


def _dig_ponds(fields: Geometries, rng: np.random.Generator, count: int = 4) -> Geometries:
    """The fields, of which the few largest have a pond in them."""
    largest = np.argsort(-shapely.area(fields), kind="stable")[:count]
    ponds = shapely.buffer(
        shapely.point_on_surface(fields[largest]), rng.uniform(18.0, 30.0, largest.size)
    )
    dug = fields.copy()
    dug[largest] = shapely.difference(fields[largest], ponds)
    return dug


def _join_neighbours(fields: Geometries, count: int = 4) -> Geometries:
    """The fields, of which a few pairs across a ditch have become one of two parts."""
    tree = shapely.STRtree(fields)
    one, other = tree.query(fields, predicate="dwithin", distance=2.2 * DITCH)
    pairs = np.column_stack([one, other])[one < other]
    _, first_use = np.unique(pairs[:, 0], return_index=True)
    spaced = pairs[first_use][:: max(len(first_use) // count, 1)][:count]
    fields = fields.copy()
    joined = shapely.union(fields[spaced[:, 0]], fields[spaced[:, 1]])
    fields[spaced[:, 0]] = joined
    return np.delete(fields, spaced[:, 1])
