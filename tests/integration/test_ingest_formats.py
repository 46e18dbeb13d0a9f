"""Taking in radar and Landsat: what ends up in the catalog, and on which grids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from sen4cap.app.products import ingest, search
from sen4cap.app.system import System
from sen4cap.domain import Grid, ProductType, Sensor, Site
from sen4cap.errors import EmptyLayer
from sen4cap.settings import Settings
from sen4cap.sources.footprint import of_grid
from sen4cap.testing.formats import write_landsat, write_radar
from sen4cap.testing.memory import memory_store
from sen4cap.testing.rasters import small_grid, write_raster

GRID = Grid("31UDS", "EPSG:32631", (10.0, 0.0, 430_000.0, 0.0, -10.0, 5_680_000.0), 60, 60)


@pytest.fixture
def system(tmp_path: Path) -> System:
    store = memory_store()
    store.sites.add(Site("Farm", "farm", footprint=of_grid(GRID)))
    store.sites.add(Site("Anywhere", "anywhere"))
    return System(Settings(home=tmp_path / "home"), store)


def write_item(folder: Path, properties: dict[str, Any], assets: dict[str, Any]) -> None:
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "item",
        "properties": properties,
        "geometry": None,
        "links": [],
        "assets": assets,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "item.json").write_text(json.dumps(item))


def test_backscatter_described_by_an_item(system: System, tmp_path: Path) -> None:
    """As Planetary Computer's sentinel-1-rtc: gamma0 at 10 m, on a grid of its own."""
    folder = tmp_path / "rtc"
    for pol, level in (("vv", 0.12), ("vh", 0.03)):
        write_radar(folder / f"iw-{pol}.rtc.tiff", GRID, np.full((60, 60), level))
    write_item(
        folder,
        {
            "datetime": "2023-06-05T17:33:10Z",
            "platform": "SENTINEL-1A",
            "constellation": "Sentinel-1",
            "sat:relative_orbit": 88,
            "sat:orbit_state": "ascending",
        },
        {pol: {"href": f"./iw-{pol}.rtc.tiff", "type": "image/tiff"} for pol in ("vv", "vh")},
    )
    done = ingest(system, "farm", folder)

    (product,) = done.made
    assert product.type == ProductType.S1_AMP
    assert product.name.startswith("S1A_L2_BCK_20230605T173310_088_31UDS_r")
    assert product.properties["sat:orbit_state"] == "ascending"
    path = Path(product.asset("VH").href)
    assert path.parent.parent == system.settings.archive_root / "farm" / "s1_l2a_amp"
    with rasterio.open(path) as dataset:
        column, row = (430_000 - 399_960) // 20 + 10, (5_700_000 - 5_680_000) // 20 + 10
        assert dataset.read(1)[row, column] == pytest.approx(0.03)
    (grid,) = system.store.grids.all("farm")
    assert (grid.name, grid.sensor, grid.pixel) == ("31UDS", Sensor.S1, (20.0, 20.0))
    assert (len(ingest(system, "farm", folder).made), len(search(system, "farm"))) == (0, 1)


def test_radar_beside_the_site_is_refused(system: System, tmp_path: Path) -> None:
    far = Grid("x", "EPSG:32631", (10.0, 0.0, 730_000.0, 0.0, -10.0, 5_680_000.0), 60, 60)
    name = "S1A_L2_BCK_20190507_VV_139.tif"
    write_radar(tmp_path / "in" / name, far, np.ones((60, 60)))
    with pytest.raises(EmptyLayer, match="nothing of the site"):
        ingest(system, "farm", tmp_path / "in")


@pytest.mark.parametrize("described", [True, False])
def test_landsat_described_by_an_item(system: System, tmp_path: Path, *, described: bool) -> None:
    folder = tmp_path / "landsat"
    folder.mkdir()
    own = Grid("x", "EPSG:32631", (30.0, 0.0, 600_015.0, 0.0, -30.0, 5_730_015.0), 20, 20)
    for key in ("red", "nir08", "qa_pixel"):
        write_raster(folder / f"{key}.TIF", own, np.full((20, 20), 21824, np.uint16))
    told = {"raster:bands": [{"scale": 2.75e-5, "offset": -0.2, "nodata": 0}]}
    assets = {
        key: {
            "href": f"./{key}.TIF",
            "type": "image/tiff",
            **(told if described and key != "qa_pixel" else {}),
        }
        for key in ("red", "nir08", "qa_pixel")
    }
    properties = {
        "datetime": "2022-06-20T10:33:41Z",
        "platform": "landsat-9",
        "landsat:wrs_path": "198",
        "landsat:wrs_row": "024",
        "view:sun_elevation": 58.25,
    }
    write_item(folder, properties, assets)
    (product,) = ingest(system, "anywhere", folder).made

    assert (product.type, product.grid) == (ProductType.L2A, "198024")
    assert [asset.name for asset in product.assets] == ["B04", "B08", "QA_PIXEL"]
    infrared = product.asset("B08")
    assert (infrared.scale, infrared.offset, infrared.nodata) == (2.75e-5, -0.2, 0.0)
    (grid,) = system.store.grids.all("anywhere")
    assert (grid.sensor, grid.width) == (Sensor.L8, 9000)


def test_two_landsat_scenes_that_shift_share_their_grid(system: System, tmp_path: Path) -> None:
    for number, shift in enumerate((0.0, 3_000.0)):
        corner = (600_015.0 + shift, 5_730_015.0)
        grid = small_grid(20, 20, pixel=30.0, corner=corner)
        folder = tmp_path / str(number)
        metadata = write_landsat(folder, grid, {}, as_json=False)
        if number:
            text = metadata.read_text().replace("2022-06-20", "2022-07-06")
            metadata.write_text(text.replace("_20220620_", "_20220706_"))
    assert len(ingest(system, "anywhere", tmp_path / "0").made) == 1
    assert len(ingest(system, "anywhere", tmp_path / "1").made) == 1
    assert len(system.store.grids.all("anywhere")) == 1
