"""Products of other providers for tests: MAJA, MACCS, Landsat, and radar rasters.

Where no real sample exists they are written from the format documents that the readers name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio

from sen4cap.domain import Grid
from sen4cap.testing.rasters import write_raster

Array = npt.NDArray[Any]

MTL: dict[str, dict[str, str]] = {
    "PRODUCT_CONTENTS": {
        "ORIGIN": "Image courtesy of the U.S. Geological Survey",
        "LANDSAT_PRODUCT_ID": "LC09_L2SP_198024_20220620_20220622_02_T1",
        "PROCESSING_LEVEL": "L2SP",
        "COLLECTION_NUMBER": "02",
        "COLLECTION_CATEGORY": "T1",
    },
    "IMAGE_ATTRIBUTES": {
        "SPACECRAFT_ID": "LANDSAT_9",
        "SENSOR_ID": "OLI_TIRS",
        "WRS_TYPE": "2",
        "WRS_PATH": "198",
        "WRS_ROW": "024",
        "DATE_ACQUIRED": "2022-06-20",
        "SCENE_CENTER_TIME": "10:33:41.1234560Z",
        "CLOUD_COVER": "12.34",
        "SUN_AZIMUTH": "146.5",
        "SUN_ELEVATION": "58.25",
        "ROLL_ANGLE": "-0.001",
    },
    "PROJECTION_ATTRIBUTES": {
        "CORNER_UL_LAT_PRODUCT": "52.7",
        "CORNER_UL_LON_PRODUCT": "3.4",
        "CORNER_UR_LAT_PRODUCT": "52.7",
        "CORNER_UR_LON_PRODUCT": "6.8",
        "CORNER_LL_LAT_PRODUCT": "50.6",
        "CORNER_LL_LON_PRODUCT": "3.5",
        "CORNER_LR_LAT_PRODUCT": "50.6",
        "CORNER_LR_LON_PRODUCT": "6.7",
    },
    "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS": {
        **{f"REFLECTANCE_MULT_BAND_{band}": "2.75e-05" for band in range(1, 8)},
        **{f"REFLECTANCE_ADD_BAND_{band}": "-0.2" for band in range(1, 8)},
    },
    "LEVEL1_RADIOMETRIC_RESCALING": {
        **{f"REFLECTANCE_MULT_BAND_{band}": "2.0000E-05" for band in range(1, 8)},
        **{f"REFLECTANCE_ADD_BAND_{band}": "-0.100000" for band in range(1, 8)},
    },
}
"""Metadata of a Landsat 9 scene, written from LSDS-1619 and LSDS-1337: no real file."""


def write_landsat(folder: Path, grid: Grid, images: Mapping[str, Array], *, as_json: bool) -> Path:
    """Write a Landsat scene below `folder`; images by file part, `SR_B4`, `QA_PIXEL`.

    Bands that are not given hold fill. Returns the metadata file.
    """
    name = MTL["PRODUCT_CONTENTS"]["LANDSAT_PRODUCT_ID"]
    target = folder / name
    target.mkdir(parents=True)
    fill = np.zeros((grid.height, grid.width), np.uint16)
    for part in (*(f"SR_B{band}" for band in range(1, 8)), "QA_PIXEL", "QA_RADSAT"):
        write_raster(target / f"{name}_{part}.TIF", grid, images.get(part, fill))
    path = target / f"{name}_MTL.{'json' if as_json else 'txt'}"
    path.write_text(json.dumps({"LANDSAT_METADATA_FILE": MTL}) if as_json else _odl(), "utf-8")
    return path


def _odl() -> str:
    lines = ["GROUP = LANDSAT_METADATA_FILE"]
    for group, values in MTL.items():
        lines += [f"  GROUP = {group}", *(f'    {key} = "{text}"' for key, text in values.items())]
        lines.append(f"  END_GROUP = {group}")
    return "\n".join([*lines, "END_GROUP = LANDSAT_METADATA_FILE", "END"])


def write_muscate(metadata: Path, grid: Grid, images: Mapping[str, Array]) -> None:
    """Write the rasters of a MAJA product beside its metadata file, by part: `FRE_B4`, `MG2_R1`.

    Images of half as many rows have twice the pixel.
    """
    stem = metadata.name.removesuffix("_MTD_ALL.xml")
    (metadata.parent / "MASKS").mkdir(parents=True, exist_ok=True)
    for part, image in images.items():
        folder = metadata.parent / "MASKS" if part[:3] in {"MG2", "EDG", "SAT"} else metadata.parent
        own = grid.at(grid.pixel[0] * grid.height / image.shape[0])
        write_raster(folder / f"{stem}_{part}.tif", own, image)


def write_radar(path: Path, grid: Grid, image: Array, **tags: str) -> Path:
    """Write a radar raster, float32 with NaN where missing; `tags` are the file's own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_raster(path, grid, image.astype(np.float32), nodata=np.nan)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(**tags)
    return path
