"""The crops of the generated season: what is grown, how it is coded and when it is green.

Dates of greening and senescence follow the usual crop calendar of the Low Countries (USDA crop
calendar, "Northern Europe"; BBCH stages of beet, maize and potato); they are plausible, not
measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OTHER_LAND = 0
"""LUT land cover class of what is not agricultural."""


@dataclass(frozen=True)
class Crop:
    """One crop: a row of the look-up table, its share of the parcels and its year."""

    code: str
    """As farmers declare it."""
    name: str
    land_cover: int
    """LUT class `lc`: 0 other, 1 annual crop, 3 grassland."""
    group: int
    """Class of the crop type map, `ctnuml4a`."""
    group_name: str
    share: float
    """Of the parcels, 0-1."""
    base: float
    """NDVI out of season."""
    peak: float
    """NDVI in full leaf."""
    greening: float
    """Day of year of half the rise."""
    senescence: float
    """Day of year of half the fall: ripening or harvest."""
    rise: float
    """Time constant of the rise, days."""
    fall: float
    """Time constant of the fall, days."""
    spread: float = 6.0
    """Standard deviation of both dates between parcels, days."""
    cuts: tuple[float, ...] = ()
    """Days of year of mowing."""
    flowering: float | None = None
    """Day of year of a yellow bloom."""


CROPS = (
    Crop("265", "Permanent grassland", 3, 1, "Grassland", 0.18, 0.60, 0.86, 75, 330, 14, 16, 6.0,
         (145.0, 205.0, 265.0)),
    Crop("266", "Temporary grassland", 3, 1, "Grassland", 0.10, 0.56, 0.87, 80, 325, 12, 16, 6.0,
         (132.0, 168.0, 208.0, 250.0)),
    Crop("259", "Maize", 1, 2, "Maize", 0.16, 0.20, 0.87, 166, 265, 8, 9),
    Crop("233", "Winter wheat", 1, 3, "Winter wheat", 0.13, 0.24, 0.86, 88, 192, 12, 7),
    Crop("235", "Winter barley", 1, 4, "Winter barley", 0.10, 0.28, 0.87, 78, 168, 11, 6),
    Crop("256", "Sugar beet", 1, 5, "Sugar beet", 0.10, 0.19, 0.86, 154, 312, 8, 12),
    Crop("2014", "Ware potato", 1, 6, "Potato", 0.10, 0.19, 0.87, 158, 235, 7, 8),
    Crop("1922", "Winter rapeseed", 1, 7, "Rapeseed", 0.09, 0.38, 0.86, 70, 178, 12, 7,
         flowering=125.0),
    Crop("666", "Fibre flax", 1, 8, "Flax", 0.012, 0.19, 0.80, 128, 186, 8, 6),
    Crop("343", "Nature, not agricultural", OTHER_LAND, 0, "Not agricultural", 0.028, 0.52, 0.80,
         115, 295, 12, 14),
)  # fmt: skip

LUT_COLUMNS = (
    "Ori_crop", "CTnum", "CT", "LC", "CTnumL4A", "CTL4A", "CTnumDIV", "CTDIV",
    "EAA", "AL", "PGrass", "TGrass", "Fallow", "Cwater",
)  # fmt: skip


def lut_rows(crops: Iterable[Crop] = CROPS) -> list[tuple[str, ...]]:
    """Rows of a look-up table under `LUT_COLUMNS`, numbered from 1 in the order given."""
    return [_lut_row(number, crop) for number, crop in enumerate(crops, start=1)]


def _lut_row(number: int, crop: Crop) -> tuple[str, ...]:
    permanent = crop.name == "Permanent grassland"
    temporary = crop.name == "Temporary grassland"
    eligible = crop.land_cover != OTHER_LAND
    flags = (eligible, eligible and not permanent, permanent, temporary, False, False)
    values = (number, crop.name, crop.land_cover, crop.group, crop.group_name)
    diversification = (crop.group, crop.group_name)
    return (crop.code, *map(str, (*values, *diversification)), *(str(int(flag)) for flag in flags))
