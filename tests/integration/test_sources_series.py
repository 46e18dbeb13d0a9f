"""Series of plain rasters: names, dates, bands."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import rasterio

from sen4cap.domain import ProductType, Season
from sen4cap.domain.found import Found, Skipped
from sen4cap.errors import InputRefused, InvalidParameter, MissingCrs, UnreadableDate
from sen4cap.sources import discover
from sen4cap.sources.pattern import compile_pattern, instant_of
from sen4cap.testing.rasters import small_grid, write_raster
from sen4cap.testing.scenes import write_series

GRID = small_grid(32, 32, crs="EPSG:28992", corner=(220_000.0, 456_000.0))
IMAGE = np.full((32, 32), 200, np.uint8)


def only(folder: Path, **options: object) -> Found:
    found = discover(folder, **options)[0]  # type: ignore[arg-type] # options of discover
    assert isinstance(found, Found)
    return found


@pytest.mark.parametrize(
    ("pattern", "name", "instant", "known"),
    [
        ("NDVI_{date}.tif", "NDVI_2017-07-17.tif", "2017-07-17T10:00:00Z", False),
        ("*_{date}{_}.tif", "S2_20170717_v2.tif", "2017-07-17T10:00:00Z", False),
        ("{date}T{time}_*.tif", "20170717T105328_x.tif", "2017-07-17T10:53:28Z", True),
        ("{tile}_{datetime}.tif", "T31UDS_20200229T235959Z.tif", "2020-02-29T23:59:59Z", True),
        ("{tile}/{date}/{band}.tif", "31UDS/2017-07-17/B04.tif", "2017-07-17T10:00:00Z", False),
    ],
)
def test_patterns_read_dates(pattern: str, name: str, instant: str, known: bool) -> None:
    values = compile_pattern(pattern).match(name)

    assert values is not None
    assert instant_of(values) == (datetime.fromisoformat(instant), known)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("NDVI.tif", "{date}"),
        ("{day}.tif", "{day}"),
        ("{date}_{date}.tif", "twice"),
    ],
)
def test_bad_patterns_are_refused(pattern: str, words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        compile_pattern(pattern)


def test_index_series_keeps_its_scale_and_says_that_time_is_unknown(tmp_path: Path) -> None:
    folder = tmp_path / "De Marke"
    write_series(folder, GRID, {"NDVI_2017-07-17.tif": IMAGE}, scale=0.004)
    found = only(folder)

    assert found.type is ProductType.L3B
    assert found.name == "de_marke_l3b_20170717"
    assert found.grid.name == "de_marke"
    assert found.grid.crs == "EPSG:28992"
    assert found.start == datetime(2017, 7, 17, 10, tzinfo=UTC)
    assert found.properties == {"sen4cap:time_unknown": True}
    assert found.bands[0].name == "ndvi"
    assert [(item.scale, item.offset) for item in found.bands[0].declared] == [(0.004, None)]


@pytest.mark.parametrize(
    "zone",
    ["Pacific/Honolulu", "Atlantic/Azores", "Europe/Lisbon", "Asia/Tokyo", "Pacific/Auckland"],
)
@pytest.mark.parametrize("day", [date(2018, 1, 1), date(2018, 7, 1), date(2018, 12, 31)])
def test_a_raster_without_time_of_day_keeps_its_date_everywhere(
    tmp_path: Path, zone: str, day: date
) -> None:
    """Honolulu is 10 h behind UTC, Auckland 12 or in summer 13 h before it."""
    write_series(tmp_path, GRID, {f"NDVI_{day}.tif": IMAGE})
    start = only(tmp_path).start

    assert start.date() == start.astimezone(ZoneInfo(zone)).date() == day
    first, after = Season("s", "x", day, day).bounds(ZoneInfo(zone))
    assert first <= start < after


def test_name_of_the_grid_can_be_given(tmp_path: Path) -> None:
    write_series(tmp_path, GRID, {"NDVI_2017-07-17.tif": IMAGE})

    assert only(tmp_path, grid="demarke").grid.name == "demarke"


@pytest.mark.parametrize("name", ["NDVI_2017-13-45.tif", "NDVI_2017-02-29.tif", "NDVI_201707.tif"])
@pytest.mark.parametrize("pattern", [None, "NDVI_{date}.tif"])
def test_a_date_that_cannot_be_is_refused_by_name(
    tmp_path: Path, name: str, pattern: str | None
) -> None:
    write_series(tmp_path, GRID, {name: IMAGE, "NDVI_2017-07-17.tif": IMAGE})

    with pytest.raises(UnreadableDate, match=name):
        discover(tmp_path, pattern=pattern)


def test_what_does_not_match_is_left_out_with_its_reason(tmp_path: Path) -> None:
    images = {"NDVI_2017-07-17.tif": IMAGE, "dem.tif": IMAGE, "TCI_2017-07-17.tif": IMAGE}
    write_series(tmp_path, GRID, images)
    (tmp_path / "README.txt").write_text("not a raster")
    found, tci, dem = discover(tmp_path)

    assert isinstance(found, Found)
    assert isinstance(tci, Skipped)
    assert isinstance(dem, Skipped)
    assert (tci.path.name, dem.path.name) == ("TCI_2017-07-17.tif", "dem.tif")
    assert "'TCI' is no band" in tci.reason
    assert "does not match" in dem.reason


def test_bands_of_a_stack_are_named_in_order(tmp_path: Path) -> None:
    write_raster(tmp_path / "s2_20180717_R051.tif", GRID, np.stack([IMAGE, IMAGE + 1, IMAGE + 2]))
    options = {"pattern": "s2_{date}_{orbit}.tif", "bands": ("B04", "-", "nir")}
    found = only(tmp_path, **options)

    assert [(band.name, band.index) for band in found.bands] == [("B04", 1), ("B08", 3)]
    assert found.type is ProductType.L2A
    assert found.properties["sat:relative_orbit"] == 51


def test_bands_of_a_stack_are_told_by_their_descriptions(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "s2_20180717.tif", GRID, np.stack([IMAGE, IMAGE]))
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("B8A", "scl")
    found = only(tmp_path, pattern="s2_{date}.tif")

    assert [(band.name, band.index) for band in found.bands] == [("B8A", 1), ("SCL", 2)]


@pytest.mark.parametrize("bands", [(), ("B04",), ("B04", "B08", "B11")])
def test_unnamed_bands_are_asked_for(tmp_path: Path, bands: tuple[str, ...]) -> None:
    write_raster(tmp_path / "s2_20180717.tif", GRID, np.stack([IMAGE, IMAGE]))

    with pytest.raises(InvalidParameter, match=r"has 2 bands.*with --band\."):
        discover(tmp_path, pattern="s2_{date}.tif", bands=bands)


def test_two_rasters_of_one_band_and_date_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path, GRID, {"a_NDVI_20180717.tif": IMAGE, "b_NDVI_20180717.tif": IMAGE})

    with pytest.raises(InputRefused, match=r"a_NDVI.*b_NDVI"):
        discover(tmp_path, pattern="*_{band}_{date}.tif")


def test_a_raster_without_crs_is_refused_by_name(tmp_path: Path) -> None:
    write_raster(tmp_path / "NDVI_20180717.tif", GRID, IMAGE, crs=None)

    with pytest.raises(MissingCrs, match=r"NDVI_20180717\.tif"):
        discover(tmp_path)


@pytest.mark.data
def test_de_marke_is_26_dates_in_its_national_crs(shared_data: Path) -> None:
    """Dates, grid and scale as its README and gdalinfo give them."""
    folder = shared_data / "nl_demarke_brp2017_ndvi" / "ndvi"
    found = [
        item for item in discover(folder, pattern="NDVI_{date}.tif") if isinstance(item, Found)
    ]

    assert len(found) == 26
    assert (found[0].start.date().isoformat(), found[-1].start.date().isoformat()) == (
        "2017-02-15",
        "2018-05-21",
    )
    for item in found:
        assert item.type is ProductType.L3B
        assert item.grid.crs == "EPSG:28992"
        assert (item.grid.width, item.grid.height) == (600, 1000)
        assert item.bands[0].declared[0].scale == 0.004
        assert item.bands[0].nodata == 0
