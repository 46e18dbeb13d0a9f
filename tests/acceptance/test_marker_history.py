"""Markers through parcels that move, are rolled back and move again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import polars as pl
import pytest
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource

from sen4cap.domain import Season
from sen4cap.processing.marker_table import MarkerTable
from sen4cap.testing.rasters import small_grid, write_raster

from .conftest import Terminal

GRID = small_grid(64, 64, name="31UDS")
VALUES = np.random.default_rng(1).integers(1, 250, (64, 64)).astype(np.uint8)
VALUES[:5] = 0
SEASON = Season("farm", "2018", date(2018, 1, 1), date(2018, 12, 31))


def fields(shift: float) -> gpd.GeoDataFrame:
    """One that moves east by `shift` metres, one that stays, one where nothing was seen."""
    shapes = [
        shapely.box(500_053 + shift, 5_699_800, 500_150 + shift, 5_699_900),
        shapely.box(500_250, 5_699_500, 500_350, 5_699_700),
        shapely.box(500_400, 5_699_960, 500_500, 5_699_990),
    ]
    return gpd.GeoDataFrame({"id": list("abc"), "crop": "1"}, geometry=shapes, crs=GRID.crs)


def declared(terminal: Terminal, folder: Path, name: str, shift: float) -> float:
    """Import the fields; the mean of the first one according to exactextract."""
    path = folder / f"{name}.gpkg"
    fields(shift).to_file(path)
    columns = ("--parcel-id-cols", "id", "--crop-code-col", "crop")
    terminal("lpis", "import", "farm", 2018, path, *columns)
    values = np.where(VALUES == 0, np.nan, VALUES * 0.004)
    source = NumPyRasterSource(values, *GRID.bounds, nodata=np.nan)
    found = exact_extract(source, fields(shift).iloc[:1], ["mean"], output="pandas")
    return float(found["mean"][0])


def markers(terminal: Terminal, *options: object) -> list[tuple[float, int, bool]]:
    """Run the markers; mean, generation and staleness of the first field."""
    terminal("run", "s4c_mdb1", "farm", "2018", *options)
    return shown(terminal)


def shown(terminal: Terminal, field: str = "a") -> list[tuple[float, int, bool]]:
    rows: Sequence[dict[str, Any]] = terminal("markers", "query", "farm", "2018", "--parcel", field)
    return [(row["mean"], row["generation"], row["stale"]) for row in rows]


@pytest.fixture
def farm(terminal: Terminal, tmp_path: Path) -> Terminal:
    """A site with a season and one NDVI raster."""
    terminal("site", "create", "Farm")
    terminal("season", "create", "farm", "2018", "--start", "2018-01-01", "--end", "2018-12-31")
    (tmp_path / "ndvi").mkdir()
    write_raster(tmp_path / "ndvi" / "NDVI_2018-05-04.tif", GRID, VALUES, nodata=0)
    terminal("product", "ingest", "farm", tmp_path / "ndvi", "--scale", 0.004)
    return terminal


def expected(mean: float, generation: int) -> list[tuple[Any, int, bool]]:
    return [(pytest.approx(mean, rel=1e-6), generation, False)]


def test_parcels_forth_and_back_and_elsewhere(farm: Terminal, tmp_path: Path) -> None:
    """The third run has the name and revision of the first; the fourth builds on its record."""
    first = declared(farm, tmp_path, "v1", 0)
    assert markers(farm) == expected(first, 0)
    second = declared(farm, tmp_path, "v2", 30)
    assert markers(farm) == expected(second, 1)
    farm("lpis", "rollback", "farm", 2018, 2)
    assert shown(farm) == expected(first, 0)  # before anything is extracted again
    assert markers(farm) == expected(first, 2)
    third = declared(farm, tmp_path, "v3", 60)
    assert len({round(mean, 3) for mean in (first, second, third)}) == 3
    assert markers(farm) == expected(third, 3)
    assert shown(farm, "b")[0][1:] == (0, False)  # extracted once
    assert shown(farm, "c") == []


def test_a_parameter_forth_and_back(farm: Terminal, tmp_path: Path) -> None:
    whole = declared(farm, tmp_path, "v1", 0)
    assert markers(farm) == expected(whole, 0)
    ((inner, generation, stale),) = markers(farm, "--buffer", 20)
    assert (generation, stale) == (1, False)
    assert abs(inner - whole) > 0.001
    assert markers(farm) == expected(whole, 2)
    moved = declared(farm, tmp_path, "v2", 30)
    assert markers(farm) == expected(moved, 3)


def test_rows_of_another_grid_than_home_are_not_shown(farm: Terminal, tmp_path: Path) -> None:
    mean = declared(farm, tmp_path, "v1", 0)
    assert markers(farm) == expected(mean, 0)
    table = MarkerTable.of(farm.home / "archive", SEASON)
    (marker,) = table.markers()
    noon = datetime(2018, 6, 1, 12, tzinfo=UTC)
    away = table.read(marker).drop("stale").with_columns(grid=pl.lit("31UES"), time=noon)
    table.append(marker, away, name="away")
    assert table.read(marker)["grid"].n_unique() == 2
    assert shown(farm) == expected(mean, 0)
