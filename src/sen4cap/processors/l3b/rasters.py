"""The files of an L3B product: one pass over the bands by threads, then one raster per variable.

Values wait as stored ones in scratch files between the pass and the writing of the rasters, so
that bands are read once and memory holds a strip per thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from sen4cap.domain import Asset, Product, Role
from sen4cap.errors import RadiometryRefused
from sen4cap.geo.raster import Described, Scratch, cog_of, encode, strips, write_quicklook
from sen4cap.kernels.biophysical import Network
from sen4cap.kernels.validity import Flag
from sen4cap.kernels.variables import MISSING, VARIABLES, Variable
from sen4cap.processing import Context, Progress, sweep
from sen4cap.processing.directions import directions_of
from sen4cap.processing.scaled import COG, COLOURS, NODATA
from sen4cap.processing.variables import Recipe
from sen4cap.processors.l3b.params import L3bParams, Storage
from sen4cap.processors.l3b.scene import Opened, Piece, Scene, opened, scene_of

WORKERS = 4
"""Most threads: each holds a strip of all bands."""
COLUMNS = 2048
"""Of a part of a strip: four blocks of our rasters; of more, memory is the slower."""
SUFFIXES = {
    "brightness": "SBRIGHT",
    "status": "MMONODFLG",
    "domain": "MINDOMFLG",
    "quicklook": "PVI",
    **{name: f"S{name.upper()}MONO" for name in ("lai", "fapar", "fcover", "ccc", "cwc")},
}
"""Short names in file names, where they are not `S` and the index in capitals."""
STATUS = "0 land, 1 water, 3 snow, 4 cloud or shadow, 5 saturated"
DOMAIN = (
    "bits: 1 spectrum outside the domain, 2 and 4 set to minimum and maximum, 8 and 16 the same "
    "from far, 32 a band out of range, 64 an angle out of range"
)


@dataclass(frozen=True)
class Layer:
    """One raster of the product."""

    name: str
    """Of its asset."""
    dtype: str
    told: Described
    is_mask: bool = False

    @property
    def asset_role(self) -> Role:
        """What it is for."""
        return Role.MASK if self.is_mask else Role.DATA


def write(
    ctx: Context, source: Product, recipe: Recipe, params: L3bParams, name: str, tag: str
) -> tuple[tuple[Asset, ...], dict[str, Any]]:
    """Assets and properties of the product `name`; its files are all there, or none is.

    Raises
    ------
    UnreadableFile
        If a band cannot be read.
    OutsideSite
        If the bands are in different CRS.
    RadiometryRefused
        If most of the reflectances are higher than any surface's.
    """
    folder = ctx.folder("l3b", name)
    sweep(folder)
    scene = scene_of(source, recipe, params)
    layers = _layers(recipe, params)
    assets = tuple(_assets(folder, layers, tag))
    with ExitStack() as stack:
        paths = {asset.name: stack.enter_context(ctx.write(Path(asset.href))) for asset in assets}
        spool = stack.enter_context(TemporaryDirectory(dir=paths["status"].parent, prefix=".l3b-"))
        stored = {
            layer.name: Scratch.create(
                Path(spool) / layer.name, scene.grid.width, scene.grid.height, layer.dtype
            )
            for layer in layers
        }
        counts = _fill(scene, layers, stored, ctx)
        _check(source, counts)
        ctx.progress(0.7, "writing rasters")
        _write_files(paths, scene, layers, stored, ctx)
        _write_picture(paths, scene, assets[0])
    return assets, _properties(source, recipe, counts)


def _layers(recipe: Recipe, params: L3bParams) -> tuple[Layer, ...]:
    """The rasters, in the order of the assets: variables first."""
    status = Described(float(Flag.NO_DATA), description=STATUS)
    domain = Described(float(MISSING), description=DOMAIN)
    masks = [Layer("status", "uint8", status, is_mask=True)]
    if recipe.network:
        masks.append(Layer("domain", "uint8", domain, is_mask=True))
        if params.produce_in_domain_flags:
            names = (f"{name}_domain" for name in recipe.network.outputs)
            masks += [Layer(name, "uint8", domain, is_mask=True) for name in names]
    variables = (
        Layer(item.id, params.storage.value, _described(item, recipe.network, params.storage))
        for item in recipe.variables
    )
    return (*variables, *masks)


def _described(item: Any, network: Network | None, storage: Storage) -> Described:
    tags = {"reference": item.reference}
    if isinstance(item, Variable) and network:
        tags |= {"network": network.id, "unit": item.unit}
    if storage is Storage.FLOAT32:
        return Described(float("nan"), description=item.title, tags=tags)
    return Described(NODATA, item.scale, description=item.title, tags=tags)


def _assets(folder: Path, layers: Sequence[Layer], tag: str) -> Iterator[Asset]:
    for layer in layers:
        href = folder / f"S2AGRI_L3B_{_short(layer.name)}_{tag}.TIF"
        told = layer.told
        yield Asset(
            layer.name, str(href), layer.asset_role, COG, scale=told.scale, nodata=told.nodata
        )
    picture = folder / f"S2AGRI_L3B_{SUFFIXES['quicklook']}_{tag}.png"
    yield Asset("quicklook", str(picture), Role.OVERVIEW, "image/png")


def _short(name: str) -> str:
    """`SNDVI`, `SLAIMONO`, `MLAIDOMFLG`: the original's name of a raster."""
    variable = name.removesuffix("_domain")
    if variable != name:
        return f"M{variable.upper()}DOMFLG"
    return SUFFIXES.get(name, f"S{name.upper()}")


@dataclass(frozen=True)
class _Counts:
    """Pixels of a scene, or of a part of it."""

    seen: int = 0
    with_data: int = 0
    bright: int = 0
    doubtful: int = 0

    def plus(self, other: _Counts | Piece) -> _Counts:
        return _Counts(
            self.seen + other.seen,
            self.with_data + other.with_data,
            self.bright + other.bright,
            self.doubtful + other.doubtful,
        )


def _fill(
    scene: Scene, layers: Sequence[Layer], stored: Mapping[str, Scratch], ctx: Context
) -> _Counts:
    """Compute all rasters strip by strip; each thread takes a run of neighbouring strips."""
    windows = list(strips(scene.grid))
    tell = _Teller(len(windows), ctx.progress)

    def work(numbers: NDArray[np.int64]) -> _Counts:
        total = _Counts()
        with opened(scene) as rasters:
            for number in numbers:
                total = total.plus(_strip(rasters, windows[number], layers, stored))
                tell.one()
        return total

    workers = max(1, min(ctx.cores, WORKERS, len(windows)))
    runs = np.array_split(np.arange(len(windows)), workers)
    total = _Counts()
    with ThreadPoolExecutor(workers) as pool:
        for part in pool.map(work, runs):
            total = total.plus(part)
    return total


class _Teller:
    """Tells the share of the strips that are done, from any thread, one at a time."""

    def __init__(self, count: int, progress: Progress) -> None:
        self._count, self._progress = count, progress
        self._done, self._lock = 0, Lock()

    def one(self) -> None:
        """One more is done."""
        with self._lock:
            self._done += 1
            self._progress(0.7 * self._done / self._count, "computing variables")


def _strip(
    rasters: Opened, window: Window, layers: Sequence[Layer], stored: Mapping[str, Scratch]
) -> _Counts:
    """Compute a strip part by part, and store it."""
    shape, total = (window.height, window.width), _Counts()
    lines = {layer.name: np.empty(shape, layer.dtype) for layer in layers}
    for part in _parts(window, whole=rasters.scene.grows):
        piece = rasters.piece(part)
        columns = slice(part.col_off, part.col_off + part.width)
        for layer in layers:
            lines[layer.name][:, columns] = _encoded(piece, layer)
        total = total.plus(piece)
    for name, values in lines.items():
        stored[name].write(window, values)
    return total


def _parts(strip: Window, *, whole: bool) -> Iterator[Window]:
    """Parts of a strip that lie on the blocks of rasters and stay in the processor's cache."""
    step = strip.width if whole else COLUMNS
    for left in range(0, strip.width, step):
        yield Window(left, strip.row_off, min(step, strip.width - left), strip.height)


def _encoded(piece: Piece, layer: Layer) -> NDArray[Any]:
    """Stored values of a raster."""
    name, told = layer.name, layer.told
    if name == "status":
        return piece.status
    if name == "domain":
        return np.asarray(reduce(np.bitwise_or, piece.flags.values()))
    if layer.is_mask:
        return piece.flags[name.removesuffix("_domain")]
    return encode(_kept(name, piece.values[name], told), layer.dtype, told.nodata, told.scale)


def _kept(name: str, values: NDArray[np.float32], told: Described) -> NDArray[np.float32]:
    """Values of which none is taken for missing when it is stored: an index may be that low."""
    if name in VARIABLES or told.nodata is None or np.isnan(told.nodata):
        return values
    return np.maximum(values, np.float32((told.nodata + 1) * told.scale))


def _check(source: Product, counts: _Counts) -> None:
    if counts.bright > counts.with_data / 2:
        raise RadiometryRefused(
            f"'{source.name}' has reflectances above 2 in most of its pixels, which no surface "
            "has: its scale is wrong; ingest it again and give the right one."
        )


def _write_files(
    paths: Mapping[str, Path],
    scene: Scene,
    layers: Sequence[Layer],
    stored: Mapping[str, Scratch],
    ctx: Context,
) -> None:
    def one(layer: Layer) -> None:
        resampling = "nearest" if layer.is_mask else "average"
        cog_of(stored[layer.name], paths[layer.name], scene.grid, layer.told, resampling=resampling)

    with ThreadPoolExecutor(max(1, min(ctx.cores, WORKERS))) as pool:
        list(pool.map(one, layers))


def _write_picture(paths: Mapping[str, Path], scene: Scene, first: Asset) -> None:
    shown = scene.recipe.variables[0]
    picture = replace(first, href=str(paths[first.name]))
    write_quicklook(
        paths["quicklook"],
        scene.grid,
        picture,
        vmin=shown.low,
        vmax=shown.high,
        colours=COLOURS,
    )


def _properties(source: Product, recipe: Recipe, counts: _Counts) -> dict[str, Any]:
    """What the product tells of itself: how much was seen, by what means, what is left out."""
    told: dict[str, Any] = {"valid_share": _share(counts.seen, counts.with_data)}
    if recipe.network:
        told |= {
            "sen4cap:network": recipe.network.id,
            "sen4cap:angles": str(directions_of(source)),
            "doubtful_share": _share(counts.doubtful, counts.seen),
        }
    if recipe.left_out:
        told["sen4cap:left_out"] = dict(recipe.left_out)
    return told


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
