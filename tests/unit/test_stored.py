"""Compiled conversions: the same bits as numpy's passes; coarser pixels by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sen4cap.kernels.stored import halved, physical, quantised


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
@pytest.mark.parametrize("nodata", [None, 0, 7])
def test_physical_values(dtype: str, nodata: int | None) -> None:
    stored = np.random.default_rng(1).integers(0, 200, (30, 40)).astype(dtype)
    expected = stored.astype(np.float32)
    if nodata is not None:
        expected[stored == nodata] = np.nan
    expected *= np.float32(0.0001)
    expected += np.float32(-0.1)
    np.testing.assert_array_equal(physical(stored, nodata, 0.0001, -0.1), expected)


def test_quantised_values() -> None:
    values = np.random.default_rng(2).normal(0, 12, (50, 60)).astype(np.float32)
    values[0, :3] = np.nan, 1e9, -1e9
    expected = np.clip(np.rint(values / np.float32(0.001)), -32768, 32767)
    found = quantised(values, np.int16, -10000, 0.001)
    assert found[0, :3].tolist() == [-10000, 32767, -32768]
    np.testing.assert_array_equal(found[1:], expected[1:].astype(np.int16))


def test_means_of_four_leave_out_what_is_missing() -> None:
    values = np.array([[1, 2, -9], [4, -9, 7], [-9, -9, 5]], np.int16)
    assert halved(values, -9, average=True).tolist() == [[2, 7], [-9, 5]]
    assert halved(values, None, average=True).tolist() == [[0, -1], [-9, 5]]  # -0.5, rounded up
    floats = np.array([[1, 2], [4, np.nan]], np.float32)
    assert halved(floats, np.nan, average=True).tolist() == [[np.float32(7 / 3)]]
    assert np.isnan(halved(floats * np.float32(np.nan), np.nan, average=True)).all()


def test_classes_are_not_mixed() -> None:
    values = np.arange(15, dtype=np.uint8).reshape(3, 5)
    assert halved(values, 255, average=False).tolist() == [[0, 2, 4], [10, 12, 14]]
