"""Cleaning, jumps of coherence, candidates and their features."""

from __future__ import annotations

import numpy as np
import pytest

from sen4cap.kernels.mowing import Kind
from sen4cap.kernels.mowing_candidates import Candidates, candidates, cleaned, jumps
from sen4cap.kernels.mowing_features import FEATURES, features
from sen4cap.kernels.mowing_labels import Truth, labels
from sen4cap.kernels.series import Series


def _optical(days: list[int], ndvi: list[float]) -> Series:
    values = np.array([ndvi, np.multiply(ndvi, 5), ndvi], np.float32)
    none = np.zeros(len(days), np.int16)
    return Series(np.array([0, len(days)]), np.array(days, np.int32), values, none - 1, none)


def _pairs(coherence: list[float], span: int, track: int = 1) -> Series:
    count = len(coherence)
    values = np.full((5, count), np.nan, np.float32)
    values[0] = values[1] = coherence
    day = np.arange(1, count + 1, dtype=np.int32) * span
    of_all = np.full(count, track, np.int16), np.full(count, span, np.int16)
    return Series(np.array([0, count]), day, values, *of_all)


NOTHING = _pairs([], 6)


def _found(optical: Series, radar: Series, first: int = 0, last: int = 365) -> Candidates:
    season = np.array([first]), np.array([last])
    return candidates(cleaned(optical), radar, jumps(radar), *season)


@pytest.mark.parametrize(
    ("ndvi", "kept"),
    [
        ([0.80, 0.50, 0.79], False),  # back within five days: a cloud
        ([0.80, 0.50, 0.60], True),  # a third of it back: grass
        ([0.80, 0.50, 0.73], True),  # 77 % of it back: not enough
        ([0.80, 0.75, 0.80], True),  # a fall of 0.05 is not looked at
        ([0.80, 0.05, 0.10], False),  # snow
    ],
)
def test_remnants_of_clouds_and_snow_are_no_observations(ndvi: list[float], kept: bool) -> None:
    clean = cleaned(_optical([100, 105, 110], ndvi)).values
    assert np.isnan(clean[:, 1]).all() == (not kept)


def test_a_slow_rebound_is_no_cloud() -> None:
    clean = cleaned(_optical([100, 105, 112], [0.8, 0.5, 0.8])).values
    assert not np.isnan(clean).any()


def test_each_fall_is_a_candidate_between_its_dates() -> None:
    found = _found(_optical([100, 110, 120, 130], [0.8, 0.5, 0.485, 0.6]), NOTHING)
    assert (found.first.tolist(), found.last.tolist()) == ([100], [110])


def test_candidates_meet_the_season() -> None:
    optical = _optical([100, 110, 200, 210], [0.8, 0.5, 0.8, 0.5])
    assert _found(optical, NOTHING, first=150).last.tolist() == [210]
    assert _found(optical, NOTHING, last=150).last.tolist() == [110]


def test_a_jump_counts_in_spreads_of_the_pairs_before() -> None:
    rise = jumps(_pairs([0.2, 0.3, 0.2, 0.3, 0.25, 0.6], 6)).rise[0]
    assert np.isnan(rise[:3]).all()
    spread = np.std([0.2, 0.3, 0.2, 0.3, 0.25], ddof=1) * np.sqrt(1 + 1 / 5)
    assert rise[5] == pytest.approx(0.35 / max(spread, 0.05 * np.sqrt(1.2)), rel=1e-4)


def test_pairs_of_six_and_twelve_days_say_the_same() -> None:
    six = np.array([0.5, 0.55, 0.5, 0.52, 0.8])
    assert jumps(_pairs(list(six), 6)).mean[4] == pytest.approx(
        jumps(_pairs(list(six**2), 12)).mean[4], rel=1e-4
    )


def test_tracks_do_not_mix() -> None:
    one = _pairs([0.3, 0.3, 0.3, 0.6], 6)
    mixed = one._replace(track=np.array([1, 2, 1, 2], np.int16))
    assert np.isnan(jumps(mixed).mean).all()


def test_radar_finds_what_clouds_hide() -> None:
    radar = _pairs([0.2, 0.21, 0.2, 0.19, 0.7, 0.3], 12)
    assert _found(_optical([], []), radar).first.tolist() == [36]
    assert _found(_optical([], []), radar).last.tolist() == [48]
    clear = _optical([40, 44, 48, 52], [0.8, 0.8, 0.8, 0.8])
    assert len(_found(clear, radar).first) == 0


def test_features_are_differences() -> None:
    optical = cleaned(_optical([90, 100, 110, 120, 130], [0.75, 0.8, 0.5, 0.55, 0.65]))
    season = np.array([0]), np.array([365])
    found = Candidates(np.array([0]), np.array([100], np.int32), np.array([110], np.int32))
    row = features(optical, NOTHING, jumps(NOTHING), found, *season)[0]
    seen = dict(zip(FEATURES, row.tolist(), strict=True))
    assert seen["ndvi_drop"] == pytest.approx(0.3)
    assert seen["lai_drop"] == pytest.approx(1.5)
    assert seen["ndvi_relative"] == pytest.approx(0.375)
    assert seen["ndvi_steep"] == pytest.approx(0.03)
    assert seen["ndvi_half_days"] == 90  # 0.65 is not above 0.5 + 0.15
    assert seen["ndvi_held"] == pytest.approx(0.75 - 0.65)
    assert seen["ndvi_bump"] == pytest.approx(0.8 - 0.625)
    assert seen["gap"] == 10
    assert seen["day_of_year"] == 105
    assert np.isnan(seen["jump"])


def test_an_event_makes_the_candidates_around_it_true() -> None:
    found = Candidates(
        np.zeros(4, np.int64),
        np.array([80, 90, 100, 121], np.int32),
        np.array([90, 100, 110, 130], np.int32),
    )
    day = np.array([116], np.int32)
    mown = Truth(np.array([0]), day, day, np.array([Kind.MOWING], np.uint8))
    assert labels(found, mown).tolist() == [False, False, False, True]
    assert labels(found, mown._replace(first=day - 1)).tolist() == [False, False, True, True]
