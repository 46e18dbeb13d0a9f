"""How fast are parcel statistics of one Sentinel-2 tile, and how much faster than exactextract?

A seeded tile of 10 980 × 10 980 pixels and parcels of one to four hectares all over it. The
coverage index is made once per parcel set; each further raster costs only the reading.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from exactextract import exact_extract

from sen4cap.domain import Asset, Grid
from sen4cap.geo.coverage import build_coverage
from sen4cap.geo.mgrs import tile_grid
from sen4cap.geo.raster import Block, strips, write_cog
from sen4cap.geo.zonal import parcel_statistics


def ndvi(grid: Grid) -> Iterator[Block]:
    rng = np.random.default_rng(0)
    for window in strips(grid):
        coarse = rng.integers(-200, 950, (window.height // 4 + 1, grid.width // 4 + 1))
        values = coarse.repeat(4, axis=0).repeat(4, axis=1)[: window.height, : grid.width]
        yield window, values.astype(np.int16)


def fields(grid: Grid, count: int) -> Any:
    rng = np.random.default_rng(1)
    left, bottom, right, top = grid.bounds
    xs, ys = rng.uniform(left, right, count), rng.uniform(bottom, top, count)
    boxes = shapely.box(
        xs, ys, xs + rng.uniform(100, 200, count), ys + rng.uniform(100, 200, count)
    )
    return shapely.segmentize(boxes, 30)


def timed(label: str, work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    print(f"{label:<40} {seconds:7.2f} s")
    return seconds, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=20_000)
    count = parser.parse_args().parcels
    grid = tile_grid("31UDS")
    parcels = fields(grid, count)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ndvi.tif"
        timed(
            "write the COG", lambda: write_cog(path, grid, ndvi(grid), dtype="int16", nodata=-1e4)
        )
        assets = [Asset("ndvi", str(path), nodata=-1e4)]
        names = np.arange(count), np.full(count, "h")
        _, index = timed("coverage index, once", lambda: build_coverage(*names, parcels, grid))
        timed("statistics, first run", lambda: parcel_statistics(index, grid, assets))
        one, found = timed("statistics", lambda: parcel_statistics(index, grid, assets))
        timed("statistics, 2 threads", lambda: parcel_statistics(index, grid, assets, cores=2))
        frame = gpd.GeoDataFrame(geometry=parcels, crs=grid.crs)
        theirs, expected = timed(
            "exactextract",
            lambda: exact_extract(str(path), frame, ["mean", "stdev", "count"], output="pandas"),
        )
    difference = np.abs(found["ndvi"].mean - expected["mean"].astype(float)).max()
    print(f"{theirs / one:.1f} times as fast; greatest difference of a mean: {difference:.1e}")


if __name__ == "__main__":
    main()
