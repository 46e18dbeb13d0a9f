"""Footprints in longitude and latitude, right across the antimeridian (RFC 7946 section 3.1.9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import shapely

from sen4cap.domain import Grid
from sen4cap.domain.found import Found
from sen4cap.errors import OutsideSite
from sen4cap.geo.crs import reproject
from sen4cap.geo.footprint import split

STEPS_PER_SIDE = 16


def of_positions(latitudes_longitudes: Iterable[float]) -> str:
    """Footprint of a ring given as latitude, longitude, latitude, … in degrees."""
    pairs = np.asarray(list(latitudes_longitudes), np.float64).reshape(-1, 2)
    return split(shapely.Polygon(pairs[:, ::-1]))


def of_geometry(geometry: Mapping[str, Any]) -> str:
    """Footprint of a GeoJSON polygon or multipolygon."""
    return split(shapely.geometry.shape(geometry))


def of_grid(grid: Grid) -> str:
    """Footprint of a grid's extent, its sides followed in 16 steps each."""
    left, bottom, right, top = grid.bounds
    step = max(right - left, top - bottom) / STEPS_PER_SIDE
    extent = np.array([shapely.segmentize(shapely.box(left, bottom, right, top), step)])
    return split(reproject(extent, grid.crs, "EPSG:4326")[0])


def check_meets(found: Found, site_footprint: str) -> None:
    """Refuse a product that lies wholly beside a site.

    Raises
    ------
    OutsideSite
        If the footprints (WKT, EPSG:4326) have no point in common.
    """
    if not shapely.intersects(shapely.from_wkt(found.footprint), shapely.from_wkt(site_footprint)):
        raise OutsideSite(
            f"'{found.path}' ({found.grid.crs}) lies beside the site: check its coordinate "
            "reference system, or give the folder that belongs to the site."
        )
