"""From what a source found to a product whose numbers have one meaning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sen4cap.acquisition.radiometry import (
    DarkPixels,
    Evidence,
    Radiometry,
    as_declared,
    decide,
)
from sen4cap.domain import Asset, Product, ProductType, Role, revision_of
from sen4cap.domain.found import Found, FoundBand
from sen4cap.errors import RadiometryRefused

VERSION = "1"
"""Changes whenever the same files would give another product."""

_REFLECTANCE = re.compile(r"B(\d{2}|8A)")


def radiometry_of(
    found: Found,
    dark: DarkPixels | None,
    *,
    scale: float | None = None,
    offset: float | None = None,
) -> dict[str, Radiometry]:
    """Meaning of the numbers of each data band, by its name.

    `dark` is what `pixels.dark_pixels` saw; `scale` and `offset` are the user's word, in
    physical units, and end every doubt.

    Raises
    ------
    RadiometryRefused
        Naming the product, if its evidence contradicts itself or tells nothing.
    """
    try:
        return {
            band.name: _of_band(found, band, dark, scale, offset)
            for band in found.bands
            if band.role is Role.DATA
        }
    except RadiometryRefused as error:
        raise RadiometryRefused(f"'{found.path}' is refused. {error}") from error


def _of_band(
    found: Found,
    band: FoundBand,
    dark: DarkPixels | None,
    scale: float | None,
    offset: float | None,
) -> Radiometry:
    if found.type is not ProductType.L2A or not _REFLECTANCE.fullmatch(band.name):
        counts = found.type is ProductType.L3B and "int" in band.data_type
        return as_declared(band.declared, needs_scale=counts, scale=scale, offset=offset)
    applied = found.properties.get("earthsearch:boa_offset_applied")
    baseline = found.properties.get("s2:processing_baseline")
    return decide(
        Evidence(
            baseline=None if baseline is None else str(baseline),
            provider=found.provider,
            declared=band.declared,
            offset_applied=None if applied is None else bool(applied),
            dark=dark,
            is_integer="int" in band.data_type,
            scale=scale,
            offset=offset,
        )
    )


def to_product(found: Found, site: str, decided: Mapping[str, Radiometry]) -> Product:
    """The product of a site (its short name) from a found one and its radiometry.

    The revision is the hash of the site, the files' contents and all that is decided about them;
    it does not depend on where the files lie. The name ends in its first 8 digits, so that
    the same files taken in otherwise, or for another site, are another product. What was
    decided stands in the property `sen4cap:radiometry`, by band where bands differ.
    """
    assets = tuple(_asset(band, decided.get(band.name)) for band in found.bands)
    contents = [
        (asset.name, asset.index, asset.scale, asset.offset, asset.nodata, band.fingerprint)
        for asset, band in zip(assets, found.bands, strict=True)
    ]
    revision = revision_of("ingest", VERSION, site, found.name, found.grid.key, contents)
    return Product(
        name=f"{found.name}_r{revision[:8]}",
        site=site,
        type=found.type,
        grid=found.grid.name,
        start=found.start,
        end=found.end,
        revision=revision,
        assets=assets,
        footprint=found.footprint,
        properties={**found.properties, **_projection(found), **_record(found, decided)},
    )


def _asset(band: FoundBand, decided: Radiometry | None) -> Asset:
    return Asset(
        name=band.name,
        href=band.href,
        role=band.role,
        media_type=band.media_type,
        index=band.index,
        scale=decided.scale if decided else 1.0,
        offset=decided.offset if decided else 0.0,
        nodata=band.nodata,
    )


def _projection(found: Found) -> dict[str, Any]:
    """STAC projection fields of the finest grid."""
    grid = found.grid
    is_code = grid.crs.startswith("EPSG:")
    return {
        "proj:code" if is_code else "proj:wkt2": grid.crs,
        "proj:shape": [grid.height, grid.width],
        "proj:transform": list(grid.transform),
    }


def _record(found: Found, decided: Mapping[str, Radiometry]) -> dict[str, Any]:
    """What was decided, once for all bands where they agree."""
    records = {
        name: {
            "scale": item.scale,
            "offset": item.offset,
            "decision": item.decision.value,
            "because": list(item.because),
        }
        for name, item in sorted(decided.items())
    }
    values = list(records.values())
    same = bool(values) and all(value == values[0] for value in values)
    return {
        "sen4cap:provider": found.provider.value,
        "sen4cap:radiometry": values[0] if same else records,
    }
