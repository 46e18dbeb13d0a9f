"""Composites of real rasters through the command line, against numpy on the files themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

pytestmark = pytest.mark.data


def stack(folder: Path, month: str) -> tuple[np.ndarray, np.ndarray]:
    """Days of the month and NDVI, shape (dates, rows, columns), of the files of a month."""
    days, found = [], []
    for path in sorted(folder.glob(f"NDVI_{month}*.tif")):
        with rasterio.open(path) as file:
            stored = file.read(1, masked=True)
            found.append(np.ma.filled(stored * file.scales[0] + file.offsets[0], np.nan))
        days.append(int(path.stem[-2:]))
    return np.array(days), np.array(found)


def read(href: str) -> np.ndarray:
    with rasterio.open(href) as file:
        return np.asarray(file.read(1))


def test_greatest_and_mean_ndvi_of_a_month(terminal: Any, shared_data: Path) -> None:
    """De Marke, May 2017. Files that name dates alone are taken for 10:00 UTC."""
    folder = shared_data / "nl_demarke_brp2017_ndvi" / "ndvi"
    days, values = stack(folder, "2017-05")
    assert days.tolist() == [6, 26, 27]
    terminal("site", "create", "De Marke", "--short", "demarke", "--timezone", "Europe/Amsterdam")
    terminal("season", "create", "demarke", "2017", "--start", "2017-01-01", "--end", "2017-12-31")
    terminal(
        *("product", "ingest", "demarke", folder),
        *("--pattern", "NDVI_{date}.tif", "--band", "ndvi", "--grid", "demarke"),
    )
    command = ("run", "l3_composite", "demarke", "2017", "--method")
    assets = {}
    for method in ("max", "mean"):
        (name,) = (name for name in terminal(*command, method)["made"] if "V20170501" in name)
        assets[method] = terminal("product", "show", name)["assets"]

    known = ~np.isnan(values)
    highest = np.where(known, values, -np.inf).max(axis=0)
    greatest = read(assets["max"]["ndvi"]["href"])
    np.testing.assert_array_equal(read(assets["max"]["ndvi_count"]["href"]), known.sum(axis=0))
    np.testing.assert_array_equal(greatest == -10000, ~known.any(axis=0))
    seen = known.any(axis=0)
    np.testing.assert_allclose(greatest[seen] / 1000, highest[seen], atol=0.000501)

    # May begins on 30 April at 22:00 UTC, 12 hours before that; its middle lies 15.5 days later
    distance = np.abs(days - 1 + 12 / 24 - 15.5)
    share = np.where(known, (1 - distance / 15.5 / 2)[:, None, None], 0)
    mean = (share * np.nan_to_num(values)).sum(axis=0)[seen] / share.sum(axis=0)[seen]
    np.testing.assert_allclose(
        read(assets["mean"]["ndvi"]["href"])[seen] / 1000, mean, atol=0.000501
    )
