"""What a source finds: a candidate product, before it is decided what its numbers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sen4cap.domain.grid import Grid
from sen4cap.domain.product import ProductType, Role


class Provider(StrEnum):
    """Who made the files; providers differ in what they do to the reflectance offset."""

    ESA = "esa"
    """SAFE folder as ESA delivers it: numbers untouched."""
    CDSE = "cdse"
    """Copernicus Data Space: as ESA."""
    PLANETARY_COMPUTER = "planetary_computer"
    """Offset never removed."""
    EARTH_SEARCH = "earth_search"
    """Offset removed from a part of the files; its own flag is wrong for some."""
    HARMONIZED = "harmonized"
    """Offset removed by the service: openEO, Sentinel Hub, harmonized Earth Engine."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Scaling:
    """What one piece of metadata says: physical value = stored value × scale + offset."""

    teller: str
    """Where it is said, in words: `the product metadata`, `the raster file`."""
    scale: float | None = None
    """None: it says nothing of a scale."""
    offset: float | None = None
    """Physical units, not stored ones; None: it says nothing of an offset."""


@dataclass(frozen=True)
class FoundBand:
    """One band of one file."""

    name: str
    """`B04`, `SCL`, `ndvi`. Unique in its product."""
    href: str
    """Absolute path."""
    data_type: str
    """Type of the stored values: `uint16`, `float32`."""
    index: int = 1
    """Band within the file, from 1."""
    role: Role = Role.DATA
    media_type: str = "image/tiff; application=geotiff"
    nodata: float | None = None
    """Stored value that means missing; None where nothing says."""
    declared: tuple[Scaling, ...] = ()
    """All that is said of scale and offset; often the same thing told twice."""
    fingerprint: str = ""
    """Hash of the file's contents, 32 hex digits."""


@dataclass(frozen=True)
class Found:
    """A product in a source. What its numbers mean is decided by `acquisition`."""

    name: str
    type: ProductType
    """L2A (reflectances) or L3B (indices)."""
    grid: Grid
    """Under the name of its tile or series, at its finest resolution."""
    start: datetime
    """Sensing start, UTC."""
    end: datetime
    """Equal to `start`."""
    footprint: str
    """WKT, EPSG:4326, split at the antimeridian."""
    bands: tuple[FoundBand, ...]
    """Sorted by name."""
    path: Path
    """SAFE folder, item file or first raster."""
    provider: Provider = Provider.UNKNOWN
    properties: Mapping[str, Any] = field(default_factory=dict)
    """STAC properties: `platform`, `sat:relative_orbit`, `s2:processing_baseline`, …"""

    def band(self, name: str) -> FoundBand | None:
        """The band of a name, or None."""
        return next((band for band in self.bands if band.name == name), None)


@dataclass(frozen=True)
class Skipped:
    """Something in a source that is left out."""

    path: Path
    reason: str
    """One sentence."""
