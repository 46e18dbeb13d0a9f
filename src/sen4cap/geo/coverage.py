"""Coverage: which share of which raster cells each parcel covers, exactly.

The shares are exactextract's. They are computed once per grid and set of parcels, and kept in the
order in which rasters are read: by strips of rows, so that each raster is read once, strips
without parcels not at all, and memory holds one strip.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import shapely

from sen4cap.domain import Grid
from sen4cap.errors import UnreadableFile
from sen4cap.geo.crs import Geometries
from sen4cap.geo.read import STRIP_ROWS

CHUNK_CELLS = 4_000_000
"""Cells in the bounding boxes of the parcels that are worked on at a time."""
POLYGONAL = (3, 6)
"""Type numbers of polygons and multipolygons in shapely."""

Integers = npt.NDArray[np.int64]


class Strip(NamedTuple):
    """Entries of one strip, sorted by parcel."""

    first_row: int
    parcel_pos: npt.NDArray[np.int32]
    cell: npt.NDArray[np.int32]
    fraction: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CoverageIndex:
    """Cells that parcels cover on a grid.

    Entries stand in order of strip, parcel and cell; those of strip i are at `strip_start[i]` to
    before `strip_start[i + 1]`.
    """

    grid_key: str
    """Key of the grid it was made for."""
    parcels: Integers
    """`NewID`, sorted, shape (n,); also of parcels without a cell."""
    hashes: npt.NDArray[np.str_]
    """Hash of the geometry of each parcel, shape (n,)."""
    strip_start: Integers
    """Shape (strips + 1,)."""
    parcel_pos: npt.NDArray[np.int32]
    """Position in `parcels` of each entry."""
    cell: npt.NDArray[np.int32]
    """Row within the strip × columns of the grid + column."""
    fraction: npt.NDArray[np.float32]
    """Covered share of the cell, above 0 to 1."""

    @property
    def occupied(self) -> Integers:
        """Numbers of the strips that hold entries, in order."""
        return np.flatnonzero(np.diff(self.strip_start))

    def strip(self, number: int) -> Strip:
        """The entries of a strip."""
        part = slice(self.strip_start[number], self.strip_start[number + 1])
        row = int(number) * STRIP_ROWS
        return Strip(row, self.parcel_pos[part], self.cell[part], self.fraction[part])

    @cached_property
    def total(self) -> npt.NDArray[np.float64]:
        """Cells that each parcel covers, shape (n,); 0 where it lies outside the grid."""
        total = np.zeros(len(self.parcels))
        for number in self.occupied:
            strip = self.strip(number)
            total += np.bincount(strip.parcel_pos, strip.fraction, len(total))
        return total

    def take(self, keep: npt.NDArray[np.bool_]) -> CoverageIndex:
        """The index of some of the parcels: those where `keep`, shape (n,), holds."""
        position = np.cumsum(keep, dtype=np.int32) - 1
        chosen = keep[self.parcel_pos]
        kept_before = np.concatenate([[0], np.cumsum(chosen)])
        return CoverageIndex(
            self.grid_key,
            self.parcels[keep],
            self.hashes[keep],
            kept_before[self.strip_start],
            position[self.parcel_pos[chosen]],
            self.cell[chosen],
            self.fraction[chosen],
        )

    def save(self, path: Path) -> None:
        """Write it as an uncompressed npz file; the same index gives the same bytes."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        with path.open("wb") as handle:
            np.savez(handle, grid_key=np.array(self.grid_key), **arrays)

    @classmethod
    def load(cls, path: Path) -> CoverageIndex:
        """An index that was saved.

        Raises
        ------
        UnreadableFile
            If the file is missing or damaged.
        """
        try:
            with path.open("rb") as handle, np.load(handle) as stored:
                return cls(str(stored["grid_key"]), *(stored[name] for name in _ARRAYS))
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise UnreadableFile(
                f"'{path}' is no coverage index: delete it, it will be made again."
            ) from error


_ARRAYS = ("parcels", "hashes", "strip_start", "parcel_pos", "cell", "fraction")


def build_coverage(
    parcels: Integers, hashes: npt.NDArray[np.str_], geometries: Geometries, grid: Grid
) -> CoverageIndex:
    """Exact coverage of the cells of `grid` by polygons in its CRS.

    `parcels`, `hashes` and `geometries` have shape (n,), in any order. Of a parcel that lies
    partly outside the grid the cells inside count; one without a cell, without a geometry or
    without an area stays, with no entries.
    """
    order = np.argsort(parcels, kind="stable")
    strips = -(-grid.height // STRIP_ROWS)
    chunks = [_by_strip(cells, grid, strips) for cells in _cells(geometries[order], grid)]
    starts = np.sum([chunk.strip_start for chunk in chunks], axis=0)

    def joined(name: str) -> npt.NDArray[Any]:
        return np.concatenate(
            [
                getattr(chunk, name)[chunk.strip_start[number] : chunk.strip_start[number + 1]]
                for number in range(strips)
                for chunk in chunks
            ]
        )

    return CoverageIndex(
        grid_key=grid.key,
        parcels=np.asarray(parcels, np.int64)[order],
        hashes=np.asarray(hashes, dtype="<U16")[order],
        strip_start=starts,
        parcel_pos=joined("parcel_pos"),
        cell=joined("cell"),
        fraction=joined("fraction"),
    )


class _Chunk(NamedTuple):
    """Entries of some parcels, as in `CoverageIndex`."""

    strip_start: Integers
    parcel_pos: npt.NDArray[np.int32]
    cell: npt.NDArray[np.int32]
    fraction: npt.NDArray[np.float32]


def _by_strip(cells: Cells, grid: Grid, strips: int) -> _Chunk:
    strip, row = np.divmod(cells.row, np.int32(STRIP_ROWS))
    order = np.argsort(strip.astype(np.int16), kind="stable")
    ends = np.cumsum(np.bincount(strip, minlength=strips))
    return _Chunk(
        np.concatenate([[0], ends]),
        cells.position[order],
        (row * np.int32(grid.width) + cells.column)[order],
        cells.fraction[order],
    )


class Cells(NamedTuple):
    """Covered cells in order of geometry."""

    position: npt.NDArray[np.int32]
    row: npt.NDArray[np.int32]
    column: npt.NDArray[np.int32]
    fraction: npt.NDArray[np.float32]


def _cells(geometries: Geometries, grid: Grid) -> Iterator[Cells]:
    """Covered cells of geometries, some geometries at a time; at least one part."""
    a, _, _, _, e, _ = grid.transform
    usable = _on_grid(geometries, grid)
    for chunk in _chunks(shapely.bounds(geometries[usable]), grid):
        position, cell, fraction = _extract(geometries, usable[chunk], grid)
        row, column = np.divmod(cell, grid.width)
        yield Cells(
            position,
            (grid.height - 1 - row if e > 0 else row).astype(np.int32),
            (grid.width - 1 - column if a < 0 else column).astype(np.int32),
            fraction,
        )


def _on_grid(geometries: Geometries, grid: Grid) -> Integers:
    """Positions of the polygons that may cover a cell."""
    left, bottom, right, top = grid.bounds
    x0, y0, x1, y1 = shapely.bounds(geometries).T
    meets = (x0 < right) & (x1 > left) & (y0 < top) & (y1 > bottom)
    polygons = np.isin(shapely.get_type_id(geometries), POLYGONAL)
    finite = np.isfinite([x0, y0, x1, y1]).all(axis=0)
    return np.flatnonzero(meets & polygons & finite)


def _chunks(bounds: npt.NDArray[np.float64], grid: Grid) -> list[slice]:
    """Slices of geometries whose bounding boxes hold about `CHUNK_CELLS` cells."""
    sizes = np.prod((bounds[:, 2:] - bounds[:, :2]) / grid.pixel + 1, axis=1)
    number = np.floor(np.cumsum(sizes) / CHUNK_CELLS)
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1), len(bounds)]
    return [slice(first, last) for first, last in pairwise(edges)]


def _extract(
    geometries: Geometries, positions: Integers, grid: Grid
) -> tuple[npt.NDArray[np.int32], Integers, npt.NDArray[np.float32]]:
    """Position of the geometry, cell and covered share by exactextract.

    Cells are numbered on the north-up grid of the same extent, row by row. exactextract wants a
    raster; it gets one that takes no memory.
    """
    import geopandas as gpd
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource

    if not len(positions):
        return np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float32)
    nothing = np.broadcast_to(np.zeros(1, np.uint8), (grid.height, grid.width))
    features = gpd.GeoDataFrame(geometry=geometries[positions], crs=grid.crs)
    found: Any = exact_extract(
        NumPyRasterSource(nothing, *grid.bounds), features, ["cell_id", "coverage"], output="pandas"
    )
    cells, shares = found["cell_id"].to_list(), found["coverage"].to_list()
    owner = np.repeat(positions.astype(np.int32), [len(item) for item in cells])
    cell, share = np.concatenate(cells), np.concatenate(shares).astype(np.float32)
    return owner[share > 0], cell[share > 0], share[share > 0]


def pixel_counts(geometries: Geometries, grid: Grid, buffer: float) -> Integers:
    """Pixels of `grid` whose centre lies inside each geometry shrunk by `buffer`, shape (n,).

    Geometries and `buffer` are in the CRS and units of the grid; a centre on the rim is outside.
    With a buffer of half a pixel this is the original's number of usable pixels (`S2Pix` with
    10 m and 5 m, `S1Pix` with 20 m and 10 m). 0 where there is no geometry.
    """
    shrunk = shapely.buffer(geometries, -buffer) if buffer else geometries
    shapely.prepare(shrunk)
    counts = np.zeros(len(geometries), np.int64)
    a, _, c, _, e, f = grid.transform
    for cells in _cells(shrunk, grid):
        inside = cells.fraction == 1
        rim = np.flatnonzero(~inside)
        xs, ys = c + (cells.column[rim] + 0.5) * a, f + (cells.row[rim] + 0.5) * e
        inside[rim] = shapely.contains_xy(shrunk[cells.position[rim]], xs, ys)
        counts += np.bincount(cells.position[inside], minlength=len(counts))
    return counts
