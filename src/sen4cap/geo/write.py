"""Writing rasters: cloud-optimised GeoTIFFs for machines, small pictures for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
from rasterio.windows import Window

from sen4cap.domain import Asset, Grid
from sen4cap.errors import InputRefused
from sen4cap.geo.read import LARGE, open_asset, read_overview
from sen4cap.geo.scratch import Described, Scratch, overviews, trusted, write_vrt

BLOCK = 512
"""Side of the blocks, pixels."""
QUICKLOOK = 512
"""Longest side of a quick-look, pixels."""

Array = npt.NDArray[Any]
Block = tuple[Window, Array]
Colour = tuple[int, int, int]


def encode(
    values: Array, dtype: str, nodata: float | None, scale: float = 1.0, offset: float = 0.0
) -> Array:
    """Stored values of physical ones: rounded, kept within the type, NaN as `nodata`.

    Integers are taken to be stored values already.
    """
    target = np.dtype(dtype)
    if not np.issubdtype(values.dtype, np.floating):
        return values.astype(target, copy=False)
    if _fits_kernel(values, target, nodata, offset):
        from sen4cap.kernels.stored import quantised

        return quantised(values, target, nodata or 0.0, scale)
    missing = np.isnan(values)
    stored = values if (scale, offset) == (1.0, 0.0) else (values - offset) / scale
    if np.issubdtype(target, np.integer):
        limits = np.iinfo(target)
        stored = np.clip(np.rint(stored), limits.min, limits.max)
    filled = np.where(missing, np.nan if nodata is None else nodata, stored)
    if nodata is None and missing.any() and np.issubdtype(target, np.integer):
        raise InputRefused(f"Missing values cannot be written as {dtype} without a nodata value.")
    return filled.astype(target)


def _fits_kernel(values: Array, target: np.dtype[Any], nodata: float | None, offset: float) -> bool:
    """Whether it is so much that a compiled pass pays, and of the kind it knows."""
    is_small_integer = np.issubdtype(target, np.integer) and target.itemsize <= 2
    is_known = nodata is not None and not offset and values.dtype == np.float32
    return values.size >= LARGE and bool(is_small_integer) and is_known


def write_cog(
    path: Path,
    grid: Grid,
    blocks: Iterable[Block],
    *,
    dtype: str,
    nodata: float | None,
    scale: float = 1.0,
    offset: float = 0.0,
    description: str = "",
    resampling: str = "average",
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write one band as a cloud-optimised GeoTIFF with overviews.

    `blocks` are windows of the grid with their values; floats for an integer `dtype` are physical
    and are encoded (`encode`), integers are stored as they are. Scale and offset are recorded in
    the file. `resampling` makes the overviews: `average`, or `nearest` for classes. Memory holds
    one block at a time; the same input gives the same bytes.
    """
    told = Described(nodata, scale, offset, description, tags)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        raster = Scratch.create(Path(folder) / "raster", grid.width, grid.height, dtype)
        for window, values in blocks:
            raster.write(window, encode(values, dtype, nodata, scale, offset))
        cog_of(raster, path, grid, told, resampling=resampling)


def cog_of(
    raster: Scratch, path: Path, grid: Grid, told: Described, *, resampling: str = "average"
) -> None:
    """Write a raster that is filled as a cloud-optimised GeoTIFF, as `write_cog`.

    Its overviews and their descriptions are left beside it.
    """
    levels = overviews(raster, told.nodata, BLOCK, average=resampling == "average")
    is_float = np.issubdtype(np.dtype(raster.dtype), np.floating)
    with trusted():
        rasterio.shutil.copy(
            write_vrt(grid, levels, told),
            path,
            driver="COG",
            compress="ZSTD",
            level=1,
            predictor="FLOATING_POINT" if is_float else "STANDARD",
            blocksize=BLOCK,
            bigtiff="IF_SAFER",
        )


def write_quicklook(
    path: Path,
    grid: Grid,
    source: Array | Asset,
    *,
    vmin: float,
    vmax: float,
    colours: Sequence[Colour],
) -> None:
    """Write a PNG of at most 512 pixels a side, north up, transparent where values are missing.

    `source` holds physical values, shape (rows, columns) of the grid, or is read coarsely.
    `colours` are stops (red, green, blue; 0-255) at equal distances from `vmin` to `vmax`.
    """
    from matplotlib.image import imsave

    if isinstance(source, Asset):
        with open_asset(source) as dataset:
            values = read_overview(dataset, source, QUICKLOOK)
    else:
        step = max(1, -(-max(source.shape) // QUICKLOOK))
        values = source[::step, ::step]
    a, _, _, _, e, _ = grid.transform
    north_up = values[:: -1 if e > 0 else 1, :: -1 if a < 0 else 1]
    imsave(path, _colour(north_up, vmin, vmax, colours), metadata={"Software": "sen4cap"})


def _colour(values: Array, vmin: float, vmax: float, colours: Sequence[Colour]) -> Array:
    """Red, green, blue, alpha; shape (rows, columns, 4), uint8."""
    stops = np.linspace(vmin, vmax, len(colours))
    channels = [np.interp(values, stops, channel) for channel in np.transpose(colours)]
    missing = np.isnan(values)
    picture = np.stack([*channels, np.full(values.shape, 255.0)], axis=-1)
    picture[missing] = 0
    rounded: Array = np.rint(picture).astype(np.uint8)
    return rounded
