"""Coordinate reference systems: transformations of arrays of geometries.

PROJ's network is off: a transformation uses the grids that are installed, so that the same input
gives the same coordinates everywhere. Coordinates are in the order x (east), y (north).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from pyproj.network import set_network_enabled  # type: ignore[attr-defined]  # no __all__
from pyproj.transformer import TransformerGroup

from sen4cap.errors import MissingCrs

Geometries = npt.NDArray[np.object_]


@lru_cache(maxsize=64)
def transformer(src: str, dst: str) -> pyproj.Transformer:
    """The most accurate transformation from `src` to `dst` that needs no network.

    Raises
    ------
    MissingCrs
        If PROJ does not know one of them.
    """
    set_network_enabled(active=False)
    return pyproj.Transformer.from_crs(_crs(src), _crs(dst), always_xy=True)


@lru_cache(maxsize=64)
def accuracy(src: str, dst: str) -> float | None:
    """Accuracy of the transformation in metres, as its authors state it; None where unknown."""
    if same(src, dst):
        return 0.0
    set_network_enabled(active=False)
    candidates = TransformerGroup(_crs(src), _crs(dst), always_xy=True).transformers
    stated = candidates[0].accuracy if candidates else -1.0
    return float(stated) if stated >= 0 else None


@lru_cache(maxsize=256)
def same(src: str, dst: str) -> bool:
    """Whether two descriptions mean the same CRS, whatever the order of its axes."""
    return src == dst or bool(_crs(src).equals(_crs(dst), ignore_axis_order=True))


@lru_cache(maxsize=64)
def metres_per_unit(crs: str) -> float | None:
    """Metres in a unit of the coordinates, 0.3048 of a grid in feet; None where they are angles."""
    found = _crs(crs)
    return None if found.is_geographic else float(found.axis_info[0].unit_conversion_factor)


def reproject(geometries: Geometries, src: str, dst: str) -> Geometries:
    """Geometries with their vertices in `dst`; edges stay straight.

    None stays None. Vertices outside the domain of `dst` become infinite.
    """
    if same(src, dst):
        return geometries
    change = transformer(src, dst)

    def vertices(coordinates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack(change.transform(coordinates[:, 0], coordinates[:, 1]))

    moved: Any = shapely.transform(geometries, vertices)
    return np.asarray(moved, dtype=object)


def _crs(text: str) -> pyproj.CRS:
    try:
        return pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError as error:
        raise MissingCrs(
            f"'{text[:60]}' is no known coordinate reference system: give a code such as EPSG:3035."
        ) from error
