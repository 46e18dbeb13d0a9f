"""L2A products of MACCS, MAJA's forerunner: an Earth Explorer header and a folder of rasters.

`<name>.HDR` lies beside `<name>.DBL.DIR`, which holds the reflectances corrected for slopes
(`*_FRE_R1`, `*_FRE_R2`; Landsat 8: `*_FRE`) with all bands of a resolution in a file, and the
masks CLD, MSK and QLT. Every raster has its own header, which names its bands. Source: MACCS level
2 product format, as in its headers, schema version 1.00.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from sen4cap.domain import ProductType, finest
from sen4cap.domain.found import Found, FoundBand, Scaling
from sen4cap.errors import UnreadableFile
from sen4cap.geo.angles import angles_of
from sen4cap.geo.metadata import instant, number_of, parse, text_of
from sen4cap.sources.footprint import of_grid
from sen4cap.sources.landsat import BANDS as LANDSAT_BANDS
from sen4cap.sources.landsat import scene_grid
from sen4cap.sources.orbits import platform_of, relative_orbit
from sen4cap.sources.rasters import RasterFile, angle_files, inspect

_NAME = re.compile(r"(S2[A-Z]|L8)_[A-Z]{4}_(SSC|L8C)_L2VALD_(\w+?)_+(\d{8})")
_ORBIT = re.compile(r"_R(\d{3})_")
_MASKS = {"CLD": {1: "CLD"}, "MSK": {1: "MSK"}, "QLT": {1: "QLT_SAT", 3: "QLT_OTH"}}
"""Names of the bands that are taken of each mask's file."""


@dataclass(frozen=True)
class Header:
    """Metadata of a product; its rasters not looked at."""

    path: Path
    name: str
    place: str
    """MGRS tile, or Landsat path and row."""
    start: datetime
    """Sensing start, UTC."""
    platform: str
    scale: float
    nodata: float
    properties: dict[str, Any]
    """STAC properties."""
    root: Element

    @property
    def is_landsat(self) -> bool:
        """Whether it is of Landsat."""
        return self.platform.startswith("landsat")


def headers(root: Path) -> Iterator[Path]:
    """Header of every product in or below `root`, sorted."""
    for path in sorted(root.rglob("*_L2VALD_*.HDR")):
        if _NAME.fullmatch(path.stem):
            yield path


def find(path: Path) -> Found:
    """The product of a header.

    Raises
    ------
    UnreadableFile
        If header or rasters are missing or broken.
    """
    header = read(path)
    rasters = list(_rasters(header))
    grid = finest(raster.grid for _, raster in rasters)
    return Found(
        name=header.name,
        type=ProductType.L2A,
        grid=scene_grid(header.place, grid.crs) if header.is_landsat else grid,
        start=header.start,
        end=header.start,
        footprint=of_grid(grid),
        bands=(*_bands(header, rasters), *angle_files(path, angles_of(path, header.root))),
        path=path,
        properties=header.properties,
    )


def read(path: Path) -> Header:
    """Metadata of a header.

    Raises
    ------
    UnreadableFile
        If they are missing or broken.
    """
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise UnreadableFile(f"'{path}' is no header of a MACCS product: give its folder.")
    root = parse(path)
    platform = platform_of(text_of(path, root, "Mission"))
    when = text_of(path, root, "Acquisition_Date_Time").removeprefix("UTC=")
    start = instant(path, when)
    return Header(
        path=path,
        name=path.stem,
        place=match[3],
        start=start,
        platform=platform,
        scale=number_of(path, root, "Reflectance_Quantification_Value"),
        nodata=number_of(path, root, "Nodata_Value"),
        properties=_properties(path, root, platform, start),
        root=root,
    )


def _properties(path: Path, root: Element, platform: str, start: datetime) -> dict[str, Any]:
    angles = angles_of(path, root)
    orbit = _orbit(path, root, platform, start)
    return {
        "platform": platform,
        "constellation": platform.rpartition("-")[0],
        "instruments": ["oli"] if platform.startswith("landsat") else ["msi"],
        **({} if orbit is None else {"sat:relative_orbit": orbit}),
        "eo:cloud_cover": number_of(path, root, "Cloud_Percentage"),
        "eo:snow_cover": number_of(path, root, "Snow_Percentage"),
        "created": text_of(path, root, "Creation_Date").removeprefix("UTC="),
        **(angles.properties if angles else {}),
    }


def _orbit(path: Path, root: Element, platform: str, start: datetime) -> int | None:
    """Relative orbit, by the name of the level 1 product, else by the absolute orbit."""
    if platform.startswith("landsat"):
        return None
    if match := _ORBIT.search(text_of(path, root, "Used_Product_Id")):
        return int(match[1])
    absolute = int(number_of(path, root, "Acquisition_Orbit_Number"))
    return relative_orbit(platform, absolute, start.date())


def _rasters(header: Header) -> Iterator[tuple[dict[int, str], RasterFile]]:
    """Rasters with the names of the bands that are taken of them."""
    folder = header.path.with_suffix(".DBL.DIR")
    found = [path for path in sorted(folder.glob("*.HDR")) if path.stem.endswith(_wanted(folder))]
    if not found:
        raise UnreadableFile(f"'{folder}' holds no reflectances: download the product again.")
    for path in found:
        names = {
            int(item.get("sn", "0")): (item.text or "").strip() for item in parse(path).iter("Band")
        }
        mask = next((codes for key, codes in _MASKS.items() if f"_{key}" in path.stem), None)
        yield mask or names, inspect(_image(path), header.place)


def _wanted(folder: Path) -> tuple[str, ...]:
    """Endings of the rasters that are taken; masks at the finest resolution alone."""
    fine = "_R1" if any(folder.glob("*_R1.*")) else ""
    masks = tuple(f"_{name}{fine}" for name in _MASKS)
    return (*masks, "_FRE_R1", "_FRE_R2") if fine else (*masks, "_FRE")


def _image(header: Path) -> Path:
    for suffix in (".DBL.TIF", ".DBL.tif", ".TIF", ".tif", ".DBL"):
        path = header.with_name(header.stem + suffix)
        if path.exists():
            return path
    raise UnreadableFile(f"'{header}' has no raster beside it: download the product again.")


def _bands(header: Header, rasters: list[tuple[dict[int, str], RasterFile]]) -> list[FoundBand]:
    told = Scaling("the product metadata", header.scale)
    bands = []
    for names, raster in rasters:
        for index, text in names.items():
            name = _name(text, is_landsat=header.is_landsat)
            if name in {code for codes in _MASKS.values() for code in codes.values()}:
                bands.append(raster.band(name, index))
            elif name:
                bands.append(raster.band(name, index, nodata=header.nodata, declared=(told,)))
    return sorted(bands, key=lambda band: band.name)


def _name(text: str, *, is_landsat: bool) -> str:
    """Name used here of a band as the header names it; empty for one that is left out."""
    if not text.startswith("B"):
        return text
    return LANDSAT_BANDS.get(text, "") if is_landsat else f"B{text[1:]:0>2}"
