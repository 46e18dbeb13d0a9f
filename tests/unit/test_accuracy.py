"""Agreement figures: hand-computed, and equal to scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from sen4cap.kernels.accuracy import (
    confusion_matrix,
    f1_score,
    kappa,
    overall_accuracy,
    producer_accuracy,
    user_accuracy,
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
