"""STAC Items: names of bands, tiles, providers; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest

from sen4cap.domain.found import Found, Provider
from sen4cap.errors import (
    EmptyLayer,
    InputRefused,
    InvalidParameter,
    UnreadableDate,
    UnreadableFile,
)
from sen4cap.sources import discover
from sen4cap.sources.bands import band_name
from sen4cap.sources.stac import provider_of, tile_of
from sen4cap.testing.scenes import Scene, write_item

SCALED = {"scale": 1e-4, "offset": -0.1, "nodata": 0.0}


def scene() -> Scene:
    image = np.full((64, 64), 1500, np.uint16)
    return Scene(
        {"B04": image, "B8A": image[::2, ::2].copy(), "SCL": np.full((32, 32), 4, np.uint8)}
    )


def only(folder: Path) -> Found:
    (found,) = discover(folder)
    assert isinstance(found, Found)
    return found


def edit(path: Path, **changes: Any) -> None:
    """Change top-level fields of an item; a property by `properties`."""
    document = json.loads(path.read_text())
    document["properties"].update(changes.pop("properties", {}))
    path.write_text(json.dumps({**document, **changes}))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("red", "B04"),
        ("B4", "B04"),
        ("b8a", "B8A"),
        ("B04_10m", "B04"),
        ("SCL_20m", "SCL"),
        ("NDVI", "ndvi"),
        ("rededge071", "B05"),
        ("B13", None),
        ("visual", None),
        ("rededge", None),
    ],
)
def test_names_of_providers(text: str, name: str | None) -> None:
    assert band_name(text) == name


@pytest.mark.parametrize("keys", [False, True])
def test_bands_by_key_of_ours_or_of_earth_search(tmp_path: Path, keys: bool) -> None:
    write_item(tmp_path, scene(), raster_bands=SCALED, earth_search_keys=keys)
    found = only(tmp_path)

    assert [band.name for band in found.bands] == ["B04", "B8A", "SCL"]
    assert [(item.scale, item.offset) for item in found.bands[0].declared] == [(1e-4, -0.1)]
    assert found.grid.name == "31UDS"
    assert found.grid.pixel == (10.0, 10.0)


def test_bands_in_the_form_of_stac_1_1(tmp_path: Path) -> None:
    path = write_item(tmp_path, scene())
    assets = json.loads(path.read_text())["assets"]
    assets["data"] = assets.pop("B04") | {
        "bands": [{"name": "x", "eo:common_name": "red", "raster:scale": 1e-4, "nodata": 0}],
        "raster:offset": -0.1,
    }
    edit(path, assets=assets, stac_version="1.1.0")
    band = only(tmp_path).bands[0]

    assert (band.name, band.nodata) == ("B04", 0.0)
    assert (band.declared[0].scale, band.declared[0].offset) == (1e-4, -0.1)


def test_pictures_are_no_bands(tmp_path: Path) -> None:
    path = write_item(tmp_path, scene())
    assets = json.loads(path.read_text())["assets"]
    colours = [{"name": name} for name in ("B8A", "B03", "B02")]
    assets["visual"] = assets["B8A"] | {"href": "./B04.tif", "eo:bands": colours}
    edit(path, assets=assets)

    assert Path(only(tmp_path).bands[1].href).name == "B8A.tif"


def test_what_the_file_says_is_told_beside_what_the_item_says(tmp_path: Path) -> None:
    write_item(tmp_path, scene(), raster_bands=SCALED, tags={"scale": 1e-4, "offset": -0.1})
    told = only(tmp_path).bands[0].declared

    assert [item.teller for item in told] == ["the asset metadata", "the raster file"]
    assert {(item.scale, item.offset) for item in told} == {(1e-4, -0.1)}


@pytest.mark.parametrize(
    ("properties", "identifier", "tile"),
    [
        ({"grid:code": "MGRS-31UDS"}, "x", "31UDS"),
        ({"s2:mgrs_tile": "06VVN"}, "x", "06VVN"),
        (
            {"mgrs:utm_zone": 1, "mgrs:latitude_band": "K", "mgrs:grid_square": "AB"},
            "x",
            "01KAB",
        ),
        ({}, "S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531", "06VVN"),
        ({}, "S2A_28QCH_20200714_0_L2A", "28QCH"),
        ({}, "chip_17", None),
    ],
)
def test_tiles(properties: dict[str, Any], identifier: str, tile: str | None) -> None:
    item = pystac.Item(identifier, None, None, scene().start, properties)

    assert tile_of(item) == tile


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "provider", "tile"),
    [
        ("S2A_28QCH_20200714_0_L2A.json", Provider.EARTH_SEARCH, "28QCH"),
        (
            "S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531.json",
            Provider.PLANETARY_COMPUTER,
            "06VVN",
        ),
    ],
)
def test_real_items_tell_their_provider_and_lie_elsewhere(
    shared_data: Path, tmp_path: Path, name: str, provider: Provider, tile: str
) -> None:
    source = shared_data / "sentinel_metadata_samples" / "stac_items" / name
    (tmp_path / name).write_bytes(source.read_bytes())
    item = pystac.Item.from_dict(json.loads(source.read_bytes()))

    assert provider_of(item) is provider
    assert tile_of(item) == tile
    with pytest.raises(EmptyLayer, match="on this machine"):
        discover(tmp_path)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"properties": {"datetime": "17 July 2018"}}, UnreadableDate, "17 July 2018"),
        ({"properties": {"datetime": None}}, UnreadableFile, "no valid STAC Item"),
        ({"assets": {}}, EmptyLayer, "no asset"),
        ({"id": None, "assets": 5}, UnreadableFile, "no valid STAC Item"),
    ],
)
def test_broken_items_are_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], error: type[InputRefused], words: str
) -> None:
    path = write_item(tmp_path, scene())
    edit(path, **changes)

    with pytest.raises(error, match=words) as refused:
        discover(tmp_path)
    assert path.name in str(refused.value)


def test_a_grid_code_that_leads_out_of_the_archive_is_refused(tmp_path: Path) -> None:
    write_item(tmp_path, scene(), properties={"grid:code": "MGRS-x/../../../evil"})

    with pytest.raises(InvalidParameter, match=r"'x/../../../evil' cannot name a grid"):
        discover(tmp_path)


def test_a_missing_asset_is_refused_by_name(tmp_path: Path) -> None:
    path = write_item(tmp_path, scene())
    (path.parent / "B04.tif").unlink()

    with pytest.raises(UnreadableFile, match=r"B04\.tif"):
        discover(tmp_path)


def test_other_json_is_passed_over(tmp_path: Path) -> None:
    write_item(tmp_path, scene())
    (tmp_path / "catalog.json").write_text('{"type": "Catalog", "stac_version": "1.0.0"}')
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text("[1]")

    assert only(tmp_path).grid.name == "31UDS"
