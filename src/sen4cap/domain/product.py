"""Product: what a source delivers or a processor makes; a STAC Item inside and outside.

A *slot* is what there should be one of: (site, product type, grid, acquisition or period). A
*revision* is the hash of what a product was made from. The same revision is made once; a new one
is written beside the old and takes over the slot. Products are immutable.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sen4cap.domain.names import check_name

MAX_NAME = 200
"""Of a product: file names made of it must stay within 255 bytes."""
VARIANT = "sen4cap:variant"
"""Property that tells apart what is of one grid and instant: `6d` and `12d` pairs of coherence."""


class ProductType(StrEnum):
    """Kinds of products, under the original's short names."""

    SCENE = "scene"
    """What a source holds of one acquisition, not fetched."""
    L1C = "l1c"
    """Top-of-atmosphere reflectance of one acquisition, from which a back end makes `l2a`."""
    SLC = "slc"
    """Single-look complex radar image, from which a back end makes the next two."""
    L2A = "l2a"
    """Surface reflectance of one acquisition."""
    S1_AMP = "s1_l2a_amp"
    """Radar backscatter of one acquisition: gamma0 or sigma0, linear power."""
    S1_COHE = "s1_l2a_cohe"
    """Radar coherence of a pair of acquisitions; its time is the later one's."""
    L3B = "l3b"
    """Vegetation indices and biophysical variables of one acquisition."""
    COMPOSITE = "l3_composite"
    """Vegetation indices and biophysical variables of a period, from all its acquisitions."""
    LPIS = "lpis"
    """A version of a site's parcels."""
    MARKERS = "s4c_mdb1"
    """Parcel statistics of one acquisition."""
    L4A = "s4c_l4a"
    """Crop type per parcel over a season."""
    L4B = "s4c_l4b"
    """Mowing of grassland parcels over a season."""


class Role(StrEnum):
    """What an asset is for."""

    DATA = "data"
    MASK = "mask"
    """Scene classification or validity."""
    METADATA = "metadata"
    OVERVIEW = "overview"
    """A picture for people."""


@dataclass(frozen=True)
class Asset:
    """One file of a product, or one band of a file."""

    name: str
    """Band or content: `B04`, `SCL`, `ndvi`, `report`. Unique in its product."""
    href: str
    """Absolute path or URL."""
    role: Role = Role.DATA
    media_type: str = "image/tiff; application=geotiff"
    index: int = 1
    """Band within the file, from 1."""
    scale: float = 1.0
    """Physical value = stored value × scale + offset, applied once, here recorded in full."""
    offset: float = 0.0
    nodata: float | None = None
    """Stored value that means missing, masked before scale and offset."""


@dataclass(frozen=True)
class Product:
    """Something in the catalog."""

    name: str
    """Unique."""
    site: str
    """Short name of the site."""
    type: ProductType
    grid: str
    """Name of its grid; empty where it has none (tables over a site)."""
    start: datetime
    """Sensing start, or first instant of its period; UTC."""
    end: datetime
    """Equal to `start` for an acquisition; else last day of the period; UTC."""
    revision: str
    """32 hex digits, see `revision_of`."""
    assets: tuple[Asset, ...] = ()
    season: str = ""
    """Name of the season it belongs to; empty for what seasons share."""
    footprint: str | None = None
    """WKT polygon or multipolygon, EPSG:4326, split at the antimeridian."""
    processor: str | None = None
    """Short name and version, `l3b/1`; None for what a source delivered."""
    parents: tuple[str, ...] = ()
    """Names of the products it was made from."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Further STAC properties, JSON values."""

    def __post_init__(self) -> None:
        check_name("product", self.name, MAX_NAME)

    @property
    def slot(self) -> str:
        """What there should be one of, as a text key."""
        variant = str(self.properties.get(VARIANT, ""))
        return slot_of(self.site, self.type, self.grid, self.start, self.end, self.season, variant)

    @property
    def date(self) -> date:
        """UTC date of the sensing start."""
        return self.start.date()

    def asset(self, name: str) -> Asset:
        """The asset of a name.

        Raises
        ------
        KeyError
            If it has no such asset.
        """
        for asset in self.assets:
            if asset.name == name:
                return asset
        raise KeyError(name)


def slot_of(
    site: str,
    kind: ProductType,
    grid: str,
    start: datetime,
    end: datetime,
    season: str = "",
    variant: str = "",
) -> str:
    """Key of a slot: site, product type, grid, acquisition or period, season and variant if any."""
    stamps = [start] if start == end else [start, end]
    period = "_".join(stamp.strftime("%Y%m%dT%H%M%S") for stamp in stamps)
    return "/".join([site, kind, grid or "-", period, *filter(None, (season, variant))])


def revision_of(*parts: Any) -> str:
    """Hash of what something was made from: 32 hex digits of SHA-256 over canonical JSON."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
