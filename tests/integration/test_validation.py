"""`sen4cap validate`: Swiss winter wheat measured in the field (Graf et al. 2023)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner

from sen4cap.app import validation
from sen4cap.app.validation import Asked, of_spectra
from sen4cap.cli import app
from sen4cap.errors import InputRefused, InvalidParameter, MissingColumn, UnreadableFile
from sen4cap.testing.wheat import matchups


@pytest.fixture
def wheat(shared_data: Path, tmp_path: Path) -> Path:
    """The match-ups within 2 days, one per measurement and acquisition."""
    path = tmp_path / "wheat.parquet"
    matchups(shared_data / "ch_wheat_lai_s2" / "lai_matchups.parquet").write_parquet(path)
    return path


@pytest.mark.data
def test_lai_of_swiss_wheat(wheat: Path, tmp_path: Path) -> None:
    """138 match-ups: r at least 0.84 and RMSE at most 1.10, as the source's own check gave."""
    picture = tmp_path / "wheat.png"
    words = ["validate", "l3b", str(wheat), "--value", "glai_insitu", "--picture", str(picture)]
    told = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False).stdout
    found: dict[str, Any] = json.loads(told)
    assert found["count"] == 138
    assert found["r"] >= 0.84
    assert found["rmse"] <= 1.10
    assert abs(found["bias"]) < 0.3
    assert imread(picture).shape[:2] == (650, 676)
    text = CliRunner().invoke(app, words, catch_exceptions=False).stdout
    assert "rmse" in text


@pytest.mark.data
@pytest.mark.parametrize("model", ["s2toolbox-2.1"])
def test_other_networks_are_as_good(wheat: Path, model: str) -> None:
    found = of_spectra(Asked(wheat, "lai", "glai_insitu"), model)
    assert found.agreement.count == 138
    assert found.agreement.r > 0.8
    assert found.agreement.rmse < 1.3


def spectra(folder: Path, **columns: Any) -> Path:
    bands = {name: [0.1] for name in ("B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12")}
    angles = {name: [30.0] for name in validation.ANGLE_COLUMNS}
    table = {**bands, **angles, "lai": [2.0], **columns}
    path = folder / "table.csv"
    pl.DataFrame({key: item for key, item in table.items() if item is not None}).write_csv(path)
    return path


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(MissingColumn, match="no column 'B07'; it has: row, B03"):
        of_spectra(Asked(spectra(tmp_path, B07=None), "lai", "lai"))
    with pytest.raises(MissingColumn, match="no column 'gai'"):
        of_spectra(Asked(spectra(tmp_path), "lai", "gai"))
    with pytest.raises(InvalidParameter, match="no model 'best': give one of s2toolbox, "):
        of_spectra(Asked(spectra(tmp_path), "lai", "lai"), "best")
    with pytest.raises(InvalidParameter, match="'s2toolbox' has no network for 'ndvi'"):
        of_spectra(Asked(spectra(tmp_path), "ndvi", "lai"))
    with pytest.raises(UnreadableFile, match="cannot be read as a table"):
        of_spectra(Asked(tmp_path / "none.csv", "lai", "lai"))


def test_one_measurement_has_no_correlation(tmp_path: Path) -> None:
    found = of_spectra(Asked(spectra(tmp_path), "lai", "lai"))
    assert found.agreement.count == 1
    assert np.isnan(found.agreement.r)


def test_places_without_a_system_are_refused(tmp_path: Path) -> None:
    path = spectra(tmp_path, x=[1.0], y=[2.0], date=["2022-05-01"])
    with pytest.raises(InputRefused, match="does not tell the system of its x and y"):
        validation._points(Asked(path, "lai", "lai"))
    points = validation._points(Asked(path, "lai", "lai", crs="EPSG:4326"))
    assert points["time"].dt.to_string("%Y-%m-%dT%H:%M:%S%:z").to_list() == [
        "2022-05-01T12:00:00+00:00"
    ]
    assert points.select("longitude", "latitude").row(0) == (1.0, 2.0)
