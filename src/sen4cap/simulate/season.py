"""A whole season, written to a folder: scenes, declarations, look-up table and the truth."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from sen4cap.domain import Grid
from sen4cap.errors import InvalidParameter
from sen4cap.geo.geopackage import write_gpkg
from sen4cap.processing import Progress, no_progress, write_whole
from sen4cap.simulate.crops import CROPS, LUT_COLUMNS, OTHER_LAND, lut_rows
from sen4cap.simulate.declarations import declarations, grown_crops
from sen4cap.simulate.landscape import Landscape, landscape
from sen4cap.simulate.phenology import Floats, Growth, bloom, growth, ndvi_curves
from sen4cap.simulate.scenes import Ground, burn, scene, write_scene
from sen4cap.simulate.weather import Pass, covers, passes, texture

TILE = "31UFT"
CRS = "EPSG:32631"
CORNER = (655_200.0, 5_746_020.0)
"""Upper left corner of the landscape, on the pixels of the tile, near Zaltbommel."""
PIXEL = 10.0
SHARE_WRONG = 0.04
"""Of the fields under a common crop, how many are declared as another one."""


@dataclass(frozen=True)
class Simulated:
    """Where a generated season lies, and what it is about."""

    folder: Path
    scenes: Path
    """Folder of STAC Items with their COG assets."""
    items: tuple[Path, ...]
    """The Items, sorted by time."""
    declarations: Path
    """GeoPackage; columns `PARCEL_ID, FARM_ID, CROP_CODE, CROP_NAME, AREA_HA`."""
    lut: Path
    """Crop look-up table, CSV with the original's columns."""
    truth: Path
    """CSV `PARCEL_ID, CROP_CODE, CROP_NAME, CTnumL4A, is_wrong`."""
    start: date
    """First day of the season."""
    end: date
    """Last day of the season."""
    grid: Grid
    timezone: str = "Europe/Amsterdam"
    parcel_id: str = "PARCEL_ID"
    holding_id: str = "FARM_ID"
    crop_code: str = "CROP_CODE"


def write_season(
    folder: Path,
    *,
    seed: int = 1,
    parcels: int = 440,
    dates: int = 14,
    size: int = 512,
    year: int = 2023,
    progress: Progress = no_progress,
) -> Simulated:
    """Write a generated season; the same arguments give the same bytes.

    Parameters
    ----------
    parcels
        Fields to cut; a few per cent are lost to roads and water.
    dates
        Acquisitions from March to October.
    size
        Edge of the landscape in pixels of 10 m, even, from 160 on.

    Raises
    ------
    InvalidParameter
        For a landscape that is odd or too small for its parcels, or without parcels or dates.
    """
    _check(parcels, dates, size)
    layout, weather = (np.random.default_rng([seed, stream]) for stream in (1, 2))
    grid = Grid(TILE, CRS, (PIXEL, 0.0, CORNER[0], 0.0, -PIXEL, CORNER[1]), size, size)
    land = landscape(*CORNER, size * PIXEL, parcels, layout)
    plants = growth(grown_crops(land.fields.size, layout), layout)
    made = _paths(folder, grid, year)
    progress(0.0, "declarations")
    _write_declarations(made, land, plants, layout)
    found = passes(made.start, made.end, dates)
    ground = _ground(land, grid, layout)
    items = _write_scenes(made, ground, plants, found, rng=weather, progress=progress)
    return Simulated(**{**vars(made), "items": items})


def _check(parcels: int, dates: int, size: int) -> None:
    room = size * size // 300
    if size % 2 or size < 160:
        raise InvalidParameter(f"A landscape of {size} pixels is odd or below 160: give 512.")
    if not 60 <= parcels <= room:
        raise InvalidParameter(
            f"{parcels} parcels do not suit {size} × {size} pixels: give 60 to {room}."
        )
    if dates < 1:
        raise InvalidParameter(f"A season of {dates} dates cannot be made: give at least one.")


def _paths(folder: Path, grid: Grid, year: int) -> Simulated:
    return Simulated(
        folder=folder,
        scenes=folder / "scenes",
        items=(),
        declarations=folder / "declarations.gpkg",
        lut=folder / "lut.csv",
        truth=folder / "truth.csv",
        start=date(year, 3, 1),
        end=date(year, 10, 31),
        grid=grid,
    )


def _write_declarations(
    made: Simulated, land: Landscape, plants: Growth, rng: np.random.Generator
) -> None:
    declared, truth = declarations(land.fields, plants.crop, SHARE_WRONG, made.grid.crs, rng)
    with write_whole(made.declarations) as temporary:
        write_gpkg(temporary, declared, "declarations")
    _write_table(made.lut, LUT_COLUMNS, lut_rows())
    _write_table(made.truth, list(truth.columns), truth.to_numpy().tolist())


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with write_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _ground(land: Landscape, grid: Grid, rng: np.random.Generator) -> Ground:
    brightness = np.append(rng.normal(1.0, 0.12, land.fields.size), [1.0, 1.0])
    return Ground(burn(land, grid), texture(grid.width, rng), np.clip(brightness, 0.7, 1.3))


def _write_scenes(
    made: Simulated,
    ground: Ground,
    plants: Growth,
    found: Sequence[Pass],
    *,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[Path, ...]:
    days = [float(seen.start.timetuple().tm_yday) for seen in found]
    curves = _with_verges(ndvi_curves(plants, days), days)
    clouded = covers(len(found), rng)
    items = []
    for index, seen in enumerate(found):
        progress(index / len(found), f"scene {seen.start:%Y-%m-%d}")
        flowering = np.append(bloom(plants, days[index]), [0.0, 0.0])
        image = scene(ground, curves[:, index], flowering, clouded[index], rng)
        items.append(write_scene(made.scenes, image, seen, made.grid))
    return tuple(items)


def _with_verges(curves: Floats, days: Sequence[float]) -> Floats:
    """Curves of all labels: fields, then verges (sparse nature), then the river (bare)."""
    nature = next(index for index, crop in enumerate(CROPS) if crop.land_cover == OTHER_LAND)
    still = np.zeros(1)
    verge = ndvi_curves(Growth(np.array([nature]), still, still, still, np.array([0.6])), days)
    return np.vstack([curves, 0.8 * verge, np.full((1, len(days)), 0.2)])
