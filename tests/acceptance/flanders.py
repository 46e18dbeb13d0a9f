"""Flanders chips (NetCDF of all dates) as STAC Items with COG assets."""

from __future__ import annotations

import re
import warnings
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from sen4cap.domain import Grid
from sen4cap.testing.scenes import Scene, write_item

CRS = "EPSG:32631"
FINE = ("B02", "B03", "B04", "B08")
COARSE = ("B05", "B06", "B07", "B8A", "B11", "B12", "SCL")

Array = npt.NDArray[Any]


ANGLES = {
    "view:sun_elevation": ("sunZenithAngles", True),
    "view:sun_azimuth": ("sunAzimuthAngles", False),
    "view:incidence_angle": ("viewZenithMean", False),
    "view:azimuth": ("viewAzimuthMean", False),
}
"""Variable of the chip by STAC property, and whether it is the complement to 90 degrees."""


def write_flanders_items(chip: Path, out: Path, *, every: int = 1) -> list[Path]:
    """One STAC Item per date of a chip folder, in order of time; COGs hold the stored values.

    A chip without 10 m bands gives items without them. `every` takes one date of so many. Mean
    angles come with the chip. Nothing is told of a processing baseline: the source (Earth
    Engine) does not. CF scale_factor 0.0001 and the missing add_offset become `raster:bands`.
    """
    with warnings.catch_warnings(), rasterio.Env(GDAL_PAM_ENABLED="NO"):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        fine, coarse = chip / "S2_10m.nc", chip / "S2_20m.nc"
        bands = {name: _read(fine, name) for name in FINE} if fine.exists() else {}
        bands |= {name: _read(coarse, name) for name in COARSE}
        finest = fine if fine.exists() else coarse
        grid = _grid(finest, next(iter(bands.values())).shape)
        instants, angles = _instants(finest), _angles(coarse)
    return [
        write_item(
            out,
            Scene(
                {name: stack[number] for name, stack in bands.items()},
                grid,
                instant,
                id=f"S2_{grid.name}_{instant:%Y%m%dT%H%M%S}",
            ),
            raster_bands={"scale": 0.0001, "offset": 0.0, "nodata": 0},
            properties={
                "s2:processing_baseline": None,
                "platform": None,
                "sat:relative_orbit": None,
                "eo:cloud_cover": None,
                **{name: float(values[number]) for name, values in angles.items()},
            },
        )
        for number, instant in list(enumerate(instants))[::every]
    ]


def _read(path: Path, name: str) -> Array:
    """Stored values, shape (time, y, x)."""
    with rasterio.open(f"netcdf:{path}:{name}") as dataset:
        return np.asarray(dataset.read())


def _angles(path: Path) -> dict[str, Array]:
    """Degrees per date, by STAC property."""
    told = {name: _coordinates(path, variable) for name, (variable, _) in ANGLES.items()}
    return {name: 90 - values if ANGLES[name][1] else values for name, values in told.items()}


def _coordinates(path: Path, name: str) -> Array:
    with rasterio.open(f"netcdf:{path}:{name}") as dataset:
        return np.asarray(dataset.read(1)).ravel()


def _grid(path: Path, shape: tuple[int, ...]) -> Grid:
    """Grid of cell centres, north up, under the name of its tile."""
    xs, ys = _coordinates(path, "x"), _coordinates(path, "y")
    step = float(xs[1] - xs[0])
    with rasterio.open(path) as dataset:
        tile = dataset.tags()["NC_GLOBAL#s2_tile"]
    left, top = float(xs[0]) - step / 2, float(ys[0]) + step / 2
    return Grid(tile, CRS, (step, 0.0, left, 0.0, -step, top), shape[2], shape[1])


def _instants(path: Path) -> list[datetime]:
    with rasterio.open(f"netcdf:{path}:time") as dataset:
        units = dataset.tags(1)["units"]
    match = re.fullmatch(r"seconds since (.+)", units)
    assert match, units
    epoch = datetime.fromisoformat(f"{match[1]}+00:00")
    return [epoch + timedelta(seconds=int(s)) for s in _coordinates(path, "time")]
