"""How much longer than reading its bands does it take to make LAI, FAPAR and FCOVER of a tile?

A seeded tile of 5 490 × 5 490 pixels: eight bands of a landscape at 20 m, zstd level 1. They are
read alone; read, estimated and written block by block as tiled GeoTIFFs; and run through the
processor as any product is, with status, flags, overviews, a picture and all safely on disk. All
take the same number of threads, in turn; medians of some rounds. `times` is the ratio to reading.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window

from sen4cap.domain import Asset, Grid, Product, ProductType, Role, Season, Site
from sen4cap.geo.mgrs import tile_grid
from sen4cap.geo.raster import Block, encode, open_asset, read_physical, strips, write_cog
from sen4cap.kernels.biophysical import estimate
from sen4cap.processing import Context, Step
from sen4cap.processing.directions import cosines_of
from sen4cap.processing.networks import Model, network_for
from sen4cap.processing.variables import recipe_of
from sen4cap.processors.l3b import L3bParams, processor

TIME = datetime(2023, 6, 4, 10, 46, 19, tzinfo=UTC)
SOIL = {"B03": 900, "B04": 1200, "B05": 1500, "B06": 1700, "B07": 1850, "B8A": 2050, "B11": 2700}
CROP = {"B03": 450, "B04": 250, "B05": 750, "B06": 2500, "B07": 3400, "B8A": 3800, "B11": 1700}
SOIL["B12"], CROP["B12"] = 2200, 800
PARAMS = L3bParams(produce_ndvi=False)
"""LAI, FAPAR and FCOVER, int16, at the resolution of the bands."""


def band(grid: Grid, name: str) -> Iterator[Block]:
    """Fields of 8 × 8 pixels between bare soil and a full crop, with noise in each pixel."""
    fields, noise = np.random.default_rng(0), np.random.default_rng(sum(map(ord, name)))
    for window in strips(grid):
        shape = -(-window.height // 8), -(-window.width // 8)
        cover = fields.random(shape, np.float32).repeat(8, 0).repeat(8, 1)
        cover = cover[: window.height, : window.width]
        values = SOIL[name] + (CROP[name] - SOIL[name]) * cover
        yield window, (values + noise.normal(0, 40, values.shape)).astype(np.uint16)


def scene(folder: Path, grid: Grid) -> Product:
    folder.mkdir()
    assets = []
    for name in SOIL:
        write_cog(folder / f"{name}.tif", grid, band(grid, name), dtype="uint16", nodata=0)
        assets.append(Asset(name, str(folder / f"{name}.tif"), scale=1e-4, nodata=0))
    classes = ((item, np.full((item.height, item.width), 4, np.uint8)) for item in strips(grid))
    write_cog(folder / "SCL.tif", grid, classes, dtype="uint8", nodata=0, resampling="nearest")
    mask = Asset("SCL", str(folder / "SCL.tif"), Role.MASK)
    told = {
        "platform": "sentinel-2a",
        "view:sun_elevation": 58.0,
        "view:sun_azimuth": 150.0,
        "view:incidence_angle": 5.0,
        "view:azimuth": 100.0,
    }
    return Product(
        folder.name, "s", ProductType.L2A, grid.name, TIME, TIME, "0" * 32, (*assets, mask),
        properties=told,
    )  # fmt: skip


def read_only(product: Product, grid: Grid, threads: int) -> None:
    """Each thread reads a run of strips of all bands, as the processor does."""
    assets = [asset for asset in product.assets if asset.role is Role.DATA]

    def work(numbers: Any) -> None:
        with rasterio.Env(GDAL_CACHEMAX=128 << 20):
            datasets = [rasterio.open(asset.href) for asset in assets]
            for number in numbers:
                for dataset in datasets:
                    dataset.read(1, window=windows[number])

    windows = list(strips(grid))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, np.array_split(np.arange(len(windows)), threads)))


def blockwise(product: Product, folder: Path, grid: Grid, threads: int) -> None:
    """Each thread reads, estimates and writes a run of strips; files are shared, one at a time."""
    recipe, windows = recipe_of(product, PARAMS.wanted), list(strips(grid))
    cosines, locks = cosines_of(product), {name: Lock() for name in PARAMS.wanted}
    profile = {
        "driver": "GTiff", "width": grid.width, "height": grid.height, "count": 1,
        "dtype": "int16", "crs": grid.crs, "transform": rasterio.Affine(*grid.transform),
        "nodata": -10000, "tiled": True, "blockxsize": 512, "blockysize": 512,
        "compress": "zstd", "zstd_level": 1, "predictor": 2,
    }  # fmt: skip
    with ExitStack() as stack:
        paths = {name: folder / f"{name}.tif" for name in PARAMS.wanted}
        files = {
            name: stack.enter_context(rasterio.open(path, "w", **profile))
            for name, path in paths.items()
        }

        def work(numbers: Any) -> None:
            with ExitStack() as own:
                assets = [product.asset(name) for name in recipe.bands]
                rasters = {item: own.enter_context(open_asset(item)) for item in assets}
                for number in numbers:
                    for window in parts(windows[number]):
                        bands = {
                            asset.name: read_physical(dataset, asset, grid, window)
                            for asset, dataset in rasters.items()
                        }
                        found = recipe.compute(bands, cosines.at(grid, window))
                        for name, values in found.values.items():
                            stored = encode(values, "int16", -10000, 0.001)
                            with locks[name]:
                                files[name].write(stored, 1, window=window)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, np.array_split(np.arange(len(windows)), threads)))


def parts(strip: Window) -> Iterator[Window]:
    for left in range(0, strip.width, 2048):
        yield Window(left, strip.row_off, min(2048, strip.width - left), strip.height)


def make(product: Product, folder: Path, threads: int) -> Product:
    season = Season("s", "2023", date(2023, 1, 1), date(2023, 12, 31))
    context = Context(Site("S", "s"), season, folder, cores=threads)
    step = Step((product,), "slot", revision="0" * 32)
    return processor.run(context, PARAMS, step)


def networks_alone(threads: int) -> float:
    """Million pixels per second of three variables with flags, values in memory."""
    network = network_for(Model.S2TOOLBOX, "sentinel-2a")
    assert network is not None
    three, size = network.only(PARAMS.wanted), 5490 * 128
    cover = np.random.default_rng(1).random(size, np.float32)
    inputs = [(SOIL[name] + (CROP[name] - SOIL[name]) * cover) / 1e4 for name in network.bands]
    inputs += [np.full(size, cosine) for cosine in (0.99, 0.8, 0.6)]
    given = [np.asarray(item, np.float32) for item in inputs]
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        list(pool.map(lambda _: estimate(three, given), range(16)))
        return 16 * size / (time.perf_counter() - start) / 1e6


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the clock, and of the processor in all threads."""
    start, spent = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--times", type=int, default=3, help="rounds")
    told = parser.parse_args()
    grid = tile_grid("31UDS").at(20)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        small = Grid("t", grid.crs, grid.transform, 600, 600)
        make(scene(root / "small", small), root, 1)
        product = scene(root / "tile", grid)
        works = (
            lambda: read_only(product, grid, told.threads),
            lambda: blockwise(product, root, grid, told.threads),
            lambda: make(product, root, told.threads),
        )
        rounds = [[timed(work) for work in works] for _ in range(told.times)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    seconds = np.median(rounds, axis=0)
    clock, processor_time = np.median(np.divide(rounds, [each[:1] for each in rounds]), axis=0).T
    names = ("read eight bands", "read, estimate three variables, write", "the whole product")
    print(f"{'':<40} {'seconds':>8} {'of CPU':>8} {'times':>8} {'of CPU':>8}")
    for name, (wall, cpu), times, more in zip(names, seconds, clock, processor_time, strict=True):
        print(f"{name:<40} {wall:8.2f} {cpu:8.2f} {times:8.2f} {more:8.2f}")
    print(f"{'networks alone':<40} {networks_alone(told.threads):8.1f} million pixels/s")
    print(f"{'most memory':<40} {peak:8d} MiB")


if __name__ == "__main__":
    main()
