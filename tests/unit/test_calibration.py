"""Corrected probabilities and how far they are from what comes true."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn import metrics

from sen4cap.kernels import calibration
from sen4cap.kernels.calibration import (
    Scaling,
    choose_scaling,
    cross_calibrated,
    expected_calibration_error,
    fit_scaling,
    log_loss,
    reliability,
)


def truth(count: int, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of unlike frequent classes, and labels drawn by them."""
    draw = np.random.default_rng(seed)
    logs = draw.normal(0, 2, (count, classes)) - np.arange(classes)
    sure = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    label = (draw.random((count, 1)) > sure.cumsum(axis=1)).sum(axis=1)
    return sure, np.minimum(label, classes - 1)


def powered(probability: np.ndarray, power: float) -> np.ndarray:
    grown = probability**power
    return grown / grown.sum(axis=1, keepdims=True)


def test_a_learner_that_is_too_sure_is_brought_back() -> None:
    sure, label = truth(20_000)
    found = fit_scaling(powered(sure, 2), label)
    assert found.temperature == pytest.approx(2, abs=0.2)
    assert found.bend == pytest.approx(1, abs=0.1)
    assert found.stray == pytest.approx(0, abs=0.005)
    np.testing.assert_allclose(found.apply(powered(sure, 2)), sure, atol=0.02)


def test_the_share_of_wrong_labels_is_found() -> None:
    """Of 6 % labels that were drawn anew by the shares of the classes."""
    sure, label = truth(20_000)
    draw = np.random.default_rng(1)
    wrong = draw.random(len(label)) < 0.06
    label = np.where(wrong, draw.permutation(label), label)
    assert fit_scaling(sure, label).stray == pytest.approx(0.06, abs=0.01)


def test_a_prior_is_used_where_shares_were_flattened_and_nowhere_else() -> None:
    """Flat shares: probabilities divided by the shares of their classes."""
    sure, label = truth(4000)
    fold = np.arange(len(label)) % 4
    flat = sure / (np.bincount(label) / len(label))
    flat /= flat.sum(axis=1, keepdims=True)
    found = choose_scaling(flat, label, fold)
    assert found.prior == pytest.approx(1, abs=0.1)
    assert log_loss(found.apply(flat), label) < log_loss(
        fit_scaling(flat, label).apply(flat), label
    )
    assert abs(choose_scaling(sure, label, fold).prior) < 0.1
    assert choose_scaling(flat, label, np.zeros(len(label), int)).prior == 0


def test_the_gradient_is_that_of_the_loss() -> None:
    sure, label = truth(200)
    share = np.log(np.bincount(label) / len(label))
    given = (np.log(calibration._surprise(sure)), share, label)
    error = check_grad(
        lambda x: calibration._loss(x, *given)[0],
        lambda x: calibration._loss(x, *given)[1],
        np.array([0.8, 1.2, 0.3, 0.05]),
    )
    assert error < 1e-5


def test_no_element_has_a_part_in_its_own_correction() -> None:
    sure, label = truth(900)
    fold = np.arange(900) % 3
    other = np.where(fold == 1, (label + 1) % 4, label)
    first, second = cross_calibrated(sure, label, fold), cross_calibrated(sure, other, fold)
    np.testing.assert_array_equal(first[fold == 1], second[fold == 1])
    assert (first[fold != 1] != second[fold != 1]).any()
    np.testing.assert_allclose(first.sum(axis=1), 1)


def test_classes_that_were_not_taught_keep_a_little() -> None:
    probability = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], np.float32)
    corrected = Scaling(1, 1, 0, 0, np.array([0.5, 0.5])).apply(probability)
    np.testing.assert_allclose(corrected, probability, atol=1e-6)
    assert (corrected > 0).all()


def test_nothing_to_fit_corrects_nothing() -> None:
    nothing = np.zeros((0, 3))
    found = choose_scaling(nothing, np.zeros(0, int), np.zeros(0, int))
    given = np.array([[0.2, 0.3, 0.5]])
    np.testing.assert_allclose(found.apply(given), given)
    assert np.isnan(log_loss(nothing, np.zeros(0, int)))
    assert np.isnan(expected_calibration_error(np.zeros(0), np.zeros(0, bool)))


def test_many_elements_are_thinned_and_keep_their_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "MOST", 100)
    label = np.repeat([0, 1, 2], [600, 300, 60])
    some = calibration._spaced(label)
    assert np.bincount(label[some]).tolist() == [60, 30, 6]


def test_log_loss_is_scikit_learns() -> None:
    sure, label = truth(500)
    assert log_loss(sure, label) == pytest.approx(metrics.log_loss(label, sure))


def test_calibration_error_by_hand() -> None:
    """Two bins: 0.1 and 0.3 said, one of two came; 0.6 and 0.8 said, both came."""
    said, came = np.array([0.8, 0.1, 0.6, 0.3]), np.array([True, False, True, True])
    found = reliability(said, came, bins=2)
    np.testing.assert_allclose(found.said, [0.2, 0.7])
    np.testing.assert_allclose(found.came, [0.5, 1.0])
    assert found.number.tolist() == [2, 2]
    assert expected_calibration_error(said, came, bins=2) == pytest.approx((0.3 + 0.3) / 2)
    assert len(reliability(said, came, bins=15).said) == 4
