"""Moments of runs; expected values from numpy on the whole series, or by hand."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from sen4cap.geo.coverage import build_coverage
from sen4cap.kernels.zonal import (
    Mask,
    Moments,
    Plane,
    entries,
    gather,
    merge,
    part_moments,
    run_moments,
    run_quantiles,
)
from sen4cap.testing.rasters import small_grid


def moments(values: list[float], weights: list[float]) -> Moments:
    starts = np.array([0, len(values)])
    return run_moments(starts, np.array(weights, np.float32), np.array(values, np.float32))


def test_moments_by_hand() -> None:
    # weights 1 and 0.5 of 2 and 5: mean (2 + 2.5) / 1.5 = 3, variance (1 + 0.5·4) / 1.5 = 2
    found = moments([2.0, np.nan, 5.0], [1.0, 1.0, 0.5])
    assert found.weight.tolist() == [1.5]
    assert found.average.tolist() == pytest.approx([3.0])
    assert found.deviation.tolist() == pytest.approx([np.sqrt(2.0)])


def test_nothing_valid_is_missing() -> None:
    found = moments([np.nan, np.nan], [1.0, 0.25])
    assert found.weight.tolist() == [0.0]
    assert np.isnan(found.average).all()
    assert np.isnan(found.deviation).all()


def test_runs_are_apart() -> None:
    values = np.array([40.0, 20.0, 10.0], np.float32)
    found = run_moments(np.array([0, 2, 3]), np.ones(3, np.float32), values)
    assert found.mean.tolist() == [30.0, 10.0]
    assert found.deviation.tolist() == [10.0, 0.0]
    assert [item.tolist() for item in found.extremes] == [[20.0, 10.0], [40.0, 10.0]]


GRID = small_grid(40, 30, pixel=1.0, corner=(0.0, 30.0))
FIELDS = np.array([shapely.box(2.5, 3.5, 20, 21), shapely.Point(28, 14).buffer(9)])
PARTS = build_coverage(np.arange(2), np.full(2, "h"), FIELDS, GRID).strip(0).parts


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("masked", [False, True])
def test_moments_of_stored_values_are_those_of_the_gathered(kind: type, masked: bool) -> None:
    """Numpy on the cells and shares, one by one; the mask has pixels of 2 × 2 cells."""
    rng = np.random.default_rng(3)
    stored = rng.integers(0, 200, (30, 40)).astype(kind)
    codes = rng.integers(0, 12, (15, 20)).astype(np.uint8)
    mask = Mask(codes, 1, np.isin(np.arange(256), [2, 4, 5, 6, 7]))
    nodata = 7.0 if kind is np.float32 else 7
    found = part_moments(PARTS, stored, nodata, mask if masked else None)
    cells, shares, start = entries(PARTS)
    values = gather(cells, 40, Plane(stored, 0)).astype(np.float64)
    assert (values == stored[np.divmod(cells, 40)]).all()
    theirs = codes[cells // 40 // 2, cells % 40 // 2]
    assert (gather(cells, 40, Plane(codes, 1)) == theirs).all()
    visible = np.isin(theirs, [2, 4, 5, 6, 7])
    valid = (values != nodata) & (visible | (not masked))
    for part in range(2):
        own = slice(start[part], start[part + 1])
        good, weight = values[own][valid[own]], shares[own][valid[own]]
        mean = np.average(good, weights=weight)
        assert found.weight[part] == pytest.approx(weight.sum())
        assert found.mean[part] == pytest.approx(mean)
        variance = np.average((good - mean) ** 2, weights=weight)
        assert found.deviation[part] ** 2 == pytest.approx(variance)
        assert (found.low[part], found.high[part]) == (good.min(), good.max())


def test_scaling_moments_is_scaling_values() -> None:
    plain, turned = moments([1.0, 3.0], [1.0, 1.0]), moments([8.0, 4.0], [1.0, 1.0])
    found = plain.scaled(-2.0, 10.0)
    assert found.mean.tolist() == turned.mean.tolist()
    assert found.squares.tolist() == turned.squares.tolist()
    assert [item.tolist() for item in found.extremes] == [[4.0], [8.0]]
    nothing = moments([np.nan], [1.0]).scaled(-2.0, 10.0)
    assert np.isnan(nothing.extremes).all()


def test_quantiles_with_equal_weights_are_those_of_numpy() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=57).astype(np.float32)
    values[::9] = np.nan
    start, shares = np.array([0, 20, 20, 57]), (0.0, 0.25, 0.5, 0.9, 1.0)
    found = run_quantiles(start, np.full(57, 0.7, np.float32), values, shares)
    for number, part in ((0, values[:20]), (2, values[20:])):
        np.testing.assert_allclose(found[:, number], np.nanquantile(part, shares), rtol=1e-6)
    assert np.isnan(found[:, 1]).all()


def test_weighted_quantiles_by_hand() -> None:
    """1, 2, 4 with weights 1, 0.5, 1: places 0, 0.5 + 2, 2 + 3 of 5; the median is at 2.5."""
    weights = np.array([1.0, 0.5, 1.0], np.float32)
    values = np.array([1.0, 2.0, 4.0], np.float32)
    found = run_quantiles(np.array([0, 3]), weights, values, (0.25, 0.5, 0.75))
    assert found[:, 0].tolist() == pytest.approx([1.5, 2.0, 3.0])


def test_large_values_keep_their_small_deviation() -> None:
    # the sum of squares would lose it: 1e6 ± 0.25 has deviation 0.25
    assert moments([1e6 - 0.25, 1e6 + 0.25] * 50, [1.0] * 100).deviation[0] == pytest.approx(0.25)


def test_merge_adds_at_positions_only() -> None:
    total = Moments.zeros(3)
    merge(total, np.array([2], np.int32), moments([1.0, 3.0], [1.0, 1.0]))
    merge(total, np.array([2], np.int32), moments([8.0], [2.0]))
    # 1, 3 and twice 8: mean 5, variance (16 + 4 + 2·9) / 4 = 9.5
    assert total.weight.tolist() == [0.0, 0.0, 4.0]
    assert total.average[2] == pytest.approx(5.0)
    assert total.deviation[2] == pytest.approx(np.sqrt(9.5))
    assert np.isnan(total.average[:2]).all()


samples = st.lists(
    st.tuples(st.floats(-100, 100, width=32), st.floats(0.0625, 1, width=32)),
    min_size=2,
    max_size=40,
)


@settings(deadline=None, max_examples=50)
@given(samples, st.data())
def test_parts_merge_to_the_whole(pairs: list[tuple[float, float]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(pairs) - 1))
    values, weights = (list(items) for items in zip(*pairs, strict=True))
    total = Moments.zeros(1)
    for part in (slice(None, cut), slice(cut, None)):
        merge(total, np.zeros(1, np.int32), moments(values[part], weights[part]))
    mean = np.average(values, weights=weights)
    variance = np.average((np.array(values) - mean) ** 2, weights=weights)
    assert total.average[0] == pytest.approx(mean, abs=1e-9)
    assert total.deviation[0] == pytest.approx(np.sqrt(variance), abs=1e-6)
