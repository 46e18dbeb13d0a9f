"""Product ↔ STAC Item."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pystac
import pytest

from sen4cap.catalog import from_dict, from_item, to_dict, to_item
from sen4cap.domain import Asset, Product, ProductType, Role

START = datetime(2023, 8, 21, 22, 19, 41, 24000, tzinfo=UTC)
SPLIT = (
    "MULTIPOLYGON (((180 -16.25, 179.2586253225676 -16.24, 179.23 -17.23, 180 -17.25, "
    "180 -16.25)), ((-180 -17.25, -179.72 -17.26, -179.71 -16.26, -180 -16.25, -180 -17.25)))"
)

INDEX = Product(
    name="SEN4CAP_L3B_SNDVI_A20230821_T01KAB_r0123abcd",
    site="fiji",
    type=ProductType.L3B,
    grid="01KAB",
    start=START,
    end=START,
    revision="0123abcd" * 4,
    assets=(
        Asset("ndvi", "/archive/ndvi.tif", scale=0.0001, offset=-0.1, nodata=-10000.0),
        Asset("B04", "/archive/stack.tif", index=3, nodata=float(0)),
        Asset("SCL", "/archive/scl.tif", Role.MASK),
        Asset("quicklook", "/archive/ndvi.png", Role.OVERVIEW, "image/png"),
    ),
    footprint=SPLIT,
    processor="l3b/1",
    parents=("S2A_MSIL2A_20230821T221941", "another"),
    properties={"sat:relative_orbit": 29, "proj:code": "EPSG:32701", "nested": {"a": [1, None]}},
)
TABLE = replace(
    INDEX,
    type=ProductType.L4A,
    grid="",
    end=datetime(2023, 12, 31, tzinfo=UTC),
    assets=(Asset("table", "/archive/ct.parquet", media_type="application/vnd.apache.parquet"),),
    footprint=None,
    parents=(),
    processor=None,
    properties={},
)


@pytest.mark.parametrize("product", [INDEX, TABLE], ids=["acquisition", "period"])
def test_nothing_is_lost(product: Product) -> None:
    assert from_item(to_item(product)) == product
    assert from_dict(json.loads(json.dumps(to_dict(product)))) == product


def test_item_says_it_in_words_of_the_field() -> None:
    item = to_dict(INDEX)

    assert item["collection"] == "l3b"
    assert item["properties"]["datetime"] == "2023-08-21T22:19:41.024000Z"
    assert item["properties"]["grid:code"] == "MGRS-01KAB"
    assert item["properties"]["processing:software"] == {"sen4cap l3b": "1"}
    assert item["properties"]["sen4cap:slot"] == "fiji/l3b/01KAB/20230821T221941"
    assert item["assets"]["ndvi"]["raster:bands"] == [
        {"scale": 0.0001, "offset": -0.1, "nodata": -10000.0}
    ]
    assert item["assets"]["B04"]["eo:bands"] == [{"name": "B04"}]
    assert [link["href"] for link in item["links"]] == list(INDEX.parents)
    assert {url.split("/")[3] for url in item["stac_extensions"]} == {
        "eo",
        "raster",
        "projection",
        "sat",
        "grid",
        "processing",
    }


def test_box_across_the_antimeridian_runs_from_west_to_east() -> None:
    west, south, east, north = to_dict(INDEX)["bbox"]

    assert west > east  # RFC 7946 section 5.2
    assert (west, south, east, north) == (179.23, -17.26, -179.71, -16.24)


def test_period_has_no_datetime() -> None:
    properties = to_dict(TABLE)["properties"]

    assert properties["datetime"] is None
    assert properties["start_datetime"] == "2023-08-21T22:19:41.024000Z"
    assert properties["end_datetime"] == "2023-12-31T00:00:00Z"


def test_nan_as_nodata_is_valid_json() -> None:
    product = replace(INDEX, assets=(Asset("ndvi", "/a.tif", nodata=float("nan")),))
    text = json.dumps(to_dict(product), allow_nan=False)

    nodata = from_dict(json.loads(text)).assets[0].nodata
    assert nodata is not None
    assert nodata != nodata  # noqa: PLR0124 - only NaN differs from itself


def test_item_of_somebody_else_is_no_product() -> None:
    item = pystac.Item("x", None, None, START, {}, collection="l3b")

    with pytest.raises(KeyError):
        from_item(item)
