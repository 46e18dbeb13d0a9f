"""Spectral indices against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sen4cap.kernels.indices import INDICES, evaluate

# Reflectances of a green crop: all expected values below are worked out on paper from these.
GREEN, RED, NIR, SWIR = 0.08, 0.05, 0.40, 0.20
EDGE, NARROW = 0.12, 0.42
BY_HAND = {
    "ndvi": 0.35 / 0.45,
    "ndwi": 0.2 / 0.6,
    "brightness": 0.0667083,  # sqrt((0.0025 + 0.0064) / 2)
    "tndvi": 1.1303883,  # sqrt(0.777778 + 0.5)
    "rvi": 8.0,
    "savi": 0.525 / 0.95,
    "tsavi": 0.7 * (0.4 - 0.035 - 0.9) / (0.28 + 0.05 + 0.08 * 1.49),
    "msavi": 0.35 * 1.7635556 / (0.45 + 0.7635556),  # soil = 1 - 0.8 * 0.777778 * 0.38
    "msavi2": (1.8 - 0.6633250) / 2,  # root of 1.8² - 8 * 0.35 = 0.44
    # eta = 0.94 / 0.95; (red - 0.125) / (1 - red) = -0.075 / 0.95
    "gemi": 0.9894737 * (1 - 0.25 * 0.9894737) + 0.0789474,
    "ipvi": 0.4 / 0.45,
    "rdvi": 0.35 / 0.6708204,
    "ndwi2": -0.32 / 0.48,
    "mndwi": -0.12 / 0.28,
    "ndti": -0.03 / 0.13,
    "redness": 0.0025 / 0.000512,
    "colorindex": -0.03 / 0.13,
    "brightness2": 0.2372762,  # sqrt((0.16 + 0.0025 + 0.0064) / 3)
    "ndre": 0.3 / 0.54,
    "ndii": 0.22 / 0.62,
}


def bands(**values: float) -> dict[str, np.ndarray]:
    given = {"B03": GREEN, "B04": RED, "B08": NIR, "B11": SWIR, "B05": EDGE, "B8A": NARROW}
    given |= values
    return {name: np.full((2, 3), value, np.float32) for name, value in given.items()}


def test_every_index_has_a_hand_value() -> None:
    assert set(BY_HAND) == set(INDICES)


@pytest.mark.parametrize("name", INDICES)
def test_formula(name: str) -> None:
    found = evaluate(INDICES[name], bands())
    assert found.shape == (2, 3)
    assert found.dtype == np.float32
    assert found[1, 2] == pytest.approx(BY_HAND[name], rel=2e-6)
    assert INDICES[name].low <= found[0, 0] <= INDICES[name].high


@pytest.mark.parametrize("name", INDICES)
def test_missing_stays_missing(name: str) -> None:
    for band in INDICES[name].bands:
        assert np.isnan(evaluate(INDICES[name], bands(**{band: np.nan}))).all()


@pytest.mark.parametrize("name", ["ndvi", "ndwi", "ndwi2", "rvi", "ipvi", "rdvi", "redness"])
def test_no_denominator_is_missing_and_not_zero(name: str) -> None:
    dark = bands(B03=0.0, B04=0.0, B08=0.0, B11=0.0)
    assert np.isnan(evaluate(INDICES[name], dark)).all()


def test_normalized_differences_are_bounded_and_antisymmetric() -> None:
    values = np.random.default_rng(1).uniform(0, 1, (2, 1000)).astype(np.float32)
    first = evaluate(INDICES["ndvi"], {"B08": values[0], "B04": values[1]})
    second = evaluate(INDICES["ndvi"], {"B08": values[1], "B04": values[0]})
    assert np.abs(first).max() <= 1
    np.testing.assert_array_equal(first, -second)


def test_negative_reflectance_counts_as_zero() -> None:
    assert evaluate(INDICES["ndvi"], bands(B04=-0.05, B08=0.02))[0, 0] == 1.0
    assert evaluate(INDICES["ndvi"], bands(B04=0.02, B08=-0.05))[0, 0] == -1.0


def test_negative_ndvi_is_kept_and_has_no_tndvi_below_minus_a_half() -> None:
    water = bands(B04=0.05, B08=0.01)
    assert evaluate(INDICES["ndvi"], water)[0, 0] == pytest.approx(-2 / 3, rel=1e-6)
    assert np.isnan(evaluate(INDICES["tndvi"], water)).all()
