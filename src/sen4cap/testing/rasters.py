"""Small rasters for tests, written plainly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio

from sen4cap.domain import Grid

Array = npt.NDArray[Any]


def small_grid(
    width: int = 60,
    height: int = 40,
    *,
    pixel: float = 10.0,
    crs: str = "EPSG:32631",
    corner: tuple[float, float] = (500_000.0, 5_700_000.0),
    south_up: bool = False,
    name: str = "test",
) -> Grid:
    """A grid whose first cell has the given outer corner (x, y), in CRS units."""
    step_y = pixel if south_up else -pixel
    return Grid(name, crs, (pixel, 0.0, corner[0], 0.0, step_y, corner[1]), width, height)


def write_raster(
    path: Path,
    grid: Grid,
    bands: Array,
    *,
    nodata: float | None = None,
    scale: float | None = None,
    offset: float | None = None,
    **options: Any,
) -> Path:
    """Write stored values, shape (rows, columns) or (bands, rows, columns), as they are.

    `scale` and `offset` are only recorded. `options` go to GDAL's driver (default GTiff).
    """
    stack = bands if bands.ndim == 3 else bands[np.newaxis]
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "count": len(stack),
        "dtype": stack.dtype,
        "crs": grid.crs,
        "transform": rasterio.Affine(*grid.transform),
        "nodata": nodata,
    }
    with rasterio.open(path, "w", **(profile | options)) as dataset:
        dataset.write(stack)
        if scale is not None or offset is not None:
            dataset.scales = (1.0 if scale is None else scale,) * len(stack)
            dataset.offsets = (offset or 0.0,) * len(stack)
    return path


def row_and_column(grid: Grid) -> tuple[Array, Array]:
    """Row and column number of each cell, shapes (rows, columns), float32."""
    rows, columns = np.mgrid[0 : grid.height, 0 : grid.width].astype(np.float32)
    return rows, columns
