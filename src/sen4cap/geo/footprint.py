"""Footprints in longitude and latitude, right across the antimeridian (RFC 7946 section 3.1.9)."""

from __future__ import annotations

import antimeridian
import numpy as np
import numpy.typing as npt
import shapely

from sen4cap.geo.crs import Geometries, metres_per_unit, transformer

DECIMALS, TOLERANCE = 6, 1e-6
"""Of a hull, degrees: 0.1 m."""
CHUNK = 50_000
"""Geometries whose vertices are held at a time."""
PIECES = 100
"""Pieces in which a straight side as long as the whole extent is followed."""

Floats = npt.NDArray[np.float64]


def split(geometry: shapely.Geometry, decimals: int = -1) -> str:
    """WKT of a polygon in longitude and latitude, cut where it crosses ±180°."""
    longitudes = shapely.get_coordinates(geometry)[:, 0]
    if np.ptp(longitudes) > 180 or np.abs(longitudes).max() >= 180:
        fixed = antimeridian.fix_shape(
            shapely.geometry.mapping(geometry), fix_winding=True, great_circle=False
        )
        geometry = shapely.geometry.shape(fixed)
    return str(shapely.to_wkt(shapely.orient_polygons(geometry), rounding_precision=decimals))


def hull(geometries: Geometries, crs: str) -> str | None:
    """Convex hull of geometries: WKT in EPSG:4326, cut where it crosses ±180°.

    Longitudes are taken the short way round from that of the first vertex. None where the
    geometries enclose no area; missing and empty ones do not count.
    """
    there = geometries[~(shapely.is_missing(geometries) | shapely.is_empty(geometries))]
    corners = [np.empty((0, 2))]
    longest = _extent(there) / PIECES
    for first in range(0, len(there), CHUNK):
        points = _positions(there[first : first + CHUNK], crs, longest)
        corners.append(shapely.get_coordinates(_hull(points)))
    whole = shapely.simplify(_hull(np.concatenate(corners)), TOLERANCE)
    return split(whole, DECIMALS) if whole.area > 0 else None


def _extent(geometries: Geometries) -> float:
    """Longer side of the box around them, CRS units; 0 where there is none."""
    if not len(geometries):
        return 0.0
    left, bottom, right, top = shapely.total_bounds(geometries)
    return float(max(right - left, top - bottom))


def _positions(geometries: Geometries, crs: str, longest: float) -> Floats:
    """Longitude and latitude of the vertices, shape (n, 2); sides in degrees stay straight."""
    if metres_per_unit(crs) is not None and longest > 0:
        geometries = shapely.segmentize(geometries, longest)
    vertices = shapely.get_coordinates(geometries)
    points: Floats = np.column_stack(transformer(crs, "EPSG:4326").transform(*vertices.T))
    return points[np.isfinite(points).all(axis=1)]


def _hull(points: Floats) -> shapely.Geometry:
    """Hull of positions, within 180° of the meridian of the first."""
    ring = np.concatenate([points, points[:1]])
    meridian = ring[:1, 0]
    ring[:, 0] = (ring[:, 0] - meridian + 180) % 360 - 180 + meridian
    return shapely.convex_hull(shapely.linestrings(ring))


def widened(footprint: str | None, more: str | None) -> str | None:
    """The hull of two footprints; one that covers the other stays as it is."""
    if footprint is None or more is None:
        return footprint or more
    both = np.array([shapely.from_wkt(footprint), shapely.from_wkt(more)])
    return footprint if shapely.covers(*both) else hull(both, "EPSG:4326")
