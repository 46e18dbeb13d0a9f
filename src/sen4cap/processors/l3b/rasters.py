"""The files of an L3B product: one pass over the bands, then one raster per index.

Values wait as stored integers in temporary files between the pass and the writing of the rasters,
so that bands are read once and memory holds one strip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from sen4cap.domain import Asset, Grid, Product, Role
from sen4cap.geo.raster import (
    encode,
    grid_of,
    open_asset,
    read_codes,
    read_physical,
    strips,
    widened,
    write_cog,
    write_quicklook,
)
from sen4cap.kernels.indices import SpectralIndex, evaluate
from sen4cap.kernels.validity import Flag, observed
from sen4cap.processing import Context, Progress, sweep
from sen4cap.processing.classification import Validity

SCALE, NODATA = 0.001, -10000.0
LOWEST = np.float32((NODATA + 1) * SCALE)
"""Lowest value that is not taken for missing."""
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
SUFFIXES = {"brightness": "SBRIGHT", "status": "MMONODFLG", "quicklook": "PVI"}
"""Short names in file names, where they are not `S` and the index in capitals."""
COLOURS = ((165, 0, 38), (253, 174, 97), (255, 255, 191), (166, 217, 106), (0, 104, 55))
"""Red over yellow to green, after ColorBrewer RdYlGn."""

Stored = Mapping[str, NDArray[Any]]


def write(
    ctx: Context,
    source: Product,
    validity: Validity | None,
    indices: Sequence[SpectralIndex],
    name: str,
    tag: str,
) -> tuple[tuple[Asset, ...], dict[str, Any]]:
    """Assets and properties of the product `name`; its files are all there, or none is.

    Raises
    ------
    UnreadableFile
        If a band cannot be read.
    OutsideSite
        If the bands are in different CRS.
    """
    folder = ctx.folder("l3b", name)
    sweep(folder)
    assets = _assets(folder, indices, tag)
    with ExitStack() as stack:
        paths = {asset.name: stack.enter_context(ctx.write(Path(asset.href))) for asset in assets}
        spool = stack.enter_context(TemporaryDirectory(dir=paths["status"].parent, prefix=".l3b-"))
        scene = _open(stack, source, validity, indices)
        stored = _spool(Path(spool), scene.grid, indices)
        share = _fill(scene, indices, stored, ctx.progress)
        ctx.progress(0.7, "writing rasters")
        _write_files(paths, scene.grid, indices, stored, assets[0])
    return assets, {"valid_share": round(share, 6)}


def _assets(folder: Path, indices: Sequence[SpectralIndex], tag: str) -> tuple[Asset, ...]:
    def href(name: str, extension: str) -> str:
        short = SUFFIXES.get(name, f"S{name.upper()}")
        return str(folder / f"S2AGRI_L3B_{short}_{tag}.{extension}")

    return (
        *(
            Asset(item.id, href(item.id, "TIF"), media_type=COG, scale=SCALE, nodata=NODATA)
            for item in indices
        ),
        Asset("status", href("status", "TIF"), Role.MASK, COG, nodata=float(Flag.NO_DATA)),
        Asset("quicklook", href("quicklook", "png"), Role.OVERVIEW, "image/png"),
    )


@dataclass(frozen=True)
class _Scene:
    """The open bands and masks of an acquisition."""

    grid: Grid
    """The finest of its bands'."""
    bands: Mapping[str, tuple[Asset, Any]]
    validity: Validity | None
    masks: Mapping[str, tuple[Asset, Any]]


def _open(
    stack: ExitStack,
    source: Product,
    validity: Validity | None,
    indices: Sequence[SpectralIndex],
) -> _Scene:
    names = sorted({band for index in indices for band in index.bands})
    assets = {name: source.asset(name) for name in names}
    grids = [grid_of(asset.href, source.grid) for asset in assets.values()]
    masks = {asset.name: asset for asset in (validity.masks if validity else ())}
    bands, beside = (
        {name: (asset, stack.enter_context(open_asset(asset))) for name, asset in group.items()}
        for group in (assets, masks)
    )
    return _Scene(min(grids, key=lambda grid: grid.pixel), bands, validity, beside)


def _spool(folder: Path, grid: Grid, indices: Sequence[SpectralIndex]) -> Stored:
    types = {**{index.id: np.int16 for index in indices}, "status": np.uint8}
    shape = grid.height, grid.width
    return {
        name: np.memmap(folder / name, dtype=kind, mode="w+", shape=shape)
        for name, kind in types.items()
    }


def _fill(
    scene: _Scene, indices: Sequence[SpectralIndex], stored: Stored, progress: Progress
) -> float:
    """Compute all rasters strip by strip; share of the pixels with data whose ground was seen."""
    seen = with_data = 0
    for window in strips(scene.grid):
        rows = slice(window.row_off, window.row_off + window.height)
        progress(0.7 * window.row_off / scene.grid.height, "computing indices")
        bands = {
            name: read_physical(dataset, asset, scene.grid, window)
            for name, (asset, dataset) in scene.bands.items()
        }
        status = _status(scene, bands, window)
        seeing = observed(status)
        for index in indices:
            values = np.where(seeing, evaluate(index, bands), np.float32(np.nan))
            stored[index.id][rows] = encode(np.maximum(values, LOWEST), "int16", NODATA, SCALE)
        stored["status"][rows] = status
        seen += int(np.count_nonzero(seeing))
        with_data += int(np.count_nonzero(status != Flag.NO_DATA))
    return seen / with_data if with_data else 0.0


def _status(
    scene: _Scene, bands: Mapping[str, NDArray[np.float32]], window: Window
) -> NDArray[np.uint8]:
    """Flags of a window; without masks all that has data is land."""
    empty = np.logical_and.reduce([np.isnan(values) for values in bands.values()])
    if scene.validity is None:
        flags = np.full(empty.shape, Flag.LAND, np.uint8)
    else:
        margin = scene.validity.margin(scene.grid)
        around = widened(window, margin)
        codes = {
            name: read_codes(dataset, asset, scene.grid, around)
            for name, (asset, dataset) in scene.masks.items()
        }
        flags = scene.validity.flags(codes, margin)
    return np.where(empty, np.uint8(Flag.NO_DATA), flags)


def _write_files(
    paths: Mapping[str, Path],
    grid: Grid,
    indices: Sequence[SpectralIndex],
    stored: Stored,
    first: Asset,
) -> None:
    for index in indices:
        write_cog(
            paths[index.id],
            grid,
            _blocks(grid, stored[index.id]),
            dtype="int16",
            nodata=NODATA,
            scale=SCALE,
            description=index.title,
            tags={"reference": index.reference},
        )
    write_cog(
        paths["status"],
        grid,
        _blocks(grid, stored["status"]),
        dtype="uint8",
        nodata=float(Flag.NO_DATA),
        description="0 land, 1 water, 3 snow, 4 cloud or shadow, 5 saturated",
        resampling="nearest",
    )
    picture = replace(first, href=str(paths[first.name]))
    low, high = indices[0].low, indices[0].high
    write_quicklook(paths["quicklook"], grid, picture, vmin=low, vmax=high, colours=COLOURS)


def _blocks(grid: Grid, values: NDArray[Any]) -> Iterator[tuple[Window, NDArray[Any]]]:
    for window in strips(grid):
        yield window, values[window.row_off : window.row_off + window.height]
