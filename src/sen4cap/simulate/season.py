"""A whole season, written to a folder: scenes, declarations, look-up table and the truth."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np

from sen4cap.domain import Grid
from sen4cap.errors import InvalidParameter
from sen4cap.geo.crs import reproject
from sen4cap.geo.geopackage import write_gpkg
from sen4cap.processing import Progress, no_progress, write_whole
from sen4cap.simulate.crops import CROPS, LUT_COLUMNS, OTHER_LAND, lut_rows
from sen4cap.simulate.declarations import declarations, grown_crops
from sen4cap.simulate.landscape import Landscape, landscape
from sen4cap.simulate.phenology import Floats, Growth, bloom, growth, ndvi_curves
from sen4cap.simulate.scenes import Ground, burn, scene, write_scene
from sen4cap.simulate.weather import Pass, covers, passes, texture

PIXEL = 10.0
SHARE_WRONG = 0.04
"""Of the fields under a common crop, how many are declared as another one."""


@dataclass(frozen=True)
class Place:
    """Where a square of land lies."""

    tile: str
    """Name of its grid."""
    crs: str
    corner: tuple[float, float]
    """Upper left, on the pixels of the tile."""


ZALTBOMMEL = Place("31UFT", "EPSG:32631", (655_200.0, 5_746_020.0))
TWO_ZONES = (
    Place("31UWT", "EPSG:32631", (702_840.0, 5_800_020.0)),
    Place("32UQR", "EPSG:32632", (295_620.0, 5_800_020.0)),
)
"""Squares of 160 pixels on both sides of 6° E, where UTM zones 31 and 32 meet.

They bear the names of tiles in the original's training, of which there are no squares: column W is
none of zone 31, and row R of column Q in zone 32 lies south of band U."""


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
    grids: tuple[Grid, ...]
    """Of the scenes, one per place."""
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
    places: Sequence[Place] = (ZALTBOMMEL,),
    progress: Progress = no_progress,
) -> Simulated:
    """Write a generated season; the same arguments give the same bytes.

    Parameters
    ----------
    parcels
        Fields to cut at each place; a few per cent are lost to roads and water.
    dates
        Acquisitions from March to October.
    size
        Edge of each landscape in pixels of 10 m, even, from 160 on.
    places
        Where there is land; the declarations are in the CRS of the first place.

    Raises
    ------
    InvalidParameter
        For a landscape that is odd or too small for its parcels, or without parcels or dates.
    """
    _check(parcels, dates, size)
    made = _paths(folder, [_grid(place, size) for place in places], year)
    lands = [_land(grid, parcels, seed, at) for at, grid in enumerate(made.grids)]
    progress(0.0, "declarations")
    _write_declarations(made, lands)
    found = passes(made.start, made.end, dates)
    scenes = [
        _write_scenes(made.scenes, land, found, partial(_part, progress, at, len(lands)))
        for at, land in enumerate(lands)
    ]
    items = tuple(item for part in scenes for item in part)
    return Simulated(**{**vars(made), "items": tuple(sorted(items, key=lambda item: item.stem))})


@dataclass(frozen=True)
class _Land:
    """A place with what lies and grows there, and the random numbers of its layout and weather."""

    grid: Grid
    land: Landscape
    plants: Growth
    layout: np.random.Generator
    weather: np.random.Generator


def _grid(place: Place, size: int) -> Grid:
    left, top = place.corner
    return Grid(place.tile, place.crs, (PIXEL, 0.0, left, 0.0, -PIXEL, top), size, size)


def _land(grid: Grid, parcels: int, seed: int, at: int) -> _Land:
    """The place number `at`; the first is what it would be alone."""
    further = [at] if at else []
    layout, weather = (np.random.default_rng([seed, stream, *further]) for stream in (1, 2))
    left, _bottom, _right, top = grid.bounds
    land = landscape(left, top, grid.width * PIXEL, parcels, layout)
    plants = growth(grown_crops(land.fields.size, layout), layout)
    return _Land(grid, land, plants, layout, weather)


def _part(progress: Progress, at: int, parts: int, share: float, message: str) -> None:
    progress((at + share) / parts, message)


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


def _paths(folder: Path, grids: Sequence[Grid], year: int) -> Simulated:
    return Simulated(
        folder=folder,
        scenes=folder / "scenes",
        items=(),
        declarations=folder / "declarations.gpkg",
        lut=folder / "lut.csv",
        truth=folder / "truth.csv",
        start=date(year, 3, 1),
        end=date(year, 10, 31),
        grids=tuple(grids),
    )


def _write_declarations(made: Simulated, lands: Sequence[_Land]) -> None:
    first = lands[0]
    fields = np.concatenate(
        [reproject(each.land.fields, each.grid.crs, first.grid.crs) for each in lands]
    )
    grown = np.concatenate([each.plants.crop for each in lands])
    declared, truth = declarations(fields, grown, SHARE_WRONG, first.grid.crs, first.layout)
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
    folder: Path, place: _Land, found: Sequence[Pass], progress: Progress
) -> list[Path]:
    ground = _ground(place.land, place.grid, place.layout)
    days = [float(seen.start.timetuple().tm_yday) for seen in found]
    curves = _with_verges(ndvi_curves(place.plants, days), days)
    clouded = covers(len(found), place.weather)
    items = []
    for index, seen in enumerate(found):
        progress(index / len(found), f"scene {seen.start:%Y-%m-%d}")
        flowering = np.append(bloom(place.plants, days[index]), [0.0, 0.0])
        image = scene(ground, curves[:, index], flowering, clouded[index], place.weather)
        items.append(write_scene(folder, image, seen, place.grid))
    return items


def _with_verges(curves: Floats, days: Sequence[float]) -> Floats:
    """Curves of all labels: fields, then verges (sparse nature), then the river (bare)."""
    nature = next(index for index, crop in enumerate(CROPS) if crop.land_cover == OTHER_LAND)
    still = np.zeros(1)
    verge = ndvi_curves(Growth(np.array([nature]), still, still, still, np.array([0.6])), days)
    return np.vstack([curves, 0.8 * verge, np.full((1, len(days)), 0.2)])
