"""Sentinel-1 backscatter and coherence on the grids of the tiles.

A radar grid is the 20 m lattice of a UTM zone, cut to an MGRS tile; it is nested in the grids of
Sentinel-2. `prepare` mosaics the rasters of one pass (same satellite, relative orbit and day) onto
it, one Cloud-Optimised GeoTIFF per polarisation, in linear power, under the original's names.
`candidates` takes rasters that lie on it.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely

from sen4cap.domain import Grid, ProductType, Sensor, revision_of
from sen4cap.domain.found import Found, Skipped
from sen4cap.domain.product import VARIANT
from sen4cap.errors import EmptyLayer, UnreadableFile
from sen4cap.geo.footprint import split
from sen4cap.geo.mgrs import tile_grid, tiles_over
from sen4cap.geo.raster import Block, grid_of, write_cog
from sen4cap.geo.warp import Part, mosaic
from sen4cap.processing import Progress, no_progress, part, write_whole
from sen4cap.sources.candidate import Candidate
from sen4cap.sources.footprint import of_grid
from sen4cap.sources.orbits import direction_of
from sen4cap.sources.radar_items import of_items
from sen4cap.sources.radar_names import Radar, described, power_of, tags_of
from sen4cap.sources.rasters import RASTER_SUFFIXES, fingerprint, inspect

PIXEL = 20.0
"""Metres."""
VERSION = "1"
"""Changes whenever the same rasters would give others."""
PASS = timedelta(minutes=30)
"""Longer than a satellite needs over a continent, shorter than its orbit."""
CODES = {ProductType.S1_AMP: "BCK", ProductType.S1_COHE: "COH"}


def radar_grid(tile: str) -> Grid:
    """The 20 m radar grid of a tile, `31UDS`.

    Raises
    ------
    InvalidParameter
        If there is no such tile.
    """
    fine = tile_grid(tile).at(PIXEL)
    return Grid(fine.name, fine.crs, fine.transform, fine.width, fine.height, Sensor.S1)


def rasters(folder: Path) -> list[Radar]:
    """Every radar raster in or below a folder, by its name or STAC Item, sorted by path."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in RASTER_SUFFIXES)
    found = (described(path, {}) and described(path, _tags(path)) for path in paths)
    named = [item for item in found if item is not None]
    return sorted([*named, *of_items(folder)], key=lambda item: item.path)


def _tags(path: Path) -> dict[str, str]:
    try:
        with rasterio.open(path) as dataset:
            return dict(dataset.tags())
    except rasterio.errors.RasterioIOError as error:
        raise UnreadableFile(f"'{path}' cannot be read: fetch it again.") from error


def is_on_grid(radar: Radar) -> bool:
    """Whether a raster was clipped to a tile and lies on its radar grid."""
    if not radar.tile:
        return False
    own, wanted = grid_of(radar.path, radar.tile, Sensor.S1), radar_grid(radar.tile)
    return own.key == wanted.key


def candidates(folder: Path) -> Iterator[Candidate | Skipped]:
    """One candidate per acquisition or pair on a radar grid; other radar rasters are left out."""
    groups: dict[tuple[Any, ...], list[Radar]] = defaultdict(list)
    for item in rasters(folder):
        if is_on_grid(item):
            key = (item.kind, item.platform, item.orbit, item.tile, item.start, item.first)
            groups[key].append(item)
        else:
            yield Skipped(
                item.path, "It lies on no radar grid: bring it there by 'product ingest'."
            )
    for group in groups.values():
        yield Candidate(group[0].path, partial(_find, tuple(group)))


def _find(group: tuple[Radar, ...]) -> Found:
    first = group[0]
    grid = radar_grid(first.tile)
    files = {item.polarisation: inspect(item.path, first.tile) for item in group}
    return Found(
        name=name_of(first, first.tile),
        type=first.kind,
        grid=grid,
        start=first.start,
        end=first.start,
        footprint=of_grid(grid),
        bands=tuple(files[pol].band(pol, nodata=np.nan) for pol in sorted(files)),
        path=first.path,
        properties=properties_of(first, sorted(files)),
    )


def name_of(radar: Radar, tile: str) -> str:
    """Name of an acquisition or pair on a tile, without polarisation."""
    mission = radar.platform.removeprefix("sentinel-").upper().ljust(2, "X")
    days = [item for item in (radar.first, radar.start) if item]
    stamps = "_".join(f"{item:%Y%m%dT%H%M%S}" for item in days)
    return f"S{mission}_L2_{CODES[radar.kind]}_{stamps}_{radar.orbit or 0:03d}_{tile}"


def properties_of(radar: Radar, polarisations: Sequence[str]) -> dict[str, Any]:
    """STAC properties, with what tells a pair."""
    found: dict[str, Any] = {
        "platform": radar.platform,
        "constellation": "sentinel-1",
        "instruments": ["c-sar"],
        "sar:instrument_mode": "IW",
        "sar:polarizations": list(polarisations),
        "sen4cap:quantity": radar.quantity,
    }
    if radar.orbit:
        found["sat:relative_orbit"] = radar.orbit
    if radar.direction:
        found["sat:orbit_state"] = radar.direction
    if not radar.time_known:
        found["sen4cap:time_unknown"] = True
    return found | _pair(radar)


def _pair(radar: Radar) -> dict[str, Any]:
    if radar.first is None:
        return {}
    known = radar.perpendicular_baseline
    return {
        "sen4cap:pair": [radar.first.isoformat(), radar.start.isoformat()],
        "sen4cap:pair_platforms": [radar.first_platform, radar.platform],
        "sen4cap:baseline_days": radar.baseline_days,
        VARIANT: f"{radar.baseline_days}d",
        **({} if known is None else {"sen4cap:perpendicular_baseline": known}),
    }


def covered(folder: Path) -> str | None:
    """What the radar rasters in a folder cover: WKT, EPSG:4326; None where there are none."""
    shapes = [shapely.from_wkt(_footprint(item.path)) for item in loose(folder)]
    return split(shapely.union_all(shapes)) if shapes else None


def prepare(
    folder: Path,
    target: Path,
    tiles: Sequence[str] = (),
    progress: Progress = no_progress,
) -> list[Path]:
    """Bring the radar rasters of a folder to the radar grids; the folders they are in, sorted.

    Each pass and tile gets a folder `<target>/<product type>/<name>_r<8 digits>`, which is there
    whole or not at all; one that is there already stays. `tiles` limits what is made, by default
    it is all that the rasters meet. What lies on a radar grid already is not touched.

    Raises
    ------
    UnreadableFile
        If a raster cannot be read.
    EmptyLayer
        If nothing tells a raster's relative orbit.
    """
    work = list(_work(loose(folder), tiles))
    made = []
    for number, (tile, group) in enumerate(work):
        progress(number / len(work), f"tile {tile}")
        made.append(_made(target, tile, group))
    return sorted(item for item in made if item is not None)


def loose(folder: Path) -> list[Radar]:
    """The radar rasters in or below a folder that lie on no radar grid."""
    return [item for item in rasters(folder) if not is_on_grid(item)]


def on_tile(found: Sequence[Radar], tile: str, target: Path) -> Path:
    """Bring rasters of one pass to the radar grid of a tile; the folder they are in, as `prepare`.

    Raises
    ------
    EmptyLayer
        If none has a value there.
    """
    folder = _made(target, tile, found)
    if folder is None:
        raise EmptyLayer(f"'{found[0].path}' and its neighbours show nothing of tile {tile}.")
    return folder


def _work(found: Sequence[Radar], tiles: Sequence[str]) -> Iterator[tuple[str, list[Radar]]]:
    """Rasters of each pass by tile, all on the first one's time."""
    for group in _passes(found):
        shapes = {item.path: shapely.from_wkt(_footprint(item.path)) for item in group}
        wanted = tiles or tiles_over(split(shapely.union_all(list(shapes.values()))))
        for tile in wanted:
            extent = _tile_extent(tile)
            met = [item for item in group if shapely.intersects(shapes[item.path], extent)]
            if met:
                yield tile, met


def _passes(found: Sequence[Radar]) -> Iterator[list[Radar]]:
    """Rasters of one satellite, relative orbit and time, or of such a pair."""
    series: dict[tuple[Any, ...], list[Radar]] = defaultdict(list)
    for item in found:
        if item.orbit is None:
            raise EmptyLayer(
                f"Nothing tells the relative orbit of '{item.path}': "
                "keep the text file that came with it beside it."
            )
        days = item.baseline_days
        series[item.kind, item.quantity, item.platform, item.orbit, days].append(item)
    for key in sorted(series, key=str):
        yield from _runs(sorted(series[key], key=lambda item: (item.start, item.path)))


def _runs(items: Sequence[Radar]) -> Iterator[list[Radar]]:
    run: list[Radar] = []
    for item in items:
        if run and item.start - run[-1].start > PASS:
            yield run
            run = []
        run.append(item)
    yield run


@cache
def _tile_extent(tile: str) -> shapely.Geometry:
    return shapely.from_wkt(of_grid(radar_grid(tile)))


def _footprint(path: Path) -> str:
    return of_grid(grid_of(path, "radar", Sensor.S1))


def _made(target: Path, tile: str, group: Sequence[Radar]) -> Path | None:
    """Folder of a pass on a tile; None where no raster has a value there."""
    first = _earliest(group, tile)
    prints = sorted((item.polarisation, fingerprint(item.path)) for item in group)
    revision = revision_of("radar", VERSION, tile, prints)[:8]
    name = f"{name_of(first, tile)}_r{revision}"
    folder = target / first.kind / name
    if folder.is_dir():
        return folder
    hidden = folder.with_name(f".{name}{part(socket.gethostname(), os.getpid())}")
    try:
        written = [_write(hidden, tile, first, revision, items) for items in _by_pol(group)]
        if not any(written):
            return None
        hidden.replace(folder)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return folder


def _earliest(group: Sequence[Radar], tile: str) -> Radar:
    """The first raster of a pass, with its direction."""
    first = min(group, key=lambda item: (item.start, item.path))
    if first.direction or not first.time_known:
        return first
    longitude = float(shapely.centroid(_tile_extent(tile)).x)
    return replace(first, direction=direction_of(first.start, longitude))


def _by_pol(group: Sequence[Radar]) -> Iterator[list[Radar]]:
    for pol in sorted({item.polarisation for item in group}):
        yield [item for item in group if item.polarisation == pol]


def _write(folder: Path, tile: str, first: Radar, revision: str, items: Sequence[Radar]) -> bool:
    """Write one polarisation; whether it has a value anywhere. Without one there is no file."""
    parts = [Part(item.path, power_of(item.stored)) for item in items]
    grid, seen = radar_grid(tile), [0]
    path = folder / f"{_file_name(first, tile, items[0].polarisation)}_r{revision}.tif"
    with write_whole(path) as temporary:
        write_cog(
            temporary,
            grid,
            _counted(mosaic(parts, grid), seen),
            dtype="float32",
            nodata=np.nan,
            description=f"{first.quantity} {items[0].polarisation}",
            tags={**tags_of(first), "sources": " ".join(item.path.stem for item in items)},
        )
    if not seen[0]:
        path.unlink()
    return bool(seen[0])


def _file_name(radar: Radar, tile: str, pol: str) -> str:
    """Name with the polarisation before the orbit, as the original has it."""
    head, orbit, _ = name_of(radar, tile).rsplit("_", 2)
    return f"{head}_{pol}_{orbit}_{tile}"


def _counted(blocks: Iterator[Block], seen: list[int]) -> Iterator[Block]:
    for window, values in blocks:
        seen[0] += int(np.isfinite(values).sum())
        yield window, values
