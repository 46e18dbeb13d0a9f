"""Repair, measures and identity of parcel geometries.

Validity is that of OGC Simple Features (06-103r4, 6.1.11). Areas and lengths are those on the
ellipsoid of the declarations' own datum, whatever their CRS and its units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Proj, Transformer
from pyproj.crs import ProjectedCRS
from pyproj.crs.coordinate_operation import LambertAzimuthalEqualAreaConversion

from sen4cap.domain import Reason
from sen4cap.errors import MissingCrs

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

POLYGON, MULTIPOLYGON = 3, 6
EDGES_AT_ONCE = 2_000_000
"""Edges whose lengths are worked out together; bounds memory to some 200 MB."""


@dataclass(frozen=True)
class Repaired:
    """Geometries made usable, and what was done."""

    geometry: Geometries
    """Valid 2-D MultiPolygon with an area, or None, shape (n,)."""
    valid: Bools
    """Whether the declared geometry was valid; False where there was none."""
    fix: NDArray[np.object_]
    """'', 'flattened', 'linearized' or 'repaired': the gravest thing done."""
    reason: NDArray[np.object_]
    """'' or why there is no geometry now."""


def repair(declared: Geometries, linearized: Bools) -> Repaired:
    """Valid 2-D multipolygons from whatever was declared.

    Invalid polygons are made valid by the structure of their rings (a bow-tie becomes two
    triangles, overlapping parts one); points and lines are dropped.

    Parameters
    ----------
    declared
        Any geometries, None among them, shape (n,).
    linearized
        Which of them were curves in the file.
    """
    absent = shapely.is_missing(declared)
    finite = _finite(declared)
    flat = shapely.force_2d(_only(declared, finite))
    valid = np.asarray(shapely.is_valid(flat))
    broken = finite & ~absent & ~valid
    flat[broken] = shapely.make_valid(flat[broken], method="structure", keep_collapsed=False)
    made, sound = _polygons(flat)
    fix = np.select(
        [broken, linearized, np.asarray(shapely.has_z(declared))],
        ["repaired", "linearized", "flattened"],
        "",
    ).astype(object)
    reason = np.select(
        [absent, ~finite | ~sound, shapely.is_missing(made)],
        [Reason.NO_GEOMETRY, Reason.INVALID_GEOMETRY, Reason.EMPTY_GEOMETRY],
        "",
    ).astype(object)
    made[reason != ""] = None
    fix[reason != ""] = ""
    return Repaired(made, valid & ~absent, fix, reason)


def _only(geometries: Geometries, wanted: Bools) -> Geometries:
    """A copy with None where not wanted."""
    kept = geometries.copy()
    kept[~wanted] = None
    return kept


def _finite(geometries: Geometries) -> Bools:
    coordinates, rows = shapely.get_coordinates(geometries, return_index=True)
    bad = rows[~np.isfinite(coordinates).all(axis=1)]
    return np.asarray(np.bincount(bad, minlength=len(geometries)) == 0)


def _polygons(geometries: Geometries) -> tuple[Geometries, Bools]:
    """Polygonal parts with an area as MultiPolygon or None, and whether these are valid."""
    made = np.full(len(geometries), None, dtype=object)
    rows = np.arange(len(geometries))
    parts, of = shapely.get_parts(geometries, return_index=True)
    parts, inner = shapely.get_parts(parts, return_index=True)
    rows = rows[of][inner]
    keep = (shapely.get_type_id(parts) == POLYGON) & (shapely.area(parts) > 0)
    if keep.any():
        shapely.multipolygons(parts[keep], indices=rows[keep], out=made)
    return made, np.asarray(shapely.is_valid(made) | shapely.is_missing(made))


def geometry_hash(geometries: Geometries, crs: CRS) -> NDArray[np.object_]:
    """16 hex digits per geometry, '' for None; equal where the vertices agree to 1 mm.

    Order of parts, start and direction of rings do not count. Coordinates are rounded to 3
    decimals of a projected unit, 8 of a degree.
    """
    digits = 8 if crs.is_geographic else 3
    rounded = shapely.transform(geometries, lambda points: np.round(points, digits) + 0.0)
    texts = shapely.to_wkb(shapely.normalize(rounded), hex=True, byte_order=1)
    numbers = pd.util.hash_array(np.where(texts == None, "", texts), categorize=False)  # noqa: E711 - elementwise
    digests = np.char.mod("%016x", numbers).astype(object)
    digests[shapely.is_missing(geometries)] = ""
    return digests


def area_and_perimeter(geometries: Geometries, crs: CRS) -> tuple[Floats, Floats]:
    """Area, m², and perimeter with the holes', m, on the ellipsoid; NaN for None.

    The area is that in the ellipsoidal Lambert azimuthal equal-area projection about the middle
    of the data (Snyder 1987, USGS PP 1395, p. 187), the perimeter a sum of geodesics. A geometry
    outside the CRS's range has NaN.

    Raises
    ------
    MissingCrs
        If the CRS is not tied to the Earth.
    """
    nothing = np.full(len(geometries), np.nan)
    if shapely.is_missing(geometries).all():
        return nothing, nothing
    plane = _equal_area(geometries, crs)
    move = Transformer.from_crs(crs.to_2d(), plane, always_xy=True)
    moved = shapely.transform(geometries, move.transform, interleaved=False)
    moved = _only(moved, _finite(moved))
    perimeter = np.where(shapely.is_missing(moved), nothing, _perimeter(moved, plane))
    return np.asarray(shapely.area(moved)), perimeter


def _equal_area(geometries: Geometries, crs: CRS) -> CRS:
    """An equal-area CRS on the datum of another one, so that no datum shift comes in."""
    base = crs.geodetic_crs
    if base is None:
        raise MissingCrs(
            f"'{crs.name}' is not tied to the Earth: name a national or UTM system with --crs."
        )
    base = base.to_2d()
    centroids = shapely.get_coordinates(shapely.centroid(geometries))
    to_base = Transformer.from_crs(crs.to_2d(), base, always_xy=True)
    longitude, latitude = _middle(*to_base.transform(*centroids.T))
    conversion = LambertAzimuthalEqualAreaConversion(latitude, longitude)
    return ProjectedCRS(conversion, geodetic_crs=base)


def _middle(longitudes: Floats, latitudes: Floats) -> tuple[float, float]:
    """Mean direction of points on the globe, degrees, across the antimeridian too."""
    known = np.isfinite(longitudes) & np.isfinite(latitudes)
    if not known.any():
        return 0.0, 0.0
    east, north = np.radians(longitudes[known]), np.radians(latitudes[known])
    x, y = (np.cos(north) * np.cos(east)).mean(), (np.cos(north) * np.sin(east)).mean()
    z = np.sin(north).mean()
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def _perimeter(geometries: Geometries, plane: CRS) -> Floats:
    """Sum of the geodesic lengths of all edges per geometry, m."""
    parts, part_rows = shapely.get_parts(geometries, return_index=True)
    rings, ring_parts = shapely.get_rings(parts, return_index=True)
    points, point_rings = shapely.get_coordinates(rings, return_index=True)
    rows = part_rows[ring_parts][point_rings]
    degrees, geod = Proj(plane), plane.get_geod()
    assert geod is not None
    total = np.zeros(len(geometries))
    for start in range(0, len(points) - 1, EDGES_AT_ONCE):
        piece = slice(start, start + EDGES_AT_ONCE + 1)
        longitude, latitude = degrees(points[piece, 0], points[piece, 1], inverse=True)
        length = geod.inv(longitude[:-1], latitude[:-1], longitude[1:], latitude[1:])[2]
        edge = point_rings[piece][:-1] == point_rings[piece][1:]
        total += np.bincount(
            rows[piece][:-1], np.where(edge, length, 0.0), minlength=len(geometries)
        )
    return total


def shape_index(area: Floats, perimeter: Floats) -> Floats:
    """Shape index perimeter / (2·sqrt(pi·area)); 1 is a circle, NaN stays."""
    return np.asarray(perimeter / (2 * np.sqrt(np.pi * area)))


def change_ratio(before: Geometries, after: Geometries) -> Floats:
    """Area of symmetric difference over area of union, 0-1, pairwise; NaN where one is None."""
    union = shapely.area(shapely.union(before, after))
    both = ~(shapely.is_missing(before) | shapely.is_missing(after))
    differing = shapely.area(shapely.symmetric_difference(before, after))
    ratio = np.full(len(before), np.nan)
    np.divide(differing, union, out=ratio, where=both & (union > 0))
    return ratio
