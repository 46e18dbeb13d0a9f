"""Sentinel-2 scenes of a landscape, as STAC Items with COG assets.

Reflectance is stored as in processing baselines from 04.00 on: DN = 10 000 · reflectance + 1 000,
0 is no data (Sentinel-2 Products Specification Document, issue 14.9, §A.1.3.1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import rasterize
from rasterio.transform import Affine
from rasterio.windows import Window
from scipy import ndimage

from sen4cap.domain import Grid
from sen4cap.geo.crs import reproject
from sen4cap.geo.raster import write_cog
from sen4cap.processing import write_whole
from sen4cap.simulate.landscape import Landscape
from sen4cap.simulate.phenology import (
    BANDS,
    BLOOM,
    CANOPY,
    SOIL,
    WATER,
    Floats,
    canopy_share,
)
from sen4cap.simulate.weather import (
    CLOUD,
    CLOUD_INFRARED,
    SHADE,
    Image,
    Pass,
    classify,
    clouds,
)

BASELINE = "05.10"
SCALE, OFFSET = 0.0001, -0.1
COARSE = 20
"""Pixel of B11 and the scene classification, metres."""
NOISE = 0.003
"""Standard deviation of a pixel's reflectance."""
HAZE = 0.02
"""Standard deviation of the gain of a whole date."""
PATCHES = 0.035
"""Standard deviation of NDVI between good and poor soil under a closed canopy."""
BLUR = 0.6
"""Standard deviation of the point spread, pixels."""

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Ground:
    """What does not change over the season; images of shape (row, column)."""

    labels: Labels
    """Index of the field; one more than the last for verges, two more for the river."""
    texture: Image
    """Good and poor soil, mean 0, standard deviation 1."""
    brightness: Floats
    """Factor on the soil's reflectance, shape (label,)."""


def burn(ground: Landscape, grid: Grid) -> Labels:
    """Index of the field whose inside holds the pixel centre, shape (row, column)."""
    count = ground.fields.size
    shapes = [(ground.river, count + 1), *zip(ground.fields, range(count), strict=True)]
    burnt = rasterize(
        shapes,
        out_shape=(grid.height, grid.width),
        transform=Affine(*grid.transform),
        fill=count,
        dtype="int32",
    )
    return np.asarray(burnt)


@dataclass(frozen=True)
class Scene:
    """One acquisition before it is stored; images of shape (row, column)."""

    reflectance: Mapping[str, Image]
    """Per band, at the resolution of the band."""
    classes: npt.NDArray[np.uint8]
    """Scene classification at 20 m."""


def scene(
    ground: Ground, ndvi: Floats, flowering: Floats, cover: float, rng: np.random.Generator
) -> Scene:
    """A scene from NDVI and bloom (0-1) per label, under clouds over a share of the sky."""
    labels = ground.labels
    opacity, shadow = clouds(cover, labels.shape[0], rng)
    green = ndvi.astype(np.float32)[labels]
    green += PATCHES * ground.texture * np.clip((green - 0.2) / 0.6, 0.0, 1.0)
    share = canopy_share(green)
    soil = ground.brightness.astype(np.float32)[labels]
    water = (labels == ndvi.size - 1).astype(np.float32)
    bands = {}
    for index, band in enumerate(BANDS):
        clear = share * CANOPY[index] + (1.0 - share) * soil * SOIL[index]
        clear += flowering.astype(np.float32)[labels] * BLOOM[index]
        clear += water * (WATER[index] - clear)
        bands[band] = _seen(clear, band, opacity, shadow, rng)
    bands["B11"] = halve(bands["B11"])
    seen = (halve(image) for image in (green * (1.0 - water), water, opacity, shadow))
    return Scene(bands, classify(*seen))


def _seen(
    clear: Image, band: str, opacity: Image, shadow: Image, rng: np.random.Generator
) -> Image:
    """A band through the atmosphere: blurred, shaded, clouded, and with noise."""
    cloud = CLOUD_INFRARED if band == "B11" else CLOUD
    lit = ndimage.gaussian_filter(clear, BLUR) * (1.0 - SHADE * shadow)
    lit = lit * rng.normal(1.0, HAZE) * (1.0 - opacity) + cloud * opacity
    return np.asarray(lit + NOISE * rng.standard_normal(clear.shape, dtype=np.float32))


def halve(image: Image) -> Image:
    """Means of blocks of two by two pixels; the shape must be even."""
    rows, columns = image.shape
    blocks = image.reshape(rows // 2, 2, columns // 2, 2)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))


def digital_numbers(reflectance: Image) -> npt.NDArray[np.uint16]:
    """Stored values: 10 000 · reflectance + 1 000, at least 1, for 0 is no data."""
    stored = np.rint((reflectance - OFFSET) / SCALE)
    return np.asarray(np.clip(stored, 1, 65535), dtype=np.uint16)


def write_scene(folder: Path, made: Scene, seen: Pass, grid: Grid) -> Path:
    """Write the assets and then the Item of a scene; returns the path of the Item."""
    name = item_name(seen, grid)
    home = folder / name
    coarse = grid.at(COARSE)
    for band, image in made.reflectance.items():
        _write(home / f"{band}.tif", digital_numbers(image), _grid_of(band, grid))
    _write(home / "SCL.tif", made.classes, coarse)
    path = home / f"{name}.json"
    with write_whole(path) as temporary:
        temporary.write_text(json.dumps(stac_item(name, made, seen, grid), indent=2) + "\n")
    return path


def _grid_of(band: str, grid: Grid) -> Grid:
    return grid.at(COARSE) if band in {"B11", "SCL"} else grid


def _write(path: Path, image: npt.NDArray[Any], grid: Grid) -> None:
    block = (Window(0, 0, grid.width, grid.height), image)
    resampling = "nearest" if path.stem == "SCL" else "average"
    with write_whole(path) as temporary:
        write_cog(temporary, grid, [block], dtype=str(image.dtype), nodata=0, resampling=resampling)


def item_name(seen: Pass, grid: Grid) -> str:
    """Name of the scene, built as that of a Sentinel-2 product."""
    platform = seen.platform.removeprefix("sentinel-").upper()
    stamp = seen.start.strftime("%Y%m%dT%H%M%S")
    return f"S{platform}_MSIL2A_{stamp}_N0510_R{seen.orbit:03d}_T{grid.name}"


def stac_item(name: str, made: Scene, seen: Pass, grid: Grid) -> dict[str, Any]:
    """The scene as a STAC Item (1.0.0), asset paths relative to it."""
    footprint = _footprint(grid)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
            "https://stac-extensions.github.io/projection/v1.1.0/schema.json",
            "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
            "https://stac-extensions.github.io/sat/v1.0.0/schema.json",
            "https://stac-extensions.github.io/grid/v1.1.0/schema.json",
        ],
        "id": name,
        "geometry": json.loads(shapely.to_geojson(footprint)),
        "bbox": [round(float(edge), 7) for edge in footprint.bounds],
        "properties": {
            "datetime": seen.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "description": "Generated scene: no satellite has seen it.",
            "platform": seen.platform,
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "eo:cloud_cover": round(100 * float(np.isin(made.classes, (8, 9)).mean()), 1),
            "grid:code": f"MGRS-{grid.name}",
            "proj:epsg": int(grid.crs.removeprefix("EPSG:")),
            "s2:mgrs_tile": grid.name,
            "s2:processing_baseline": BASELINE,
            "sat:orbit_state": "descending",
            "sat:relative_orbit": seen.orbit,
        },
        "links": [],
        "assets": {
            **{band: _band_asset(band, _grid_of(band, grid)) for band in made.reflectance},
            "SCL": _class_asset(_grid_of("SCL", grid)),
        },
    }


def _footprint(grid: Grid) -> shapely.Polygon:
    """Outline of a grid in longitude and latitude, 1e-7 degrees."""
    (outline,) = reproject(np.array([shapely.box(*grid.bounds)]), grid.crs, "EPSG:4326")
    return shapely.transform(outline, lambda corners: corners.round(7))


COMMON_NAMES = {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir", "B11": "swir16"}
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"


def _band_asset(band: str, grid: Grid) -> dict[str, Any]:
    stored = {"data_type": "uint16", "nodata": 0, "scale": SCALE, "offset": OFFSET}
    return {
        **_raster(band, grid),
        "roles": ["data", "reflectance"],
        "eo:bands": [{"name": band, "common_name": COMMON_NAMES[band]}],
        "raster:bands": [{**stored, "spatial_resolution": grid.pixel[0]}],
    }


def _class_asset(grid: Grid) -> dict[str, Any]:
    stored = {"data_type": "uint8", "nodata": 0, "spatial_resolution": grid.pixel[0]}
    return {**_raster("SCL", grid), "roles": ["data"], "raster:bands": [stored]}


def _raster(name: str, grid: Grid) -> dict[str, Any]:
    return {
        "href": f"./{name}.tif",
        "type": _COG,
        "title": "Scene classification" if name == "SCL" else f"Reflectance {name}",
        "proj:shape": [grid.height, grid.width],
        "proj:transform": list(grid.transform),
    }
