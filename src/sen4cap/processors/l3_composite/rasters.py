"""The files of a composite: one pass over each raster of the period, strip by strip.

A strip is made by one thread, date after date, so that memory holds a strip per thread whatever
the number of dates, and the result does not depend on the number of threads. Finished strips wait
as stored integers in temporary files until the rasters are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from sen4cap.domain import Asset, Grid, Product, Role, finest
from sen4cap.geo.raster import (
    grid_of,
    open_asset,
    read_physical,
    strips,
    write_cog,
    write_quicklook,
)
from sen4cap.kernels.compositing import Composite, add, add_greater, add_missing, date_weight
from sen4cap.kernels.variables import TABLE
from sen4cap.processing import Context, Progress, Step, sweep
from sen4cap.processing.period import SECOND, period_of
from sen4cap.processing.scaled import COG, COLOURS, NODATA, scaled
from sen4cap.processors.l3_composite.params import CompositeParams, Method
from sen4cap.processors.l3_composite.steps import wanted

COUNT, DAY = "count", "doy"
"""Kinds of rasters beside the values, as the names of their assets end."""
FORMATS: dict[str, dict[str, Any]] = {
    "": {"dtype": "int16", "nodata": NODATA},
    COUNT: {"dtype": "uint8", "nodata": None, "resampling": "nearest"},
    DAY: {"dtype": "uint16", "nodata": 0.0, "resampling": "nearest"},
}
"""How each kind is written; the values themselves have no ending."""
TEXTS = {"": "{method} of {name}", COUNT: "valid dates of {name}", DAY: "day of the year of {name}"}
OTHER = 0.001
"""Step of the values of what L3B does not make."""


@dataclass(frozen=True)
class Layer:
    """The raster of one acquisition."""

    asset: Asset
    weight: float
    """Of its date in the mean."""
    day: int
    """Of the year, of its UTC date."""


@dataclass(frozen=True)
class Work:
    """What is made of one asset."""

    name: str
    """As in the L3B products: `ndvi`."""
    layers: tuple[Layer, ...]
    """In the order in which they are taken in."""
    method: Method
    grid: Grid

    @property
    def scale(self) -> float:
        """Step in which its values are stored, as in the L3B products."""
        return TABLE[self.name].scale if self.name in TABLE else OTHER

    def format(self, kind: str) -> dict[str, Any]:
        """How a kind of its rasters is written."""
        return FORMATS[kind] if kind else {**FORMATS[kind], "scale": self.scale}

    @property
    def kinds(self) -> tuple[str, ...]:
        """Endings of the rasters that are written; a mean has no day of its own."""
        return ("", COUNT) if self.method is Method.MEAN else ("", COUNT, DAY)


def write(
    ctx: Context, params: CompositeParams, step: Step, name: str, tag: str
) -> tuple[tuple[Asset, ...], dict[str, Any]]:
    """Assets and properties of the product `name`; its files are all there, or none is.

    Raises
    ------
    UnreadableFile
        If a raster is missing or damaged.
    OutsideSite
        If the rasters are in different CRS.
    """
    folder = ctx.folder("l3_composite", name)
    sweep(folder)
    works = plan(params, step)
    assets = tuple(asset for work in works for asset in _assets(folder, work, tag))
    picture = Asset("quicklook", _href(folder, "PVI", tag, "png"), Role.OVERVIEW, "image/png")
    with ExitStack() as stack:
        paths = {
            asset.name: stack.enter_context(ctx.write(Path(asset.href)))
            for asset in (*assets, picture)
        }
        beside = paths[picture.name].parent
        filled = [_make(ctx, works, number, paths, beside) for number in range(len(works))]
        _picture(paths, works[0], assets[0])
    return (*assets, picture), {
        "dates": sorted({item.date.isoformat() for item in step.inputs}),
        "filled_share": round(filled[0], 6),
    }


def plan(params: CompositeParams, step: Step) -> tuple[Work, ...]:
    """What is made of each asset that the inputs have, by name."""
    first, last = period_of(step.slot)
    reach = (last + SECOND - first) / 2
    inputs = _ordered(params.method, step.inputs, first + reach)
    layers: dict[str, list[Layer]] = {}
    for item in inputs:
        weight = date_weight((item.start - first) / reach - 1, 1)
        for asset in wanted(params, item):
            layer = Layer(asset, weight, item.date.timetuple().tm_yday)
            layers.setdefault(asset.name, []).append(layer)
    every = (layer.asset.href for found in layers.values() for layer in found)
    grid = finest(grid_of(href, step.inputs[0].grid) for href in every)
    return tuple(Work(name, tuple(layers[name]), params.method, grid) for name in sorted(layers))


def _ordered(method: Method, inputs: Iterable[Product], middle: datetime) -> list[Product]:
    """By time; for the best by distance from the middle, of two as far the earlier first."""
    in_time = sorted(inputs, key=lambda item: (item.start, item.name))
    if method is not Method.BEST:
        return in_time
    return sorted(in_time, key=lambda item: abs(item.start - middle))


def _named(name: str, kind: str) -> str:
    return f"{name}_{kind}" if kind else name


def _href(folder: Path, content: str, tag: str, extension: str) -> str:
    return str(folder / f"SEN4CAP_L3COMP_{content}_{tag}.{extension}")


def _assets(folder: Path, work: Work, tag: str) -> Iterator[Asset]:
    for kind in work.kinds:
        name, form = _named(work.name, kind), work.format(kind)
        href = _href(folder, f"S{name.upper()}", tag, "TIF")
        role = Role.MASK if kind == COUNT else Role.DATA
        yield Asset(name, href, role, COG, scale=form.get("scale", 1.0), nodata=form["nodata"])


def _make(
    ctx: Context, works: Sequence[Work], number: int, paths: dict[str, Path], beside: Path
) -> float:
    """Write the rasters of one asset; share of its pixels that have a value."""
    work = works[number]

    def told(share: float, message: str) -> None:
        ctx.progress((number + share) / len(works), message)

    with (
        TemporaryDirectory(dir=beside, prefix=".l3comp-") as folder,
        ThreadPoolExecutor(ctx.cores) as pool,
    ):
        filled = _compute(pool, work, Path(folder), told)
        told(0.6, f"writing {work.name}")
        list(pool.map(partial(_write, work, Path(folder), paths), work.kinds))
    return filled / (work.grid.width * work.grid.height)


def _compute(pool: ThreadPoolExecutor, work: Work, folder: Path, progress: Progress) -> int:
    """Leave all strips in a folder; number of the pixels that have a value."""
    filled, height = 0, work.grid.height
    windows = list(strips(work.grid))
    made = pool.map(partial(_strip, work, folder), windows)
    for window, seen in zip(windows, made, strict=True):
        filled += seen
        progress(0.6 * (window.row_off + window.height) / height, f"compositing {work.name}")
    return filled


def _strip(work: Work, folder: Path, window: Window) -> int:
    """Leave one strip in a folder; number of its pixels that have a value."""
    so_far = Composite.empty((window.height, window.width))
    for layer in work.layers:
        with open_asset(layer.asset) as dataset:
            values = read_physical(dataset, layer.asset, work.grid, window)
        _take(so_far, values, layer, work.method)
    stored: dict[str, NDArray[Any]] = {
        "": scaled(so_far.value, work.scale),
        COUNT: so_far.seen,
        DAY: so_far.day,
    }
    for kind in work.kinds:
        np.save(_spooled(folder, kind, window), stored[kind])
    return int(np.count_nonzero(so_far.seen))


def _take(so_far: Composite, values: NDArray[np.float32], layer: Layer, method: Method) -> None:
    if method is Method.MEAN:
        add(so_far, values, layer.weight)
    elif method is Method.BEST:
        add_missing(so_far, values, layer.day)
    else:
        add_greater(so_far, values, layer.day)


def _spooled(folder: Path, kind: str, window: Window) -> Path:
    return folder / f"{kind}{window.row_off}.npy"


def _write(work: Work, folder: Path, paths: dict[str, Path], kind: str) -> None:
    blocks = ((window, np.load(_spooled(folder, kind, window))) for window in strips(work.grid))
    path = paths[_named(work.name, kind)]
    told = TEXTS[kind].format(name=work.name, method=work.method)
    write_cog(path, work.grid, blocks, description=told, **work.format(kind))


def _picture(paths: dict[str, Path], work: Work, asset: Asset) -> None:
    """A small picture of the first asset, in the colours of its variable."""
    known = TABLE.get(work.name)
    low, high = (known.low, known.high) if known else (0.0, 1.0)
    shown = replace(asset, href=str(paths[asset.name]))
    write_quicklook(paths["quicklook"], work.grid, shown, vmin=low, vmax=high, colours=COLOURS)
