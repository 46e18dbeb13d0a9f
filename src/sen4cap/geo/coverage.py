"""Coverage: which share of which raster cells each parcel covers, exactly.

The shares are worked out once per grid and set of parcels and kept in the order in which rasters
are read: by strips of rows, so that each raster is read once, strips and blocks without parcels
not at all, and memory holds one strip. An index in a file is mapped, not loaded. Where some
parcels change, only they are worked out again: `take` what stays, `joined` with what is new.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely

from sen4cap.domain import Grid, PixelRule
from sen4cap.errors import UnreadableFile
from sen4cap.geo.arrays import map_arrays, write_arrays
from sen4cap.geo.crs import Geometries
from sen4cap.geo.read import STRIP_ROWS
from sen4cap.kernels.coverage import (
    Parts,
    Rings,
    blocks_used,
    concatenated,
    cover,
    covered,
    first_columns,
    reordered,
    with_rims,
)

BLOCK = 512
"""Columns of a block: those of our rasters."""
POLYGONAL = (3, 6)
"""Type numbers of polygons and multipolygons in shapely."""

Integers = npt.NDArray[np.int64]
Texts = npt.NDArray[np.str_]


class Strip(NamedTuple):
    """The parts of one strip, sorted by parcel."""

    first_row: int
    parts: Parts
    """With positions in `CoverageIndex.parcels` as owners."""
    columns: tuple[tuple[int, int], ...]
    """From and to before which columns there are covered cells, in whole blocks."""


@dataclass(frozen=True, eq=False)
class CoverageIndex:
    """Cells that parcels cover on a grid, in order of strip and parcel.

    Parts of strip i are at `strip_start[i]` to before `strip_start[i + 1]`; see
    `kernels.coverage.Parts` for the others.
    """

    grid_key: str
    """Key of the grid it was made for."""
    width: int
    """Columns of the grid."""
    parcels: Integers
    """`NewID`, sorted, shape (n,); also of parcels without a cell."""
    hashes: Texts
    """Hash of the geometry of each parcel, shape (n,)."""
    total: npt.NDArray[np.float64]
    """Cells that each parcel covers, shape (n,); 0 where it lies outside the grid."""
    strip_start: Integers
    """Shape (strips + 1,)."""
    parts: Parts
    blocks: npt.NDArray[np.bool_]
    """Whether a block holds a covered cell, shape (strips, blocks)."""

    @cached_property
    def occupied(self) -> Integers:
        """Numbers of the strips that hold parts, in order."""
        return np.flatnonzero(np.diff(self.strip_start))

    @cached_property
    def strips_of(self) -> Integers:
        """On how many strips each parcel lies, shape (n,)."""
        return np.bincount(self.parts.owner, minlength=len(self.parcels))

    def strip(self, number: int) -> Strip:
        """The parts of a strip."""
        first, last = self.strip_start[number : number + 2]
        part = self.parts
        own = part._replace(
            owner=part.owner[first:last],
            strip=part.strip[first:last],
            run_start=part.run_start[first : last + 1],
            rim_start=part.rim_start[first : last + 1],
        )
        return Strip(int(number) * STRIP_ROWS, own, self._columns(number))

    def _columns(self, number: int) -> tuple[tuple[int, int], ...]:
        edges = np.flatnonzero(np.diff(self.blocks[number], prepend=False, append=False))
        columns = np.minimum(edges * BLOCK, self.width).reshape(-1, 2)
        return tuple((int(first), int(last)) for first, last in columns)

    def take(self, keep: npt.NDArray[np.bool_]) -> CoverageIndex:
        """The index of some of the parcels: those where `keep`, shape (n,), holds."""
        position = np.cumsum(keep, dtype=np.int32) - 1
        chosen = np.flatnonzero(keep[self.parts.owner])
        parts = reordered(self.parts, chosen)
        moved = parts._replace(owner=position[parts.owner])
        strips = len(self.strip_start) - 1
        return _arranged(
            self.grid_key, self.width, strips, self.parcels[keep], self.hashes[keep], moved
        )

    def joined(self, other: CoverageIndex) -> CoverageIndex:
        """The index of these parcels and of those of another of the same grid, none in both."""
        parcels = np.concatenate([self.parcels, other.parcels])
        order = np.argsort(parcels, kind="stable")
        position = np.empty(len(order), np.int32)
        position[order] = np.arange(len(order))
        behind = other.parts._replace(owner=other.parts.owner + np.int32(len(self.parcels)))
        parts = concatenated(self.parts, behind)
        hashes = np.concatenate([self.hashes, other.hashes])[order]
        strips = len(self.strip_start) - 1
        moved = parts._replace(owner=position[parts.owner])
        return _arranged(self.grid_key, self.width, strips, parcels[order], hashes, moved)

    def save(self, path: Path) -> None:
        """Write it so that it can be mapped; the same index gives the same bytes."""
        arrays = {name: np.asarray(getattr(self, name)) for name in _OWN}
        write_arrays(path, arrays | self.parts._asdict())

    @classmethod
    def load(cls, path: Path) -> CoverageIndex:
        """An index that was saved; memory is that of what is looked at.

        Raises
        ------
        UnreadableFile
            If the file is missing or damaged.
        """
        stored = map_arrays(path)
        try:
            parts = Parts(*(stored[name] for name in Parts._fields))
            key, width, *arrays = (stored[name] for name in _OWN)
        except KeyError as error:
            raise UnreadableFile(
                f"'{path}' is no coverage index: delete it, it will be made again."
            ) from error
        parcels, hashes, total, strip_start, blocks = arrays
        own = parcels, hashes, total, strip_start
        return cls(str(key), int(width), *own, parts, blocks)


_OWN = tuple(item.name for item in fields(CoverageIndex) if item.name != "parts")


def build_coverage(
    parcels: Integers,
    hashes: Texts,
    geometries: Geometries,
    grid: Grid,
    rule: PixelRule = PixelRule.EXACT,
) -> CoverageIndex:
    """Coverage of the cells of `grid` by polygons in its CRS.

    `parcels`, `hashes` and `geometries` have shape (n,), in any order. Of a parcel that lies
    partly outside the grid the cells inside count; one without a cell, without a geometry or
    without an area stays, with no entries.
    """
    order = np.argsort(parcels, kind="stable")
    strips = -(-grid.height // STRIP_ROWS)
    return _arranged(
        grid.key,
        grid.width,
        strips,
        np.asarray(parcels, np.int64)[order],
        np.asarray(hashes, dtype="<U16")[order],
        _parts(geometries[order], grid, rule),
    )


def pixel_counts(geometries: Geometries, grid: Grid, buffer: float) -> Integers:
    """Pixels of `grid` whose centre lies inside each geometry shrunk by `buffer`, shape (n,).

    Geometries and `buffer` are in the CRS and units of the grid; a centre on the rim is outside.
    With a buffer of half a pixel this is the original's number of usable pixels (`S2Pix` with
    10 m and 5 m, `S1Pix` with 20 m and 10 m). 0 where there is no geometry.
    """
    shrunk = shapely.buffer(geometries, -buffer) if buffer else geometries
    parts = _parts(shrunk, grid, PixelRule.CENTRE)
    return covered(parts, len(geometries)).astype(np.int64)


def _arranged(
    grid_key: str, width: int, strips: int, parcels: Integers, hashes: Texts, parts: Parts
) -> CoverageIndex:
    """An index of parts in any order; they are sorted by strip, column and parcel."""
    order = np.lexsort([parts.owner, first_columns(parts, width), parts.strip])
    sorted_parts = reordered(parts, order)
    counts = np.bincount(parts.strip, minlength=strips)
    shape = strips, -(-width // BLOCK)
    index = CoverageIndex(
        grid_key,
        width,
        parcels,
        hashes,
        covered(sorted_parts, len(parcels)),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        sorted_parts,
        blocks_used(sorted_parts, width, BLOCK, shape),
    )
    for array in sorted_parts:
        array.flags.writeable = False  # as it is when mapped, so that kernels are compiled once
    return index


def _parts(geometries: Geometries, grid: Grid, rule: PixelRule) -> Parts:
    """What geometries, which may be missing, cover of a grid; owners are their positions."""
    usable = np.flatnonzero(_on_grid(geometries, grid))
    shape = grid.height, grid.width
    parts = cover(_rings(geometries[usable], grid), shape, STRIP_ROWS)
    parts = parts._replace(owner=usable[parts.owner].astype(np.int32))
    return parts if rule is PixelRule.EXACT else _centred(parts, geometries, grid)


def _on_grid(geometries: Geometries, grid: Grid) -> npt.NDArray[np.bool_]:
    """Which geometries are polygons that may cover a cell."""
    left, bottom, right, top = grid.bounds
    x0, y0, x1, y1 = shapely.bounds(geometries).T
    meets = (x0 < right) & (x1 > left) & (y0 < top) & (y1 > bottom)
    polygons = np.isin(shapely.get_type_id(geometries), POLYGONAL)
    finite = np.isfinite([x0, y0, x1, y1]).all(axis=0)
    return np.asarray(meets & polygons & finite)


def _rings(geometries: Geometries, grid: Grid) -> Rings:
    """Rings of polygons in units of cells."""
    nothing = np.zeros(1, np.int64)
    if not len(geometries):
        return Rings(np.empty(0), np.empty(0), nothing, np.empty(0, np.bool_), nothing)
    kind, coordinates, offsets = shapely.to_ragged_array(geometries, include_z=False)
    rings, polygons = (np.asarray(item, np.int64) for item in offsets[:2])
    several = kind == shapely.GeometryType.MULTIPOLYGON
    is_hole = np.ones(len(rings) - 1, np.bool_)
    is_hole[polygons[:-1][np.diff(polygons) > 0]] = False
    a, _, c, _, e, f = grid.transform
    return Rings(
        (coordinates[:, 0] - c) / a,
        (coordinates[:, 1] - f) / e,
        rings,
        is_hole,
        polygons[np.asarray(offsets[2], np.int64)] if several else polygons,
    )


def _centred(parts: Parts, geometries: Geometries, grid: Grid) -> Parts:
    """Parts by the rule of centres: of the rim only cells whose centre lies inside, in full."""
    rims = np.diff(parts.rim_start)
    owner, strip = np.repeat(parts.owner, rims), np.repeat(parts.strip, rims)
    row, column = np.divmod(parts.rim_cell, np.int32(grid.width))
    a, _, c, _, e, f = grid.transform
    xs = c + (column + 0.5) * a
    ys = f + (strip * STRIP_ROWS + row + 0.5) * e
    shapely.prepare(geometries)
    return with_rims(parts, shapely.contains_xy(geometries[owner], xs, ys))
