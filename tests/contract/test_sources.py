"""One suite for every kind of folder: SAFE folders, STAC Items, plain series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely

from sen4cap.domain import ProductType, Role
from sen4cap.domain.found import Found, Skipped
from sen4cap.errors import EmptyLayer, OutsideSite, UnreadableFile
from sen4cap.sources import check_meets, discover
from sen4cap.sources.rasters import fingerprint
from sen4cap.testing.rasters import small_grid, write_raster
from sen4cap.testing.scenes import Scene, write_item, write_safe, write_series

DATES = (datetime(2018, 12, 30, 10, 53, 28, tzinfo=UTC), datetime(2019, 1, 4, 23, 59, tzinfo=UTC))
GRID = small_grid(64, 64, name="31UDS")


def scene(start: datetime) -> Scene:
    """B04 counts its columns, so that a mix-up of axes is seen."""
    columns = np.tile(np.arange(1, 65, dtype=np.uint16), (64, 1))
    bands = {"B04": columns, "B08": columns + 1000, "B11": columns[::2, ::2].copy()}
    return Scene({**bands, "SCL": np.full((32, 32), 4, np.uint8)}, GRID, start, "02.14")


def safe(folder: Path, made: Scene) -> None:
    write_safe(folder, made)


def stac(folder: Path, made: Scene) -> None:
    write_item(folder, made, raster_bands={"scale": 1e-4, "nodata": 0})


def series(folder: Path, made: Scene) -> None:
    for band, image in made.bands.items():
        name = f"T31UDS_{made.start:%Y%m%dT%H%M%S}_{band}.tif"
        write_series(folder, made.grid_of(band), {name: image})


@dataclass(frozen=True)
class Source:
    """One kind of folder."""

    write: Callable[[Path, Scene], None]
    rasters: str
    """Where one of its rasters is."""


@pytest.fixture(
    params=[
        Source(safe, "*.SAFE/GRANULE/*/IMG_DATA/R10m/*_B04_10m.jp2"),
        Source(stac, "*/B04.tif"),
        Source(series, "*_B04.tif"),
    ],
    ids=["safe", "stac", "series"],
)
def source(request: pytest.FixtureRequest) -> Source:
    found: Source = request.param
    return found


@pytest.fixture
def folder(tmp_path: Path, source: Source) -> Path:
    for start in reversed(DATES):
        source.write(tmp_path / "in", scene(start))
    return tmp_path / "in"


def found_in(folder: Path) -> list[Found]:
    return [item for item in discover(folder) if isinstance(item, Found)]


def test_products_come_in_order_of_time_under_their_tile(folder: Path) -> None:
    first, second = found_in(folder)

    assert [first.start, second.start] == list(DATES)
    assert first.start.date() == date(2018, 12, 30)
    assert first.name != second.name
    for product in (first, second):
        assert product.type is ProductType.L2A
        assert product.end == product.start
        assert product.grid == GRID


def test_bands_carry_our_names_and_lie_where_they_say(folder: Path) -> None:
    product = found_in(folder)[0]

    assert [band.name for band in product.bands] == ["B04", "B08", "B11", "SCL"]
    assert all(Path(band.href).is_absolute() for band in product.bands)
    assert all(Path(band.href).is_file() for band in product.bands)
    assert {band.name for band in product.bands if band.role is Role.MASK} == {"SCL"}
    assert all(band.nodata == 0 for band in product.bands)
    assert len({band.fingerprint for band in product.bands}) == 4


def test_footprint_is_the_extent(folder: Path) -> None:
    footprint = shapely.from_wkt(found_in(folder)[0].footprint)

    # 640 m from 500 000 E, 5 700 000 N in zone 31 (central meridian 3° E): 0.0091° by 0.0058°
    west, south, east, north = footprint.bounds
    assert west == pytest.approx(3.0, abs=1e-6)
    assert (east - west) * 111_320 * np.cos(np.radians(51.45)) == pytest.approx(640, rel=0.01)
    assert (north - south) * 111_200 == pytest.approx(640, rel=0.01)


def test_the_same_folder_gives_the_same_products(folder: Path) -> None:
    assert discover(folder) == discover(folder)


def test_other_pixels_have_another_fingerprint(tmp_path: Path, source: Source) -> None:
    made = scene(DATES[0])
    changed = replace(made, bands={**made.bands, "B04": made.bands["B04"][::-1, ::-1].copy()})
    source.write(tmp_path / "a", made)
    source.write(tmp_path / "b", changed)
    before, after = found_in(tmp_path / "a")[0], found_in(tmp_path / "b")[0]

    assert before.bands[0].fingerprint != after.bands[0].fingerprint
    assert before.bands[1].fingerprint == after.bands[1].fingerprint


def test_a_stored_0_is_missing_though_no_file_says_so(tmp_path: Path) -> None:
    made = scene(DATES[0])
    item = write_item(tmp_path / "stac", made)
    for band, image in made.bands.items():
        write_raster(item.parent / f"{band}.tif", made.grid_of(band), image)
        name = f"31UDS_20181230T105328_{band}.tif"
        write_series(tmp_path / "series", made.grid_of(band), {name: image}, nodata=None)
    write_safe(tmp_path / "safe", made)
    for kind in ("safe", "stac", "series"):
        bands = found_in(tmp_path / kind)[0].bands
        assert {band.name: band.nodata for band in bands} == dict.fromkeys(made.bands, 0.0), kind


@pytest.mark.parametrize(("band", "kind"), [("B04", np.float32), ("ndvi", np.uint16)])
def test_a_0_in_floats_and_indices_is_a_value(
    tmp_path: Path, band: str, kind: type[np.generic]
) -> None:
    image = np.ones((64, 64), kind)
    write_series(tmp_path, GRID, {f"{band}_20181230.tif": image}, nodata=None)
    assert found_in(tmp_path)[0].bands[0].nodata is None


def test_what_a_file_says_is_missing_counts_before_0(tmp_path: Path) -> None:
    image = scene(DATES[0]).bands["B04"]
    write_series(tmp_path, GRID, {"B04_20181230.tif": image}, nodata=65535)
    assert found_in(tmp_path)[0].bands[0].nodata == 65535


def test_an_edit_in_the_middle_of_a_large_file_is_seen(tmp_path: Path) -> None:
    """A 60th of 24 MiB, longer than the 64th that may go unseen, wherever it lies."""
    path = tmp_path / "large.tif"
    size, edit = 24 * 2**20, 24 * 2**20 // 60
    path.write_bytes(bytes(size))
    before = fingerprint(path)
    for start in range(0, size, 2_000_003):
        content = bytearray(size)
        content[start : start + edit] = b"x" * len(content[start : start + edit])
        path.write_bytes(content)
        assert fingerprint(path) != before, start
    path.write_bytes(bytes(size + 1))
    assert fingerprint(path) != before


def test_a_truncated_raster_is_refused_by_name(folder: Path, source: Source) -> None:
    raster = min(folder.glob(source.rasters))
    raster.write_bytes(raster.read_bytes()[:-200])

    with pytest.raises(UnreadableFile, match=raster.name):
        discover(folder)
    found, skipped = discover(folder, keep_going=True)
    assert isinstance(found, Found)
    assert isinstance(skipped, Skipped)
    assert found.start == DATES[1]
    assert raster.name in skipped.reason


def test_a_site_elsewhere_is_told(folder: Path) -> None:
    product = found_in(folder)[0]

    check_meets(product, "POLYGON ((2.9 51.4, 3.1 51.4, 3.1 51.5, 2.9 51.5, 2.9 51.4))")
    with pytest.raises(OutsideSite, match="EPSG:32631"):
        check_meets(product, "POLYGON ((6 52, 7 52, 7 53, 6 53, 6 52))")


def test_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyLayer):
        discover(tmp_path)
    with pytest.raises(UnreadableFile, match="is not there"):
        discover(tmp_path / "absent")
