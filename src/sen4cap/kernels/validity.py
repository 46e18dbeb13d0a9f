"""What was seen in a pixel: the masks of all providers, told in one set of flags.

Where several hold, the one that comes first in `PRIORITY` is told.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Codes = NDArray[Any]
"""Stored integers of a mask."""
Flags = NDArray[np.uint8]


class Flag(IntEnum):
    """Validity of a pixel, with the original's codes."""

    LAND = 0
    WATER = 1
    SNOW = 3
    CLOUD = 4
    """Cloud or its shadow."""
    SATURATED = 5
    NO_DATA = 255


OBSERVED = (Flag.LAND, Flag.WATER)
"""Pixels whose ground was seen."""

PRIORITY = (Flag.NO_DATA, Flag.CLOUD, Flag.WATER, Flag.SNOW, Flag.SATURATED)

_FLAG_OF_CLASS = {
    0: Flag.NO_DATA,
    1: Flag.SATURATED,
    2: Flag.LAND,  # dark area: bare, moist or flooded soil as often as shade of terrain
    3: Flag.CLOUD,
    4: Flag.LAND,
    5: Flag.LAND,
    6: Flag.WATER,
    7: Flag.LAND,  # unclassified: the classes of cloud were tried before
    8: Flag.CLOUD,
    9: Flag.CLOUD,
    10: Flag.CLOUD,
    11: Flag.SNOW,
}

OBSERVED_CLASSES = frozenset(code for code, flag in _FLAG_OF_CLASS.items() if flag in OBSERVED)
"""SCL codes of pixels whose ground was seen: 2, 4, 5, 6, 7."""


def from_scl(codes: Codes) -> Flags:
    """Flags of Sen2Cor's scene classification, shape as `codes`; unknown codes are no data.

    Source: S2-PDGS-MPC-L2ADPS, scene classification.
    """
    table = np.full(256, Flag.NO_DATA, np.uint8)
    table[list(_FLAG_OF_CLASS)] = list(_FLAG_OF_CLASS.values())
    flags: Flags = table[codes if codes.dtype == np.uint8 else np.clip(codes, 0, 255)]
    return flags


def from_muscate(geophysical: Codes, edge: Codes, saturation: Codes) -> Flags:
    """Flags of MAJA's masks MG2, EDG and SAT, equal shapes.

    Source: MUSCATE format, bits of MG2: 1 water, 2 any cloud, 4 snow, 8 shadow of a cloud; the
    higher ones (shade of terrain, hidden, low sun) leave the surface seen.
    """
    return flagged(
        no_data=edge != 0,
        cloud=geophysical & (2 | 8) != 0,
        water=geophysical & 1 != 0,
        snow=geophysical & 4 != 0,
        saturated=saturation != 0,
    )


def from_maccs(cloud: Codes, surface: Codes, saturation: Codes, edge: Codes) -> Flags:
    """Flags of MACCS's masks CLD, MSK and bands SAT and OTH of QLT, equal shapes.

    Any bit of CLD is cloud or shadow; bits of MSK: 1 water, 32 snow; bit 1 of OTH: beyond the
    edge. Source: MACCS level 2 format, as the original reads it.
    """
    return flagged(
        no_data=edge & 1 != 0,
        cloud=cloud != 0,
        water=surface & 1 != 0,
        snow=surface & 32 != 0,
        saturated=saturation != 0,
    )


def from_qa_pixel(quality: Codes, saturation: Codes) -> Flags:
    """Flags of Landsat's QA_PIXEL and QA_RADSAT, equal shapes.

    Source: Landsat 8-9 Collection 2 Level 2 Science Product Guide (LSDS-1619), bits of QA_PIXEL:
    0 fill, 1 dilated cloud, 2 cirrus, 3 cloud, 4 shadow of a cloud, 5 snow, 7 water; bits 0-6 of
    QA_RADSAT: saturation of bands 1-7.
    """
    return flagged(
        no_data=quality & 1 != 0,
        cloud=quality & 0b11110 != 0,
        water=quality & (1 << 7) != 0,
        snow=quality & (1 << 5) != 0,
        saturated=saturation & 0b1111111 != 0,
    )


def flagged(**where: NDArray[np.bool_]) -> Flags:
    """Flags from what holds where, by name of the flag in small letters; land where nothing."""
    shape = next(iter(where.values())).shape
    flags = np.full(shape, Flag.LAND, np.uint8)
    for flag in reversed(PRIORITY):
        if (holds := where.get(flag.name.lower())) is not None:
            flags[holds] = flag
    return flags


def dilate(flags: Flags, pixels: int) -> Flags:
    """Flags with clouds grown by some pixels to all sides, corners too; no data stay no data."""
    if pixels <= 0:
        return flags
    cloud = (flags == Flag.CLOUD).astype(np.uint8)
    grown = ndimage.maximum_filter(cloud, size=2 * pixels + 1, mode="constant")
    return np.where((grown != 0) & (flags != Flag.NO_DATA), np.uint8(Flag.CLOUD), flags)


def observed(flags: Flags) -> NDArray[np.bool_]:
    """Where the ground was seen."""
    land, water = OBSERVED
    return np.asarray((flags == land) | (flags == water))
