"""Exact coverage of raster cells by polygons: signed areas under edges, summed along rows.

Each edge adds, to the cell it crosses, the area between itself and the right side of that cell,
and to the next cell what is left of its height; running sums along a row are then the covered
shares. Holes and rings of either direction come out by their sign. It is the accumulation of
anti-aliased scan conversion (Catmull, "A hidden-surface algorithm with anti-aliasing", SIGGRAPH
1978, for the areas; summed as in Crow, "Summed-area tables", SIGGRAPH 1984), exact for straight
edges up to rounding.

Rasters are cut into strips of rows. What a polygon covers of a strip is a *part*: runs of cells
that are covered in full, and single cells at the rim with their share.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]

NOTHING = 1e-9
"""Shares below it are rounding errors."""
FULL = 1 - 2.0**-25
"""Shares from here on are 1 in single precision."""


class Rings(NamedTuple):
    """Polygons, with or without holes, in units of cells: x are columns, y are rows."""

    x: Floats
    y: Floats
    ring_start: Longs
    """First vertex of each ring, and the number of vertices; rings are closed."""
    is_hole: npt.NDArray[np.bool_]
    polygon_start: Longs
    """First ring of each polygon, and the number of rings; shape (n + 1,)."""


class Parts(NamedTuple):
    """What polygons cover of strips; a cell is its row within the strip × columns + column."""

    owner: Ints
    """Position of the polygon of each part, shape (p,)."""
    strip: Ints
    """Number of the strip of each part, shape (p,)."""
    run_start: Longs
    """First run of each part, and the number of runs; shape (p + 1,)."""
    run_cell: Ints
    """First cell of each run."""
    run_length: Ints
    """Number of its cells, all covered in full."""
    rim_start: Longs
    """First rim cell of each part, and their number; shape (p + 1,)."""
    rim_cell: Ints
    rim_share: npt.NDArray[np.float32]
    """Covered share of each rim cell, above 0 and below 1."""


def cover(rings: Rings, shape: tuple[int, int], strip_rows: int) -> Parts:
    """What polygons cover of a raster of `shape` (rows, columns), by polygon and strip.

    Cells outside the raster do not count. Where rings of a polygon overlap, against the rules of
    simple features, a share is at most 1. Memory: the result, and the cells of one polygon's
    bounding box in one strip.
    """
    boxes = _boxes(rings, shape)
    parts, runs, rims = _cover(rings, boxes, shape[1], strip_rows, _room(0, 0, 0))
    out = _room(parts, runs, rims)
    _cover(rings, boxes, shape[1], strip_rows, out)
    return out


def _room(parts: int, runs: int, rims: int) -> Parts:
    return Parts(
        owner=np.empty(parts, np.int32),
        strip=np.empty(parts, np.int32),
        run_start=np.zeros(parts + 1, np.int64),
        run_cell=np.empty(runs, np.int32),
        run_length=np.empty(runs, np.int32),
        rim_start=np.zeros(parts + 1, np.int64),
        rim_cell=np.empty(rims, np.int32),
        rim_share=np.empty(rims, np.float32),
    )


def reordered(parts: Parts, order: Longs) -> Parts:
    """The parts at the positions `order`, in that order."""
    runs, run_start = group_positions(parts.run_start, order)
    rims, rim_start = group_positions(parts.rim_start, order)
    return Parts(
        parts.owner[order],
        parts.strip[order],
        run_start,
        parts.run_cell[runs],
        parts.run_length[runs],
        rim_start,
        parts.rim_cell[rims],
        parts.rim_share[rims],
    )


def concatenated(first: Parts, second: Parts) -> Parts:
    """The parts of both, one after the other."""
    joined = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in Parts._fields
    }
    for name in ("run_start", "rim_start"):
        own, other = getattr(first, name), getattr(second, name)
        joined[name] = np.concatenate([own, own[-1] + other[1:]])
    return Parts(**joined)


def group_positions(start: Longs, chosen: Longs) -> tuple[Longs, Longs]:
    """Positions of the entries of chosen groups, one after the other, and where each begins.

    Entries of group i are from `start[i]` to before `start[i + 1]`; shapes (entries,) and
    (chosen + 1,).
    """
    length = start[chosen + 1] - start[chosen]
    begin = np.concatenate([np.zeros(1, np.int64), np.cumsum(length)])
    return np.arange(begin[-1]) + np.repeat(start[chosen] - begin[:-1], length), begin


def with_rims(parts: Parts, keep: npt.NDArray[np.bool_]) -> Parts:
    """Only those rim cells where `keep`, shape (rim cells,), holds, and those in full."""
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])
    cell = parts.rim_cell[keep]
    share = np.ones(len(cell), np.float32)
    return parts._replace(rim_start=before[parts.rim_start], rim_cell=cell, rim_share=share)


def covered(parts: Parts, count: int) -> Floats:
    """Cells that each of `count` polygons covers, shape (count,)."""
    total = np.zeros(count)
    _add_covered(parts, total)
    return total


def first_columns(parts: Parts, columns: int) -> Ints:
    """Column of the first run of each part, else of its first rim cell, shape (parts,)."""
    has_run, has_rim = np.diff(parts.run_start) > 0, np.diff(parts.rim_start) > 0
    cell = np.zeros(len(parts.owner), np.int32)
    cell[has_rim] = parts.rim_cell[parts.rim_start[:-1][has_rim]]
    cell[has_run] = parts.run_cell[parts.run_start[:-1][has_run]]
    return cell % np.int32(columns)


def blocks_used(
    parts: Parts, columns: int, block: int, shape: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Whether a block of so many columns of a strip holds a covered cell, `shape` as strips."""
    used = np.zeros(shape, np.bool_)
    _mark_blocks(parts, columns, block, used)
    return used


@njit(nogil=True, cache=True)
def _add_covered(parts: Parts, total: Floats) -> None:
    for part in range(len(parts.owner)):
        cells = 0.0
        for run in range(parts.run_start[part], parts.run_start[part + 1]):
            cells += parts.run_length[run]
        for rim in range(parts.rim_start[part], parts.rim_start[part + 1]):
            cells += parts.rim_share[rim]
        total[parts.owner[part]] += cells


@njit(nogil=True, cache=True)
def _mark_blocks(parts: Parts, columns: int, block: int, used: npt.NDArray[np.bool_]) -> None:
    for part in range(len(parts.owner)):
        strip = parts.strip[part]
        for run in range(parts.run_start[part], parts.run_start[part + 1]):
            first = parts.run_cell[run] % columns
            last = first + parts.run_length[run] - 1
            for number in range(first // block, last // block + 1):
                used[strip, number] = True
        for rim in range(parts.rim_start[part], parts.rim_start[part + 1]):
            used[strip, parts.rim_cell[rim] % columns // block] = True


@njit(nogil=True, cache=True)
def _boxes(rings: Rings, shape: tuple[int, int]) -> Longs:
    """Rows and columns from first to behind the last of each polygon: top, bottom, left, right."""
    boxes = np.zeros((len(rings.polygon_start) - 1, 4), np.int64)
    for polygon in range(len(boxes)):
        first = rings.ring_start[rings.polygon_start[polygon]]
        last = rings.ring_start[rings.polygon_start[polygon + 1]]
        if first < last:
            x, y = rings.x[first:last], rings.y[first:last]
            boxes[polygon, 0] = min(max(np.floor(y.min()), 0), shape[0])
            boxes[polygon, 1] = min(max(np.ceil(y.max()), boxes[polygon, 0]), shape[0])
            boxes[polygon, 2] = min(max(np.floor(x.min()), 0), shape[1])
            boxes[polygon, 3] = min(max(np.ceil(x.max()), boxes[polygon, 2]), shape[1])
    return boxes


@njit(nogil=True, cache=True)
def _cover(
    rings: Rings, boxes: Longs, columns: int, strip_rows: int, out: Parts
) -> tuple[int, int, int]:
    """Numbers of parts, runs and rim cells; they are written if `out` has room for parts."""
    part, run, rim = 0, 0, 0
    for polygon in range(len(boxes)):
        top, bottom, left, right = boxes[polygon]
        if top >= bottom or left >= right:
            continue
        for strip in range(top // strip_rows, (bottom - 1) // strip_rows + 1):
            origin = strip * strip_rows
            first, last = max(top, origin), min(bottom, origin + strip_rows)
            area = np.zeros((last - first, right - left + 1))
            _accumulate(rings, polygon, area, first, left)
            runs, rims = _collect(area, (first - origin) * columns + left, columns, run, rim, out)
            if runs + rims == 0:
                continue
            part, run, rim = part + 1, run + runs, rim + rims
            if len(out.owner):
                out.owner[part - 1], out.strip[part - 1] = polygon, strip
                out.run_start[part], out.rim_start[part] = run, rim
    return part, run, rim


@njit(nogil=True, cache=True)
def _accumulate(rings: Rings, polygon: int, area: Floats, top: int, left: int) -> None:
    """Add the edges of a polygon to `area`, whose first cell is (top, left)."""
    for ring in range(rings.polygon_start[polygon], rings.polygon_start[polygon + 1]):
        first, last = rings.ring_start[ring], rings.ring_start[ring + 1]
        sign = _direction(rings.x[first:last], rings.y[first:last])
        if rings.is_hole[ring]:
            sign = -sign
        for vertex in range(first, last - 1):
            x0, y0 = rings.x[vertex] - left, rings.y[vertex] - top
            x1, y1 = rings.x[vertex + 1] - left, rings.y[vertex + 1] - top
            if y0 < y1:
                _add_edge(area, x0, y0, x1, y1, sign)
            elif y1 < y0:
                _add_edge(area, x1, y1, x0, y0, -sign)


@njit(nogil=True, cache=True)
def _direction(x: Floats, y: Floats) -> float:
    """1 where downward edges have the inside of the ring to their right, else -1."""
    doubled = 0.0
    for vertex in range(len(x) - 1):
        x0, x1 = x[vertex] - x[0], x[vertex + 1] - x[0]
        y0, y1 = y[vertex] - y[0], y[vertex + 1] - y[0]
        doubled += x0 * y1 - x1 * y0
    return -1.0 if doubled > 0 else 1.0


@njit(nogil=True, cache=True)
def _add_edge(area: Floats, x0: float, y0: float, x1: float, y1: float, sign: float) -> None:
    """Add an edge with y0 < y1, row by row."""
    top, bottom = max(y0, 0.0), min(y1, float(area.shape[0]))
    slope = (x1 - x0) / (y1 - y0)
    x = x0 if top == y0 else x0 + (top - y0) * slope
    row = int(top)
    while top < bottom:
        stop = min(row + 1.0, bottom)
        end = x1 if stop == y1 else x0 + (stop - y0) * slope
        _add_piece(area[row], min(x, end), max(x, end), sign * (stop - top))
        top, x, row = stop, end, row + 1


@njit(nogil=True, cache=True)
def _add_piece(area: Floats, low: float, high: float, height: float) -> None:
    """Add a piece of an edge that stays in one row, from x = low to high."""
    columns = float(len(area) - 1)
    if high <= 0:
        area[0] += height
        return
    if low >= columns:
        return
    column = int(max(low, 0.0))
    if low >= 0 and high <= column + 1.0:
        _add_to_cell(area, column, 0.5 * (low + high) - column, height)
        return
    steep = height / (high - low)
    if low < 0:  # what is left of the raster counts for all of its row
        area[0] -= steep * low
        low = 0.0
    high = min(high, columns)
    while low < high:
        stop = min(column + 1.0, high)
        _add_to_cell(area, column, 0.5 * (low + stop) - column, steep * (stop - low))
        low, column = stop, column + 1


@njit(nogil=True, cache=True)
def _add_to_cell(area: Floats, column: int, middle: float, height: float) -> None:
    area[column] += height * (1 - middle)
    area[column + 1] += height * middle


@njit(nogil=True, cache=True)
def _collect(
    area: Floats, origin: int, columns: int, run: int, rim: int, out: Parts
) -> tuple[int, int]:
    """Numbers of runs and rim cells of a part; they are written from `run` and `rim` on."""
    writing = len(out.owner) > 0
    runs, rims = 0, 0
    for row in range(area.shape[0]):
        share, length = 0.0, 0
        cell = origin + row * columns
        for column in range(area.shape[1]):
            share += area[row, column]
            full = share >= FULL and column < area.shape[1] - 1
            if full:
                length += 1
            elif length:
                if writing:
                    out.run_cell[run + runs] = cell + column - length
                    out.run_length[run + runs] = length
                runs, length = runs + 1, 0
            if not full and share > NOTHING and column < area.shape[1] - 1:
                if writing:
                    out.rim_cell[rim + rims] = cell + column
                    out.rim_share[rim + rims] = share
                rims += 1
    return runs, rims
