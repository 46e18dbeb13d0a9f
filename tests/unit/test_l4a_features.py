"""Features of a season from the marker table."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sen4cap.domain import Season, Sensor
from sen4cap.errors import NoInput
from sen4cap.processing.marker_table import MarkerTable
from sen4cap.processors.l4a_crop_type import features as module
from sen4cap.processors.l4a_crop_type.features import Features, Reading, columns_of
from sen4cap.processors.l4a_crop_type.features import season_features as features_of

SEASON = Season("s", "2020", date(2020, 1, 1), date(2020, 3, 31))
SEEN = pl.DataFrame(
    {
        "time": [
            datetime(2020, month, day, 10, tzinfo=UTC)
            for month, day in ((1, 1), (2, 21), (2, 29), (3, 30), (3, 31))
        ],
        "grid": "g",
    }
)
"""Acquisitions of the home grid."""
HOMES = pl.DataFrame({"parcel": [4, 7, 9], "geom_hash": ["a", "b", "c"], "grid": ["g", "g", "g"]})


def season_features(
    store: MarkerTable,
    season: Season,
    seen: pl.DataFrame,
    homes: pl.DataFrame,
    optical: frozenset[str],
    sensors: Collection[Sensor] = tuple(Sensor),
) -> Features:
    return features_of(Reading(store, season, seen, homes, optical, sensors))


def table(folder: Path) -> MarkerTable:
    rows = [
        (4, date(2020, 2, 29), "g", 0.25, 8.0, "a"),
        (4, date(2020, 2, 21), "g", 0.75, 20.0, "a"),
        (4, date(2020, 1, 1), "g", 0.5, 6.0, "a"),
        (7, date(2020, 3, 31), "g", 0.5, 2.0, "b"),
        (7, date(2020, 3, 30), "other", 0.9, 99.0, "b"),
        (9, date(2020, 3, 30), "g", 0.9, 99.0, "former"),
    ]
    frame = pl.DataFrame(
        {
            "parcel": [row[0] for row in rows],
            "time": [datetime(*row[1].timetuple()[:3], 10, tzinfo=UTC) for row in rows],
            "grid": [row[2] for row in rows],
            "orbit": pl.Series([8] * len(rows), dtype=pl.Int16),
            "mean": [row[3] for row in rows],
            "stdev": [0.125] * len(rows),
            "count": [row[4] for row in rows],
            "valid_fraction": [1.0] * len(rows),
            "geom_hash": [row[5] for row in rows],
            "generation": [1] * len(rows),
            "product": ["p"] * len(rows),
            "revision": ["0" * 8] * len(rows),
        }
    )
    store = MarkerTable(folder)
    store.append("ndvi", frame, name="one")
    return store


def values(found: module.Features, name: str) -> list[float]:
    return found.values[:, found.names.index(name)].tolist()


def test_dekads_of_a_leap_year(tmp_path: Path) -> None:
    found = season_features(table(tmp_path), SEASON, SEEN, HOMES, frozenset({"g"}))
    assert values(found, "ndvi_mean_d06") == pytest.approx([0.5, np.nan, np.nan], nan_ok=True)
    assert values(found, "ndvi_mean_d01") == pytest.approx([0.5, np.nan, np.nan], nan_ok=True)
    assert values(found, "ndvi_mean_d09") == pytest.approx([np.nan, 0.5, np.nan], nan_ok=True)
    assert values(found, "ndvi_stdev_d09") == pytest.approx([np.nan, 0.125, np.nan], nan_ok=True)
    assert values(found, "ndvi_count") == [3, 1, 0]
    assert np.isnan(values(found, "ndvi_mean_d02")).all()
    np.testing.assert_array_equal(found.pixels, np.array([20, 2, np.nan], np.float32))
    assert found.seen.tolist() == [True, True, False]
    assert found.stale == 1


def test_chunks_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = table(tmp_path)
    whole = season_features(store, SEASON, SEEN, HOMES, frozenset({"g"}))
    monkeypatch.setattr(module, "CHUNK", 2)
    pieces = season_features(store, SEASON, SEEN, HOMES, frozenset({"g"}))
    np.testing.assert_array_equal(whole.values, pieces.values)
    np.testing.assert_array_equal(whole.pixels, pieces.pixels)


def test_other_acquisitions_of_the_table_are_left_alone(tmp_path: Path) -> None:
    store = table(tmp_path)
    found = season_features(store, SEASON, SEEN[:3], HOMES, frozenset({"g"}))
    assert values(found, "ndvi_count") == [3, 0, 0]
    assert found.stale == 0
    found = season_features(store, SEASON, SEEN[[0, 2]], HOMES, frozenset({"g"}))
    assert values(found, "ndvi_count") == [2, 0, 0], "21 February is between them, and no input"
    elsewhere = SEEN.with_columns(grid=pl.lit("h"))
    with pytest.raises(NoInput):
        season_features(store, SEASON, elsewhere, HOMES, frozenset({"g"}))


def test_columns_hold_no_year() -> None:
    winter = Season("s", "w", date(2019, 11, 1), date(2020, 2, 10))
    names = columns_of("ndvi", winter)
    assert names[:3] == ("ndvi_mean_d31", "ndvi_mean_d32", "ndvi_mean_d33")
    later = Season("s", "w", date(2023, 11, 1), date(2024, 2, 10))
    assert names == columns_of("ndvi", later)
    # Of 10 dekads: 2 quantiles of the season; a median of 2 halves, 4 quarters and those across.
    assert len(names) == 2 * 10 + 11 + 2 + 3 + 7


def test_pixels_are_those_of_sentinel_2(tmp_path: Path) -> None:
    found = season_features(table(tmp_path), SEASON, SEEN, HOMES, frozenset())
    assert np.isnan(found.pixels).all()


def test_sensors_are_told_apart_where_their_grids_bear_one_name(tmp_path: Path) -> None:
    """Backscatter of 99 pixels on the grid `g`, which both sensors have."""
    store = table(tmp_path)
    rows = pl.read_parquet(next((tmp_path / "ndvi").glob("*.parquet")))
    store.append("amp_vv", rows.with_columns(count=pl.lit(99.0)), name="radar")

    def names(*sensors: Sensor) -> set[str]:
        found = season_features(store, SEASON, SEEN, HOMES, frozenset({"g"}), sensors)
        return {name.removesuffix("_count") for name in found.names if name.endswith("_count")}

    assert names(Sensor.S1, Sensor.S2) == {"amp_vv_asc", "amp_vv_desc", "ndvi"}
    assert names(Sensor.S1) == {"amp_vv_asc", "amp_vv_desc"}
    assert names(Sensor.S2) == {"ndvi"}
    both = season_features(store, SEASON, SEEN, HOMES, frozenset({"g"}))
    np.testing.assert_array_equal(both.pixels, np.array([20, 2, np.nan], np.float32))


def test_no_markers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NoInput, match="run 'sen4cap run s4c_mdb1' first"):
        season_features(MarkerTable(tmp_path), SEASON, SEEN, HOMES, frozenset())
