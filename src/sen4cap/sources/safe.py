"""Sentinel-2 L2A products as ESA delivers them: SAFE folders.

Read from them are the user product metadata (`MTD_MSIL2A.xml`), the metadata of their one tile
(`MTD_TL.xml`) and the bands below `IMG_DATA`, each at its best resolution. Source: Sentinel-2
Products Specification Document, S2-PDGS-TAS-DI-PSD, issue 14.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from sen4cap.domain import MGRS_TILE, Grid, ProductType
from sen4cap.domain.found import Found, FoundBand, Provider, Scaling
from sen4cap.errors import UnreadableFile
from sen4cap.geo.angles import S2_BANDS, Angles, angles_of
from sen4cap.geo.crs import same
from sen4cap.geo.metadata import instant, number_of, parse, text_of
from sen4cap.sources.bands import MASK, REFLECTANCES
from sen4cap.sources.footprint import of_positions
from sen4cap.sources.rasters import angle_files, inspect

L2A = "MTD_MSIL2A.xml"
L1C = "MTD_MSIL1C.xml"
RESOLUTIONS = (10, 20, 60)

_TILE = re.compile(rf"_T({MGRS_TILE})_N(\d{{2}}\.\d{{2}})")
_IMAGE = re.compile(r"_(B\d{2}|B8A|SCL)_(\d{2})m\.(?:jp2|tiff?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Tile:
    """Metadata of one tile of a product."""

    grid: Grid
    """At 10 m, under the name of the tile without its `T`."""
    baseline: str
    """Processing baseline, `05.09`."""
    sensing: datetime
    """When the tile was seen, UTC."""
    cloud_cover: float
    """Percent."""
    metadata: Path
    """`MTD_TL.xml`."""
    angles: Angles | None = None
    """None where the metadata hold none."""


@dataclass(frozen=True)
class Safe:
    """Metadata of a product; its bands not looked at."""

    folder: Path
    name: str
    """`S2A_MSIL2A_…`, without `.SAFE`."""
    start: datetime
    """Sensing start, UTC."""
    baseline: str
    platform: str
    """`sentinel-2a`."""
    relative_orbit: int
    orbit_state: str
    """`ascending` or `descending`."""
    cloud_cover: float
    """Percent."""
    scale: float
    """1 / quantification value."""
    offsets: Mapping[str, float]
    """BOA_ADD_OFFSET / quantification value by band; empty where the metadata have none."""
    footprint: str
    """WKT, EPSG:4326, split at the antimeridian."""
    tile: Tile

    @property
    def properties(self) -> dict[str, Any]:
        """STAC properties."""
        return {
            "platform": self.platform,
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "sat:relative_orbit": self.relative_orbit,
            "sat:orbit_state": self.orbit_state,
            "s2:processing_baseline": self.baseline,
            "eo:cloud_cover": self.cloud_cover,
            "sen4cap:granule_time": self.tile.sensing.isoformat(),
            **(self.tile.angles.properties if self.tile.angles else {}),
        }


def folders(root: Path) -> Iterator[tuple[Path, str]]:
    """Every SAFE folder in or below `root` with its level, `L1C` or `L2A`, sorted."""
    for metadata in sorted(root.rglob("MTD_MSIL??.xml")):
        if metadata.name in {L2A, L1C}:
            yield metadata.parent, metadata.stem[-3:]


def find(folder: Path) -> Found:
    """The product of a SAFE folder.

    Raises
    ------
    UnreadableFile
        If metadata or bands are missing, broken or do not fit each other.
    """
    safe = read(folder)
    bands = [_band(safe, name, path) for name, path in sorted(_images(folder).items())]
    return Found(
        name=safe.name,
        type=ProductType.L2A,
        grid=safe.tile.grid,
        start=safe.start,
        end=safe.start,
        footprint=safe.footprint,
        bands=(*bands, *angle_files(safe.tile.metadata, safe.tile.angles)),
        path=folder,
        provider=Provider.ESA,
        properties=safe.properties,
    )


def _images(folder: Path) -> dict[str, Path]:
    """File of each band at its best resolution."""
    candidates = sorted(
        (int(match[2]), match[1].upper(), path)
        for path in folder.glob("GRANULE/*/IMG_DATA/R*m/*")
        if (match := _IMAGE.search(path.name))
    )
    best: dict[str, Path] = {}
    for _, name, path in candidates:
        if name in REFLECTANCES or name == MASK:
            best.setdefault(name, path)
    if not best:
        raise UnreadableFile(f"'{folder}' holds no band below IMG_DATA: download it again.")
    return best


def _band(safe: Safe, name: str, path: Path) -> FoundBand:
    tile = safe.tile.grid
    raster = inspect(path, tile.name)
    if not same(raster.grid.crs, tile.crs) or raster.grid.bounds != tile.bounds:
        raise UnreadableFile(
            f"'{path}' does not lie where the metadata put tile {tile.name}: "
            "download the product again."
        )
    if name == MASK:
        return raster.band(name)
    told = Scaling("the product metadata", safe.scale, safe.offsets.get(name))
    return raster.band(name, declared=(told,))


def read(folder: Path) -> Safe:
    """Metadata of a SAFE folder; its bands need not be there.

    Raises
    ------
    UnreadableFile
        If it is not exactly one tile, or if metadata are missing or broken.
    """
    tiles = sorted(folder.glob("GRANULE/*/MTD_TL.xml"))
    if len(tiles) != 1:
        raise UnreadableFile(
            f"'{folder}' holds {len(tiles)} tiles and not one: download it again in the format "
            "of one tile per product."
        )
    path = folder / L2A
    root = parse(path)
    quantification = number_of(
        path, root, "BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE"
    )
    return Safe(
        folder=folder,
        name=text_of(path, root, "PRODUCT_URI").removesuffix(".SAFE"),
        start=instant(path, text_of(path, root, "PRODUCT_START_TIME")),
        baseline=text_of(path, root, "PROCESSING_BASELINE"),
        platform=text_of(path, root, "SPACECRAFT_NAME").lower(),
        relative_orbit=int(number_of(path, root, "SENSING_ORBIT_NUMBER")),
        orbit_state=text_of(path, root, "SENSING_ORBIT_DIRECTION").lower(),
        cloud_cover=number_of(path, root, "Cloud_Coverage_Assessment"),
        scale=1 / quantification,
        offsets=_offsets(root, quantification),
        footprint=_footprint(path, root),
        tile=read_tile(tiles[0]),
    )


def _footprint(path: Path, root: Element) -> str:
    text = text_of(path, root, "EXT_POS_LIST")
    try:
        return of_positions(map(float, text.split()))
    except ValueError as error:
        raise UnreadableFile(
            f"'{path}' has no polygon as EXT_POS_LIST: download the product again."
        ) from error


def _offsets(root: Element, quantification: float) -> dict[str, float]:
    return {
        S2_BANDS[int(item.attrib["band_id"])]: float(item.text or 0) / quantification
        for item in root.iter("BOA_ADD_OFFSET")
    }


def read_tile(path: Path) -> Tile:
    """Metadata of a tile from its `MTD_TL.xml`.

    Raises
    ------
    UnreadableFile
        If they are missing or broken.
    """
    root = parse(path)
    match = _TILE.search(text_of(path, root, "TILE_ID"))
    if match is None:
        raise UnreadableFile(f"'{path}' names no tile: download the product again.")
    return Tile(
        grid=_grid(path, root, match[1]),
        baseline=match[2],
        sensing=instant(path, text_of(path, root, "SENSING_TIME")),
        cloud_cover=number_of(path, root, "CLOUDY_PIXEL_PERCENTAGE"),
        metadata=path,
        angles=angles_of(path, root),
    )


def _grid(path: Path, root: Element, name: str) -> Grid:
    size = root.find(".//Size[@resolution='10']")
    place = root.find(".//Geoposition[@resolution='10']")
    if size is None or place is None:
        raise UnreadableFile(f"'{path}' has no 10 m grid: download the product again.")
    left, top, dx, dy = (number_of(path, place, tag) for tag in ("ULX", "ULY", "XDIM", "YDIM"))
    return Grid(
        name=name,
        crs=text_of(path, root, "HORIZONTAL_CS_CODE").upper(),
        transform=(dx, 0.0, left, 0.0, dy, top),
        width=int(number_of(path, size, "NCOLS")),
        height=int(number_of(path, size, "NROWS")),
    )
