"""Whole pixels per parcel, in metres whatever the units of the grid.

On a grid in metres or feet they are the pixels of its own origin. Degrees have no square pixels:
there the pixels are those of each parcel's own UTM zone, on multiples of the pixel size, which at
10 and 20 m are those of the Sentinel-2 tiles. A parcel's count never depends on other parcels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from sen4cap.domain import Grid
from sen4cap.geo.coverage import Integers, pixel_counts
from sen4cap.geo.crs import Geometries, metres_per_unit, reproject

NORTH, SOUTH = 32600, 32700
"""EPSG codes of the UTM zones, less the number of the zone."""


def whole_pixels(
    geometries: Geometries, crs: str, grid: Grid, pixel: float, buffer: float
) -> Integers:
    """Pixels whose centre lies inside each geometry shrunk by `buffer`, shape (n,).

    `pixel` and `buffer` are in metres, `crs` is that of the geometries; what lies beside the grid
    does not count. 0 where there is no geometry.
    """
    parcels = reproject(geometries, crs, grid.crs)
    unit = metres_per_unit(grid.crs)
    if unit is not None:
        return pixel_counts(parcels, grid.at(pixel / unit), buffer / unit)
    inside = shapely.intersection(parcels, shapely.box(*grid.bounds))
    zones = _utm_codes(inside, grid.crs)
    counts = np.zeros(len(geometries), np.int64)
    for zone in np.unique(zones[zones > 0]):
        here = np.flatnonzero(zones == zone)
        moved = reproject(inside[here], grid.crs, f"EPSG:{zone}")
        counts[here] = pixel_counts(moved, _grid_around(moved, int(zone), pixel), buffer)
    return counts


def _utm_codes(geometries: Geometries, crs: str) -> npt.NDArray[np.int64]:
    """EPSG code of the UTM zone in which each geometry has its centre; 0 where it is empty."""
    centres = reproject(shapely.centroid(geometries), crs, "EPSG:4326")
    longitude, latitude = shapely.bounds(centres).T[:2]
    known = np.isfinite(longitude) & np.isfinite(latitude)
    zone = (np.where(known, longitude, 0) + 180) // 6 % 60 + 1
    return np.where(known, zone + np.where(latitude < 0, SOUTH, NORTH), 0).astype(np.int64)


def _grid_around(geometries: Geometries, zone: int, pixel: float) -> Grid:
    """North-up grid of a UTM zone on multiples of `pixel` that holds the geometries."""
    box = shapely.total_bounds(geometries) / pixel
    left, bottom = (int(edge) for edge in np.floor(box[:2]))
    right, top = (int(edge) for edge in np.ceil(box[2:]))
    return Grid(
        name=f"utm{zone}",
        crs=f"EPSG:{zone}",
        transform=(pixel, 0.0, left * pixel, 0.0, -pixel, top * pixel),
        width=right - left,
        height=top - bottom,
    )
