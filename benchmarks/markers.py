"""How near are parcel statistics to the time of only decoding the raster, and to exactextract?

A seeded tile of 10,980 × 10,980 pixels, a scene classification of 20 m with clouds, and parcels of
one to four hectares all over it; everything in one run on this machine.

    python benchmarks/markers.py                     20,000 and 250,000 parcels
    python benchmarks/markers.py --million           1,000,000 parcels, 10 bands: memory and time
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from scipy import ndimage

from sen4cap.domain import Asset, Grid
from sen4cap.geo.coverage import CoverageIndex, build_coverage
from sen4cap.geo.mgrs import tile_grid
from sen4cap.geo.planes import StripReader
from sen4cap.geo.raster import STRIP_ROWS, Block, open_asset, strips, write_cog
from sen4cap.geo.zonal import Visible, parcel_statistics

CLOUDY = (3, 8, 9, 10)
ROUNDS = 9
FEATURES = 20_000
QUARTILES = (0.25, 0.5, 0.75)

Run = Callable[[], Any]


def band(grid: Grid, seed: int) -> Iterator[Block]:
    """Reflectances with the texture of fields: noise of pixels on patches of 4 × 4."""
    rng = np.random.default_rng(seed)
    for window in strips(grid):
        coarse = rng.integers(500, 4000, (window.height // 4 + 1, grid.width // 4 + 1))
        values = coarse.repeat(4, axis=0).repeat(4, axis=1)[: window.height, : grid.width]
        yield window, (values + rng.integers(0, 200, values.shape)).astype(np.uint16)


def classification(grid: Grid) -> Iterator[Block]:
    """About 30 % of cloud in patches of a kilometre."""
    rng = np.random.default_rng(0)
    rough = ndimage.zoom(
        rng.normal(size=(grid.height // 50 + 2, grid.width // 50 + 2)), 50, order=1
    )
    codes = np.where(rough > 0.35, 9, 4).astype(np.uint8)
    for window in strips(grid):
        rows = slice(window.row_off, window.row_off + window.height)
        yield window, codes[rows, : grid.width]


def fields(grid: Grid, count: int) -> Any:
    rng = np.random.default_rng(1)
    left, bottom, right, top = grid.bounds
    xs, ys = rng.uniform(left, right, count), rng.uniform(bottom, top, count)
    sides = rng.uniform(100, 200, (2, count))
    return shapely.segmentize(shapely.box(xs, ys, xs + sides[0], ys + sides[1]), 30)


def clear(codes: Any) -> Any:
    return ~np.isin(codes["SCL"], CLOUDY)


def in_turn(*works: Run) -> list[tuple[list[float], list[float]]]:
    """Wall and CPU seconds of each work in some rounds, one after the other, after a first one."""
    found: list[tuple[list[float], list[float]]] = [([], []) for _ in works]
    for number in range(ROUNDS + 1):
        for work, (walls, cpus) in zip(works, found, strict=True):
            wall, cpu, _ = once(work)
            if number:
                walls.append(wall)
                cpus.append(cpu)
    return found


def paired(above: list[float], below: list[float]) -> float:
    """Median of the ratios of the rounds."""
    return median(one / other for one, other in zip(above, below, strict=True))


def decode(asset: Asset, grid: Grid, threads: int) -> None:
    """Only read a raster, strip by strip over the same memory."""

    def read(tops: Any) -> None:
        with open_asset(asset) as dataset:
            reader = StripReader(dataset, asset, grid)
            for top in tops:
                reader.stored(int(top), ((0, grid.width),))

    parts = np.array_split(np.arange(0, grid.height, STRIP_ROWS), threads)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, parts))


def theirs(path: str, parcels: Any, grid: Grid, strategy: str) -> Run:
    from exactextract import exact_extract

    frame = gpd.GeoDataFrame(geometry=parcels, crs=grid.crs)
    stats = ["count", "mean", "stdev"]
    return lambda: exact_extract(path, frame, stats, strategy=strategy, output="pandas")


def once(work: Run) -> tuple[float, float, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - wall, time.process_time() - cpu, found


def orfeo(path: str, parcels: Any, grid: Grid) -> float | None:
    """Seconds of the Orfeo Toolbox, with the reading and writing of vectors; None without it."""
    program = shutil.which("otbcli_ZonalStatistics")
    if program is None:
        return None
    with TemporaryDirectory() as folder:
        zones, out = f"{folder}/zones.shp", f"{folder}/out.shp"
        gpd.GeoDataFrame({"id": range(len(parcels))}, geometry=parcels, crs=grid.crs).to_file(zones)
        words = [program, "-in", path, "-inzone.vector.in", zones, "-out.vector.filename", out]
        wall, _, _ = once(lambda: subprocess.run(words, check=True, capture_output=True))
    return wall


def compare(count: int, grid: Grid, red: Asset, scl: Asset) -> None:
    parcels = fields(grid, count)
    names = np.arange(count), np.full(count, "h")
    build_coverage(names[0][:10], names[1][:10], parcels[:10], grid)  # compiled
    index = mapped(build_coverage(*names, parcels, grid))
    visible = Visible((scl,), clear)

    def ours(cores: int = 2, **more: Any) -> Run:
        return lambda: parcel_statistics(index, grid, [red], cores=cores, **more)

    limit, two, masked, one = in_turn(
        lambda: decode(red, grid, 2), ours(), ours(visible=visible), ours(cores=1)
    )
    ranked, _, _ = once(ours(quantiles=QUARTILES))
    some = slice(None, FEATURES)  # by features it reads blocks again and again
    by_feature, _, _ = once(theirs(red.href, parcels[some], grid, "feature-sequential"))
    built, _, _ = once(lambda: build_coverage(names[0][some], names[1][some], parcels[some], grid))
    _, by_raster, expected = once(theirs(red.href, parcels, grid, "raster-sequential"))
    toolbox = orfeo(red.href, parcels, grid)
    found = ours()()["B04"]
    good = expected["count"].to_numpy() > 0
    apart = np.abs(found.mean[good] / expected["mean"].to_numpy()[good] - 1).max()
    cells, decoding = int(index.total.sum()), median(limit[0])
    rows = (
        (
            f"index of {FEATURES:,}, against exactextract by features",
            built / by_feature,
            "at most 1.3",
        ),
        (
            "2 threads, against decoding",
            paired(two[0], limit[0]),
            "at most 1.2 (20,000), 1.6 (250,000)",
        ),
        ("with a 20 m mask, against decoding", paired(masked[0], limit[0]), "at most 1.5, 2"),
        ("with quartiles, against decoding", ranked / decoding, "reported"),
        ("1 thread, against 2", paired(one[0], two[0]), "at least 1.7"),
        ("exactextract by raster, against ours, CPU", by_raster / median(two[1]), "at least 7, 40"),
    )
    print(f"\n{count:,} parcels, {cells:,} cells; decoding takes {decoding:.3f} s")
    for label, ratio, goal in rows:
        print(f"  {label:<44} {ratio:8.2f}   {goal}")
    if toolbox is not None:
        print(f"  {'Orfeo Toolbox, against ours':<44} {toolbox / median(two[0]):8.2f}   reported")
    print(f"  greatest relative difference of a mean       {apart:8.0e}")


def mapped(index: CoverageIndex) -> CoverageIndex:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        index.save(path)
        print(f"\nindex file {path.stat().st_size / 1e6:,.0f} MB")
        return CoverageIndex.load(path)


def million(folder: Path, bands: int = 10) -> None:
    """In a process of its own, whose peak memory is told."""
    grid = tile_grid("31UDS")
    for count in (250_000, 1_000_000):
        words = [sys.executable, __file__, "--child", str(folder), str(count), str(bands)]
        subprocess.run(words, check=True)
    print(
        f"  ({grid.width} × {grid.height} pixels, {bands} bands, 2 threads, count, mean, deviation)"
    )


def child(folder: Path, count: int, bands: int) -> None:
    grid = tile_grid("31UDS")
    assets = [Asset(f"B{number:02d}", str(folder / "B04.tif"), nodata=0) for number in range(bands)]
    parcels = fields(grid, count)
    names = np.arange(count), np.full(count, "h")
    built, _, index = once(lambda: build_coverage(*names, parcels, grid))
    index.save(folder / "index")
    del index
    index = CoverageIndex.load(folder / "index")
    wall, _, _ = once(lambda: parcel_statistics(index, grid, assets, cores=2))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{count:>9,} parcels: index {built:.1f} s, {bands} bands {wall:.1f} s, "
        f"peak memory {peak:.2f} GiB (at most 4)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--child", nargs=3)
    asked = parser.parse_args()
    if asked.child:
        child(Path(asked.child[0]), int(asked.child[1]), int(asked.child[2]))
        return
    grid = tile_grid("31UDS")
    coarse = grid.at(20)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_cog(folder / "B04.tif", grid, band(grid, 2), dtype="uint16", nodata=0)
        write_cog(
            folder / "SCL.tif", coarse, classification(coarse), dtype="uint8", nodata=0,
            resampling="nearest",
        )  # fmt: skip
        red = Asset("B04", str(folder / "B04.tif"), nodata=0)
        scl = Asset("SCL", str(folder / "SCL.tif"))
        if asked.million:
            million(folder)
            return
        for count in (20_000, 250_000):
            compare(count, grid, red, scl)


if __name__ == "__main__":
    main()
