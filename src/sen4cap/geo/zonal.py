"""Statistics of rasters per parcel, with exact coverage of the cells.

Every strip of every raster is read once. Moments are computed per strip and merged in the order
of strips, so that the result is the same bit for bit whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.windows import Window

from sen4cap.domain import Asset, Grid
from sen4cap.errors import InputRefused
from sen4cap.geo.coverage import CoverageIndex, Strip
from sen4cap.geo.read import STRIP_ROWS, open_asset, read_codes, read_physical, widened
from sen4cap.kernels.zonal import Moments, merge, run_moments, run_starts

Floats = npt.NDArray[np.float64]
Values = Mapping[str, npt.NDArray[np.float32]]
Compute = Callable[[Values], Values]
"""Physical values by asset name → values by name of the statistic; shapes (rows, columns)."""
Codes = Mapping[str, npt.NDArray[Any]]
"""Class codes by name of the mask, equal shapes (rows, columns)."""
Part = tuple[npt.NDArray[np.int32], dict[str, Moments]]
"""Positions of the parcels of a strip, and their moments by name."""


@dataclass(frozen=True)
class Visible:
    """Which cells count."""

    masks: tuple[Asset, ...]
    where: Callable[[Codes], npt.NDArray[np.bool_]]
    """Codes of a window → where its cells count; without the margin's rows."""
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


def parcel_statistics(
    index: CoverageIndex,
    grid: Grid,
    assets: Sequence[Asset],
    *,
    visible: Visible | None = None,
    compute: Compute | None = None,
    cores: int = 1,
    progress: Callable[[float, str], None] | None = None,
) -> dict[str, Statistics]:
    """Statistics of each asset, by its name, or of what `compute` makes of them.

    Cells that `visible` hides are missing in every asset. `compute` sees the assets strip by
    strip, missing values as NaN, and works on each cell by itself; it is called once with arrays
    of no rows, to learn the names.
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
    plan = _Plan(index, grid, tuple(assets), visible, compute or dict)
    totals = {name: Moments.zeros(len(index.parcels)) for name in plan.names}
    for positions, moments in _parts(plan, cores, progress):
        for name, part in moments.items():
            merge(totals[name], positions, part)
    return {name: _statistics(total, index.total) for name, total in totals.items()}


def _statistics(total: Moments, covered: Floats) -> Statistics:
    share = np.divide(total.weight, covered, out=np.zeros(len(covered)), where=covered > 0)
    return Statistics(total.average, total.deviation, total.weight, share)


@dataclass(frozen=True)
class _Plan:
    """What to read and to make of it."""

    index: CoverageIndex
    grid: Grid
    assets: tuple[Asset, ...]
    visible: Visible | None
    compute: Compute

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the statistics."""
        nothing = np.empty((0, self.grid.width), np.float32)
        return tuple(self.compute({asset.name: nothing for asset in self.assets}))


def _parts(
    plan: _Plan, cores: int, progress: Callable[[float, str], None] | None
) -> Iterator[Part]:
    """Moments of the strips, in order; each thread takes a run of neighbouring strips."""
    occupied = plan.index.occupied
    done, lock = 0, Lock()

    def strips(numbers: npt.NDArray[np.int64]) -> list[Part]:
        return [told(part) for part in _read_strips(plan, numbers)]

    def told(part: Part) -> Part:
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


def _read_strips(plan: _Plan, numbers: npt.NDArray[np.int64]) -> Iterator[Part]:
    """Moments of some strips; the datasets are the calling thread's own."""
    with ExitStack() as stack:
        datasets = [stack.enter_context(open_asset(asset)) for asset in plan.assets]
        wanted = plan.visible.masks if plan.visible else ()
        masks = [stack.enter_context(open_asset(mask)) for mask in wanted]
        for number in numbers:
            strip = plan.index.strip(number)
            yield _moments(strip, plan.compute(_values(plan, datasets, masks, strip)))


def _values(plan: _Plan, datasets: Sequence[Any], masks: Sequence[Any], strip: Strip) -> Values:
    """Physical values of a strip by asset name, NaN where masked."""
    grid = plan.grid
    rows = min(STRIP_ROWS, grid.height - strip.first_row)
    window = Window(0, strip.first_row, grid.width, rows)
    values = {
        asset.name: read_physical(dataset, asset, grid, window)
        for asset, dataset in zip(plan.assets, datasets, strict=True)
    }
    if plan.visible is not None:
        hidden = ~_visible(plan.visible, masks, grid, window)
        for array in values.values():
            array[hidden] = np.nan
    return values


def _visible(
    visible: Visible, masks: Sequence[Any], grid: Grid, window: Window
) -> npt.NDArray[np.bool_]:
    around = widened(window, visible.margin)
    codes = {
        mask.name: read_codes(dataset, mask, grid, around)
        for mask, dataset in zip(visible.masks, masks, strict=True)
    }
    return visible.where(codes)


def _moments(strip: Strip, values: Values) -> Part:
    starts = run_starts(strip.parcel_pos)
    moments = {
        name: run_moments(starts, strip.cell, strip.fraction, _flat(array))
        for name, array in values.items()
    }
    return strip.parcel_pos[starts[:-1]], moments


def _flat(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(array, dtype=np.float32).ravel()
