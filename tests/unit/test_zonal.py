"""Moments of runs; expected values from numpy on the whole series, or by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sen4cap.kernels.zonal import Moments, merge, run_moments, run_starts


def moments(values: list[float], weights: list[float]) -> Moments:
    cells = np.arange(len(values), dtype=np.int32)
    starts = np.array([0, len(values)])
    return run_moments(starts, cells, np.array(weights, np.float32), np.array(values, np.float32))


def test_run_starts_bound_runs_of_equal_positions() -> None:
    assert run_starts(np.array([0, 0, 2, 2, 2, 5], np.int32)).tolist() == [0, 2, 5, 6]
    assert run_starts(np.array([], np.int32)).tolist() == [0]


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


def test_entries_refer_to_cells_and_runs_are_apart() -> None:
    values = np.array([10.0, 20.0, 30.0, 40.0], np.float32)
    cells, ones = np.array([3, 1, 0], np.int32), np.ones(3, np.float32)
    found = run_moments(np.array([0, 2, 3]), cells, ones, values)
    assert found.mean.tolist() == [30.0, 10.0]
    assert found.deviation.tolist() == [10.0, 0.0]


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
