"""The pixels of one acquisition, window by window: status and variables on one grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from sen4cap.domain import Asset, Grid, Product
from sen4cap.domain.grid import finest
from sen4cap.geo.angles import Cosines
from sen4cap.geo.crs import metres_per_unit
from sen4cap.geo.raster import grid_of, open_asset, read_codes, read_physical, widened
from sen4cap.kernels.validity import Flag, observed
from sen4cap.kernels.variables import MISSING, DomainFlag
from sen4cap.processing.classification import Validity, validity_of
from sen4cap.processing.directions import cosines_of
from sen4cap.processing.variables import Recipe
from sen4cap.processors.l3b.params import L3bParams, Resolution

Floats = NDArray[np.float32]
Flags = NDArray[np.uint8]
BRIGHT = 2.0
"""Reflectance that no surface has; where most pixels have more, the scale is wrong."""


@dataclass(frozen=True)
class Scene:
    """What is read of an acquisition, and onto which grid."""

    grid: Grid
    recipe: Recipe
    bands: Mapping[str, tuple[Asset, Grid]]
    """The assets and their own grids, by name."""
    validity: Validity | None
    cosines: Cosines | None
    """None where no variable needs angles."""

    @property
    def grows(self) -> bool:
        """Whether clouds are grown: the status of a pixel depends on others."""
        return self.validity is not None and self.validity.dilation > 0


@dataclass(frozen=True)
class Piece:
    """All about the pixels of a window; arrays of shape (rows, columns)."""

    status: Flags
    values: Mapping[str, Floats]
    """By variable; NaN where missing or the ground was not seen."""
    flags: Mapping[str, Flags]
    """`DomainFlag`s of the biophysical ones; 255 where there is no value."""
    seen: int
    """Pixels whose ground was seen."""
    with_data: int
    bright: int
    """Pixels with a reflectance that no surface has."""
    doubtful: int
    """Pixels seen whose spectrum no network was trained for."""


def scene_of(source: Product, recipe: Recipe, params: L3bParams) -> Scene:
    """How an acquisition is read.

    The grid is that of the finest band that is used, or one of coarser pixels where these are
    wanted.
    """
    assets = {name: source.asset(name) for name in recipe.bands}
    bands = {name: (item, grid_of(item.href, source.grid)) for name, item in assets.items()}
    grid = finest(grid for _, grid in bands.values())
    factor = round(params.resolution * _per_metre(grid) / max(grid.pixel))
    if params.resolution is Resolution.COARSE and factor > 1:
        grid = grid.at(max(grid.pixel) * factor)
    cosines = cosines_of(source) if recipe.network else None
    return Scene(grid, recipe, bands, validity_of(source, params.cloud_dilation), cosines)


def _per_metre(grid: Grid) -> float:
    unit = metres_per_unit(grid.crs)
    return 1 / unit if unit else 0.0


@contextmanager
def opened(scene: Scene) -> Iterator[Opened]:
    """The open rasters of a scene, for one thread.

    Raises
    ------
    UnreadableFile
        If one is missing or no raster.
    """
    with ExitStack() as stack:
        bands = {
            name: stack.enter_context(open_asset(item)) for name, (item, _) in scene.bands.items()
        }
        masks = {
            asset.name: stack.enter_context(open_asset(asset))
            for asset in (scene.validity.masks if scene.validity else ())
        }
        yield Opened(scene, bands, masks)


@dataclass(frozen=True)
class Opened:
    """A scene whose rasters are open."""

    scene: Scene
    bands: Mapping[str, Any]
    masks: Mapping[str, Any]

    def piece(self, window: Window) -> Piece:
        """All about the pixels of a window.

        Raises
        ------
        UnreadableFile
            If the data are damaged.
        OutsideSite
            If the bands are in different CRS.
        """
        scene = self.scene
        bands = {name: self._reflectance(name, window) for name in self.bands}
        status = self._status(bands, window)
        hidden = ~observed(status)
        angles = scene.cosines.at(scene.grid, window) if scene.cosines else ()
        found = scene.recipe.compute(bands, angles)
        for values in found.values.values():
            values[hidden] = np.nan
        for flags in found.flags.values():
            flags[hidden] = MISSING
        first = next(iter(bands.values()))
        return Piece(
            status,
            found.values,
            found.flags,
            seen=hidden.size - int(np.count_nonzero(hidden)),
            with_data=int(np.count_nonzero(status != Flag.NO_DATA)),
            bright=int(np.count_nonzero(first > BRIGHT)),
            doubtful=_doubtful(found.flags),
        )

    def _reflectance(self, name: str, window: Window) -> Floats:
        """Reflectance on the scene's grid: finer bands averaged, coarser ones as they are."""
        asset, own = self.scene.bands[name]
        factor = round(max(self.scene.grid.pixel) / max(own.pixel))
        if factor <= 1:
            return read_physical(self.bands[name], asset, self.scene.grid, window)
        fine = Window(*(side * factor for side in window.flatten()))
        values = read_physical(self.bands[name], asset, self.scene.grid.at(max(own.pixel)), fine)
        blocks = values.reshape(window.height, factor, window.width, factor)
        return np.asarray(blocks.mean(axis=(1, 3)), np.float32)

    def _status(self, bands: Mapping[str, Floats], window: Window) -> Flags:
        """Status of the pixels; without masks all that has data is land."""
        empty = reduce(np.logical_and, (np.isnan(values) for values in bands.values()))
        validity = self.scene.validity
        if validity is None:
            flags = np.full(empty.shape, Flag.LAND, np.uint8)
        else:
            margin = validity.margin(self.scene.grid)
            codes = {
                asset.name: read_codes(
                    self.masks[asset.name], asset, self.scene.grid, widened(window, margin)
                )
                for asset in validity.masks
            }
            flags = validity.flags(codes, margin)
        return np.where(empty, np.uint8(Flag.NO_DATA), flags)


def _doubtful(flags: Mapping[str, Flags]) -> int:
    """Pixels outside the domain of the networks, which is one for all variables."""
    first = next(iter(flags.values()), None)
    if first is None:
        return 0
    missing = np.count_nonzero(first == MISSING)  # they have all bits
    return int(np.count_nonzero(first & np.uint8(DomainFlag.INPUT)) - missing)
