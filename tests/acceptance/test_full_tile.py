"""A whole Sentinel-2 tile at 10 m, 10,980 pixels a side: memory stays bounded, numbers right."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import polars as pl
import pytest
import shapely
from exactextract import exact_extract

from sen4cap.geo.mgrs import tile_grid
from sen4cap.processing.marker_table import MarkerTable
from sen4cap.testing.scenes import Scene, write_item

from .conftest import Terminal

pytestmark = pytest.mark.long

SIDE = 10_980
PARCELS = 5_000
CHECKED = 50
LIMIT = 1_000
"""Resident memory of a command, MiB; the two bands alone are 460."""


@pytest.fixture
def tile(terminal: Terminal, tmp_path: Path) -> Terminal:
    """A site with one acquisition of a whole tile and fields all over it."""
    grid = tile_grid("31UFT")
    rng = np.random.default_rng(7)
    red = rng.integers(1100, 3000, (SIDE, SIDE), dtype=np.uint16)
    nir = rng.integers(3000, 6000, (SIDE, SIDE), dtype=np.uint16)
    classes = np.full((SIDE // 2, SIDE // 2), 4, np.uint8)
    classes[: SIDE // 8] = 9
    instant = datetime(2023, 5, 4, 10, 46, 19, tzinfo=UTC)
    write_item(tmp_path / "items", Scene({"B04": red, "B08": nir, "SCL": classes}, grid, instant))
    left, bottom, right, top = grid.bounds
    x = rng.uniform(left + 500, right - 500, PARCELS)
    y = rng.uniform(bottom + 500, top - 500, PARCELS)
    size = rng.uniform(30, 250, PARCELS)
    boxes = shapely.box(x, y, x + size, y + size)
    frame = gpd.GeoDataFrame({"id": np.arange(PARCELS)}, geometry=boxes, crs=grid.crs)
    frame.to_file(tmp_path / "fields.gpkg")
    terminal("site", "create", "Tile")
    terminal("season", "create", "tile", "2023", "--start", "2023-03-01", "--end", "2023-10-31")
    terminal("lpis", "import", "tile", 2023, tmp_path / "fields.gpkg", "--parcel-id-cols", "id")
    terminal("product", "ingest", "tile", tmp_path / "items")
    return terminal


def run(home: Path, *words: str) -> float:
    """Peak resident memory of a command, MiB."""
    code = (
        "import sys; from sen4cap.cli import app; app(sys.argv[1:], standalone_mode=False); "
        "status = open('/proc/self/status').read(); "
        "print(status.split('VmHWM:')[1].split()[0])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "SEN4CAP_HOME": str(home)},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(told.stdout.splitlines()[-1]) / 1024


def test_a_tile_to_ndvi_and_markers(tile: Terminal, tmp_path: Path) -> None:
    names = ("l3b", "l3_composite", "s4c_mdb1")
    peaks = [run(tile.home, "run", name, "tile", "2023") for name in names]
    assert max(peaks) < LIMIT, peaks
    item = next(product for product in tile("product", "list", "tile", "--type", "l3b"))
    table = MarkerTable(tile.home / "archive/tile/s4c_mdb1/2023")
    rows = table.read("ndvi").sort("parcel").head(CHECKED)
    expected = _exactextract(item["assets"]["ndvi"]["href"], tmp_path, rows["parcel"])
    assert np.abs(rows["mean"].to_numpy() - expected["mean"]).max() < 1e-6
    assert np.abs(rows["stdev"].to_numpy() - expected["stdev"]).max() < 1e-6
    assert np.abs(rows["count"].to_numpy() - expected["count"]).max() < 1e-3


def _exactextract(raster: str, folder: Path, parcels: pl.Series) -> Any:
    """What exactextract finds (it applies the file's scale); NewIDs follow the ids as texts."""
    frame = gpd.read_file(folder / "fields.gpkg")
    ordered = frame.assign(text=frame["id"].astype(str)).sort_values("text")
    chosen = ordered.iloc[parcels.to_numpy() - 1]
    return exact_extract(raster, chosen, ["mean", "stdev", "count"], output="pandas")
