"""Doubted labels, made-up samples, quantiles of intervals, lines through gaps, holdings."""

from __future__ import annotations

import numpy as np
import pytest

from sen4cap.kernels.blocks import blocks_of_holdings
from sen4cap.kernels.features import dyadic_intervals, interpolated, interval_quantiles
from sen4cap.kernels.noise import doubtful
from sen4cap.kernels.smote import synthetic

NAN = np.nan


def test_the_worst_doubted_labels_by_hand() -> None:
    """Class 0 is usually given 0.7, class 1 0.6: only others that reach that much cast doubt."""
    given = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.45, 0.55], [0.3, 0.7], [0.4, 0.6]])
    label = np.array([0, 0, 0, 0, 1, 1])
    # Means of the labels' own: class 0 (0.9 + 0.8 + 0.3 + 0.45) / 4 = 0.6125, class 1 0.65.
    assert doubtful(given, label, 0.5).tolist() == [False, False, True, False, False, False]
    assert doubtful(given, label, 0.2).tolist() == [False] * 6, "a fifth of four is none"


def test_doubt_finds_swapped_labels() -> None:
    draw = np.random.default_rng(0)
    truth = draw.integers(3, size=2000)
    probability = np.full((2000, 3), 0.1)
    probability[np.arange(2000), truth] = 0.8
    swapped = np.arange(2000) < 40
    label = np.where(swapped, (truth + 1) % 3, truth)
    assert (doubtful(probability, label, 0.1) == swapped).all()
    capped = doubtful(probability, label, 0.01)
    assert capped.sum() <= 20
    assert (swapped | ~capped).all()


def test_made_up_samples_lie_between_neighbours() -> None:
    values = np.array([[0.0, 0.0], [1.0, 1.0], [10.0, 0.0], [11.0, 1.0]])
    made = synthetic(values, 50, 1, np.random.default_rng(0))
    assert made.shape == (50, 2)
    along = np.where(made[:, 0] > 5, made[:, 0] - 10, made[:, 0])
    np.testing.assert_allclose(along, made[:, 1], atol=1e-5)
    assert ((along >= 0) & (along <= 1)).all()


def test_a_sample_without_neighbours_is_repeated() -> None:
    one = np.array([[3.0, 4.0]])
    assert synthetic(one, 3, 5, np.random.default_rng(0)).tolist() == [[3.0, 4.0]] * 3
    two = np.array([[0.0], [1.0]])
    assert synthetic(two, 2, 0, np.random.default_rng(0)).ravel().tolist() in ([0, 1], [1, 0])


def test_intervals_of_a_year() -> None:
    found = [(part.start, part.stop, len(part.quantiles)) for part in dyadic_intervals(36)]
    assert found[:4] == [(0, 36, 9), (0, 18, 4), (18, 36, 4), (9, 27, 4)]
    assert found[4:11] == [
        *((0, 9, 2), (9, 18, 2), (18, 27, 2), (27, 36, 2)),
        *((4, 13, 2), (13, 22, 2), (22, 31, 2)),
    ]
    assert sum(count for _, _, count in found) == 50
    assert dyadic_intervals(1) == ()


def test_interval_quantiles_equal_numpy() -> None:
    draw = np.random.default_rng(0)
    values = draw.random((40, 36)).astype(np.float32)
    values[draw.random(values.shape) < 0.3] = NAN
    values[0, :18] = NAN
    intervals = dyadic_intervals(36)
    found = interval_quantiles(values, intervals)
    place = 0
    for part in intervals:
        for share in part.quantiles:
            inside = values[1:, part.start : part.stop]
            some = ~np.isnan(inside).all(axis=1)
            expected = np.nanquantile(inside[some], share, axis=1)
            np.testing.assert_allclose(found[1:, place][some], expected, atol=1e-6)
            assert np.isnan(found[1:, place][~some]).all()
            place += 1
    assert place == found.shape[1]
    assert np.isnan(found[0, 9:13]).all(), "nothing was seen in the first half"


def test_lines_equal_numpy() -> None:
    draw = np.random.default_rng(0)
    at = np.sort(draw.choice(300, 30, replace=False)).astype(float)
    values = draw.random((20, 30))
    values[draw.random(values.shape) < 0.6] = NAN
    values[0], values[1, 1:] = NAN, NAN
    asked = np.arange(-10, 320, 7.0)
    found = interpolated(values, at, asked)
    assert np.isnan(found[0]).all()
    for row, series in zip(found[1:], values[1:], strict=True):
        known = ~np.isnan(series)
        if known.any():
            expected = np.interp(asked, at[known], series[known])
            np.testing.assert_allclose(row, expected, atol=1e-6)


def test_a_holding_goes_to_the_block_of_most_of_its_parcels() -> None:
    block = np.array([0, 0, 1, 2, 2, 1, 3, 3, 3, 4])
    holding = np.array([0, 0, 0, 1, -1, 1, -1, -1, -1, 2])
    # Holding 1 has one parcel in each of two blocks: the lower one.
    expected = [0, 0, 0, 1, 2, 1, 3, 3, 3, 4]
    assert blocks_of_holdings(block, holding, 3).tolist() == expected


def test_a_holding_larger_than_a_fold_stays_where_it_is() -> None:
    block = np.arange(10)
    assert blocks_of_holdings(block, np.zeros(10, int), 5).tolist() == block.tolist()
    assert blocks_of_holdings(block, np.full(10, -1), 5).tolist() == block.tolist()


@pytest.mark.parametrize("share", [0.0, 0.03])
def test_rare_classes_are_never_doubted(share: float) -> None:
    probability = np.tile([0.0, 1.0], (30, 1))
    label = np.zeros(30, int)
    assert not doubtful(probability, label, share).any()
