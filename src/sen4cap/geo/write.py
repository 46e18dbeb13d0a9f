"""Writing rasters: cloud-optimised GeoTIFFs for machines, small pictures for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
from rasterio.windows import Window

from sen4cap.domain import Asset, Grid
from sen4cap.errors import InputRefused
from sen4cap.geo.read import open_asset, read_overview

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
    missing = np.isnan(values)
    stored = values if (scale, offset) == (1.0, 0.0) else (values - offset) / scale
    if np.issubdtype(target, np.integer):
        limits = np.iinfo(target)
        stored = np.clip(np.rint(stored), limits.min, limits.max)
    filled = np.where(missing, np.nan if nodata is None else nodata, stored)
    if nodata is None and missing.any() and np.issubdtype(target, np.integer):
        raise InputRefused(f"Missing values cannot be written as {dtype} without a nodata value.")
    return filled.astype(target)


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
    whole = path.with_name(f"{path.stem}.strips{path.suffix}")
    try:
        with rasterio.open(whole, "w", **_profile(grid, dtype, nodata)) as dataset:
            for window, values in blocks:
                dataset.write(encode(values, dtype, nodata, scale, offset), 1, window=window)
            dataset.scales, dataset.offsets = (scale,), (offset,)
            dataset.update_tags(**(tags or {}))
            if description:
                dataset.set_band_description(1, description)
        _copy_to_cog(whole, path, dtype, resampling)
    finally:
        whole.unlink(missing_ok=True)


def _profile(grid: Grid, dtype: str, nodata: float | None) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "count": 1,
        "dtype": dtype,
        "crs": grid.crs,
        "transform": rasterio.Affine(*grid.transform),
        "nodata": nodata,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "zstd",
        "zstd_level": 1,
        "bigtiff": "if_safer",
    }


def _copy_to_cog(source: Path, path: Path, dtype: str, resampling: str) -> None:
    predictor = "FLOATING_POINT" if np.issubdtype(np.dtype(dtype), np.floating) else "STANDARD"
    rasterio.shutil.copy(
        source,
        path,
        driver="COG",
        compress="ZSTD",
        level=1,
        predictor=predictor,
        blocksize=BLOCK,
        overview_resampling=resampling,
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
