"""Landsat 8 and 9 surface reflectance, Collection 2 level 2, as USGS delivers it.

A folder holds a raster per band (`*_SR_B4.TIF`), the masks QA_PIXEL and QA_RADSAT and the metadata
(`*_MTL.txt` or `*_MTL.json`). Bands go under the names of Sentinel-2's bands of the same colour.
Reflectance is DN × 0.0000275 − 0.2, as the metadata say. Source: Landsat 8-9 Collection 2 Level 2
Science Product Guide (LSDS-1619).

Scenes of one path and row shift by some kilometres from date to date. All are of one grid, around
the nominal centre of the scene, on the lattice of Landsat's pixels.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sen4cap.domain import Grid, ProductType, Sensor
from sen4cap.domain.found import Found, FoundBand, Scaling
from sen4cap.errors import UnreadableFile
from sen4cap.geo.crs import transformer
from sen4cap.geo.metadata import instant
from sen4cap.sources.footprint import of_positions
from sen4cap.sources.orbits import platform_of
from sen4cap.sources.rasters import RasterFile, inspect

BANDS = {"B1": "B01", "B2": "B02", "B3": "B03", "B4": "B04", "B5": "B08", "B6": "B11", "B7": "B12"}
"""Coastal, blue, green, red, near and short-wave infrared 1 and 2."""
MASKS = ("QA_PIXEL", "QA_RADSAT")
FILL = 0.0
SCALING = (0.0000275, -0.2)
"""Scale and offset of surface reflectance in Collection 2."""

PIXEL, SIDE = 30, 9_000
"""Metres; pixels of a scene's grid."""
INCLINATION = 98.2096
ROWS, PATHS, CYCLE_DAYS = 248, 233, 16
FIRST_PATH = -64.6
"""Longitude at which path 1 crosses the equator southwards, at row 60."""
EQUATOR_ROW = 60
ECCENTRICITY = 0.0818191908
"""Of the ellipsoid WGS 84."""

_ID = re.compile(r"L[COT]0[89]_L2SP_\d{6}_\d{8}_\d{8}_02_(?:T1|T2|RT)")
_CORNERS = ("UL", "UR", "LR", "LL", "UL")


def metadata_files(root: Path) -> Iterator[Path]:
    """Metadata of every product in or below `root`, one file each, sorted."""
    found: dict[str, Path] = {}
    for suffix in (".txt", ".json"):
        for path in sorted(root.rglob(f"L*_MTL{suffix}")):
            if _ID.fullmatch(path.stem.removesuffix("_MTL")):
                found.setdefault(path.stem, path)
    yield from sorted(found.values())


def find(path: Path) -> Found:
    """The product of a metadata file.

    Raises
    ------
    UnreadableFile
        If metadata or bands are missing or broken.
    """
    told = read(path)
    place = f"{int(told['WRS_PATH']):03d}{int(told['WRS_ROW']):03d}"
    rasters = dict(_rasters(path, place))
    start = start_of(path, told)
    return Found(
        name=told["LANDSAT_PRODUCT_ID"],
        type=ProductType.L2A,
        grid=scene_grid(place, next(iter(rasters.values())).grid.crs),
        start=start,
        end=start,
        footprint=_footprint(told),
        bands=tuple(_band(told, name, raster) for name, raster in sorted(rasters.items())),
        path=path.parent,
        properties=properties_of(told),
    )


def read(path: Path) -> Mapping[str, str]:
    """All that a metadata file tells, by key; where a key repeats, what stands first.

    Raises
    ------
    UnreadableFile
        If it is broken, or no metadata of level 2.
    """
    try:
        text = path.read_text("utf-8")
        told = _flat(json.loads(text)) if path.suffix == ".json" else _lines(text)
    except (OSError, ValueError) as error:
        raise UnreadableFile(
            f"'{path}' is not a readable metadata file ({error}): download the product again."
        ) from error
    needed = {"LANDSAT_PRODUCT_ID", "WRS_PATH", "WRS_ROW", "DATE_ACQUIRED", "SCENE_CENTER_TIME"}
    if missing := sorted(needed - set(told)):
        raise UnreadableFile(f"'{path}' has no {missing[0]}: download the product again.")
    return told


def _flat(group: Mapping[str, Any]) -> dict[str, str]:
    told: dict[str, str] = {}
    for key, value in group.items():
        for inner, text in (_flat(value) if isinstance(value, dict) else {key: value}).items():
            told.setdefault(inner, str(text))
    return told


def _lines(text: str) -> dict[str, str]:
    told: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip() not in {"GROUP", "END_GROUP"}:
            told.setdefault(key.strip(), value.strip().strip('"'))
    return told


def start_of(path: Path, told: Mapping[str, str]) -> datetime:
    """When the centre of the scene was seen, UTC."""
    time = told["SCENE_CENTER_TIME"].strip('"').rstrip("Z")
    return instant(path, f"{told['DATE_ACQUIRED']}T{time[:15]}Z")


def properties_of(told: Mapping[str, str]) -> dict[str, Any]:
    """STAC properties of the metadata."""
    platform = platform_of(told["SPACECRAFT_ID"])
    return {
        "platform": platform,
        "constellation": "landsat",
        "instruments": told.get("SENSOR_ID", "OLI_TIRS").lower().split("_"),
        "landsat:wrs_path": f"{int(told['WRS_PATH']):03d}",
        "landsat:wrs_row": f"{int(told['WRS_ROW']):03d}",
        "landsat:collection_category": told.get("COLLECTION_CATEGORY", ""),
        "eo:cloud_cover": float(told.get("CLOUD_COVER", "nan")),
        "view:sun_azimuth": float(told["SUN_AZIMUTH"]) % 360.0,
        "view:sun_elevation": float(told["SUN_ELEVATION"]),
        "view:off_nadir": abs(float(told.get("ROLL_ANGLE", "0"))),
        "created": told.get("DATE_PRODUCT_GENERATED", ""),
    }


def _footprint(told: Mapping[str, str]) -> str:
    return of_positions(
        float(told[f"CORNER_{corner}_{axis}_PRODUCT"])
        for corner in _CORNERS
        for axis in ("LAT", "LON")
    )


def _rasters(path: Path, place: str) -> Iterator[tuple[str, RasterFile]]:
    stem = path.stem.removesuffix("_MTL")
    bands = {f"SR_{band}": name for band, name in BANDS.items()}
    names = {**bands, **{name: name for name in MASKS}}
    for part, name in names.items():
        file = path.with_name(f"{stem}_{part}.TIF")
        if not file.exists():
            raise UnreadableFile(f"'{file}' is not there: download the product again.")
        yield name, inspect(file, place)


def _band(told: Mapping[str, str], name: str, raster: RasterFile) -> FoundBand:
    if name in MASKS:
        return raster.band(name)
    number = next(band for band, known in BANDS.items() if known == name)[1:]
    scaling = Scaling(
        "the product metadata",
        float(told[f"REFLECTANCE_MULT_BAND_{number}"]),
        float(told[f"REFLECTANCE_ADD_BAND_{number}"]),
    )
    return raster.band(name, nodata=FILL, declared=(scaling,))


def scene_grid(place: str, crs: str) -> Grid:
    """The grid of all scenes of a path and row, `198024`, in the zone of its products.

    270 km a side around the nominal centre; pixel centres lie on multiples of 30 m, as Landsat's.
    """
    latitude, longitude = scene_centre(int(place[:3]), int(place[3:]))
    x, y = transformer("EPSG:4326", crs).transform(longitude, latitude)
    half = SIDE // 2 * PIXEL
    left, top = (_lattice(x) - half, _lattice(y) + half)
    transform = (float(PIXEL), 0.0, left, 0.0, -float(PIXEL), top)
    return Grid(place, crs, transform, SIDE, SIDE, Sensor.L8)


def _lattice(value: float) -> float:
    """The next edge of a pixel."""
    return round((value - PIXEL / 2) / PIXEL) * PIXEL + PIXEL / 2


def scene_centre(path: int, row: int) -> tuple[float, float]:
    """Latitude and longitude, degrees, of the nominal centre of a scene of WRS-2.

    The track of a circular orbit over the turning Earth; latitudes are geodetic.
    """
    along = 2 * math.pi * (row - EQUATOR_ROW) / ROWS
    inclination = math.radians(INCLINATION)
    geocentric = math.asin(-math.sin(along) * math.sin(inclination))
    latitude = math.atan(math.tan(geocentric) / (1 - ECCENTRICITY**2))
    drift = math.atan2(math.cos(inclination) * math.sin(along), math.cos(along))
    turned = along * CYCLE_DAYS / PATHS
    node = FIRST_PATH - 360 / PATHS * (path - 1)
    longitude = node + math.degrees(drift - turned)
    return math.degrees(latitude), (longitude + 180) % 360 - 180
