"""Whether a scene is one that was asked for, after what its source says of it."""

from __future__ import annotations

import shapely

from sen4cap.domain import ProductType
from sen4cap.domain.scene import Request, Scene

TILED = frozenset({ProductType.L1C, ProductType.L2A})
"""Kinds that come in tiles, or path and row."""


def is_asked(scene: Scene, request: Request) -> bool:
    """Whether a scene meets a request: kind, time, place, orbit, cloud, footprint.

    What a source does not say of a scene is no reason to leave it out.
    """
    told = scene.properties
    wanted = request.tiles if scene.kind in TILED else ()
    orbit, cloud = told.get("sat:relative_orbit"), told.get("eo:cloud_cover")
    return (
        scene.kind is request.kind
        and request.start <= scene.start < request.end
        and (not wanted or not scene.place or scene.place in wanted)
        and (not request.orbits or orbit is None or int(orbit) in request.orbits)
        and (cloud is None or float(cloud) <= request.max_cloud)
        and meets(scene.footprint, request.footprint)
    )


def meets(footprint: str, outline: str) -> bool:
    """Whether two WKT outlines have a point in common; an unknown footprint meets all."""
    if not footprint:
        return True
    return bool(shapely.intersects(shapely.from_wkt(footprint), shapely.from_wkt(outline)))
