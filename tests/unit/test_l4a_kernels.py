"""Periods, season statistics, blocks and folds."""

from __future__ import annotations

import numpy as np
import pytest

from sen4cap.kernels.blocks import balanced_folds, square_blocks
from sen4cap.kernels.features import SEASON_STATISTICS, period_means, season_statistics

NAN = np.nan


def test_period_means_leave_missing_out() -> None:
    row, column = np.array([0, 0, 0, 1, 1]), np.array([2, 2, 0, 1, 0])
    values = np.array([0.2, 0.6, 0.5, 0.9, NAN], np.float32)
    means = period_means(row, column, values, (3, 3))
    expected = [[0.5, NAN, 0.4], [NAN, 0.9, NAN], [NAN, NAN, NAN]]
    np.testing.assert_allclose(means, np.array(expected, np.float32))
    assert means.dtype == np.float32


def test_season_statistics_by_hand() -> None:
    values = np.array([[0.4, NAN, 0.1, 0.3, 0.2]])
    found = dict(zip(SEASON_STATISTICS, season_statistics(values)[0], strict=True))
    # Ordered 0.1 0.2 0.3 0.4; the quantile q lies at position 3 q.
    expected = {"min": 0.1, "p10": 0.13, "p25": 0.175, "p50": 0.25, "p75": 0.325, "p90": 0.37}
    expected |= {"max": 0.4, "amplitude": 0.3, "mean": 0.25, "stdev": np.sqrt(0.0125)}
    assert found == pytest.approx(expected)


def test_season_statistics_equal_numpy() -> None:
    draw = np.random.default_rng(0)
    values = draw.random((50, 36)).astype(np.float32)
    values[draw.random(values.shape) < 0.5] = NAN
    found = season_statistics(values)
    quantiles = np.nanquantile(values, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1], axis=1).T
    np.testing.assert_allclose(found[:, :7], quantiles, atol=1e-6)
    np.testing.assert_allclose(found[:, 8], np.nanmean(values, axis=1), atol=1e-6)
    np.testing.assert_allclose(found[:, 9], np.nanstd(values, axis=1), atol=1e-6)


def test_season_statistics_of_nothing_are_missing() -> None:
    assert np.isnan(season_statistics(np.full((2, 4), NAN))).all()


def test_blocks_are_aligned_to_the_origin() -> None:
    x, y = np.array([999.0, 1001.0, -1.0, 1500.0]), np.array([5.0, 5.0, 5.0, 999.0])
    assert square_blocks(x, y, 1000.0).tolist() == [1, 2, 0, 2]


def test_folds_keep_blocks_whole_and_are_balanced() -> None:
    block = np.repeat(np.arange(40), np.arange(1, 41))
    fold = balanced_folds(block, 5, 7)
    assert all(len(set(fold[block == number])) == 1 for number in range(40))
    size = np.bincount(fold, minlength=5)
    assert size.sum() == 820
    assert np.ptp(size) <= 40  # the fullest block
    assert (balanced_folds(block, 5, 7) == fold).all()


def test_seeds_deal_blocks_differently() -> None:
    """Who shares a fold with whom changes, not only the numbers of the folds."""
    block = np.repeat(np.arange(40), np.arange(1, 41))
    first, second = balanced_folds(block, 5, 7), balanced_folds(block, 5, 8)
    together = first[:, None] == first
    assert 0.15 < (together != (second[:, None] == second)).mean() < 0.45
