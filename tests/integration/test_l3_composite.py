"""Composites end to end on a few pixels that are worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

from sen4cap.app.system import session
from sen4cap.cli import app
from sen4cap.domain import Asset, Grid, Product, ProductType, Role, Season, Site
from sen4cap.errors import UnreadableFile
from sen4cap.processing import Context, Scope, config_metadata
from sen4cap.processing.period import period_of
from sen4cap.processors.l3_composite import CompositeParams, processor, select
from sen4cap.settings import Settings
from sen4cap.testing.crash import SEASON, SITE, populate
from sen4cap.testing.rasters import small_grid, write_raster

GRID = small_grid(6, 1, name="31UDS")
SCOPE = Scope("s", "2017", datetime(2017, 1, 1, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC))
N = -10000

# June 2017 in UTC: middle 16 June 0:00, half its length 15 days. Days off the middle: 15, 7.5, 0,
# 7.5, so that the weights of the mean are 0.5, 0.75, 1, 0.75; days of the year 152, 159, 167, 174.
START = datetime(2017, 6, 1, tzinfo=UTC)
EARLY, MIDDLE, LATE = (START + timedelta(days=days) for days in (7.5, 15, 22.5))
NDVI = {
    START: [N, N, N, 100, N, -400],
    EARLY: [200, 500, N, N, 300, -200],
    MIDDLE: [400, N, N, 400, N, N],
    LATE: [600, 700, N, N, 300, N],
}
LAI = {EARLY: [3200, N, N, N, 6000, N], MIDDLE: [2000, N, N, 0, N, N]}


def raster(folder: Path, name: str, instant: datetime, values: Any, grid: Grid = GRID) -> Asset:
    folder.mkdir(exist_ok=True)
    stored = np.array(values, np.int16).reshape(grid.height, grid.width)
    path = write_raster(folder / f"{name}{instant:%m%dT%H%M%S}.tif", grid, stored)
    return Asset(name, str(path), scale=0.001, nodata=N)


def l3b(instant: datetime, *assets: Asset, grid: str = "31UDS") -> Product:
    mask = Asset("status", "/nowhere/status.tif", Role.MASK)
    name = f"L3B_{grid}_{instant:%Y%m%dT%H%M%S}"
    return Product(name, "s", ProductType.L3B, grid, instant, instant, "0" * 32, (*assets, mask))


@pytest.fixture
def june(tmp_path: Path) -> list[Product]:
    folder = tmp_path / "l3b"
    found = []
    for instant, values in NDVI.items():
        assets = [raster(folder, "ndvi", instant, values)]
        if instant in LAI:
            assets.append(raster(folder, "lai", instant, LAI[instant]))
        found.append(l3b(instant, *assets))
    return found


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    season = Season("s", "2017", date(2017, 1, 1), date(2017, 12, 31))
    return Context(Site("S", "s"), season, tmp_path / "archive", grids=(GRID,))


def run(ctx: Context, inputs: list[Product], **params: Any) -> Product:
    chosen = CompositeParams(**params)
    (step,) = select(chosen, SCOPE, inputs)
    return processor.run(ctx, chosen, replace(step, revision="1a2b3c4d" + "0" * 24))


def stored(product: Product, name: str) -> list[Any]:
    with rasterio.open(product.asset(name).href) as dataset:
        found: list[Any] = dataset.read(1)[0].tolist()
    return found


def test_mean_by_hand(ctx: Context, june: list[Product]) -> None:
    product = run(ctx, june)
    # (0.75·0.2 + 0.4 + 0.75·0.6) / 2.5; (0.5 + 0.7) / 2; none; (0.5·0.1 + 0.4) / 1.5; 0.3 twice;
    # (-0.5·0.4 - 0.75·0.2) / 1.25
    assert stored(product, "ndvi") == [400, 600, N, 300, 300, -280]
    assert stored(product, "ndvi_count") == [3, 2, 0, 2, 2, 2]
    # (0.75·3.2 + 2) / 1.75; a true zero is a value
    assert stored(product, "lai") == [2514, N, N, 0, 6000, N]
    assert stored(product, "lai_count") == [2, 0, 0, 1, 1, 0]


def test_a_variable_keeps_the_steps_in_which_it_is_stored(ctx: Context, tmp_path: Path) -> None:
    """Chlorophyll is held in tenths: thousandths would end at 32.767."""
    asset = replace(raster(tmp_path, "ccc", MIDDLE, [2153, N, 6000, 0, N, N]), scale=0.1)
    product = run(ctx, [l3b(MIDDLE, asset)])
    assert stored(product, "ccc") == [2153, N, 6000, 0, N, N]
    assert product.asset("ccc").scale == 0.1
    with rasterio.open(product.asset("ccc").href) as dataset:
        assert dataset.scales == (0.1,)


def test_best_by_hand(ctx: Context, june: list[Product]) -> None:
    """Of the two dates that are as far from the middle the earlier is taken."""
    product = run(ctx, june, method="best")
    assert stored(product, "ndvi") == [400, 500, N, 400, 300, -200]
    assert stored(product, "ndvi_doy") == [167, 159, 0, 167, 159, 159]
    assert stored(product, "ndvi_count") == [3, 2, 0, 2, 2, 2]
    assert stored(product, "lai") == [2000, N, N, 0, 6000, N]
    assert stored(product, "lai_doy") == [167, 0, 0, 167, 159, 0]


def test_max_by_hand(ctx: Context, june: list[Product]) -> None:
    product = run(ctx, june, method="max", assets="NDVI")
    assert stored(product, "ndvi") == [600, 700, N, 400, 300, -200]
    assert stored(product, "ndvi_doy") == [174, 174, 0, 167, 159, 159]
    assert [asset.name for asset in product.assets] == [
        "ndvi", "ndvi_count", "ndvi_doy", "quicklook",
    ]  # fmt: skip


def test_names_files_and_record(ctx: Context, june: list[Product]) -> None:
    product = run(ctx, june[::-1])
    tag = "V20170601_20170630_T31UDS_r1a2b3c4d"
    assert product.name == f"SEN4CAP_L3COMP_PRD_Ss_{tag}"
    assert product.slot == "s/l3_composite/31UDS/20170601T000000_20170630T235959/2017"
    folder = ctx.archive / "s" / "l3_composite" / product.name
    assert sorted(path.name for path in folder.iterdir()) == [
        f"SEN4CAP_L3COMP_PVI_{tag}.png",
        f"SEN4CAP_L3COMP_SLAI_COUNT_{tag}.TIF",
        f"SEN4CAP_L3COMP_SLAI_{tag}.TIF",
        f"SEN4CAP_L3COMP_SNDVI_COUNT_{tag}.TIF",
        f"SEN4CAP_L3COMP_SNDVI_{tag}.TIF",
    ]
    assert product.parents == tuple(item.name for item in june)
    assert product.properties == {
        "method": "mean",
        "period": "month",
        "dates": ["2017-06-01", "2017-06-08", "2017-06-16", "2017-06-23"],
        "filled_share": 0.5,  # of the first asset, lai
    }
    ndvi = product.asset("ndvi")
    assert (ndvi.scale, ndvi.nodata, ndvi.role) == (0.001, N, Role.DATA)
    assert product.asset("ndvi_count").role is Role.MASK
    with rasterio.open(ndvi.href) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (dataset.dtypes, dataset.nodata, dataset.scales) == (("int16",), N, (0.001,))


def test_coarser_rasters_and_lowest_values(ctx: Context, tmp_path: Path) -> None:
    folder, coarse = tmp_path / "l3b", GRID.at(20)
    wide = replace(coarse, height=1)
    fine = raster(folder, "rvi", EARLY, [N, -9999, N, 32767, N, N])
    rough = raster(folder, "rvi", MIDDLE, [1000, N, -9999], wide)
    product = run(ctx, [l3b(EARLY, fine), l3b(MIDDLE, rough)], method="best")
    assert stored(product, "rvi") == [1000, 1000, N, 32767, -9999, -9999]


def test_periods_are_days_of_the_site(tmp_path: Path) -> None:
    """Auckland is 12 hours ahead in June 2017, Amsterdam turns its clocks on 26 March."""
    asset = Asset("ndvi", str(tmp_path / "ndvi.tif"))
    far = replace(SCOPE, timezone="Pacific/Auckland")
    instants = [
        datetime(2017, 5, 31, 11, 59, 59, tzinfo=UTC),
        datetime(2017, 5, 31, 12, tzinfo=UTC),
        datetime(2017, 6, 30, 11, 59, 59, tzinfo=UTC),
        datetime(2017, 6, 30, 12, tzinfo=UTC),
    ]
    steps = select(CompositeParams(), far, [l3b(instant, asset) for instant in instants])
    assert [len(step.inputs) for step in steps] == [1, 2, 1]
    assert period_of(steps[1].slot) == (instants[1], instants[2])

    near = replace(SCOPE, timezone="Europe/Amsterdam")
    (step,) = select(CompositeParams(), near, [l3b(datetime(2017, 3, 9, tzinfo=UTC), asset)])
    assert period_of(step.slot) == (
        datetime(2017, 2, 28, 23, tzinfo=UTC),
        datetime(2017, 3, 31, 21, 59, 59, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("params", "day", "period"),
    [
        ({"period": "dekad"}, "20170228", "20170221_20170228"),
        ({"period": "dekad"}, "20170611", "20170611_20170620"),
        ({"period": "days", "days": 8}, "20170101", "20170101_20170108"),
        ({"period": "days", "days": 8}, "20170109", "20170109_20170116"),
        ({"period": "days", "days": 30}, "20171231", "20171227_20180125"),
        ({"period": "month"}, "20171231", "20171201_20171231"),
    ],
)
def test_kinds_of_periods(params: dict[str, Any], day: str, period: str) -> None:
    instant = datetime.strptime(day, "%Y%m%d").replace(hour=10, tzinfo=UTC)
    item = l3b(instant, Asset("ndvi", "ndvi.tif"))
    (step,) = select(CompositeParams(**params), SCOPE, [item])
    first, last = period.split("_")
    assert step.slot == f"s/l3_composite/31UDS/{first}T000000_{last}T235959/2017"


def test_selection(june: list[Product]) -> None:
    other = l3b(MIDDLE, Asset("ndvi", "b.tif"), grid="31UES")
    bare = l3b(START + timedelta(days=1))
    outside = replace(june[0], name="outside", start=SCOPE.end, end=SCOPE.end)
    optical = replace(june[0], name="optical", type=ProductType.L2A)
    products = [outside, other, optical, bare, *june]
    first, second = select(CompositeParams(), SCOPE, products)
    assert first.inputs == tuple(june)
    assert second.inputs == (other,)
    (lai,) = select(CompositeParams(assets="lai, fapar"), SCOPE, products)
    assert lai.inputs == tuple(june[1:3])


def test_the_same_bytes_whatever_the_number_of_threads(ctx: Context, tmp_path: Path) -> None:
    tall = small_grid(40, 1300, name="31UDS")
    rng = np.random.default_rng(0)
    inputs = []
    for instant in NDVI:
        values = rng.integers(-200, 900, (tall.height, tall.width))
        values[rng.random(values.shape) < 0.6] = N
        inputs.append(l3b(instant, raster(tmp_path / "tall", "ndvi", instant, values, tall)))
    for method in ("mean", "best", "max"):
        one = run(ctx, inputs, method=method)
        more = replace(ctx, archive=tmp_path / "more", cores=3)
        for first, second in zip(one.assets, run(more, inputs, method=method).assets, strict=True):
            assert Path(first.href).read_bytes() == Path(second.href).read_bytes()


def test_a_failing_step_leaves_no_file(ctx: Context, june: list[Product]) -> None:
    """Also where damage is found when a strip is read, by a thread."""
    path = Path(june[1].asset("ndvi").href)
    write_raster(path, GRID, np.array([NDVI[EARLY]], np.int16), compress="deflate")
    with rasterio.open(path) as dataset:
        where = int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    content = bytearray(path.read_bytes())
    content[where : where + 4] = b"junk"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="ndvi0608"):
        run(ctx, june)
    assert [path for path in ctx.archive.rglob("*") if path.is_file()] == []


def test_configuration() -> None:
    rows = {row.key: row for row in config_metadata("l3_composite", "L3", CompositeParams)}
    assert {key.rsplit(".", 1)[1]: row.default_value for key, row in rows.items()} == {
        "period": "month", "days": "30", "method": "mean", "assets": "",
    }  # fmt: skip


def test_only_the_period_of_a_new_acquisition_is_made_anew(tmp_path: Path) -> None:
    """On the command line: every 12 hours a scene from New Year on, so 20 in the first dekad."""
    home = tmp_path / "home"

    def sen4cap(*words: str) -> Any:
        environment = {"SEN4CAP_HOME": str(home)}
        done = CliRunner().invoke(app, [*words, "--json"], env=environment, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    with session(Settings(home=home)) as system:
        populate(system, tmp_path / "scenes", 24)
    sen4cap("run", "l3b", SITE, SEASON, "--nominal", "2019-01-11")
    command = ("run", "l3_composite", SITE, SEASON, "--period", "dekad", "--method", "best")
    first = sen4cap(*command)
    assert len(first["made"]) == 2
    item = sen4cap("product", "show", first["made"][0])
    assert item["properties"]["sen4cap:slot"] == (
        "crash/l3_composite/31UDS/20190101T000000_20190110T235959/2019"
    )
    assert {"ndvi", "ndvi_count", "ndvi_doy", "quicklook"} <= item["assets"].keys()
    with rasterio.open(item["assets"]["ndvi_count"]["href"]) as dataset:
        assert dataset.read(1).max() == 20

    again = sen4cap(*command)
    assert (again["made"], again["standing"]) == ([], 2)
    sen4cap("run", "l3b", SITE, SEASON)
    later = sen4cap(*command)
    assert (len(later["made"]), later["standing"]) == (1, 1)
    assert "V20190111_20190120" in later["made"][0]
    assert later["made"][0] not in first["made"]
