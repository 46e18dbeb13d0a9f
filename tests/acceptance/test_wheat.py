"""From rasters over LAI to agreement with the field, on a Swiss farm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sen4cap.app.validation import Asked, of_spectra
from sen4cap.testing.wheat import matchups

from .wheat import FARM, write_wheat_items

pytestmark = pytest.mark.data


def test_lai_of_a_farm(terminal: Any, shared_data: Path, tmp_path: Path) -> None:
    """What the products give equals what the networks give for the data set's own match-ups."""
    data = shared_data / "ch_wheat_lai_s2"
    count = write_wheat_items(data, tmp_path / "items")
    terminal("site", "create", "Farm", "--timezone", "Europe/Zurich")
    terminal("season", "create", "farm", "2022", "--start", "2022-01-01", "--end", "2022-12-31")
    assert len(terminal("product", "ingest", "farm", tmp_path / "items")["made"]) == count
    made = terminal("run", "l3b", "farm", "2022")["made"]
    assert len(made) == count
    item = terminal("product", "show", made[0])
    assert item["properties"]["sen4cap:left_out"] == {"ndvi": "it lacks B08"}
    found = terminal(
        *("validate", "l3b", data / "insitu_glai_2022.gpkg", "--site", "farm"),
        *("--value", "lai", "--picture", tmp_path / "farm.png"),
    )
    pairs = matchups(data / "lai_matchups.parquet").filter(pl.col("location") == FARM)
    pairs.write_parquet(tmp_path / "pairs.parquet")
    expected = of_spectra(Asked(tmp_path / "pairs.parquet", "lai", "glai_insitu")).agreement
    assert found["count"] == expected.count
    assert found["r"] == pytest.approx(expected.r, abs=0.005)
    assert found["rmse"] == pytest.approx(expected.rmse, abs=0.01)
    assert (tmp_path / "farm.png").read_bytes().startswith(b"\x89PNG")
