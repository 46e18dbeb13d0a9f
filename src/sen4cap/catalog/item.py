"""Product ↔ STAC Item: a pure mapping that loses nothing.

Collection is the product type, `derived_from` links hold the names of the parents. What STAC has
no word for stands under `sen4cap:`. Bounding boxes follow RFC 7946 section 5.2: west is larger
than east where a product lies across the antimeridian.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from math import isnan
from typing import Any

import antimeridian
import pystac
import shapely

from sen4cap.domain import MGRS_TILE, Asset, Product, ProductType, Role, as_utc

SCHEMAS = {
    "eo": "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
    "raster": "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
    "proj": "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "sat": "https://stac-extensions.github.io/sat/v1.0.0/schema.json",
    "grid": "https://stac-extensions.github.io/grid/v1.1.0/schema.json",
    "processing": "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
}
"""Schema of each extension, by the prefix of its fields."""

_OWN = frozenset(
    {
        "sen4cap:site",
        "sen4cap:grid",
        "sen4cap:season",
        "sen4cap:slot",
        "sen4cap:revision",
        "sen4cap:processor",
        "processing:software",
        "grid:code",
        "datetime",
        "start_datetime",
        "end_datetime",
    }
)
"""Properties that stand for fields of a product; a product's own properties never use them."""

_REFLECTANCE = re.compile(r"B(\d{2}|8A)")


def to_item(product: Product) -> pystac.Item:
    """The STAC Item of a product."""
    geometry = shapely.from_wkt(product.footprint) if product.footprint else None
    is_instant = product.start == product.end
    item = pystac.Item(
        id=product.name,
        geometry=shapely.geometry.mapping(geometry) if geometry else None,
        bbox=antimeridian.bbox(geometry) if geometry else None,
        datetime=product.start if is_instant else None,
        start_datetime=None if is_instant else product.start,
        end_datetime=None if is_instant else product.end,
        properties={**product.properties, **_own_properties(product)},
        collection=product.type.value,
        assets={asset.name: _to_asset(asset) for asset in product.assets},
    )
    for parent in product.parents:
        item.add_link(pystac.Link(pystac.RelType.DERIVED_FROM, parent))
    item.stac_extensions = _extensions(item)
    return item


def to_dict(product: Product) -> dict[str, Any]:
    """The STAC Item of a product as JSON values, sorted as STAC sorts it."""
    return to_item(product).to_dict(include_self_link=False, transform_hrefs=False)


def from_item(item: pystac.Item) -> Product:
    """The product of an Item that `to_item` made.

    Raises
    ------
    KeyError
        If it is another's item: `sen4cap:` properties are missing.
    """
    found = item.properties
    start, end = _period(item)
    return Product(
        name=item.id,
        site=found["sen4cap:site"],
        type=ProductType(item.collection_id or ""),
        grid=found["sen4cap:grid"],
        season=found.get("sen4cap:season", ""),
        start=start,
        end=end,
        revision=found["sen4cap:revision"],
        assets=tuple(_from_asset(name, asset) for name, asset in item.assets.items()),
        footprint=_wkt(item.geometry),
        processor=found.get("sen4cap:processor"),
        parents=tuple(str(link.target) for link in item.get_links(pystac.RelType.DERIVED_FROM)),
        properties={key: value for key, value in found.items() if key not in _OWN},
    )


def from_dict(document: Mapping[str, Any]) -> Product:
    """The product of an Item's JSON values, see `from_item`."""
    return from_item(pystac.Item.from_dict(dict(document), migrate=False))


def _own_properties(product: Product) -> dict[str, Any]:
    own: dict[str, Any] = {
        "sen4cap:site": product.site,
        "sen4cap:grid": product.grid,
        "sen4cap:slot": product.slot,
        "sen4cap:revision": product.revision,
    }
    if re.fullmatch(MGRS_TILE, product.grid):
        own["grid:code"] = f"MGRS-{product.grid}"
    if product.season:
        own["sen4cap:season"] = product.season
    if product.processor:
        name, _, version = product.processor.partition("/")
        own["sen4cap:processor"] = product.processor
        own["processing:software"] = {f"sen4cap {name}": version}
    return own


def _extensions(item: pystac.Item) -> list[str]:
    """Schemas of the extensions whose fields an item and its assets use."""
    fields = {*item.properties, *(key for a in item.assets.values() for key in a.extra_fields)}
    prefixes = {field.partition(":")[0] for field in fields}
    return [schema for prefix, schema in SCHEMAS.items() if prefix in prefixes]


def _to_asset(asset: Asset) -> pystac.Asset:
    band: dict[str, Any] = {"scale": asset.scale, "offset": asset.offset}
    if asset.nodata is not None:
        band["nodata"] = "nan" if isnan(asset.nodata) else asset.nodata
    fields: dict[str, Any] = {}
    if asset.media_type.startswith("image/") and asset.role in {Role.DATA, Role.MASK}:
        fields = {"raster:bands": [band], "sen4cap:band": asset.index}
    if _REFLECTANCE.fullmatch(asset.name):
        fields["eo:bands"] = [{"name": asset.name}]
    return pystac.Asset(
        href=asset.href,
        media_type=asset.media_type,
        roles=[asset.role.value],
        extra_fields=fields,
    )


def _from_asset(name: str, asset: pystac.Asset) -> Asset:
    bands: list[dict[str, Any]] = asset.extra_fields.get("raster:bands") or [{}]
    band = bands[0]
    nodata = band.get("nodata")
    return Asset(
        name=name,
        href=asset.href,
        role=Role((asset.roles or [Role.DATA.value])[0]),
        media_type=asset.media_type or "",
        index=asset.extra_fields.get("sen4cap:band", 1),
        scale=band.get("scale", 1.0),
        offset=band.get("offset", 0.0),
        nodata=None if nodata is None else float(nodata),
    )


def _period(item: pystac.Item) -> tuple[datetime, datetime]:
    if item.datetime is not None:
        return as_utc(item.datetime), as_utc(item.datetime)
    common = item.common_metadata
    assert common.start_datetime is not None
    assert common.end_datetime is not None
    return as_utc(common.start_datetime), as_utc(common.end_datetime)


def _wkt(geometry: Mapping[str, Any] | None) -> str | None:
    """WKT of a GeoJSON geometry, with every digit."""
    if geometry is None:
        return None
    return str(shapely.to_wkt(shapely.geometry.shape(geometry), rounding_precision=-1))
