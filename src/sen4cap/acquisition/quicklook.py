"""A small picture of a product, for people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from sen4cap.domain import Asset, Product, ProductType
from sen4cap.geo.raster import open_asset, read_overview

NAME = "quicklook"
SIZE = 512
"""Longest side, pixels."""
COLOURS = ("B04", "B03", "B02")
BRIGHTEST = 0.3
"""Reflectance that is drawn white."""
DECIBELS = (-25.0, 0.0)
"""Backscatter that is drawn black and white."""

Floats = npt.NDArray[np.float32]


def write_picture(path: Path, product: Product) -> bool:
    """Write a PNG of at most 512 pixels a side, transparent where nothing is known.

    In natural colours where the product has them, else its first raster in grey. Says whether
    there was anything to draw.

    Raises
    ------
    UnreadableFile
        If a raster is damaged.
    """
    from matplotlib.image import imsave

    layers = [_scaled(product.type, asset) for asset in _drawn(product)]
    if not layers:
        return False
    rows, columns = (min(sides) for sides in zip(*(layer.shape for layer in layers), strict=True))
    shades = [layer[:rows, :columns] for layer in (layers * 3)[:3]]
    missing = np.isnan(np.sum(shades, axis=0))
    picture = np.stack([*shades, np.ones_like(shades[0])], axis=-1)
    picture[missing] = 0
    imsave(path, np.rint(picture * 255).astype(np.uint8), metadata={"Software": "sen4cap"})
    return True


def _drawn(product: Product) -> list[Asset]:
    """Red, green and blue, or one raster for all."""
    rasters = {item.name: item for item in product.assets if item.media_type.startswith("image/")}
    if rasters.keys() >= set(COLOURS):
        return [rasters[name] for name in COLOURS]
    data = sorted(name for name, item in rasters.items() if item.role.value == "data")
    return [rasters[name] for name in data[:1]]


def _scaled(kind: ProductType, asset: Asset) -> Floats:
    """Values of a coarse look as shades, 0-1; NaN where missing."""
    with open_asset(asset) as dataset:
        values = read_overview(dataset, asset, SIZE)
    low, high = 0.0, 1.0
    if kind is ProductType.S1_AMP:
        values = 10 * np.log10(np.where(values > 0, values, np.nan))
        low, high = DECIBELS
    elif kind is ProductType.L2A:
        high = BRIGHTEST
    shades: Floats = np.clip((values - low) / (high - low), 0, 1).astype(np.float32)
    return shades
