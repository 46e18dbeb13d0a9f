"""The original's sampling and features, radar by direction, and what happens at the edges."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sen4cap.domain import Season, Sensor
from sen4cap.errors import NoInput
from sen4cap.processing.marker_table import SCHEMA, MarkerTable
from sen4cap.processors.l4a_crop_type.early import month_ends
from sen4cap.processors.l4a_crop_type.features import Features, Reading, season_features
from sen4cap.processors.l4a_crop_type.model import Sample, out_of_fold
from sen4cap.processors.l4a_crop_type.original_features import original_features
from sen4cap.processors.l4a_crop_type.original_forest import balanced, training_size
from sen4cap.processors.l4a_crop_type.params import CropTypeParams, Method
from sen4cap.processors.l4a_crop_type.selection import choose
from sen4cap.processors.l4a_crop_type.teachers import Teachers

SEASON = Season("s", "2020", date(2020, 1, 1), date(2020, 3, 31))
FOREST = CropTypeParams(method=Method.SEN4CAP, num_trees=20, smote_target=60)
Row = tuple[int, datetime, float]
"""Parcel, time and mean."""


def at(month: int, day: int, hour: int = 10) -> datetime:
    return datetime(2020, month, day, hour, tzinfo=UTC)


def reading(folder: Path, markers: dict[str, list[Row]], orbits: dict[datetime, int]) -> Reading:
    store = MarkerTable(folder)
    for name, rows in markers.items():
        frame = pl.DataFrame(
            {
                "parcel": [row[0] for row in rows],
                "time": [row[1] for row in rows],
                "orbit": pl.Series([orbits.get(row[1], 1) for row in rows], dtype=pl.Int16),
                "mean": [row[2] for row in rows],
            }
        ).with_columns(
            grid=pl.lit("g"),
            stdev=pl.lit(0.1),
            count=pl.lit(9.0),
            valid_fraction=pl.lit(1.0),
            geom_hash=pl.lit("a"),
            generation=pl.lit(1),
            product=pl.lit("p"),
            revision=pl.lit("0" * 8),
        )
        store.append(name, frame, name="one")
    times = sorted({row[1] for rows in markers.values() for row in rows})
    seen = pl.DataFrame({"time": times, "grid": ["g"] * len(times)}).cast({"time": SCHEMA["time"]})
    parcels = sorted({row[0] for rows in markers.values() for row in rows})
    homes = pl.DataFrame({"parcel": parcels}).with_columns(geom_hash=pl.lit("a"), grid=pl.lit("g"))
    return Reading(store, SEASON, seen, homes, frozenset({"g"}))


def column(found: Features, name: str) -> list[float]:
    return found.values[:, found.names.index(name)].tolist()


RADAR = {
    "amp_vv": [
        *((1, at(1, 2, 6), 0.01), (1, at(3, 2, 6), 0.1), (1, at(1, 5, 17), 1.0)),
        (1, at(3, 12, 6), 1.0),
    ],
}
ORBITS = {at(3, 12, 6): 2}


def test_backscatter_is_in_decibels_by_direction_and_its_orbits_are_level(tmp_path: Path) -> None:
    """Orbit 1 sees -20 and -10 dB, orbit 2 at another angle 0 dB.

    All have a mean of -10 dB, to which the orbits are brought: -15 and -5, and -10 dB.
    """
    found = season_features(reading(tmp_path, RADAR, ORBITS))
    assert column(found, "amp_vv_desc_d01_d04_mean") == pytest.approx([-15], abs=1e-4)
    assert column(found, "amp_vv_desc_d05_d09_mean") == pytest.approx([-7.5], abs=1e-4)
    assert column(found, "amp_vv_desc_d01_d09_mean") == pytest.approx([-10], abs=1e-4)
    assert column(found, "amp_vv_asc_d01_d09_mean") == pytest.approx([0], abs=1e-4)
    assert column(found, "amp_vv_desc_count") == [3]
    assert np.isnan(found.pixels).all()
    assert found.radar_pixels.tolist() == [9]


def test_decibels_stay_decibels(tmp_path: Path) -> None:
    """A ratio above 0 tells nothing: VV and VH do."""
    markers = {"amp_vv": [(1, at(1, 2, 6), -12.0)], "amp_vvvh": [(1, at(1, 2, 6), 7.0)]}
    found = season_features(reading(tmp_path, markers, {}))
    assert column(found, "amp_vv_desc_d01_d09_mean") == [-12]
    assert column(found, "amp_vvvh_desc_d01_d09_mean") == [7]


def test_morning_and_evening_are_those_of_the_site(tmp_path: Path) -> None:
    """In Uzbekistan, at 65 degrees east, 14 UTC is a quarter past six in the evening."""
    given = reading(tmp_path, {"cohe_vv_6d": [(1, at(1, 2, 1), 0.5), (1, at(1, 2, 14), 0.7)]}, {})
    found = season_features(replace(given, longitude=65.0))
    assert column(found, "cohe_vv_6d_desc_d01_d09_mean") == [0.5]
    assert column(found, "cohe_vv_6d_asc_d01_d09_mean") == pytest.approx([0.7])


def test_a_parcel_without_radar_is_judged_by_the_rest(tmp_path: Path) -> None:
    markers = {**RADAR, "ndvi": [(1, at(1, 2), 0.5), (2, at(1, 2), 0.6)]}
    found = season_features(reading(tmp_path, markers, ORBITS))
    assert found.seen.tolist() == [True, True]
    np.testing.assert_array_equal(found.radar_pixels, np.array([9, np.nan], np.float32))
    bare = found.without_radar(np.array([True, False]))
    assert np.isnan(column(bare, "amp_vv_desc_d01_d09_mean")).all()
    assert column(bare, "ndvi_mean_d01") == pytest.approx([0.5, 0.6])
    alone = season_features(replace(reading(tmp_path / "b", RADAR, {}), sensors=(Sensor.S1,)))
    assert not alone.without_radar(np.array([True])).seen.any()


def test_the_originals_grid_starts_at_the_first_acquisition(tmp_path: Path) -> None:
    """Every 10 days from 3 January to 24 January: lines between dates, constant at the ends."""
    ndvi = [(1, at(1, 3), 0.2), (1, at(1, 23), 0.6), (2, at(1, 8), 0.3), (1, at(1, 24), 0.6)]
    found = original_features(reading(tmp_path, {"ndvi": ndvi}, {}))
    assert found.names[:3] == tuple(f"2020_01_{day}_s2_mean_ndvi" for day in ("03", "13", "23"))
    np.testing.assert_allclose(found.values[0, :3], [0.2, 0.4, 0.6], atol=1e-6)
    np.testing.assert_allclose(found.values[1, :3], [0.3, 0.3, 0.3], atol=1e-6)


def test_the_originals_weeks_months_and_season(tmp_path: Path) -> None:
    """Coherence of two weeks, pairs of 6 and of 12 days pooled, nothing seen in the evening."""
    markers = {
        "cohe_vv_6d": [(1, at(1, 6, 6), 0.4), (1, at(1, 8, 6), 0.6)],
        "cohe_vv_12d": [(1, at(1, 14, 6), 0.9)],
        "ndvi": [(1, at(1, 7), 0.5), (2, at(1, 7), 0.5)],
    }
    found = original_features(reading(tmp_path, markers, {}))
    weeks = [name for name in found.names if name.endswith("desc_cohe_vv_mean")]
    values = [column(found, name)[0] for name in weeks]
    assert values == pytest.approx([0.5, 0.9])
    assert not any("_asc_" in name for name in found.names)
    (low,) = (name for name in found.names if name.endswith("cohe_vv_min"))
    assert column(found, low)[0] == pytest.approx(0.5)
    assert column(found, "s_cohe_vv_stdev")[0] == pytest.approx(0.2)
    chosen = choose(
        np.array([1, 1]), found, FOREST.model_copy(update={"pa_min": 1, "best_s2_pix": 0})
    )
    assert chosen.reason.tolist() == ["", "no_data"], "the second has no radar"


def test_the_originals_training_shares() -> None:
    params = CropTypeParams()
    sizes = [training_size(count, params) for count in (8000, 4000, 3999, 1333, 1332, 40, 1)]
    assert sizes == [2000, 1000, 1000, 1000, 999, 30, 1]


def test_rare_crops_are_raised_and_common_ones_are_not() -> None:
    draw = np.random.default_rng(0)
    target = np.repeat([0, 1, 2], [400, 40, 1])
    given = Teachers(draw.random((441, 3)).astype(np.float32), target, 3, np.zeros(441, int))
    values, found = balanced(given, FOREST, np.random.default_rng(1))
    # 75 % of 400, 60 of 40 (30 real ones), and one repeated.
    assert np.bincount(found).tolist() == [300, 60, 60]
    assert (values[-60:] == given.values[-1]).all()
    assert values.min() >= 0
    assert values.max() <= 1


def spread(count: int = 300, classes: int = 3) -> Sample:
    draw = np.random.default_rng(0)
    target = np.arange(count) % classes
    values = draw.normal(target[:, None] * [1.5, -1.5, 0.0], 1.0).astype(np.float32)
    return Sample(values, target, classes, np.ones(count, bool), np.arange(count) // 7 % 5)


METHODS = [CropTypeParams(num_trees=30), FOREST]


@pytest.mark.parametrize("params", METHODS)
def test_both_methods_learn_and_their_rows_add_up(params: CropTypeParams) -> None:
    given = spread()
    found = out_of_fold(given, params)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == given.target).mean() > 0.7


@pytest.mark.parametrize("params", METHODS)
def test_a_class_with_one_parcel_is_never_named_by_its_judge(params: CropTypeParams) -> None:
    given = spread()
    target = np.where(np.arange(300) == 5, 3, given.target)
    found = out_of_fold(replace(given, target=target, classes=4), params)
    assert found[5, 3] == 0
    assert np.isfinite(found).all()


@pytest.mark.parametrize("params", METHODS)
def test_one_class_alone_is_refused(params: CropTypeParams) -> None:
    given = spread()
    with pytest.raises(NoInput, match="fewer than two crops"):
        out_of_fold(replace(given, target=given.target * 0, classes=1), params)


def test_parcels_and_columns_without_any_value_are_judged_by_what_is_there() -> None:
    given = spread()
    values = np.concatenate([given.values, np.full((300, 2), np.nan, np.float32)], axis=1)
    values[0] = np.nan
    found = out_of_fold(replace(given, values=values), METHODS[0])
    assert np.isfinite(found).all()
    assert (found.argmax(axis=1) == given.target).mean() > 0.7


def test_doubted_declarations_teach_less_and_are_judged_all_the_same() -> None:
    given = spread(600, 2)
    wrong = np.arange(600) % 40 == 0
    target = np.where(wrong, 1 - given.target, given.target)
    trusting, doubting = (
        out_of_fold(replace(given, target=target), CropTypeParams(num_trees=60, noise_share=share))
        for share in (0.0, 0.03)
    )
    assert (trusting != doubting).any()
    assert len(doubting) == 600
    rows = np.arange(600)
    # Nearer to the truth on the whole.
    assert doubting[rows, given.target].mean() > trusting[rows, given.target].mean()


def test_months_of_a_season() -> None:
    assert month_ends(SEASON) == [date(2020, 1, 31), date(2020, 2, 29), date(2020, 3, 31)]
    short = Season("s", "x", date(2020, 1, 15), date(2020, 2, 10))
    assert month_ends(short) == [date(2020, 1, 31), date(2020, 2, 10)]
