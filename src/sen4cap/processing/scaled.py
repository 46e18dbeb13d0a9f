"""How rasters of variables are stored: int16 in steps of a variable's own, -10000 is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sen4cap.geo.raster import encode

NODATA = -10000.0
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
COLOURS = ((165, 0, 38), (253, 174, 97), (255, 255, 191), (166, 217, 106), (0, 104, 55))
"""Of quick-looks: red over yellow to green, after ColorBrewer RdYlGn."""


def scaled(values: NDArray[np.floating[Any]], scale: float) -> NDArray[np.int16]:
    """Stored values of physical ones in steps of `scale`, shape as `values`; NaN is missing.

    What does not fit is stored as the lowest or highest value that does.
    """
    lowest = np.float32((NODATA + 1) * scale)
    stored: NDArray[np.int16] = encode(np.maximum(values, lowest), "int16", NODATA, scale)
    return stored
