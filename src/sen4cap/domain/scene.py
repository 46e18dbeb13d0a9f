"""Scene: what a source says it holds of one place at one time, before anything is fetched.

A scene is recorded as a product of type `scene` whose assets lie at the source; what is made of it
(L2A, backscatter, coherence) names it as parent. So the newest of several wins by the same rule as
everywhere: it takes over the slot, and what was made of the former one is made anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sen4cap.domain.product import Asset, Product, ProductType, Role, revision_of


@dataclass(frozen=True)
class Request:
    """What is asked of a source."""

    kind: ProductType
    """What is to come of the scenes: `l2a`, `s1_l2a_amp`, `s1_l2a_cohe`, `l1c`, `slc`."""
    platforms: tuple[str, ...]
    """`sentinel-2`, `landsat`, `sentinel-1`."""
    footprint: str
    """WKT, EPSG:4326: scenes that meet it."""
    start: datetime
    """First instant, UTC."""
    end: datetime
    """First instant after, UTC."""
    tiles: tuple[str, ...] = ()
    """MGRS tiles or Landsat path/rows; none: all that meet the footprint."""
    orbits: tuple[int, ...] = ()
    """Relative orbits; none: all."""
    max_cloud: float = 100.0
    """Percent."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a scene at its source."""

    name: str
    """Band or content, as of an `Asset`; for a packed product its name."""
    href: str
    """URL, or path in an archive."""
    path: str
    """Where it goes below the folder of the scene, `/` between folders; no `..`."""
    size: int | None = None
    """Bytes; None where the source does not say."""
    checksum: str = ""
    """`md5:<hex>`, `sha256:<hex>` …; empty where the source gives none."""
    media_type: str = ""


@dataclass(frozen=True)
class Scene:
    """A scene at a source."""

    name: str
    """Name of the product at the source, without file ending."""
    source: str
    """Name of the source."""
    kind: ProductType
    """What is to come of it, as in `Request`."""
    place: str
    """MGRS tile, Landsat path/row, burst or frame."""
    start: datetime
    """Sensing start, UTC."""
    footprint: str
    """WKT, EPSG:4326."""
    files: tuple[RemoteFile, ...]
    properties: Mapping[str, Any] = field(default_factory=dict)
    """STAC properties: `platform`, `sat:relative_orbit`, `eo:cloud_cover`, `created`, …"""

    @property
    def size(self) -> int | None:
        """Bytes of all files; None where one is not known."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def age(self) -> tuple[str, str]:
        """Processing baseline, then when it was made: of two of one slot the later one is newer."""
        baseline = self.properties.get("s2:processing_baseline", "")
        return str(baseline), str(self.properties.get("created", ""))

    def as_product(self, site: str) -> Product:
        """The record of the scene at a site (its short name)."""
        told = {file.name: [file.path, file.size, file.checksum] for file in self.files}
        properties = {
            **self.properties,
            "sen4cap:source": self.source,
            "sen4cap:kind": str(self.kind),
            "sen4cap:scene": self.name,
            "sen4cap:files": told,
        }
        revision = revision_of(site, self.source, self.name, self.kind, told, self.age)
        return Product(
            name=f"{self.name}_r{revision[:8]}",
            site=site,
            type=ProductType.SCENE,
            grid=self.place,
            start=self.start,
            end=self.start,
            revision=revision,
            assets=tuple(
                Asset(file.name, file.href, Role.DATA, file.media_type) for file in self.files
            ),
            footprint=self.footprint,
            properties=properties,
        )


def scene_of(product: Product) -> Scene:
    """The scene that a product of type `scene` records."""
    told = product.properties
    ours = ("sen4cap:source", "sen4cap:kind", "sen4cap:scene", "sen4cap:files")
    return Scene(
        name=told["sen4cap:scene"],
        source=told["sen4cap:source"],
        kind=ProductType(told["sen4cap:kind"]),
        place=product.grid,
        start=product.start,
        footprint=product.footprint or "",
        files=tuple(
            RemoteFile(asset.name, asset.href, path, size, checksum, asset.media_type)
            for asset in product.assets
            for path, size, checksum in [told["sen4cap:files"][asset.name]]
        ),
        properties={key: value for key, value in told.items() if key not in ours},
    )
