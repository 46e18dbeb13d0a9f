"""Folders of STAC Items whose assets are rasters on this machine.

Understood are Items of STAC 0.9 to 1.1 with the extensions eo, raster, proj, sat, grid, mgrs and
the `s2:` and `earthsearch:` fields of the large public catalogues. No link is followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pystac

from sen4cap.domain import MGRS_TILE, Grid, as_utc, finest, short_name
from sen4cap.domain.found import Found, FoundBand, Provider, Scaling
from sen4cap.errors import EmptyLayer, InputRefused, UnreadableDate, UnreadableFile
from sen4cap.geo.angles import read_angles
from sen4cap.sources.bands import MASKS, band_name, type_of
from sen4cap.sources.candidate import Candidate
from sen4cap.sources.documents import documents, is_ours, is_radar, local_path, location
from sen4cap.sources.footprint import of_geometry, of_grid
from sen4cap.sources.landsat import FILL, SCALING, scene_grid
from sen4cap.sources.rasters import RasterFile, angle_files, inspect

KEPT_PROPERTIES = (
    "platform",
    "constellation",
    "instruments",
    "eo:cloud_cover",
    "eo:snow_cover",
    "sat:relative_orbit",
    "sat:orbit_state",
    "s2:processing_baseline",
    "earthsearch:boa_offset_applied",
    "landsat:wrs_path",
    "landsat:wrs_row",
    "view:sun_azimuth",
    "view:sun_elevation",
    "view:incidence_angle",
    "view:azimuth",
    "view:off_nadir",
    "created",
)
LANDSAT_KEYS = {
    "coastal": "B01",
    "blue": "B02",
    "green": "B03",
    "red": "B04",
    "nir08": "B08",
    "swir16": "B11",
    "swir22": "B12",
    "qa_pixel": "QA_PIXEL",
    "qa_radsat": "QA_RADSAT",
}
"""Bands of Landsat by asset keys, the same in all catalogues."""
ANGLE_KEYS = ("granule_metadata", "granule-metadata")
"""Assets that hold a tile's `MTD_TL.xml`."""

_PICTURES = frozenset({"visual", "overview", "thumbnail", "preview", "tci"})
_TILE = re.compile(rf"(?:^|[_-])T?({MGRS_TILE})(?:[_-]|$)")
_HOSTS = {
    "planetarycomputer": Provider.PLANETARY_COMPUTER,
    "sentinel2l2a01.blob": Provider.PLANETARY_COMPUTER,
    "dataspace.copernicus": Provider.CDSE,
    "s3://eodata": Provider.CDSE,
    "earth-search": Provider.EARTH_SEARCH,
    "sentinel-cogs": Provider.EARTH_SEARCH,
    "openeo": Provider.HARMONIZED,
    "sentinel-hub.com/api": Provider.HARMONIZED,
}


@dataclass(frozen=True)
class _Entry:
    """One band of one asset, as the item describes it."""

    name: str
    path: Path | str
    """Or its URL."""
    index: int
    nodata: float | None
    declared: Scaling


def candidates(folder: Path) -> Iterator[Candidate]:
    """One candidate per optical STAC Item in or below a folder, sorted by path."""
    for path, document in documents(folder):
        if not is_radar(document) and not is_ours(document):
            yield Candidate(path, partial(find, path, document))


def find(path: Path, document: Mapping[str, Any]) -> Found:
    """The product of a STAC Item, given as its file and content.

    Raises
    ------
    UnreadableFile
        If it is no valid item, or a raster of it cannot be read.
    UnreadableDate
        If it has no date.
    EmptyLayer
        If no asset is a band that is known and on this machine.
    """
    item = _item(path, document)
    bands, rasters = _bands(path, item)
    start = _start(path, item)
    own = finest(raster.grid for raster in rasters)
    geometry = item.geometry
    return Found(
        name=item.id,
        type=type_of(band.name for band in bands),
        grid=_grid(item, own),
        start=start,
        end=start,
        footprint=of_geometry(geometry) if geometry else of_grid(own),
        bands=(*bands, *_angles(path, item)),
        path=path,
        provider=provider_of(item),
        properties={key: item.properties[key] for key in KEPT_PROPERTIES if key in item.properties},
    )


def _is_landsat(item: pystac.Item) -> bool:
    return "landsat:wrs_path" in item.properties


def _grid(item: pystac.Item, own: Grid) -> Grid:
    """The grid of the product: of Landsat's scenes, which shift, that of their path and row."""
    if not _is_landsat(item):
        return own
    path, row = (int(item.properties[f"landsat:wrs_{name}"]) for name in ("path", "row"))
    return scene_grid(f"{path:03d}{row:03d}", own.crs)


def _angles(path: Path, item: pystac.Item) -> tuple[FoundBand, ...]:
    """The tile's metadata, where they were fetched too."""
    hrefs = (item.assets[key].href for key in ANGLE_KEYS if key in item.assets)
    for file in (local_path(path, href) for href in hrefs):
        if file is not None and file.is_file():
            return angle_files(file, read_angles(file))
    return ()


def _item(path: Path, document: Mapping[str, Any]) -> pystac.Item:
    try:
        return pystac.Item.from_dict(dict(document), preserve_dict=True)
    except (pystac.STACError, AttributeError, KeyError, TypeError, ValueError) as error:
        if text := _bad_date(document):
            raise UnreadableDate(
                f"'{path}' gives '{text}' as a date: write it as 2018-07-17T10:53:28Z."
            ) from error
        raise UnreadableFile(
            f"'{path}' is no valid STAC Item ({error}): write or fetch it again."
        ) from error


def _bad_date(document: Mapping[str, Any]) -> str | None:
    """The first date of an item that is none."""
    properties = document.get("properties") or {}
    dates = (properties.get(key) for key in ("datetime", "start_datetime", "end_datetime"))
    return next((text for text in dates if isinstance(text, str) and not _is_instant(text)), None)


def _is_instant(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _start(path: Path, item: pystac.Item) -> datetime:
    instant = item.datetime or item.common_metadata.start_datetime
    if instant is None:
        raise UnreadableDate(f"'{path}' has no datetime: write it as 2018-07-17T10:53:28Z.")
    return as_utc(instant)


def tile_of(item: pystac.Item) -> str | None:
    """Name of the MGRS tile of an item, without `T`; None where nothing tells it."""
    found = item.properties
    if code := found.get("grid:code"):
        return str(code).removeprefix("MGRS-")
    if tile := found.get("s2:mgrs_tile"):
        return str(tile).removeprefix("T")
    for prefix in ("mgrs", "sentinel"):
        keys = (f"{prefix}:utm_zone", f"{prefix}:latitude_band", f"{prefix}:grid_square")
        if all(key in found for key in keys):
            zone, band, square = (found[key] for key in keys)
            return f"{int(zone):02d}{band}{square}"
    match = _TILE.search(item.id)
    return match[1] if match else None


def provider_of(item: pystac.Item) -> Provider:
    """Who made an item, told by its own fields, links and hrefs."""
    if any(key.startswith("earthsearch:") for key in item.properties):
        return Provider.EARTH_SEARCH
    links = (str(link.target) for link in item.links if isinstance(link.target, str))
    for text in chain(links, (asset.href for asset in item.assets.values())):
        for host, provider in _HOSTS.items():
            if host in text:
                return provider
    return Provider.UNKNOWN


def _bands(path: Path, item: pystac.Item) -> tuple[tuple[FoundBand, ...], tuple[RasterFile, ...]]:
    """Bands sorted by name, each from its finest raster, and the rasters they are in."""
    entries = [entry for key in sorted(item.assets) for entry in _entries(path, item, key)]
    if not entries:
        raise EmptyLayer(
            f"'{path}' has no asset that is a known band and lies on this machine: "
            "fetch its rasters first."
        )
    name = tile_of(item) or short_name(path.parent.resolve().name) or "stac"
    rasters = {file: inspect(file, name) for file in {entry.path: None for entry in entries}}
    if len({raster.grid.crs for raster in rasters.values()}) > 1:
        raise InputRefused(
            f"The assets of '{path}' lie in several coordinate reference systems: "
            "warp them to one first."
        )
    best: dict[str, _Entry] = {}
    for entry in sorted(entries, key=lambda entry: (rasters[entry.path].grid.pixel, entry.index)):
        best.setdefault(entry.name, entry)
    bands = tuple(_band(best[name], rasters[best[name].path]) for name in sorted(best))
    used = {entry.path for entry in best.values()}
    return bands, tuple(raster for file, raster in rasters.items() if file in used)


def _band(entry: _Entry, raster: RasterFile) -> FoundBand:
    if entry.index > raster.count:
        raise InputRefused(
            f"'{raster.path}' has {raster.count} bands, and its item describes band "
            f"{entry.index}: correct the item."
        )
    return raster.band(entry.name, entry.index, nodata=entry.nodata, declared=(entry.declared,))


def _entries(path: Path, item: pystac.Item, key: str) -> Iterator[_Entry]:
    asset = item.assets[key]
    file = location(path, {"properties": item.properties}, asset.href)
    if file is None or not _is_data(key, asset):
        return
    fields = asset.extra_fields
    described: Sequence[Mapping[str, Any]] = fields.get("eo:bands") or fields.get("bands") or ({},)
    rasters: Sequence[Mapping[str, Any]] = fields.get("raster:bands") or ()
    for position, band in enumerate(described):
        name = _name(key if len(described) == 1 else "", band)
        if _is_landsat(item):
            name = LANDSAT_KEYS.get(key)
        raster = rasters[position] if position < len(rasters) else {}
        if name is not None:
            told = {**_plain(fields), **_plain(band), **_plain(raster)}
            if _is_landsat(item) and name not in MASKS:
                yield _Entry(name, file, position + 1, told.get("nodata", FILL), _landsat(told))
                continue
            yield _Entry(name, file, position + 1, told.get("nodata"), _scaling(told))


def _is_data(key: str, asset: pystac.Asset) -> bool:
    if key.lower().split("_")[0].split("-")[0] in _PICTURES:
        return False
    if asset.media_type and not asset.media_type.startswith("image/"):
        return False
    return not _PICTURES & set(asset.roles or ())


def _name(key: str, band: Mapping[str, Any]) -> str | None:
    """Band by its own name, by the asset's key, by its common name: the first that is known."""
    common = band.get("eo:common_name") or band.get("common_name") or ""
    for text in (str(band.get("name") or ""), key, str(common)):
        if name := band_name(text):
            return name
    return None


def _plain(fields: Mapping[str, Any]) -> dict[str, float]:
    """`scale`, `offset` and `nodata` as numbers, with or without the prefix `raster:`."""
    plain: dict[str, float] = {}
    for name in ("scale", "offset", "nodata"):
        value = fields.get(f"raster:{name}", fields.get(name))
        if value is not None:
            plain[name] = _number(name, value)
    return plain


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise InputRefused(f"A STAC Item gives '{value}' as {name}: write a number.") from error


def _landsat(told: Mapping[str, float]) -> Scaling:
    """What an item says of Landsat's reflectance, else what the product guide says."""
    return _scaling(told) if "scale" in told else Scaling("the product guide", *SCALING)


def _scaling(told: Mapping[str, float]) -> Scaling:
    return Scaling("the asset metadata", told.get("scale"), told.get("offset"))
