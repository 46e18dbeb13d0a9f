"""Pictures of a landscape for people."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import rasterio
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from rasterio.enums import Resampling
from shapely import get_coordinates, get_parts, get_rings

from sen4cap.domain import Asset

LIFT = 1.6
"""Gamma that lifts the dark tones of the land."""


def season_picture(
    assets: tuple[Asset, Asset, Asset],
    parcels: gpd.GeoDataFrame | None = None,
    *,
    pixels: int = 1024,
    brightest: tuple[float, float, float] = (0.5, 0.22, 0.22),
) -> bytes:
    """PNG of three bands as red, green and blue, with the outlines of parcels over it.

    Parameters
    ----------
    assets
        Bands on one grid; for a false-colour picture B08, B04, B03. Missing is white.
    parcels
        In any CRS.
    pixels
        Length of the longer edge.
    brightest
        Physical value that is drawn at full strength, per band.
    """
    with rasterio.open(assets[0].href) as dataset:
        crs, bounds = dataset.crs, dataset.bounds
        shape = _fitting(dataset.shape, pixels)
    bands = [_shown(asset, top, shape) for asset, top in zip(assets, brightest, strict=True)]
    image = np.dstack(bands)
    figure = Figure((shape[1] / 100, shape[0] / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    extent = (bounds.left, bounds.right, bounds.bottom, bounds.top)
    axes.imshow(image, extent=extent, interpolation="nearest")
    axes.set_axis_off()
    if parcels is not None:
        lines = _lines(parcels.to_crs(crs).geometry.dropna().to_numpy())
        axes.add_collection(LineCollection(lines, colors="white", linewidths=0.6, alpha=0.8))
        axes.set_xlim(bounds.left, bounds.right)
        axes.set_ylim(bounds.bottom, bounds.top)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _fitting(shape: tuple[int, int], pixels: int) -> tuple[int, int]:
    factor = pixels / max(shape)
    return max(round(shape[0] * factor), 1), max(round(shape[1] * factor), 1)


def _shown(asset: Asset, top: float, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    with rasterio.open(asset.href) as dataset:
        stored = dataset.read(asset.index, out_shape=shape, resampling=Resampling.nearest)
    value = stored.astype(np.float32) * asset.scale + asset.offset
    drawn = np.clip(value / top, 0.0, 1.0) ** (1.0 / LIFT)
    missing = np.isnan(value) if asset.nodata is None else stored == asset.nodata
    return np.where(missing, np.float32(1.0), drawn)


def _lines(geometries: npt.NDArray[Any]) -> list[npt.NDArray[np.float64]]:
    points, ring = get_coordinates(get_rings(get_parts(geometries)), return_index=True)
    return np.split(points, np.flatnonzero(np.diff(ring)) + 1)
