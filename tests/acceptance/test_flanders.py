"""A Flemish chip with real bands and scene classification: 118 dates from bands to curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import polars as pl
import pytest
import rasterio

from sen4cap.errors import NoInput
from sen4cap.kernels.variables import DomainFlag

from .flanders import write_flanders_items

pytestmark = pytest.mark.data

MAIZE = 1200
DATES = 118


@pytest.fixture
def chip(shared_data: Path) -> Path:
    return shared_data / "be_flanders_s1s2_chips" / "00002806639B424A_2018"


def test_bands_to_curves(terminal: Any, chip: Path, tmp_path: Path) -> None:
    """NDVI for each date, markers for each parcel, maize at its peak in July to September."""
    write_flanders_items(chip, tmp_path / "items")
    parcels = chip / "parcels_from_labels.gpkg"
    _season(terminal)
    terminal(
        *("lpis", "import", "flanders", 2018, parcels),
        *("--parcel-id-cols", "parcel_id", "--crop-code-col", "ct_code"),
    )
    taken = terminal("product", "ingest", "flanders", tmp_path / "items")
    made = terminal("run", "l3b", "flanders", "2018")
    terminal("run", "s4c_mdb1", "flanders", "2018")
    assert len(taken["made"]) == len(made["made"]) == DATES
    _same_as_bands(terminal, made["made"][40])
    curves = _curves(terminal, parcels)
    assert curves["ori_id"].n_unique() == len(gpd.read_file(parcels))
    maize = curves.filter(pl.col("crop") == str(MAIZE))
    assert maize["ori_id"].n_unique() == 4
    _peaks_in_summer(maize)


def test_lai_of_the_maize(terminal: Any, chip: Path, tmp_path: Path) -> None:
    """A stack of LAI in its range; bare in May, full in July; flags for water, cloud, domain."""
    write_flanders_items(chip, tmp_path / "items", every=2)
    _season(terminal)
    terminal("product", "ingest", "flanders", tmp_path / "items")
    made = terminal("run", "l3b", "flanders", "2018")["made"]
    items = [terminal("product", "show", name) for name in made]
    assert len(items) == DATES // 2
    maize = _read(str(chip / "labels_CT_LC.tif")) == MAIZE
    seen: dict[int, list[float]] = {}
    states, doubts = set(), set()
    for item in items:
        assets, told = item["assets"], item["properties"]
        assert told["sen4cap:network"] == "s2toolbox_s2a"
        assert told["sen4cap:angles"] == "mean"
        lai, status, domain = (_read(assets[name]["href"]) for name in ("lai", "status", "domain"))
        states |= set(np.unique(status))
        assert lai.shape == (64, 64)
        valued = lai != -10000
        assert ((lai[valued] >= 0) & (lai[valued] <= 8000)).all()
        assert (np.isin(status, (0, 1)) >= valued).all()
        np.testing.assert_array_equal(domain != 255, valued)
        doubts |= set(np.unique(domain[valued] & (DomainFlag.INPUT | DomainFlag.ANGLE)))
        month = int(told["datetime"][5:7])
        if told["datetime"].startswith("2018") and valued[maize].mean() > 0.9:
            seen.setdefault(month, []).append(float(np.median(lai[maize & valued])) / 1000)
    assert states >= {0, 1, 4}
    assert doubts >= {0, DomainFlag.INPUT, DomainFlag.INPUT | DomainFlag.ANGLE}
    assert min(seen[5]) < 0.5
    assert max(seen[7]) > 2.0, seen


def test_a_chip_without_10_m_bands(terminal: Any, shared_data: Path, tmp_path: Path) -> None:
    """LAI is refused with what is missing; indices of 20 m bands alone are made."""
    chip = shared_data / "be_flanders_s1s2_chips" / "000028085BF08E7E_2019"
    write_flanders_items(chip, tmp_path / "items", every=40)
    terminal("site", "create", "Flanders", "--timezone", "Europe/Brussels")
    terminal(
        *("season", "create", "flanders", "2019", "--start", "2018-08-01", "--end", "2019-12-31")
    )
    terminal("product", "ingest", "flanders", tmp_path / "items")
    with pytest.raises(NoInput, match=r"it lacks B08, B04 for ndvi; it lacks B03, B04 for lai"):
        terminal("run", "l3b", "flanders", "2019")
    made = terminal("run", "l3b", "flanders", "2019", "--produce-ndii", "--produce-ndre")["made"]
    item = terminal("product", "show", made[0])
    assert set(item["assets"]) == {"ndre", "ndii", "status", "quicklook"}
    assert item["properties"]["sen4cap:left_out"]["lai"] == "it lacks B03, B04"
    assert _read(item["assets"]["ndii"]["href"]).shape == (32, 32)


def _season(terminal: Any) -> None:
    terminal("site", "create", "Flanders", "--timezone", "Europe/Brussels")
    terminal(
        *("season", "create", "flanders", "2018"),
        *("--start", "2017-08-01", "--end", "2018-11-30"),
    )


def _peaks_in_summer(maize: pl.DataFrame) -> None:
    """NDVI of the maize over March to October 2018 is highest in July to September.

    All four parcels together, weighted by their pixels; and each of the two that are one field.
    The other two mix several: the parcels are connected cells of a label raster.
    """
    season = pl.col("time").is_between(
        pl.datetime(2018, 3, 1, time_zone="UTC"), pl.datetime(2018, 10, 31, time_zone="UTC")
    )
    clear = maize.filter(season & (pl.col("valid_fraction") > 0.8))
    weighted = (pl.col("mean") * pl.col("count")).sum() / pl.col("count").sum()
    together = clear.group_by("time").agg(mean=weighted, parcels=pl.len())
    top = together.filter(pl.col("parcels") == 4).sort("mean").row(-1, named=True)
    assert 7 <= top["time"].month <= 9
    for name, july in (("424A_01", 0.83), ("424A_02", 0.74)):
        one = clear.filter((pl.col("ori_id") == name) & (pl.col("time").dt.month() >= 5))
        assert 7 <= one.sort("mean").row(-1, named=True)["time"].month <= 9
        month = one.group_by(month=pl.col("time").dt.month()).agg(pl.col("mean").median())
        median = dict(month.iter_rows())
        assert median[5] < 0.30
        assert median[7] == pytest.approx(july, abs=0.01)


def _same_as_bands(terminal: Any, name: str) -> None:
    """The NDVI of one date equals (B08 - B04) / (B08 + B04) where the classification lets it."""
    item = terminal("product", "show", name)
    origin = next(link["href"] for link in item["links"] if link["rel"] == "derived_from")
    parent = terminal("product", "show", Path(origin).stem)
    red, nir = (_read(parent["assets"][band]["href"]).astype(float) for band in ("B04", "B08"))
    classes = np.kron(_read(parent["assets"]["SCL"]["href"]), np.ones((2, 2), int))
    clear = np.isin(classes, (2, 4, 5, 6, 7)) & (red > 0) & (nir > 0)
    stored = _read(item["assets"]["ndvi"]["href"])
    assert clear.mean() > 0.5
    expected = (nir - red) / (nir + red)
    assert np.abs(stored[clear] / 1000 - expected[clear]).max() <= 0.00051
    assert (stored[~clear] == -10000).all()


def _read(path: str) -> Any:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def _curves(terminal: Any, parcels: Path) -> pl.DataFrame:
    """NDVI of every parcel, from the command that a person would use."""
    frames = []
    for row in gpd.read_file(parcels).itertuples():
        series = terminal(
            "markers", "query", "flanders", "2018", "--parcel", row.parcel_id, "--marker", "ndvi"
        )
        frame = pl.DataFrame(series).with_columns(
            pl.col("time").str.to_datetime("%Y-%m-%d %H:%M:%S%z"),
            ori_id=pl.lit(row.parcel_id),
            crop=pl.lit(str(row.ct_code)),
        )
        frames.append(frame)
    return pl.concat(frames)
