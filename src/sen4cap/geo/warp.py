"""Rasters of any grid brought to one grid, strip by strip.

This is the one place where values are resampled. Pixels that are finer than the grid's are averaged
over its cells, coarser ones interpolated linearly between their centres. Where rasters overlap the
first one that has a value counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import RasterioIOError
from rasterio.warp import reproject, transform_bounds
from rasterio.windows import Window

from sen4cap.domain import Grid
from sen4cap.errors import UnreadableFile
from sen4cap.geo.read import strips
from sen4cap.geo.write import Block

MARGIN = 4
"""Pixels that are read around what lies under a strip."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """One raster of a mosaic."""

    path: Path
    values: Callable[[Floats], Floats]
    """Stored values → physical ones, before resampling; NaN is missing."""
    index: int = 1


def mosaic(parts: Sequence[Part], grid: Grid) -> Iterator[Block]:
    """Strips of a grid with what the rasters show there, float32; NaN where none has a value.

    Raises
    ------
    UnreadableFile
        If a raster is missing or damaged.
    """
    for window in strips(grid):
        values = np.full((window.height, window.width), np.nan, np.float32)
        for part in parts:
            missing = np.isnan(values)
            if not missing.any():
                break
            if (found := _warped(part, grid, window)) is not None:
                values[missing] = found[missing]
        yield window, values


def _warped(part: Part, grid: Grid, window: Window) -> Floats | None:
    """Values of one raster on a window; None where it lies beside."""
    try:
        with rasterio.open(part.path) as dataset:
            under = _under(dataset, grid, window)
            if under is None:
                return None
            stored = dataset.read(part.index, window=under, masked=True)
            values = part.values(stored.astype(np.float32).filled(np.nan))
            return _resampled(values, dataset, under, grid, window)
    except RasterioIOError as error:
        raise UnreadableFile(f"'{part.path}' cannot be read: fetch it again.") from error


def _under(dataset: Any, grid: Grid, window: Window) -> Window | None:
    """Window of a raster that lies under a window of the grid, with a margin."""
    bounds = transform_bounds(grid.crs, dataset.crs, *_bounds(grid, window), densify_pts=21)
    a, _, c, _, e, f = dataset.transform[:6]
    first_column, last_column = _span((bounds[0] - c) / a, (bounds[2] - c) / a, dataset.width)
    first_row, last_row = _span((bounds[3] - f) / e, (bounds[1] - f) / e, dataset.height)
    if first_column >= last_column or first_row >= last_row:
        return None
    return Window(first_column, first_row, last_column - first_column, last_row - first_row)


def _span(start: float, end: float, size: int) -> tuple[int, int]:
    low, high = sorted((start, end))
    return max(floor(low) - MARGIN, 0), min(ceil(high) + MARGIN, size)


def _bounds(grid: Grid, window: Window) -> tuple[float, float, float, float]:
    a, _, c, _, e, f = grid.transform
    xs = (c + a * window.col_off, c + a * (window.col_off + window.width))
    ys = (f + e * window.row_off, f + e * (window.row_off + window.height))
    return min(xs), min(ys), max(xs), max(ys)


def _resampled(values: Floats, dataset: Any, under: Window, grid: Grid, window: Window) -> Floats:
    target = np.full((window.height, window.width), np.nan, np.float32)
    finer = max(abs(dataset.transform.a), abs(dataset.transform.e)) < max(grid.pixel)
    reproject(
        values,
        target,
        src_transform=_moved(dataset.transform[:6], under),
        src_crs=dataset.crs,
        src_nodata=np.nan,
        dst_transform=_moved(grid.transform, window),
        dst_crs=grid.crs,
        dst_nodata=np.nan,
        resampling=Resampling.average if finer else Resampling.bilinear,
    )
    return target


def _moved(transform: Sequence[float], window: Window) -> rasterio.Affine:
    """Transform of a window of a north-up or south-up raster."""
    a, b, c, d, e, f = transform
    return rasterio.Affine(a, b, c + a * window.col_off, d, e, f + e * window.row_off)
