"""Agreement figures: hand-computed, and equal to scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from sen4cap.kernels.accuracy import (
    confusion_matrix,
    effective_number,
    f1_interval,
    f1_score,
    kappa,
    macro_f1,
    overall_accuracy,
    producer_accuracy,
    spread_of,
    user_accuracy,
    wilson_interval,
)

# Predicted in rows, declared in columns.
MATRIX = np.array([[20, 5, 0], [10, 15, 0], [0, 0, 0]])


def test_figures_by_hand() -> None:
    assert overall_accuracy(MATRIX) == pytest.approx(35 / 50)
    # By chance: (30·25 + 20·25) / 50² = 0.5, hence (0.7 - 0.5) / (1 - 0.5).
    assert kappa(MATRIX) == pytest.approx(0.4)
    np.testing.assert_allclose(user_accuracy(MATRIX), [20 / 25, 15 / 25, np.nan])
    np.testing.assert_allclose(producer_accuracy(MATRIX), [20 / 30, 15 / 20, np.nan])
    np.testing.assert_allclose(f1_score(MATRIX), [40 / 55, 30 / 45, np.nan])


def test_a_declared_class_that_is_never_predicted_has_f1_of_zero() -> None:
    matrix = np.array([[5, 2], [0, 0]])
    assert f1_score(matrix)[1] == 0
    assert np.isnan(user_accuracy(matrix)[1])


def test_predicted_in_rows() -> None:
    matrix = confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    assert matrix.tolist() == [[1, 1], [0, 1]]
    weighted = confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2, np.array([1.5, 2, 4]))
    assert weighted.tolist() == [[1.5, 2], [0, 4]]


def test_empty_and_trivial_matrices_have_no_share() -> None:
    assert np.isnan(overall_accuracy(np.zeros((2, 2))))
    assert np.isnan(kappa(np.zeros((2, 2))))
    assert np.isnan(kappa(np.array([[7, 0], [0, 0]])))


def test_equal_to_scikit_learn() -> None:
    draw = np.random.default_rng(3)
    declared = draw.integers(0, 5, 400)
    predicted = np.where(draw.random(400) < 0.6, declared, draw.integers(0, 5, 400))
    matrix = confusion_matrix(predicted, declared, 5)
    np.testing.assert_array_equal(matrix.T, metrics.confusion_matrix(declared, predicted))
    assert overall_accuracy(matrix) == pytest.approx(metrics.accuracy_score(declared, predicted))
    assert kappa(matrix) == pytest.approx(metrics.cohen_kappa_score(declared, predicted))
    np.testing.assert_allclose(
        f1_score(matrix), metrics.f1_score(declared, predicted, average=None)
    )


def test_wilson_equals_scipys() -> None:
    from scipy.stats import binomtest

    for hits, total in ((0, 7), (3, 10), (1480, 1611), (20, 20)):
        known = binomtest(hits, total).proportion_ci(0.95, method="wilson")
        found = wilson_interval(hits / total, total)
        np.testing.assert_allclose(found, [known.low, known.high], atol=1e-6)
    assert np.isnan(wilson_interval(np.nan, 0)).all()


def test_equal_weights_count_each_and_one_large_one_counts_alone() -> None:
    assert effective_number(np.full(8, 3.0)) == pytest.approx(8)
    assert effective_number(np.array([1000.0, 1e-3])) == pytest.approx(1, abs=1e-5)
    assert effective_number(np.array([])) == 0


def test_interval_of_f1_holds_it() -> None:
    """By hand for the first class: J = 20/35, Wilson 0.4086-0.7202; 2 J / (1 + J)."""
    bounds = f1_interval(MATRIX)
    np.testing.assert_allclose(bounds[0], [0.5801, 0.8374], atol=1e-4)
    assert (bounds[:2, 0] < f1_score(MATRIX)[:2]).all()
    assert (bounds[:2, 1] > f1_score(MATRIX)[:2]).all()
    assert np.isnan(bounds[2]).all()


def test_spread_of_kappa_is_that_of_the_large_sample() -> None:
    """Fleiss, Cohen & Everitt (1969): by hand, the standard error of kappa is 0.1270."""
    counted = np.array([True, True, False])
    found = spread_of(MATRIX, counted, seed=1)
    assert found.kappa[1] - found.kappa[0] == pytest.approx(2 * 1.96 * 0.1270, rel=0.05)
    assert found.macro_f1[0] < macro_f1(MATRIX, counted) < found.macro_f1[1]
    again = spread_of(MATRIX, counted, seed=1)
    np.testing.assert_array_equal(found.kappa, again.kappa)
    assert np.isnan(spread_of(np.zeros((2, 2)), np.array([True, True]), 1).kappa).all()
