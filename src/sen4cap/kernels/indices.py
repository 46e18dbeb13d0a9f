"""Spectral indices as one table: which bands, which formula, which paper.

Formulas are those of Sen4CAP's index tool (its constants are the Orfeo Toolbox defaults), with
Sentinel-2 bands: green B03, red B04, near infrared B08, short-wave infrared B11. The last two of
the table are not the original's: they need no 10 m band. Two formulas deviate:
a denominator below 1e-7 gives a missing value, where the original gives 0, and GEMI is the
published formula, where the original divides the whole by (1 - red).

All functions take float32 reflectances [0-1] of one shape and return float32 of that shape;
NaN is missing and stays missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reflectance = NDArray[np.float32]
Floats = NDArray[np.floating[Any]]

SMALLEST_DENOMINATOR = 1e-7

GREEN, RED, NIR, SWIR = "B03", "B04", "B08", "B11"
EDGE, NARROW = "B05", "B8A"


@dataclass(frozen=True)
class SpectralIndex:
    """One index: a row of the table."""

    id: str
    """Short name, as in configuration keys: `ndvi`."""
    title: str
    bands: tuple[str, ...]
    """Sentinel-2 bands, in the order of the function's arguments."""
    compute: Callable[..., Reflectance]
    """Reflectance arrays → index array."""
    low: float
    """Lower end of the values that land surfaces take; also of the colours of pictures."""
    high: float
    """Upper end of them."""
    reference: str
    """Paper that defines it."""
    scale: float = 0.001
    """Step in which integers hold it."""


def evaluate(index: SpectralIndex, bands: Mapping[str, Reflectance]) -> Reflectance:
    """The index of reflectances given by band name.

    Reflectances below 0, which atmospheric correction leaves over dark surfaces, count as 0, so
    that ratios keep their bounds. NaN where a band is missing or the index is not defined.

    Raises
    ------
    KeyError
        If a band of the index is not given.
    """
    reflectances = (np.maximum(bands[name], np.float32(0)) for name in index.bands)
    return index.compute(*reflectances)


def _ratio(numerator: Floats, denominator: Floats) -> Reflectance:
    undefined = np.abs(denominator) < SMALLEST_DENOMINATOR
    safe = np.where(undefined, np.float32(np.nan), denominator)
    return np.asarray(numerator / safe, np.float32)


def _root(values: Floats) -> Reflectance:
    return np.asarray(np.sqrt(np.where(values < 0, np.float32(np.nan), values)), np.float32)


def normalized_difference(first: Reflectance, second: Reflectance) -> Reflectance:
    """(first - second) / (first + second), in [-1, 1] for values from 0; Rouse et al. 1974."""
    return _ratio(first - second, first + second)


def ratio_vegetation(nir: Reflectance, red: Reflectance) -> Reflectance:
    """NIR / red; Jordan 1969."""
    return _ratio(nir, red)


def infrared_percentage(nir: Reflectance, red: Reflectance) -> Reflectance:
    """NIR / (NIR + red), in [0, 1]; Crippen 1990."""
    return _ratio(nir, nir + red)


def transformed_ndvi(nir: Reflectance, red: Reflectance) -> Reflectance:
    """sqrt(NDVI + 0.5); missing where NDVI < -0.5; Deering et al. 1975."""
    return _root(normalized_difference(nir, red) + 0.5)


def renormalized_difference(nir: Reflectance, red: Reflectance) -> Reflectance:
    """(NIR - red) / sqrt(NIR + red); Roujean & Breon 1995."""
    return _ratio(nir - red, _root(nir + red))


def soil_adjusted(nir: Reflectance, red: Reflectance) -> Reflectance:
    """SAVI with L = 0.5; Huete 1988, eq. 4."""
    return _ratio(1.5 * (nir - red), nir + red + 0.5)


def transformed_soil_adjusted(nir: Reflectance, red: Reflectance) -> Reflectance:
    """TSAVI with soil line slope 0.7, intercept 0.9 and X = 0.08; Baret et al. 1989."""
    slope, intercept, adjustment = 0.7, 0.9, 0.08
    return _ratio(
        slope * (nir - slope * red - intercept),
        slope * nir + red + adjustment * (1 + slope**2),
    )


def modified_soil_adjusted(nir: Reflectance, red: Reflectance) -> Reflectance:
    """MSAVI with soil line slope 0.4: L = 1 - 2·slope·NDVI·WDVI; Qi et al. 1994, eq. 7-9."""
    slope = 0.4
    soil = 1 - 2 * slope * normalized_difference(nir, red) * (nir - slope * red)
    return _ratio((nir - red) * (1 + soil), nir + red + soil)


def modified_soil_adjusted_2(nir: Reflectance, red: Reflectance) -> Reflectance:
    """MSAVI2, which needs no soil line; Qi et al. 1994, eq. 15."""
    double = 2 * nir + 1
    root = _root(double * double - 8 * (nir - red))
    return np.asarray((double - root) / 2, np.float32)


def environment_monitoring(nir: Reflectance, red: Reflectance) -> Reflectance:
    """GEMI; Pinty & Verstraete 1992, eq. 4."""
    eta = _ratio(2 * (nir * nir - red * red) + 1.5 * nir + 0.5 * red, nir + red + 0.5)
    curve = eta * (1 - 0.25 * eta)
    return np.asarray(curve - _ratio(red - 0.125, 1 - red), np.float32)


def brightness(red: Reflectance, green: Reflectance) -> Reflectance:
    """Root of the mean square of red and green; Pouget et al. 1990."""
    return _root((red * red + green * green) / 2)


def brightness_2(nir: Reflectance, red: Reflectance, green: Reflectance) -> Reflectance:
    """Root of the mean square of NIR, red and green; Escadafal 1989."""
    return _root((nir * nir + red * red + green * green) / 3)


def redness(red: Reflectance, green: Reflectance) -> Reflectance:
    """red² / green³; Pouget et al. 1990."""
    return _ratio(red * red, green * green * green)


_ROUSE = "Rouse et al. 1974, NASA SP-351"
_POUGET = "Pouget et al. 1990, Caractérisation spectrale des surfaces sableuses"
_QI = "Qi et al. 1994, Remote Sensing of Environment 48"


_NORMALIZED = normalized_difference
_TABLE = (
    SpectralIndex("ndvi", "NDVI", (NIR, RED), _NORMALIZED, -0.2, 1.0, _ROUSE),
    SpectralIndex(
        "ndwi",
        "NDWI (Gao)",
        (NIR, SWIR),
        _NORMALIZED,
        -0.6,
        0.8,
        "Gao 1996, Remote Sensing of Environment 58",
    ),
    SpectralIndex(
        "brightness",
        "brightness",
        (RED, GREEN),
        brightness,
        0.0,
        0.4,
        _POUGET,
    ),
    SpectralIndex(
        "tndvi",
        "transformed NDVI",
        (NIR, RED),
        transformed_ndvi,
        0.5,
        1.25,
        "Deering et al. 1975, 10th Symposium on Remote Sensing of Environment",
    ),
    SpectralIndex(
        "rvi",
        "ratio vegetation index",
        (NIR, RED),
        ratio_vegetation,
        0.0,
        20.0,
        "Jordan 1969, Ecology 50",
    ),
    SpectralIndex(
        "savi",
        "SAVI",
        (NIR, RED),
        soil_adjusted,
        -0.2,
        1.0,
        "Huete 1988, Remote Sensing of Environment 25",
    ),
    SpectralIndex(
        "tsavi",
        "TSAVI",
        (NIR, RED),
        transformed_soil_adjusted,
        -2.0,
        0.2,
        "Baret, Guyot & Major 1989, IGARSS '89",
    ),
    SpectralIndex("msavi", "MSAVI", (NIR, RED), modified_soil_adjusted, -0.2, 1.0, _QI),
    SpectralIndex("msavi2", "MSAVI2", (NIR, RED), modified_soil_adjusted_2, -0.2, 1.0, _QI),
    SpectralIndex(
        "gemi",
        "GEMI",
        (NIR, RED),
        environment_monitoring,
        0.0,
        1.0,
        "Pinty & Verstraete 1992, Vegetatio 101",
    ),
    SpectralIndex(
        "ipvi",
        "infrared percentage vegetation index",
        (NIR, RED),
        infrared_percentage,
        0.4,
        1.0,
        "Crippen 1990, Remote Sensing of Environment 34",
    ),
    SpectralIndex(
        "rdvi",
        "renormalized difference vegetation index",
        (NIR, RED),
        renormalized_difference,
        -0.2,
        0.9,
        "Roujean & Breon 1995, Remote Sensing of Environment 51",
    ),
    SpectralIndex(
        "ndwi2",
        "NDWI (McFeeters)",
        (GREEN, NIR),
        _NORMALIZED,
        -0.9,
        0.5,
        "McFeeters 1996, International Journal of Remote Sensing 17",
    ),
    SpectralIndex(
        "mndwi",
        "modified NDWI",
        (GREEN, SWIR),
        _NORMALIZED,
        -0.8,
        0.6,
        "Xu 2006, International Journal of Remote Sensing 27",
    ),
    SpectralIndex(
        "ndti",
        "normalized difference turbidity index",
        (RED, GREEN),
        _NORMALIZED,
        -0.4,
        0.4,
        "Lacaux et al. 2007, Remote Sensing of Environment 106",
    ),
    SpectralIndex("redness", "redness index", (RED, GREEN), redness, 0.0, 30.0, _POUGET),
    SpectralIndex("colorindex", "colour index", (RED, GREEN), _NORMALIZED, -0.4, 0.4, _POUGET),
    SpectralIndex(
        "brightness2",
        "brightness 2",
        (NIR, RED, GREEN),
        brightness_2,
        0.0,
        0.5,
        "Escadafal 1989, Remote Sensing of Environment 27",
    ),
    SpectralIndex(
        "ndre",
        "normalized difference red edge",
        (NARROW, EDGE),
        _NORMALIZED,
        -0.2,
        0.8,
        "Barnes et al. 2000, 5th International Conference on Precision Agriculture",
    ),
    SpectralIndex(
        "ndii",
        "normalized difference infrared index",
        (NARROW, SWIR),
        _NORMALIZED,
        -0.6,
        0.8,
        "Hardisky et al. 1983, Photogrammetric Engineering and Remote Sensing 49",
    ),
)

INDICES: Mapping[str, SpectralIndex] = {index.id: index for index in _TABLE}
"""All indices by id; the first is the one pictures are made of when it is there."""
