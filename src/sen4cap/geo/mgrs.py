"""Sentinel-2 tiles: their grids from their names, and which of them cover an area.

A tile is a 100 km square of the Military Grid Reference System (NGA.STND.0037 2.0.0, appendix B)
with 9.8 km more to the east and south. Its corner lies on multiples of 60 m from the origin of
the UTM zone, so that grids of 10, 20 and 60 m are nested: west and north of the square's own
corner. On the southern half the multiples count from the equator, not from the false northing.
Checked against the geocoding in the metadata of products of both halves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import shapely

from sen4cap.domain import Grid
from sen4cap.errors import InvalidParameter
from sen4cap.geo.crs import reproject, transformer

SQUARE = 100_000
"""Side of an MGRS square, metres."""
SNAP = 60
PIXEL = 10
SIZE = 10_980
"""Columns and rows of a tile at 10 m."""
EQUATOR_SOUTH = 10_000_000
"""False northing of southern UTM zones, metres."""

_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")
"""Column letters by zone modulo 3."""
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_EVEN_ZONE_SHIFT = 5
_CYCLE = len(_ROWS) * SQUARE
_METRES_PER_DEGREE = 111_000
_MOVED = (
    (3, 56, 6, 64, 31, 32),
    (6, 72, 9, 84, 32, 31),
    (9, 72, 12, 84, 32, 33),
    (18, 72, 21, 84, 34, 33),
    (21, 72, 24, 84, 34, 35),
    (30, 72, 33, 84, 36, 35),
    (33, 72, 36, 84, 36, 37),
)
"""West, south, east, north of what belongs not to the first zone but to the second: Norway and
Svalbard (NGA.STND.0037, 3-4)."""
_NAME = re.compile(r"T?(\d{1,2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])")


def tile_grid(tile: str) -> Grid:
    """The 10 m grid of a Sentinel-2 tile, `31UDS` or `T31UDS`.

    Raises
    ------
    InvalidParameter
        If there is no such square.
    """
    zone, band, column, row = _parts(tile)
    south = band < "N"
    easting = (_COLUMNS[zone % 3].index(column) + 1) * SQUARE
    origin = EQUATOR_SOUTH if south else 0
    top = _northing(zone, band, row) + SQUARE - origin
    left = easting // SNAP * SNAP
    upper = -(-top // SNAP) * SNAP + origin
    return Grid(
        name=f"{zone:02d}{band}{column}{row}",
        crs=f"EPSG:{(32700 if south else 32600) + zone}",
        transform=(float(PIXEL), 0.0, float(left), 0.0, -float(PIXEL), float(upper)),
        width=SIZE,
        height=SIZE,
    )


def _parts(tile: str) -> tuple[int, str, str, str]:
    found = _NAME.fullmatch(tile.strip().upper())
    zone = int(found[1]) if found else 0
    if not found or not 1 <= zone <= 60 or found[3] not in _COLUMNS[zone % 3]:
        raise InvalidParameter(
            f"'{tile}' is no Sentinel-2 tile: write zone, band and square, such as 31UDS."
        )
    return zone, found[2], found[3], found[4]


def _northing(zone: int, band: str, row: str) -> int:
    """Northing of the square's lower edge.

    The row letters repeat every 2000 km; the band, 890 km high, tells which repetition it is.
    """
    shift = 0 if zone % 2 else _EVEN_ZONE_SHIFT
    first = (_ROWS.index(row) - shift) % len(_ROWS) * SQUARE
    middle = (8 * _BANDS.index(band) - 76) * _METRES_PER_DEGREE
    if band < "N":
        middle += EQUATOR_SOUTH
    return first + round((middle - SQUARE // 2 - first) / _CYCLE) * _CYCLE


def tiles_over(footprint: str) -> tuple[str, ...]:
    """Names of the tiles whose 100 km square meets a footprint, sorted.

    The footprint is WKT in EPSG:4326, split where it crosses the antimeridian.
    """
    area = shapely.from_wkt(footprint)
    west, _, east, _ = area.bounds
    first, last = int((west + 180) // 6), int((east + 180) // 6) + 2
    found: set[str] = set()
    for zone in range(max(first, 1), min(last, 60) + 1):
        for south in (False, True):
            part = shapely.intersection(area, _zone_area(zone, south=south))
            if part.area > 0:
                found.update(_squares(part, zone, south=south))
    return tuple(sorted(found))


def _zone_area(zone: int, *, south: bool) -> shapely.Geometry:
    """Half of a UTM zone in longitude and latitude, with what Norway and Svalbard change."""
    west = 6 * zone - 186
    area = shapely.box(west, -80, west + 6, 0) if south else shapely.box(west, 0, west + 6, 84)
    for *bounds, owner, taker in () if south else _MOVED:
        if zone == owner:
            area = shapely.difference(area, shapely.box(*bounds))
        elif zone == taker:
            area = shapely.union(area, shapely.box(*bounds))
    return area


def _squares(part: shapely.Geometry, zone: int, *, south: bool) -> Iterator[str]:
    """Tiles of one zone and half that meet a part of a footprint."""
    crs = f"EPSG:{(32700 if south else 32600) + zone}"
    dense = shapely.segmentize(part, 0.1)
    shape = reproject(np.array([dense]), "EPSG:4326", crs)[0]
    left, bottom, right, top = (int(value // SQUARE) for value in shape.bounds)
    columns, rows = np.meshgrid(np.arange(left, right + 1), np.arange(bottom, top + 1))
    x, y = columns.ravel() * SQUARE, rows.ravel() * SQUARE
    boxes = shapely.box(x, y, x + SQUARE, y + SQUARE)
    met = shapely.area(shapely.intersection(boxes, shape)) > 0
    back = transformer(crs, "EPSG:4326")
    latitudes = back.transform(x + SQUARE / 2, y + SQUARE / 2)[1]
    shift = 0 if zone % 2 else _EVEN_ZONE_SHIFT
    for column, row, latitude in zip(
        columns.ravel()[met], rows.ravel()[met], latitudes[met], strict=True
    ):
        band = _BANDS[min(int((latitude + 80) // 8), len(_BANDS) - 1)]
        letters = _COLUMNS[zone % 3][column - 1] + _ROWS[(row + shift) % len(_ROWS)]
        yield f"{zone:02d}{band}{letters}"
