"""Smooth curves; expected values from numpy's and scipy's solvers, scipy's spline, or by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.interpolate import make_smoothing_spline
from scipy.linalg import solveh_banded

from sen4cap.errors import InvalidParameter
from sen4cap.kernels.smoothing import BLOCK, LANES, interpolated, penalty, whittaker

Array = NDArray[Any]
NAN = np.nan


def season(series: int, dates: int, seed: int = 0) -> tuple[Array, Array, Array]:
    """Days, values with gaps and weights, at uneven distances over a year."""
    rng = np.random.default_rng(seed)
    days = np.sort(rng.choice(365, dates, replace=False)).astype(float)
    values = np.sin(days / 60) + rng.normal(0, 0.1, (series, dates))
    values[rng.random(values.shape) < 0.4] = np.nan
    return days, values, rng.uniform(0.1, 1, values.shape)


def dense(days: Array, values: Array, weights: Array, smoothness: float) -> Array:
    """The same normal equations, told by matrices: W z + λ Dᵀ H⁻¹ D z = W y."""
    steps = np.diff(days)
    slopes = np.diff(np.eye(len(days)), axis=0) / steps[:, None]
    change = np.diff(slopes, axis=0)
    half = (steps[:-1] + steps[1:]) / 2
    weights = np.where(np.isnan(values), 0, weights)
    left = np.diag(weights) + smoothness * change.T @ (change / half[:, None])
    return np.linalg.solve(left, weights * np.nan_to_num(values))


def test_by_hand() -> None:
    # nodes 0, 1, 2, h = 1: z - y = -λ s (1, -2, 1), where s = z0 - 2 z1 + z2 = -6 - 6 λ s, so that
    # s = -6 / (1 + 6 λ); λ = 1/2 gives s = -3/2 and z = y + 3/4 (1, -2, 1)
    found = whittaker([0, 1, 2], np.array([[0.0, 3.0, 0.0]]), [0, 1, 2], smoothness=0.5)
    np.testing.assert_allclose(found, [[0.75, 1.5, 0.75]], rtol=1e-14)


def test_unequal_distances_by_hand() -> None:
    # nodes 0, 1, 3: slopes change by c = (1, -3/2, 1/2) · z, h = 3/2; without the first value the
    # other two give the line 1 - (day - 1) / 2
    found = whittaker([0, 1, 3], np.array([[NAN, 1.0, 0.0]]), [0, 1, 3], smoothness=7, least=2)
    np.testing.assert_allclose(found, [[1.5, 1.0, 0.0]], atol=1e-14)
    np.testing.assert_allclose(
        penalty(np.array([0.0, 1.0, 3.0]), 3.0),
        [[2.0, 4.5, 0.5], [-3.0, -1.5, 0.0], [1.0, 0.0, 0.0]],
    )


@pytest.mark.parametrize("smoothness", [1e-2, 1e2, 1e4, 1e6])
def test_equals_the_dense_solution(smoothness: float) -> None:
    days, values, weights = season(50, 60)
    found = whittaker(days, values, days, smoothness=smoothness, weights=weights)
    expected = [dense(days, y, w, smoothness) for y, w in zip(values, weights, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_equals_scipys_banded_solution_at_other_days() -> None:
    days, values, weights = season(20, 60)
    dekads = np.arange(36) * 10.0 + 5
    found = whittaker(days, values, dekads, smoothness=3000, weights=weights)
    nodes = np.union1d(days, dekads)
    for series, known, weight in zip(found, values, np.nan_to_num(weights), strict=True):
        at = np.searchsorted(nodes, days)
        share, right = np.zeros(len(nodes)), np.zeros(len(nodes))
        share[at] = np.where(np.isnan(known), 0, weight)
        right[at] = share[at] * np.nan_to_num(known)
        bands = penalty(nodes, 3000)
        bands[0] += share
        expected = solveh_banded(bands, right, lower=True)
        np.testing.assert_allclose(series, expected[np.searchsorted(nodes, dekads)], atol=1e-8)


def test_daily_nodes_come_near_the_smoothing_spline() -> None:
    """The spline of scipy makes least the same sum, with the integral in place of daily steps."""
    days, values, weights = season(1, 60)
    known, asked = ~np.isnan(values[0]), np.arange(days[0], days[-1] + 1)
    spline = make_smoothing_spline(days[known], values[0, known], weights[0, known], lam=1e4)
    found = whittaker(days, values, asked, smoothness=1e4, weights=weights)
    assert np.ptp(spline(asked)) > 1
    np.testing.assert_allclose(found[0], spline(asked), atol=2e-3)


days_of = st.lists(st.integers(0, 400), min_size=4, max_size=40, unique=True).map(sorted)


@settings(deadline=None)
@given(days_of, st.integers(0, 2**31), st.floats(-2, 5))
def test_straight_lines_stay_as_they_are(days: list[int], seed: int, exponent: float) -> None:
    rng = np.random.default_rng(seed)
    line = np.outer(rng.normal(0, 0.01, 9), days) + rng.normal(0, 1, (9, 1))
    weights = rng.uniform(0.1, 1, line.shape)
    weights[:, 2::3] = 0
    asked = [days[0] - 7.5, *days[1:], days[-1] + 10]
    found = whittaker(days, line, asked, smoothness=10**exponent, weights=weights, least=2)
    steps = (np.asarray(asked) - days[0]) / (days[-1] - days[0])
    expected = line[:, :1] + steps * (line[:, -1:] - line[:, :1])
    np.testing.assert_allclose(found, expected, atol=1e-8)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 3 * LANES))
def test_neither_masked_values_nor_neighbours_matter(seed: int, series: int) -> None:
    days, values, weights = season(series, 20, seed)
    weights[np.isnan(values)] = 0
    plain = whittaker(days, values, days, smoothness=100, weights=weights, asymmetry=0.8)
    other = np.where(np.isnan(values), 9.9, values)
    order = np.random.default_rng(seed).permutation(series)
    shuffled = whittaker(
        days, other[order], days, smoothness=100, weights=weights[order], asymmetry=0.8
    )
    np.testing.assert_array_equal(shuffled, plain[order])


def test_the_number_of_threads_does_not_matter() -> None:
    days, values, _ = season(2 * BLOCK + 3, 12)
    few = values.astype(np.float32)
    one = whittaker(days, few, days, smoothness=1e3, asymmetry=0.9)
    three = whittaker(days, few, days, smoothness=1e3, asymmetry=0.9, threads=3)
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, three)
    lines = interpolated(days, few, days, max_gap=60)
    np.testing.assert_array_equal(lines, interpolated(days, few, days, max_gap=60, threads=3))


def test_too_few_values_have_no_curve() -> None:
    values = np.array([[NAN] * 4, [1, NAN, NAN, NAN], [1, NAN, NAN, 4], [1, NAN, 3, 4]])
    days = [0, 10, 20, 30]
    found = whittaker(days, values, days, smoothness=10)
    assert np.isnan(found[:3]).all()
    np.testing.assert_allclose(found[3], [1, 2, 3, 4])
    assert np.isnan(whittaker(days, values, days, smoothness=10, least=4)).all()
    np.testing.assert_allclose(
        whittaker(days, values, days, smoothness=10, least=2)[2], [1, 2, 3, 4]
    )
    assert whittaker(days, values[:0], days, smoothness=10).shape == (0, 4)


def test_leaning_upwards_passes_over_remnants_of_clouds() -> None:
    days = np.arange(0, 365, 5.0)
    truth = 0.5 + 0.3 * np.sin(days / 60)
    clouded = truth.copy()
    clouded[::7] -= 0.2
    plain = whittaker(days, clouded[None], days, smoothness=1e4)[0]
    upper = whittaker(days, clouded[None], days, smoothness=1e4, asymmetry=0.9)[0]
    assert np.abs(upper - truth).mean() < 0.4 * np.abs(plain - truth).mean()
    assert (upper > plain).mean() > 0.9


def test_leaning_solves_the_weighted_equations() -> None:
    """Once no value changes sides, the curve is that of weights by side."""
    days, values, weights = season(20, 30)
    found = whittaker(days, values, days, smoothness=1e3, weights=weights, asymmetry=0.75)
    sided = weights * np.where(values > found, 1.5, 0.5)
    expected = [dense(days, y, w, 1e3) for y, w in zip(values, sided, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_interpolation_by_hand() -> None:
    values = np.array([[NAN, 1.0, NAN, 3.0, NAN, 9.0], [NAN] * 6, [5.0] + [NAN] * 5])
    days = [0, 10, 15, 20, 40, 60]
    found = interpolated(days, values, [0, 5, 10, 15, 20, 30, 60, 70], max_gap=30)
    np.testing.assert_array_equal(
        found,
        [[NAN, NAN, 1, 2, 3, NAN, 9, NAN], [NAN] * 8, [5] + [NAN] * 7],
    )  # 20 to 60 is a gap of 40 days
    wide = interpolated(days, values, [30], max_gap=40)
    np.testing.assert_array_equal(wide, [[4.5], [NAN], [NAN]])


def test_interpolation_equals_numpys() -> None:
    days, values, _ = season(30, 40)
    asked = np.arange(days[0], days[-1])
    found = interpolated(days, values, asked, max_gap=365)
    for series, known in zip(found, values, strict=True):
        there = ~np.isnan(known)
        expected = np.interp(asked, days[there], known[there], left=np.nan, right=np.nan)
        np.testing.assert_allclose(series, expected, atol=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": [0, 2, 1]},
        {"out_days": [1, 1]},
        {"days": [0, 1]},
        {"values": np.ones((1, 3), int)},
        {"weights": np.ones((2, 3))},
        {"smoothness": 0},
        {"asymmetry": 1},
        {"least": 1},
    ],
)
def test_what_makes_no_curve_is_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {
        "days": [0, 1, 2], "values": np.ones((1, 3)), "out_days": [0, 1], "smoothness": 1,
    }  # fmt: skip
    with pytest.raises(InvalidParameter):
        whittaker(**(right | wrong))


def test_a_real_field(shared_data: Path) -> None:
    """Pixels of a Spanish field on 26 days and more of 2019, cloudy ones masked by their SCL.

    Of three values in ten that are kept back, a light curve (any smoothness from 1 to 300 does)
    tells more than the lines between neighbours: 0.051 off against 0.060, root mean square.
    """
    path = shared_data / "es_fusets_field" / "raw_s2_ndvi_field.nc"
    with rasterio.open(f"netcdf:{path}:NDVI") as file:
        ndvi = file.read().reshape(file.count, -1).T.astype(float)
        days = np.array(file.tags()["NETCDF_DIM_t_VALUES"].strip("{}").split(","), float)
    with rasterio.open(f"netcdf:{path}:SCL") as file:
        ndvi[~np.isin(file.read().reshape(file.count, -1).T, (4, 5))] = np.nan
    seen = ndvi[np.isfinite(ndvi).sum(axis=1) >= 26]
    assert seen.shape == (2322, 33)

    held = np.random.default_rng(0).random(seen.shape) < 0.3
    train = np.where(held, np.nan, seen)
    curve = whittaker(days, train, days, smoothness=100)
    line = interpolated(days, train, days, max_gap=365)
    both = held & np.isfinite(seen) & np.isfinite(line)
    off = [np.sqrt(np.mean((found - seen)[both] ** 2)) for found in (curve, line)]
    assert off == pytest.approx([0.051, 0.060], abs=1e-3)
    np.testing.assert_allclose(curve[0], dense(days, train[0], np.ones(len(days)), 100), atol=1e-8)
