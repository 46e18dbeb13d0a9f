"""L2A products of MAJA in the MUSCATE format, as Theia and MAJA itself deliver them.

A folder holds the metadata (`*_MTD_ALL.xml`), a raster per band of surface reflectance, and below
`MASKS` the masks. Reflectances corrected for slopes (FRE) are taken where they are there, else
the others (SRE). Source: MUSCATE product format, as in its metadata, version 1.16.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from sen4cap.domain import ProductType, finest
from sen4cap.domain.found import Found, FoundBand, Scaling
from sen4cap.errors import UnreadableFile
from sen4cap.geo.angles import Angles, angles_of
from sen4cap.geo.metadata import instant, number_of, parse, text_of
from sen4cap.sources.bands import band_name
from sen4cap.sources.footprint import of_positions
from sen4cap.sources.orbits import platform_of, relative_orbit
from sen4cap.sources.rasters import RasterFile, angle_files, inspect

CORNERS = ("upperLeft", "upperRight", "lowerRight", "lowerLeft", "upperLeft")
MASKS = {"MG2": ("MG2_R1", "MG2_R2"), "EDG": ("EDG_R1", "EDG_R2"), "SAT": ("SAT_R1",)}
"""Files of each mask, the finer first; saturation of the bands at 20 m stands by itself."""
SAT_R2 = "SAT_R2"


def folders(root: Path) -> Iterator[Path]:
    """Metadata file of every product in or below `root`, sorted."""
    yield from sorted(root.rglob("*_L2A_*_MTD_ALL.xml"))


def find(metadata: Path) -> Found:
    """The product of a metadata file.

    Raises
    ------
    UnreadableFile
        If metadata, bands or masks are missing or broken.
    """
    root = parse(metadata)
    angles = angles_of(metadata, root)
    tile = text_of(metadata, root, "GEOGRAPHICAL_ZONE").removeprefix("T")
    rasters = _rasters(metadata, root, tile)
    start = start_of(metadata, root)
    return Found(
        name=text_of(metadata, root, "PRODUCT_ID"),
        type=ProductType.L2A,
        grid=finest(raster.grid for _, raster in rasters),
        start=start,
        end=start,
        footprint=footprint_of(root),
        bands=(*_bands(metadata, root, rasters), *angle_files(metadata, angles)),
        path=metadata.parent,
        properties=properties_of(metadata, root, angles),
    )


def start_of(metadata: Path, root: Element) -> datetime:
    """When the tile was seen, UTC."""
    return instant(metadata, text_of(metadata, root, "ACQUISITION_DATE"))


def properties_of(metadata: Path, root: Element, angles: Angles | None) -> dict[str, Any]:
    """STAC properties of the metadata."""
    platform = platform_of(text_of(metadata, root, "PLATFORM"))
    absolute = int(number_of(metadata, root, "ORBIT_NUMBER"))
    orbit = relative_orbit(platform, absolute, start_of(metadata, root).date())
    cloud = root.find(".//QUALITY_INDEX[@name='CloudPercent']")
    return {
        "platform": platform,
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        **({} if orbit is None else {"sat:relative_orbit": orbit}),
        **({} if cloud is None else {"eo:cloud_cover": float(cloud.text or "nan")}),
        "created": text_of(metadata, root, "PRODUCTION_DATE"),
        "processing:software": {"MAJA": text_of(metadata, root, "PRODUCT_VERSION")},
        **(angles.properties if angles else {}),
    }


def footprint_of(root: Element) -> str:
    """WKT, EPSG:4326, of the tile's corners."""
    points = {item.get("name"): item for item in root.iter("Point")}
    pairs = [(points[name].findtext("LAT"), points[name].findtext("LON")) for name in CORNERS]
    return of_positions(float(text or "nan") for pair in pairs for text in pair)


def _rasters(metadata: Path, root: Element, tile: str) -> list[tuple[str, RasterFile]]:
    """Bands and masks by the name they get, finest of each."""
    stem = metadata.name.removesuffix("_MTD_ALL.xml")
    bands = [text.text or "" for text in root.iterfind(".//Band_Global_List/BAND_ID")]
    kind = "FRE" if any(metadata.parent.glob(f"{stem}_FRE_*")) else "SRE"
    paths = {name: _file(metadata.parent, f"{stem}_{kind}_{name}") for name in bands}
    masks = metadata.parent / "MASKS"
    for name, codes in MASKS.items():
        paths[name] = _file(masks, *(f"{stem}_{code}" for code in codes))
    paths[SAT_R2] = _file(masks, f"{stem}_{SAT_R2}")
    return sorted((band_name(name) or name, inspect(path, tile)) for name, path in paths.items())


def _file(folder: Path, *stems: str) -> Path:
    for stem in stems:
        for path in sorted(folder.glob(f"{stem}.*")):
            if re.fullmatch(r"\.tiff?", path.suffix, re.IGNORECASE):
                return path
    raise UnreadableFile(f"'{folder}' has no '{stems[0]}.tif': download the product again.")


def _bands(
    metadata: Path, root: Element, rasters: list[tuple[str, RasterFile]]
) -> Iterator[FoundBand]:
    scale = 1 / number_of(metadata, root, "REFLECTANCE_QUANTIFICATION_VALUE")
    special = root.find(".//SPECIAL_VALUE[@name='nodata']")
    nodata = None if special is None else float(special.text or "nan")
    told = Scaling("the product metadata", scale)
    for name, raster in rasters:
        if name in MASKS or name == SAT_R2:
            yield raster.band(name)
        else:
            yield raster.band(name, nodata=nodata, declared=(told,))
