"""Mowing by the original's rules on real plots that cameras watched, from import to scores.

Expected scores are those of an independent restatement of the rule on the same plots: defaults,
dates of a cloud score of 0.6 and more, April to October, one-to-one pairs within 10 days.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import polars as pl
import pytest

from sen4cap.kernels.event_matching import match_events
from sen4cap.kernels.mowing_rules import OpticalRule, RadarRule, detect
from sen4cap.kernels.series import Series

from .conftest import Terminal

pytestmark = pytest.mark.data

EPOCH = date(1970, 1, 1).toordinal()

LUT = "ori_crop,ctnum,ct,lc,ctnuml4a,ctl4a\nG,1,Grass,3,1,Grass\n"


def watched(terminal: Terminal, folder: Path, tmp_path: Path, region: str, year: int) -> str:
    """A season of the plots of a region and year, with NDVI of their clear dates; its product."""
    plots = gpd.read_file(folder / "camera_plots.gpkg")
    here = plots[(plots["region"] == region) & (plots["year"] == year)].assign(crop="G")
    here.to_file(tmp_path / "plots.gpkg")
    (tmp_path / "lut.csv").write_text(LUT)
    terminal("site", "create", region)
    site = region.lower()
    days = ("--start", f"{year}-04-01", "--end", f"{year}-10-31")
    terminal("season", "create", site, year, *days)
    terminal(
        *("lpis", "import", site, year, tmp_path / "plots.gpkg", "--lut", tmp_path / "lut.csv"),
        *("--parcel-id-cols", "plot_id", "--crop-code-col", "crop"),
    )
    terminal(
        *("markers", "import", site, year, folder / "camera_s2_ts.parquet", "--value", "ndvi"),
        *("--where", f"cs_cdf >= 0.6 and region = '{region}' and year = {year}"),
    )
    made = terminal("run", "s4c_l4b", site, year, "--method", "sen4cap")["made"]
    return str(made[0])


def scores(
    terminal: Terminal, folder: Path, tmp_path: Path, product: str, region: str, year: int
) -> dict[str, Any]:
    events = pl.read_parquet(folder / "camera_events.parquet")
    plots = gpd.read_file(folder / "camera_plots.gpkg", ignore_geometry=True)
    all_plots = pl.from_pandas(plots[["region", "plot_id", "year"]])
    truth = all_plots.with_columns(pl.col("year").cast(pl.Int32)).join(
        events, on=["region", "plot_id", "year"], how="left"
    )
    of_this = (pl.col("region") == region) & (pl.col("year") == year)
    truth.filter(of_this).write_parquet(tmp_path / "truth.parquet")
    found: dict[str, Any] = terminal(
        *("validate", "l4b", tmp_path / "truth.parquet", "--product", product),
        *("--parcel-col", "plot_id", "--by", "region", "--by", "year"),
    )
    return found


@pytest.mark.parametrize(
    ("region", "year", "parcels", "mowings", "f1"),
    [
        ("CH", 2020, 70, 106, 0.67),
        ("SK", 2021, 69, 69, 0.68),
        ("SK", 2022, 95, 87, 0.69),
        ("SK", 2023, 110, 112, 0.82),
    ],
)
def test_the_rules_are_as_good_as_they_were_measured(
    terminal: Terminal,
    shared_data: Path,
    tmp_path: Path,
    region: str,
    year: int,
    parcels: int,
    mowings: int,
    f1: float,
) -> None:
    folder = shared_data / "ch_sk_grassland_mowing"
    product = watched(terminal, folder, tmp_path, region, year)
    found = scores(terminal, folder, tmp_path, product, region, year)
    assert found["overall"]["parcels"] == parcels
    assert found["overall"]["true"] + found["outside"] == mowings
    assert found["overall"]["f1"] == pytest.approx(f1, abs=0.02)
    [group] = found["groups"]
    assert group["group"] == [region, str(year)]
    assert group["f1"] == found["overall"]["f1"]
    assert sum(row["number"] for row in found["reliability"]) == found["overall"]["found"]


@pytest.mark.parametrize(("pfa", "right", "false"), [(3e-8, 1, 1), (3e-7, 2, 2), (1e-3, 7, 4)])
def test_radar_alone_on_small_meadows(
    shared_data: Path, pfa: float, right: int, false: int
) -> None:
    """Ten meadows of 1 to 2 ha, 17 mowings, coherence VH of mixed orbits; measured before."""
    folder = shared_data / "jrc_salms_10parcels"
    is_vh = (pl.col("source") == "s1_coh6") & (pl.col("band") == "s1_coh6_VH")
    rows = pl.read_parquet(folder / "signals.parquet").filter(is_vh).drop_nulls("MEAN")
    rows = rows.with_columns(day=pl.col("datetime").cast(pl.Date).cast(pl.Int32))
    rows = rows.sort("parcel_id", "day")
    series = Series(
        np.searchsorted(rows["parcel_id"], np.arange(1, 12)),
        rows["day"].to_numpy(),
        rows.select("MEAN", "count").to_numpy().T.astype(np.float32),
        np.full(rows.height, -1, np.int16),
        np.full(rows.height, 6, np.int16),
    )
    known = pl.read_csv(folder / "events.csv", try_parse_dates=True)
    season = date(2020, 4, 1).toordinal() - EPOCH, date(2020, 10, 31).toordinal() - EPOCH
    found = detect(None, series, (OpticalRule(), RadarRule(pfa=pfa)), (season, season))
    answer = match_events(
        known["parcel_id"].to_numpy() - 1, known["event_date"].cast(pl.Int32).to_numpy(), found, 10
    )
    assert ((answer >= 0).sum(), len(found.day) - (answer >= 0).sum()) == (right, false)
