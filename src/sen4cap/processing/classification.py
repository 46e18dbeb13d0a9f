"""Scene classification of Sentinel-2 L2A (SCL) and what it means for an observation.

Classes: Sentinel-2 L2A product specification (S2-PDGS-MPC-L2ADPS), scene classification.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sen4cap.domain import Asset, Product, Role

SCL = "SCL"


class Flag(IntEnum):
    """Status of a pixel, as in the original's validity rasters."""

    LAND = 0
    WATER = 1
    SHADOW = 2
    SNOW = 3
    CLOUD = 4
    SATURATED = 5
    NO_DATA = 255


_FLAG_OF_CLASS = {
    0: Flag.NO_DATA,
    1: Flag.SATURATED,
    2: Flag.LAND,  # dark area: bare, moist or flooded soil as often as shade of terrain
    3: Flag.SHADOW,
    4: Flag.LAND,
    5: Flag.LAND,
    6: Flag.WATER,
    7: Flag.LAND,  # unclassified: the classes of cloud were tried before
    8: Flag.CLOUD,
    9: Flag.CLOUD,
    10: Flag.CLOUD,
    11: Flag.SNOW,
}

OBSERVED = (Flag.LAND, Flag.WATER)
"""Status of pixels whose ground was seen."""

OBSERVED_CLASSES = frozenset(code for code, flag in _FLAG_OF_CLASS.items() if flag in OBSERVED)
"""SCL codes of pixels whose ground was seen: 2, 4, 5, 6, 7."""


def classification_of(product: Product) -> Asset | None:
    """The scene classification of an L2A product; None where it has none."""
    masks = (asset for asset in product.assets if asset.role == Role.MASK)
    return next((asset for asset in masks if asset.name.upper() == SCL), None)


def status_flags(codes: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Status of SCL codes, shape as `codes`; codes that SCL does not have are no data."""
    table = np.full(256, Flag.NO_DATA, np.uint8)
    table[list(_FLAG_OF_CLASS)] = list(_FLAG_OF_CLASS.values())
    flags: NDArray[np.uint8] = table[np.clip(codes, 0, 255)]
    return flags
