"""JPEG 2000 bands, decoded once: a band of 10 m takes some 40 times as long as from a GeoTIFF.

Whoever needs such a band first writes it beside its product as a cloud-optimised GeoTIFF of the
same numbers, and everyone reads that. It goes when the product goes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from rasterio.windows import Window

from sen4cap.domain import Asset, Product, Role
from sen4cap.geo.raster import Block, grid_of, open_asset, write_cog
from sen4cap.processing.context import Context

FOLDER = "decoded"
SUFFIXES = (".jp2", ".j2k")
ROWS = 1024
"""Rows that are decoded at a time: those of a tile in Sentinel-2 products."""


def decoded(ctx: Context, product: Product, names: Collection[str]) -> Product:
    """The product, with those of its rasters `names` that are JPEG 2000 as GeoTIFFs.

    Memory is that of `ROWS` rows.

    Raises
    ------
    UnreadableFile
        If a raster is missing or damaged.
    """
    assets = tuple(
        _decoded(ctx, product, item) if item.name in names and _is_packed(item) else item
        for item in product.assets
    )
    return replace(product, assets=assets)


def _is_packed(asset: Asset) -> bool:
    return asset.href.lower().endswith(SUFFIXES)


def _decoded(ctx: Context, product: Product, asset: Asset) -> Asset:
    folder = ctx.folder(product.type, product.name, FOLDER)
    path = folder / f"{asset.name}_{asset.index}.tif"
    if not path.exists():
        _write(ctx, path, product, asset)
    return replace(asset, href=str(path), index=1)


def _write(ctx: Context, path: Path, product: Product, asset: Asset) -> None:
    grid = grid_of(asset.href, product.grid)
    with ctx.write(path) as temporary, open_asset(asset) as dataset:

        def blocks() -> Iterator[Block]:
            for top in range(0, grid.height, ROWS):
                window = Window(0, top, grid.width, min(ROWS, grid.height - top))
                yield window, dataset.read(asset.index, window=window)

        write_cog(
            temporary,
            grid,
            blocks(),
            dtype=dataset.dtypes[asset.index - 1],
            nodata=asset.nodata,
            resampling="nearest" if asset.role is Role.MASK else "average",
        )
