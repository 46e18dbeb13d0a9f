"""Home grids: the one grid of a sensor on which a parcel is counted.

Neighbouring tiles overlap, so that a parcel may lie on several. Its home is the grid that covers
most of it, whatever other parcels do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely

from sen4cap.domain import Grid
from sen4cap.geo.crs import Geometries, reproject, transformer

TIE = 1e-6
"""Shares of a parcel that differ by less are equal; a parcel covered by less is not covered."""
MARGIN = 0.01
"""Allowance for curved edges of a reprojected bounding box, as a share of its size."""

Floats = npt.NDArray[np.float64]


def home_grids(geometries: Geometries, crs: str, grids: Sequence[Grid]) -> npt.NDArray[np.str_]:
    """Name of the grid that covers the largest share of each geometry, shape (n,).

    Of grids that cover the same share the first by name is taken; '' where no grid covers it,
    or where there is no area to cover. `crs` is the CRS of the geometries, the grids may have
    others.
    """
    ordered = sorted(grids, key=lambda grid: (grid.name, grid.crs, grid.transform))
    width = max((len(grid.name) for grid in ordered), default=1)
    home = np.full(len(geometries), "", dtype=f"<U{width}")
    best = np.zeros(len(geometries))
    boxes = {grid.crs: _bounds(geometries, crs, grid.crs) for grid in ordered}
    for grid in ordered:
        share = _share(geometries, crs, boxes[grid.crs], grid)
        better = share > best + TIE
        home[better], best[better] = grid.name, share[better]
    return home


def _bounds(geometries: Geometries, src: str, dst: str) -> Floats:
    """Boxes around the geometries in `dst`, shape (n, 4), a little too large; NaN where empty."""
    left, bottom, right, top = shapely.bounds(geometries).T
    xs, ys = np.stack([left, right, right, left]), np.stack([bottom, bottom, top, top])
    if src != dst:
        xs, ys = transformer(src, dst).transform(xs, ys)
    low = np.stack([xs.min(axis=0), ys.min(axis=0)])
    high = np.stack([xs.max(axis=0), ys.max(axis=0)])
    margin = np.where(np.isfinite(high), MARGIN * (high - np.where(np.isfinite(low), low, 0)), 0)
    return np.concatenate([low - margin, high + margin]).T


def _share(geometries: Geometries, crs: str, boxes: Floats, grid: Grid) -> Floats:
    """Share of each geometry's area on the grid, 0-1; 0 where there is no area."""
    left, bottom, right, top = grid.bounds
    x0, y0, x1, y1 = boxes.T
    finite = np.isfinite(boxes).all(axis=1)
    inside = finite & (x0 >= left) & (x1 <= right) & (y0 >= bottom) & (y1 <= top)
    touching = finite & (x0 < right) & (x1 > left) & (y0 < top) & (y1 > bottom)
    share = np.where(inside & (shapely.area(geometries) > 0), 1.0, 0.0)
    rim = np.flatnonzero(touching & ~inside)
    parcels = reproject(geometries[rim], crs, grid.crs)
    area = shapely.area(parcels)
    common = shapely.area(shapely.intersection(parcels, shapely.box(left, bottom, right, top)))
    share[rim] = np.divide(common, area, out=np.zeros(len(rim)), where=area > 0)
    return share
