"""The dark end of a product's pixels, from a coarse look at one band."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sen4cap.acquisition.radiometry import DarkPixels
from sen4cap.domain import Asset
from sen4cap.domain.found import Found, FoundBand
from sen4cap.geo.raster import open_asset, read_overview

DARK_BANDS = ("B04", "B12", "B11")
"""The first one a product has is looked at."""
TARGETS = (4, 6)
"""Scene classification: vegetation, water."""
SIZE = 1024
"""Pixels a side that are read at most."""

Floats = npt.NDArray[np.float32]


def dark_pixels(found: Found) -> DarkPixels | None:
    """Dark end of a product's first dark band; None where it has none.

    Band and scene classification are read at no more than 1024 pixels a side.

    Raises
    ------
    UnreadableFile
        If a raster is damaged.
    """
    band = next((item for name in DARK_BANDS if (item := found.band(name))), None)
    if band is None or "int" not in band.data_type:
        return None
    values = _stored(band)
    classes = found.band("SCL")
    targets = _targets(values, _stored(classes)) if classes else values[:0]
    valid = values[np.isfinite(values) & (values != 0)]
    dark = targets[np.isfinite(targets) & (targets != 0)]
    return DarkPixels(band.name, _p1(valid), valid.size, _p1(dark), dark.size)


def _stored(band: FoundBand) -> Floats:
    """Stored values of a coarse look, 2-D; NaN where nodata."""
    asset = Asset(band.name, band.href, index=band.index, nodata=band.nodata)
    with open_asset(asset) as dataset:
        return read_overview(dataset, asset, SIZE)


def _targets(values: Floats, classes: Floats) -> Floats:
    """Values where the classification, of the same extent, sees vegetation or water."""
    rows, columns = (
        np.arange(side) * coarse // side
        for side, coarse in zip(values.shape, classes.shape, strict=True)
    )
    return values[np.isin(classes[np.ix_(rows, columns)], TARGETS)]


def _p1(values: Floats) -> float:
    return float(np.percentile(values, 1)) if values.size else float("nan")
