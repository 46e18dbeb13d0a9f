"""How rasters of indices and variables are stored: int16 thousandths, -10000 is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sen4cap.geo.raster import encode

SCALE, NODATA = 0.001, -10000.0
LOWEST = (NODATA + 1) * SCALE
"""Lowest value that is not taken for missing."""
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
COLOURS = ((165, 0, 38), (253, 174, 97), (255, 255, 191), (166, 217, 106), (0, 104, 55))
"""Of quick-looks: red over yellow to green, after ColorBrewer RdYlGn."""


def thousandths(values: NDArray[np.floating[Any]]) -> NDArray[np.int16]:
    """Stored values of physical ones, shape as `values`; NaN is missing.

    What does not fit is stored as the lowest or highest value that does.
    """
    stored: NDArray[np.int16] = encode(np.maximum(values, LOWEST), "int16", NODATA, SCALE)
    return stored
