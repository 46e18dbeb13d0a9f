"""Agreement of estimates with measurements, by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sen4cap.kernels.agreement import agreement


def test_by_hand() -> None:
    """Differences 1, 0, -1, 2; a pair with a hole does not count."""
    estimated = np.array([2.0, 2.0, 2.0, 6.0, np.nan, 1.0])
    measured = np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])
    found = agreement(estimated, measured)
    assert found.count == 4
    assert found.bias == 0.5
    assert found.rmse == pytest.approx(np.sqrt(6 / 4))
    line = stats.linregress(measured[:4], estimated[:4])
    assert (found.slope, found.intercept, found.r) == pytest.approx(
        (line.slope, line.intercept, line.rvalue)
    )


def test_what_is_not_defined() -> None:
    assert agreement(np.array([]), np.array([])).count == 0
    one = agreement(np.array([1.0]), np.array([2.0]))
    assert (one.count, one.bias) == (1, -1.0)
    assert np.isnan(one.r)
    assert np.isnan(agreement(np.array([1.0, 1.0]), np.array([2.0, 3.0])).r)
