"""Grid: a named raster geometry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from sen4cap.domain.names import check_name
from sen4cap.errors import InputRefused

Affine6 = tuple[float, float, float, float, float, float]

MGRS_TILE = r"\d{2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V]"
"""Regular expression of a Sentinel-2 tile, `31UDS`: zone, latitude band, square; no I, no O."""


class Sensor(StrEnum):
    """What made a raster. A parcel has one home grid per sensor."""

    S2 = "s2"
    S1 = "s1"
    L8 = "l8"


class PixelRule(StrEnum):
    """Which cells of a grid count for a parcel, and how much."""

    EXACT = "exact"
    """All that it touches, by the share that it covers."""
    CENTRE = "centre"
    """Those whose centre lies inside, in full; a centre on the rim is outside."""


@dataclass(frozen=True)
class Grid:
    """CRS, origin, pixel and shape of a raster, under the name of its tile or series.

    Products of one tile share the name; their rasters may differ in resolution.
    """

    name: str
    """Tile or series: `31UDS`, `198024`, `demarke`."""
    crs: str
    """`EPSG:32631`, or WKT where there is no code."""
    transform: Affine6
    """(a, b, c, d, e, f): x = a·column + b·row + c, y = d·column + e·row + f; CRS units."""
    width: int
    """Columns."""
    height: int
    """Rows."""
    sensor: Sensor = Sensor.S2

    def __post_init__(self) -> None:
        check_name("grid", self.name)
        a, b, _, d, e, _ = self.transform
        if b or d or not a or not e:
            raise InputRefused(
                f"Grid '{self.name}' is rotated or has no pixel size: "
                "warp its rasters to a north-up grid first."
            )

    @cached_property
    def key(self) -> str:
        """12 hex digits that are equal exactly where CRS, transform and shape are."""
        text = f"{self.crs}|{self.transform}|{self.width}|{self.height}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) in CRS units, also of a south-up grid."""
        a, _, c, _, e, f = self.transform
        xs, ys = (c, c + a * self.width), (f, f + e * self.height)
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def pixel(self) -> tuple[float, float]:
        """Pixel width and height, CRS units, both positive."""
        return abs(self.transform[0]), abs(self.transform[4])

    def at(self, pixel: float) -> Grid:
        """The grid of the same origin and extent with square pixels of another size."""
        a, _, c, _, e, f = self.transform
        step_x, step_y = (pixel if a > 0 else -pixel), (pixel if e > 0 else -pixel)
        return Grid(
            self.name,
            self.crs,
            (step_x, 0.0, c, 0.0, step_y, f),
            round(self.width * a / step_x),
            round(self.height * e / step_y),
            self.sensor,
        )


def finest(grids: Iterable[Grid]) -> Grid:
    """The grid of smallest pixels; the first of equal ones."""
    return min(grids, key=lambda grid: grid.pixel)
