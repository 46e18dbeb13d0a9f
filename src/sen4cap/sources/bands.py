"""Names of bands: what providers call them, and what they are called here.

Reflectances carry Sentinel-2's names (`B02` … `B12`, `B8A`), the scene classification is `SCL`,
other masks carry their provider's names, indices the short names of the L3B processor (`ndvi`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sen4cap.domain import ProductType, Role
from sen4cap.kernels.indices import INDICES

REFLECTANCES = (*(f"B{number:02d}" for number in range(1, 13)), "B8A")
MASK = "SCL"
MASKS = frozenset(
    {
        MASK,
        "MG2",
        "EDG",
        "SAT",
        "SAT_R2",
        "CLD",
        "MSK",
        "QLT_SAT",
        "QLT_OTH",
        "QA_PIXEL",
        "QA_RADSAT",
    }
)
"""Scene classification, and the masks of MAJA, MACCS and Landsat."""
POLARISATIONS = ("VV", "VH", "HH", "HV")
VARIABLES = frozenset({*INDICES, "lai", "fapar", "fcover"})
"""Names of L3B: spectral indices and biophysical variables."""

COMMON_NAMES = {
    "coastal": "B01",
    "blue": "B02",
    "green": "B03",
    "red": "B04",
    "rededge071": "B05",
    "rededge1": "B05",
    "rededge075": "B06",
    "rededge2": "B06",
    "rededge078": "B07",
    "rededge3": "B07",
    "nir": "B08",
    "nir08": "B8A",
    "nir09": "B09",
    "swir16": "B11",
    "swir22": "B12",
}
"""STAC `eo:common_name`s and Earth Search asset keys of Sentinel-2 bands."""

_NUMBERED = re.compile(r"B0?(\d{1,2}|8A)", re.IGNORECASE)
_RESOLUTION = re.compile(r"[_-]\d{2}m$", re.IGNORECASE)


def band_name(text: str) -> str | None:
    """The name used here for a provider's `red`, `B4`, `b04_10m` or `NDVI`; None if unknown."""
    bare = _RESOLUTION.sub("", text.strip())
    if numbered := _NUMBERED.fullmatch(bare):
        name = f"B{numbered[1].upper():0>2}"
        return name if name in REFLECTANCES else None
    if bare.upper() == MASK:
        return MASK
    lower = bare.lower()
    return lower if lower in VARIABLES else COMMON_NAMES.get(lower)


def role_of(name: str) -> Role:
    """Scene classification and other masks are masks, all else data."""
    return Role.MASK if name in MASKS else Role.DATA


def nodata_of(name: str, data_type: str) -> float | None:
    """Nodata of a band where nothing tells it: 0 for reflectances stored as integers and classes.

    Source: Sentinel-2 Products Specification Document, issue 14, special value NODATA.
    """
    return 0.0 if "int" in data_type and name in {*REFLECTANCES, MASK} else None


def type_of(names: Iterable[str]) -> ProductType:
    """L3B where every band but the mask is an L3B variable, else L2A."""
    data = [name for name in names if name not in MASKS]
    return ProductType.L3B if data and VARIABLES.issuperset(data) else ProductType.L2A
