"""Statistics of rasters per parcel.

Every strip of every raster is read once, and of a strip only the blocks with parcels. Statistics
of strips are merged in the order of strips, so that the result is the same bit for bit whatever
the number of threads. Each thread holds one strip of each raster that it reads, and the moments of
its parts: 40 bytes for each raster and parcel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rasterio.windows import Window

from sen4cap.domain import Asset, Grid
from sen4cap.errors import InputRefused
from sen4cap.geo.coverage import CoverageIndex, Strip
from sen4cap.geo.planes import StripReader
from sen4cap.geo.read import STRIP_ROWS, open_asset, widened
from sen4cap.kernels.coverage import group_positions
from sen4cap.kernels.zonal import (
    Mask,
    Moments,
    Plane,
    entries,
    gather,
    merge,
    part_moments,
    run_moments,
    run_quantiles,
)

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Values = Mapping[str, Singles]
EACH_CODE = np.arange(256, dtype=np.uint8)[np.newaxis]
"""Every code that a byte can hold, as a raster of one row."""
FLAGS = np.arange(256) > 0
"""Whether a cell is seen that is flagged by 0 or 1."""


class Places(NamedTuple):
    """Where cells are on their grid, shapes (cells,)."""

    rows: npt.NDArray[np.int32]
    columns: npt.NDArray[np.int32]


Compute = Callable[[Values, Places], Values]
"""Physical values by asset name, and their places → values by name of the statistic; equal shapes
(cells,)."""
Codes = Mapping[str, npt.NDArray[Any]]
"""Class codes by name of the mask, equal shapes (rows, columns)."""


@dataclass(frozen=True)
class Visible:
    """Which cells count."""

    masks: tuple[Asset, ...]
    where: Callable[[Codes], npt.NDArray[np.bool_]]
    """Codes of a window → where its cells count; without the margin's rows. With no margin it
    looks at each cell by itself."""
    margin: int = 0
    """Rows above and below the window that `where` sees too."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Statistics of one variable per parcel, in the order of the index; arrays of shape (n,)."""

    mean: Floats
    """Coverage-weighted mean; NaN where no cell is valid."""
    stdev: Floats
    """Population standard deviation, coverage-weighted; NaN where no cell is valid."""
    count: Floats
    """Valid cells: the sum of their covered shares."""
    valid_fraction: Floats
    """Valid share of the covered cells, 0-1; 0 where there is none."""
    low: Floats
    """Lowest value of a cell that the parcel touches; NaN where no cell is valid."""
    high: Floats
    """Highest value; NaN where no cell is valid."""
    quantiles: Mapping[float, Floats] = field(default_factory=dict)
    """Coverage-weighted quantiles that were asked for; NaN where no cell is valid."""


def parcel_statistics(
    index: CoverageIndex,
    grid: Grid,
    assets: Sequence[Asset],
    *,
    visible: Visible | None = None,
    compute: Compute | None = None,
    quantiles: Sequence[float] = (),
    cores: int = 1,
    progress: Callable[[float, str], None] | None = None,
) -> dict[str, Statistics]:
    """Statistics of each asset, by its name, or of what `compute` makes of them.

    Cells that `visible` hides are missing in every asset. `compute` sees the cells that parcels
    cover, missing values as NaN, and works on each by itself; it is called once with arrays of no
    cells, to learn the names. Quantiles weigh as in `kernels.zonal.run_quantiles`.
    `cores` threads read; `progress` hears the share done, from any of them, one at a time.

    Raises
    ------
    InputRefused
        If the index was made for another grid.
    OutsideSite
        If an asset has another CRS than the grid.
    UnreadableFile
        If an asset is missing or damaged.
    """
    if index.grid_key != grid.key:
        raise InputRefused(f"The coverage index was not made for grid '{grid.name}': build it.")
    plan = _Plan(index, grid, tuple(assets), visible, compute, tuple(quantiles))
    totals = {name: Moments.zeros(len(index.parcels)) for name in plan.names}
    ranks = _Ranks(len(index.parcels), plan)
    for part in _parts(plan, cores, progress):
        for name, moments in part.moments.items():
            merge(totals[name], part.owner, moments)
        ranks.add(part)
    return {name: _statistics(total, index.total, ranks.of(name)) for name, total in totals.items()}


def _statistics(total: Moments, covered: Floats, quantiles: Mapping[float, Floats]) -> Statistics:
    share = np.divide(total.weight, covered, out=np.zeros(len(covered)), where=covered > 0)
    low, high = total.extremes
    return Statistics(total.average, total.deviation, total.weight, share, low, high, quantiles)


@dataclass(frozen=True)
class _Plan:
    """What to read and to make of it."""

    index: CoverageIndex
    grid: Grid
    assets: tuple[Asset, ...]
    visible: Visible | None
    compute: Compute | None
    quantiles: tuple[float, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the statistics."""
        nothing = {asset.name: np.empty(0, np.float32) for asset in self.assets}
        nowhere = Places(np.empty(0, np.int32), np.empty(0, np.int32))
        return tuple(self.compute(nothing, nowhere) if self.compute else nothing)


class _Cells(NamedTuple):
    """Values of the cells of some parts of a strip."""

    owner: npt.NDArray[np.int32]
    size: npt.NDArray[np.int64]
    """Cells of each part."""
    share: Singles
    values: Values


@dataclass(frozen=True)
class _Part:
    """What a strip tells of the parcels on it."""

    owner: npt.NDArray[np.int32]
    moments: dict[str, Moments]
    quantiles: dict[str, Floats] = field(default_factory=dict)
    """Shape (quantiles, parts); of parcels that lie on this strip alone."""
    cells: _Cells | None = None
    """Those of parcels that lie on several, whose quantiles wait for all of them."""


class _Ranks:
    """Quantiles as they come in, strip by strip."""

    def __init__(self, count: int, plan: _Plan) -> None:
        self._shares, self._waiting = plan.quantiles, list[_Cells]()
        shape = len(plan.quantiles), count
        self._found = {
            name: np.full(shape, np.nan) for name in (plan.names if plan.quantiles else ())
        }

    def add(self, part: _Part) -> None:
        """Take over what a strip tells."""
        for name, values in part.quantiles.items():
            known = ~np.isnan(values)
            where = np.broadcast_to(part.owner, values.shape)[known]
            self._found[name][np.nonzero(known)[0], where] = values[known]
        if part.cells is not None:
            self._waiting.append(part.cells)

    @cached_property
    def _order(
        self,
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """As `_by_owner`, of all that waits; once nothing is added any more."""
        return _by_owner(self._waiting)

    def of(self, name: str) -> dict[float, Floats]:
        """Quantiles of a variable."""
        if not self._shares:
            return {}
        found = self._found[name]
        if self._waiting:
            owner, start, picked = self._order
            shares = np.concatenate([item.share for item in self._waiting])[picked]
            values = np.concatenate([item.values[name] for item in self._waiting])[picked]
            found[:, owner] = run_quantiles(start, shares, values, self._shares)
        return dict(zip(self._shares, found, strict=True))


def _by_owner(
    cells: Sequence[_Cells],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Parcels, where the cells of each begin, and the positions of the cells, parcel by parcel."""
    owner = np.concatenate([item.owner for item in cells])
    begin = np.concatenate([[0], np.cumsum(np.concatenate([item.size for item in cells]))])
    order = np.argsort(owner, kind="stable")
    picked, start = group_positions(begin, order)
    first = np.flatnonzero(np.diff(owner[order], prepend=-1))
    return owner[order][first], np.append(start[first], start[-1]), picked


def _parts(
    plan: _Plan, cores: int, progress: Callable[[float, str], None] | None
) -> Iterator[_Part]:
    """What the strips tell, in order; each thread takes a run of neighbouring strips."""
    occupied = plan.index.occupied
    done, lock = 0, Lock()

    def strips(numbers: npt.NDArray[np.int64]) -> list[_Part]:
        return [told(part) for part in _read_strips(plan, numbers)]

    def told(part: _Part) -> _Part:
        nonlocal done
        with lock:
            done += 1
            if progress:
                progress(done / len(occupied), "Reading rasters")
        return part

    runs = np.array_split(occupied, max(1, min(cores, len(occupied))))
    if len(runs) == 1:
        yield from strips(runs[0])
        return
    with ThreadPoolExecutor(len(runs)) as pool:
        for parts in pool.map(strips, runs):
            yield from parts


def _read_strips(plan: _Plan, numbers: npt.NDArray[np.int64]) -> Iterator[_Part]:
    """What some strips tell; the open rasters are the calling thread's own."""
    with ExitStack() as stack:
        readers, masks = (
            [StripReader(stack.enter_context(open_asset(item)), item, plan.grid) for item in group]
            for group in (plan.assets, plan.visible.masks if plan.visible else ())
        )
        direct = not plan.compute and not plan.quantiles and all(map(_is_plain, readers))
        look = _straight if direct else _gathered
        for number in numbers:
            strip = plan.index.strip(number)
            mask = _mask(plan.visible, masks, strip) if plan.visible else None
            yield look(plan, readers, strip, mask)


def _is_plain(reader: StripReader) -> bool:
    """Whether moments can be taken from the stored values."""
    return reader.is_direct and reader.shift == 0


def _straight(
    _plan: _Plan, readers: Sequence[StripReader], strip: Strip, mask: Mask | None
) -> _Part:
    """Moments straight from the stored values."""
    moments = {}
    for reader in readers:
        plane = reader.stored(strip.first_row, strip.columns)
        found = part_moments(strip.parts, plane.values, reader.nodata, mask)
        asset = reader.asset
        moments[asset.name] = found.scaled(asset.scale, asset.offset)
    return _Part(strip.parts.owner, moments)


def _gathered(
    plan: _Plan, readers: Sequence[StripReader], strip: Strip, mask: Mask | None
) -> _Part:
    """Statistics of what is computed of the cells that parcels cover."""
    width = plan.grid.width
    cells, shares, start = entries(strip.parts)
    hidden = None if mask is None else ~mask.seen[gather(cells, width, Plane(*mask[:2]))]
    values = {}
    for reader in readers:
        found = reader.at(cells, strip.first_row, strip.columns)
        if hidden is not None:
            found[hidden] = np.nan
        values[reader.asset.name] = found
    made = plan.compute(values, _places(cells, strip, width)) if plan.compute else values
    owner = strip.parts.owner
    moments = {name: run_moments(start, shares, array) for name, array in made.items()}
    if not plan.quantiles:
        return _Part(owner, moments)
    several = plan.index.strips_of[owner] > 1
    return _Part(
        owner,
        moments,
        _quantiles(plan, ~several, start, shares, made),
        _kept(strip, np.flatnonzero(several), start, shares, made),
    )


def _places(cells: npt.NDArray[np.int32], strip: Strip, width: int) -> Places:
    rows, columns = np.divmod(cells, np.int32(width))
    return Places(rows + np.int32(strip.first_row), columns)


def _quantiles(
    plan: _Plan,
    chosen: npt.NDArray[np.bool_],
    start: npt.NDArray[np.int64],
    shares: Singles,
    values: Values,
) -> dict[str, Floats]:
    """Quantiles of the chosen parts, NaN elsewhere, shape (quantiles, parts)."""
    found = {
        name: run_quantiles(start, shares, array, plan.quantiles) for name, array in values.items()
    }
    for array in found.values():
        array[:, ~chosen] = np.nan
    return found


def _kept(
    strip: Strip,
    chosen: npt.NDArray[np.int64],
    start: npt.NDArray[np.int64],
    shares: Singles,
    values: Values,
) -> _Cells | None:
    """The cells of the chosen parts."""
    if not len(chosen):
        return None
    picked, begin = group_positions(start, chosen)
    kept = {name: array[picked] for name, array in values.items()}
    return _Cells(strip.parts.owner[chosen], np.diff(begin), shares[picked], kept)


def _mask(visible: Visible, readers: Sequence[StripReader], strip: Strip) -> Mask:
    """Where cells of a strip count: as the masks lie, if they lie alike, else brought to the grid.

    Clouds that are grown are grown on the grid, as wherever rasters are masked. Of a single mask
    of bytes, what its codes mean is worked out for the 256 codes instead of for each pixel.
    """
    shifts = {reader.shift if reader.is_direct else None for reader in readers}
    if visible.margin or len(shifts) > 1 or None in shifts:
        return _spread_mask(visible, readers, strip)
    planes = {
        reader.asset.name: reader.stored(strip.first_row, strip.columns) for reader in readers
    }
    [(name, first), *others] = planes.items()
    if first.values.dtype == np.uint8 and not others:
        return Mask(*first, visible.where({name: EACH_CODE})[0])
    seen = visible.where({name: plane.values for name, plane in planes.items()})
    return Mask(seen.view(np.uint8), first.shift, FLAGS)


def _spread_mask(visible: Visible, readers: Sequence[StripReader], strip: Strip) -> Mask:
    grid = readers[0].grid
    rows = min(STRIP_ROWS, grid.height - strip.first_row)
    around = widened(Window(0, strip.first_row, grid.width, rows), visible.margin)
    codes = {reader.asset.name: reader.codes(around) for reader in readers}
    return Mask(visible.where(codes).view(np.uint8), 0, FLAGS)
