"""How a crop looks over the year: NDVI curves, and the reflectances that give them.

A curve is a double logistic (Beck et al. 2006, Remote Sens. Environ. 100:321-334, eq. 3)

    NDVI(t) = base + (peak − base) · [1 / (1 + e^(−(t−s)/r)) − 1 / (1 + e^(−(t−e)/f))]

with greening s, senescence e and time constants r and f in days. Mowing takes a share of the
canopy at once, which grows back exponentially. A pixel is a mixture of full canopy and bare soil,
with the share of canopy that gives just this NDVI.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sen4cap.simulate.crops import CROPS, Crop

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BANDS = ("B02", "B03", "B04", "B08", "B11")
CANOPY = np.array([0.030, 0.060, 0.030, 0.480, 0.180])
"""Reflectance of a closed green canopy in `BANDS`; NDVI 0.882."""
SOIL = np.array([0.080, 0.110, 0.150, 0.220, 0.300])
"""Reflectance of moist loam in `BANDS`; NDVI 0.189."""
WATER = np.array([0.040, 0.045, 0.030, 0.015, 0.008])
"""Reflectance of a clear river in `BANDS`."""
BLOOM = np.array([0.000, 0.060, 0.050, 0.020, 0.000])
"""What a yellow bloom adds at its height, in `BANDS`."""
BLOOM_DAYS = 9.0
REGROWTH_DAYS = 14.0
CUT_SHARE = 0.55
"""Of the canopy that mowing takes."""
NDVI_RANGE = (0.19, 0.88)


@dataclass(frozen=True)
class Growth:
    """How single parcels depart from the mean of their crop; all of shape (parcel,)."""

    crop: Ints
    """Index into `CROPS`."""
    early: Floats
    """Shift of greening, days."""
    late: Floats
    """Shift of senescence, days."""
    cut: Floats
    """Shift of mowing, days."""
    vigour: Floats
    """Factor on the rise from base to peak, about 1."""


def growth(crop: Ints, rng: np.random.Generator) -> Growth:
    """Departures drawn for parcels of the given crops.

    Dates depart with the crop's `spread`, mowing with twice of that; vigour is normal with
    standard deviation 0.07, cut off at 0.7 and 1.1.
    """
    spread = np.array([item.spread for item in CROPS])[crop]
    early, late, cut = (rng.normal(0.0, spread * factor) for factor in (1.0, 1.0, 2.0))
    vigour = np.clip(rng.normal(1.0, 0.07, crop.size), 0.7, 1.1)
    return Growth(crop, early, late, cut, vigour)


def ndvi_curves(parcels: Growth, days: Sequence[float]) -> Floats:
    """NDVI per parcel and day of year, shape (parcel, day), within `NDVI_RANGE`."""
    curves = np.empty((parcels.crop.size, len(days)))
    at = np.asarray(days, dtype=np.float64)
    for index, crop in enumerate(CROPS):
        grown = np.flatnonzero(parcels.crop == index)
        curves[grown] = _curves_of(crop, parcels, grown, at)
    return np.clip(curves, *NDVI_RANGE)


def _curves_of(crop: Crop, parcels: Growth, grown: Ints, days: Floats) -> Floats:
    rise = _logistic(days - (crop.greening + parcels.early[grown, None]), crop.rise)
    fall = _logistic(days - (crop.senescence + parcels.late[grown, None]), crop.fall)
    canopy = np.maximum(rise - fall, 0.0) * parcels.vigour[grown, None]
    canopy *= _after_cuts(crop.cuts, parcels.cut[grown, None], days)
    return crop.base + (crop.peak - crop.base) * canopy - _stubble(crop, parcels, grown, days)


def _logistic(x: Floats, scale: float) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-x / scale)))


def _after_cuts(cuts: Sequence[float], shift: Floats, days: Floats) -> Floats:
    """Share of canopy left, shape (parcel, day): 1 where it was never mown."""
    left = np.ones(np.broadcast_shapes(shift.shape, days.shape))
    for cut in cuts:
        since = days - (cut + shift)
        loss = np.where(since >= 0, 2.0 * CUT_SHARE * np.exp(-since / REGROWTH_DAYS), 0.0)
        left *= 1.0 - np.minimum(loss, 0.95)
    return left


def _stubble(crop: Crop, parcels: Growth, grown: Ints, days: Floats) -> Floats:
    """What is missing to the NDVI before the season once an annual crop is off the field."""
    if crop.land_cover != 1:
        return np.zeros((grown.size, days.size))
    gone = _logistic(days - (crop.senescence + parcels.late[grown, None]), crop.fall)
    return gone * (crop.base - NDVI_RANGE[0]) * 0.7


def bloom(parcels: Growth, day: float) -> Floats:
    """Strength of a yellow bloom on a day of year, 0-1, shape (parcel,)."""
    height = np.array([np.inf if crop.flowering is None else crop.flowering for crop in CROPS])
    away = (day - parcels.early - height[parcels.crop]) / BLOOM_DAYS
    return np.asarray(np.exp(-0.5 * away**2))


def canopy_share(ndvi: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Share of canopy over soil whose mixed reflectance has a given NDVI; same shape.

    With D = B08 − B04 and S = B08 + B04 of soil (s) and canopy (c), and NDVI = (D_s + w·(D_c −
    D_s)) / (S_s + w·(S_c − S_s)), solved for w and cut off to 0-1.
    """
    red, near = BANDS.index("B04"), BANDS.index("B08")
    difference, total = SOIL[near] - SOIL[red], SOIL[near] + SOIL[red]
    canopy_difference, canopy_total = CANOPY[near] - CANOPY[red], CANOPY[near] + CANOPY[red]
    numerator = difference - ndvi * total
    share = numerator / (numerator - (canopy_difference - ndvi * canopy_total))
    return np.asarray(np.clip(share, 0.0, 1.0), dtype=np.float32)
