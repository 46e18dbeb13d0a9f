"""Strips of rasters as they are stored: nothing converted, nothing spread, nothing read in vain.

A raster whose pixels are 1, 2, 4, … times those of the grid that is asked for, from the same
corner, is read as it lies; whoever looks at a cell shifts its row and column. Any other is brought
to the grid first, see `geo.read`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from sen4cap.domain import Asset, Grid
from sen4cap.geo.crs import same
from sen4cap.geo.read import (
    STRIP_ROWS,
    read_codes,
    read_physical,
    refusing,
    stored_grid,
    to_physical,
)
from sen4cap.kernels.zonal import Plane, gather

DIRECT = frozenset({"uint8", "int8", "uint16", "int16", "int32", "uint32", "float32", "float64"})
MAX_SHIFT = 3
NOT_STORED = -(2**62)
"""Stands for the nodata of integers that have none."""

Array = npt.NDArray[Any]
Columns = Iterable[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class StripReader:
    """An open raster, read by strips of a grid. For one thread: what it reads it reads again over.

    Memory is that of one strip.
    """

    dataset: Any
    asset: Asset
    grid: Grid

    @cached_property
    def shift(self) -> int | None:
        """A pixel holds 2^shift × 2^shift cells; None where it must be brought to the grid."""
        own, grid = stored_grid(self.dataset), self.grid
        if not same(own.crs, grid.crs):
            return None
        (a, _, c, _, e, f), (step_x, _, left, _, step_y, top) = own.transform, grid.transform
        for shift in range(MAX_SHIFT):
            cells = 2**shift
            nested = (a, c, e, f) == (step_x * cells, left, step_y * cells, top)
            if nested and own.width * cells >= grid.width and own.height * cells >= grid.height:
                return shift
        return None

    @cached_property
    def nodata(self) -> float | int:
        """Stored value that means missing, as the kernels compare it."""
        kind = np.dtype(self.dataset.dtypes[self.asset.index - 1])
        own = self.dataset.nodatavals[self.asset.index - 1]
        told = own if self.asset.nodata is None else self.asset.nodata
        if kind.kind == "f":
            return float(kind.type(np.nan if told is None else told))
        whole = told is not None and float(told).is_integer()
        return int(told) if whole else NOT_STORED

    @cached_property
    def is_direct(self) -> bool:
        """Whether stored values say by themselves what is missing, on a grid that fits."""
        band = self.asset.index - 1
        flags = self.dataset.mask_flag_enums[band]
        told = self.asset.nodata is not None or self.dataset.nodatavals[band] is not None
        plain = self.dataset.dtypes[band] in DIRECT and (told or MaskFlags.all_valid in flags)
        return plain and self.shift is not None

    def stored(self, first_row: int, columns: Columns) -> Plane:
        """Stored values from a row of the grid on, of some columns; the others hold anything.

        Raises
        ------
        UnreadableFile
            If the data are damaged.
        """
        shift = self.shift or 0
        rows = min(STRIP_ROWS, self.grid.height - first_row)
        top, height = first_row >> shift, -(-rows >> shift)
        values = self._room[:height]
        width = values.shape[1]
        for first, last in columns:
            left, right = first >> shift, min(-(-last >> shift), width)
            window = Window(left, top, right - left, height)
            with refusing(self.dataset.name):
                if (left, right) == (0, width):
                    self.dataset.read(self.asset.index, window=window, out=values)
                else:
                    values[:, left:right] = self.dataset.read(self.asset.index, window=window)
        return Plane(values, shift)

    def physical(self, first_row: int) -> Plane:
        """Physical values of a strip, brought to the grid; NaN is missing."""
        rows = min(STRIP_ROWS, self.grid.height - first_row)
        window = Window(0, first_row, self.grid.width, rows)
        return Plane(read_physical(self.dataset, self.asset, self.grid, window), 0)

    def at(
        self, cells: npt.NDArray[np.int32], first_row: int, columns: Columns
    ) -> npt.NDArray[np.float32]:
        """Physical values of cells of a strip, shape and order as `cells`; NaN is missing.

        Raises
        ------
        OutsideSite
            If the raster has another CRS than the grid.
        UnreadableFile
            If the data are damaged.
        """
        if not self.is_direct:
            return gather(cells, self.grid.width, self.physical(first_row))
        stored = gather(cells, self.grid.width, self.stored(first_row, columns))
        return to_physical(stored, self.nodata, self.asset)

    def codes(self, window: Window) -> Array:
        """Class codes of a window of the grid, which may leave it; 0 outside."""
        return read_codes(self.dataset, self.asset, self.grid, window)

    @cached_property
    def _room(self) -> Array:
        """The memory of a strip, the same each time."""
        shift = self.shift or 0
        width = min(-(-self.grid.width >> shift), self.dataset.width)
        kind = self.dataset.dtypes[self.asset.index - 1]
        return np.empty((STRIP_ROWS >> shift, width), kind)
