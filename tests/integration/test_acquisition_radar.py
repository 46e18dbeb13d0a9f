"""Radar by itself: bursts are fetched one by one, and mosaicked onto the tile pass by pass."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio

from sen4cap.app import jobs
from sen4cap.domain import Grid, ProductType
from sen4cap.domain.scene import RemoteFile, Scene
from sen4cap.sources.footprint import of_grid
from sen4cap.testing.acquiring import SEASON, SITE, TILE, farm
from sen4cap.testing.formats import write_radar

START = datetime(2019, 5, 3, 5, 50, 10, tzinfo=UTC)
NAME = "OPERA_L2_RTC-S1_T015-031234-IW{swath}_20190503T0550{second}Z_20190503T101112Z_S1A_30_v1.0"


def burst(folder: Path, swath: int, second: int, level: float) -> Scene:
    """A burst of 1,800 m with one value everywhere, as a source tells of it."""
    name = NAME.format(swath=swath, second=second)
    grid = Grid("raw", "EPSG:32631", (30.0, 0.0, 549_600.0, 0.0, -30.0, 5_680_600.0), 60, 60)
    paths = []
    for pol in ("VV", "VH"):
        path = folder / f"{name}.SAFE" / f"{name}_{pol}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_radar(path, grid, np.full((60, 60), level), ORBIT_PASS_DIRECTION="descending")
        paths.append(path)
    return Scene(
        name=name,
        source="two",
        kind=ProductType.S1_AMP,
        place=f"T015-031234-IW{swath}",
        start=START.replace(second=second),
        footprint=of_grid(grid),
        files=tuple(
            RemoteFile(
                path.stem[-2:],
                str(path),
                str(path.relative_to(folder)),
                path.stat().st_size,
                f"md5:{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}",
            )
            for path in paths
        ),
        properties={"platform": "sentinel-1a", "sat:relative_orbit": 15},
    )


def test_bursts_are_fetched_and_become_one_product_of_the_tile(tmp_path: Path) -> None:
    settings = {"source.s1.primary": "two", "source.mode": "mirror"}
    with farm(tmp_path, settings) as here:
        offers = tmp_path / "bursts"
        here.sources[1].scenes += [burst(offers, 1, 10, 0.1), burst(offers, 2, 12, 0.1)]
        done = here.fetch()
        assert (done.found, done.new) == (2, 2)
        assert set(here.states("s1_l2a_amp").values()) == {"downloaded"}
        outcome = jobs.run(here.system, "s1_amp_grid", SITE, SEASON)
        (made,) = outcome.made
        assert (made.type, made.grid, made.start) == (ProductType.S1_AMP, TILE, START)
        assert len(made.parents) == 2
        assert made.properties["sat:relative_orbit"] == 15
        with rasterio.open(made.asset("VV").href) as raster:
            seen = raster.read(1, masked=True).compressed()
        assert seen.size == 90 * 90, "1,800 m in pixels of 20 m, counted once"
        assert np.allclose(seen, 0.1, atol=1e-6)
        again = jobs.run(here.system, "s1_amp_grid", SITE, SEASON)
        assert (again.made, again.standing) == ((), 1)
