"""What is fetched is what `discover` takes: from the source to a product that was looked into."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sen4cap.domain import ProductType
from sen4cap.domain.found import Found, Provider
from sen4cap.domain.scene import Request, Scene
from sen4cap.errors import (
    EmptyLayer,
    InvalidParameter,
    ServiceUnavailable,
    SourceRefused,
    UnreadableFile,
)
from sen4cap.processing import no_progress
from sen4cap.sources import discover
from sen4cap.sources.auth import Credentials
from sen4cap.sources.catalogue import AnySource, Definition, open_source
from sen4cap.sources.naming import read_name
from sen4cap.sources.odata import used_files
from sen4cap.sources.remote import unpack
from sen4cap.testing import source_shelf as shelf
from sen4cap.testing.source_server import PASSWORD, USER, Fault, SourceServer, serving

ASKED = Request(
    ProductType.L2A, ("sentinel-2",), shelf.SITE, shelf.FIRST, shelf.FIRST + shelf.EVERY
)


@pytest.fixture
def server() -> Iterator[SourceServer]:
    with serving() as made:
        yield made


def opened(server: SourceServer, profile: str, endpoint: str) -> AnySource:
    made = Definition(
        profile,
        endpoint=f"{server.base}{endpoint}",
        download=f"{server.store}/download/odata/v1",
        token=f"{server.base}/{'sas/token' if profile == 'planetary-computer' else 'token'}",
        hosts=(f"localhost:{server.port}",),
    )
    return open_source(made, Credentials(USER, PASSWORD))


def only(source: AnySource) -> Scene:
    [scene] = source.query(ASKED)
    return scene


def found_in(folder: Path) -> Found:
    [found] = discover(folder)
    assert isinstance(found, Found)
    return found


def test_earth_search_keeps_what_its_item_says_of_bands(
    server: SourceServer, tmp_path: Path
) -> None:
    shelf.hold_earth_search(server, shelf.pictures(1), tmp_path / "held")
    source = opened(server, "earth-search", "/stac/v1")
    scene = only(source)
    found = found_in(source.fetch(scene, tmp_path / "out", no_progress))

    assert scene.name == "S2A_T31UDS_20230501T110002_L2A"
    assert scene.age == ("05.09", "2023-05-01T23:59:59Z")  # of ESA's product, not of its copy
    assert found.provider is Provider.EARTH_SEARCH
    assert found.grid.name == "31UDS"
    red = next(band for band in found.bands if band.name == "B04")
    assert [(one.scale, one.offset) for one in red.declared] == [(0.0001, -0.1)]
    assert red.nodata == 0


def test_a_granule_belongs_to_the_time_its_data_take_began(
    server: SourceServer, tmp_path: Path
) -> None:
    """Earth Search tells when the granule was seen, 221 s later: beyond the end asked for."""
    shelf.hold_earth_search(server, shelf.pictures(1), tmp_path / "held")
    source = opened(server, "earth-search", "/stac/v1")

    assert len(list(source.query(replace(ASKED, end=shelf.FIRST + timedelta(seconds=1))))) == 1
    assert list(source.query(replace(ASKED, start=shelf.FIRST + timedelta(seconds=1)))) == []


def test_planetary_computer_is_known_by_its_item(server: SourceServer, tmp_path: Path) -> None:
    shelf.hold_planetary(server, shelf.pictures(1), tmp_path / "held")
    source = opened(server, "planetary-computer", "/stac/v1")
    scene = only(source)
    path = source.fetch(scene, tmp_path / "out", no_progress)
    document = json.loads((path / f"{scene.name}.json").read_bytes())

    assert scene.properties["sat:relative_orbit"] == 51
    assert "sig=" not in json.dumps(document)
    assert [band.name for band in found_in(path).bands] == ["B04", "B08", "SCL"]
    assert len(server.requests("/sas/token")) == 1  # one signature for three files


def test_a_signature_that_has_ended_is_renewed(server: SourceServer, tmp_path: Path) -> None:
    """An ended signature is answered with 403, not 401."""
    shelf.hold_planetary(server, shelf.pictures(1), tmp_path / "held")
    source = opened(server, "planetary-computer", "/stac/v1")
    scene = only(source)
    server.faults.append(Fault("B08.tif", "403"))

    assert source.fetch(scene, tmp_path / "out", no_progress).is_dir()
    assert len(server.requests("/sas/token")) == 2


def test_an_item_that_cannot_be_read_is_not_left_out_silently(
    server: SourceServer, tmp_path: Path
) -> None:
    shelf.hold_earth_search(server, shelf.pictures(2), tmp_path / "held")
    del server.items["sentinel-2-c1-l2a"][1]["assets"]["red"]["href"]
    source = opened(server, "earth-search", "/stac/v1")

    with pytest.raises(ServiceUnavailable, match=r"does not answer as a STAC API.*href"):
        list(source.query(replace(ASKED, end=shelf.FIRST + 2 * shelf.EVERY)))


@pytest.mark.parametrize("by_nodes", [False, True])
def test_cdse_gives_a_safe_folder(server: SourceServer, tmp_path: Path, by_nodes: bool) -> None:
    shelf.hold_cdse(server, shelf.pictures(1), tmp_path / "held")
    made = Definition(
        "cdse",
        endpoint=f"{server.base}/odata/v1",
        download=f"{server.store}/download/odata/v1",
        token=f"{server.base}/token",
        hosts=(f"localhost:{server.port}",),
        by_nodes=by_nodes,
    )
    source = open_source(made, Credentials(USER, PASSWORD))
    path = source.fetch(only(source), tmp_path / "out", no_progress)
    found = found_in(path)

    assert path.name == "S2A_MSIL2A_20230501T105621_N0509_R051_T31UDS_20230501T235959.SAFE"
    assert found.start == shelf.FIRST
    assert [band.name for band in found.bands] == ["B04", "B08", "SCL"]
    assert sorted(item.name for item in (tmp_path / "out").iterdir()) == [path.name]


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_an_archive_is_copied_or_linked_to(tmp_path: Path, mode: str) -> None:
    for scene in shelf.pictures(2):
        safe = shelf.write_safe(tmp_path / "held" / "any", scene, driver="GTiff")
        shelf.write_manifest(safe)
    source = open_source(Definition("archive", root=str(tmp_path / "held"), mode=mode))
    scene_found = only(source)
    path = source.fetch(scene_found, tmp_path / "out", no_progress)

    assert path.is_symlink() is (mode == "link")
    assert found_in(path).start == shelf.FIRST
    if mode == "link":
        assert source.link(scene_found, tmp_path / "other").resolve() == path.resolve()
    else:
        with pytest.raises(SourceRefused, match="set its mode to 'link'"):
            source.link(scene_found, tmp_path / "other")


def test_an_archive_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="sen4cap source set archive root"):
        open_source(Definition("archive"))
    missing = open_source(Definition("archive", root=str(tmp_path / "absent")))
    with pytest.raises(SourceRefused, match="mount it"):
        list(missing.query(ASKED))


def test_a_link_points_to_the_source(server: SourceServer, tmp_path: Path) -> None:
    shelf.hold_earth_search(server, shelf.pictures(1), tmp_path / "held")
    source = opened(server, "earth-search", "/stac/v1")
    before = len(server.heard)
    scene = only(source)
    heard = len(server.heard)
    path = source.link(scene, tmp_path / "out")
    document = json.loads(path.read_bytes())

    assert before < heard == len(server.heard)
    hrefs = {name: asset["href"] for name, asset in document["assets"].items()}
    assert hrefs["B04"].startswith(f"{server.store}/files/earth-search/")
    assert document["assets"]["B04"]["raster:bands"][0]["offset"] == -0.1
    assert document["properties"]["datetime"] == "2023-05-01T10:56:21Z"


def test_what_is_linked_to_is_read_in_place(server: SourceServer, tmp_path: Path) -> None:
    """In processes of their own: GDAL holds the interpreter while it waits for this server."""
    shelf.hold_earth_search(server, shelf.pictures(1), tmp_path / "held")
    source = opened(server, "earth-search", "/stac/v1")
    scene = only(source)
    mirrored = source.fetch(scene, tmp_path / "mirror", no_progress)
    path = source.link(scene, tmp_path / "out")
    there, here = read(path.parent), read(mirrored)
    assert there.pop("href").startswith(f"{server.store}/files/earth-search/")
    assert not here.pop("href").startswith("http")
    assert there == here
    assert there["mean"] > 0
    assert [item.name for item in path.parent.iterdir()] == [path.name], "nothing was fetched"


READ = """
import json, sys
from pathlib import Path
import numpy as np
from rasterio.windows import Window
from sen4cap.domain import Asset
from sen4cap.geo.raster import open_asset, read_physical
from sen4cap.sources import discover

[found] = discover(Path(sys.argv[1]))
band, grid = found.band("B04"), found.grid
asset = Asset(band.name, band.href, nodata=band.nodata)
with open_asset(asset) as dataset:
    mean = np.nanmean(read_physical(dataset, asset, grid, Window(0, 0, grid.width, grid.height)))
told = [[item.scale, item.offset] for item in band.declared]
json.dump(dict(href=band.href, grid=grid.key, told=told, mean=float(mean)), sys.stdout)
"""


def read(folder: Path) -> dict[str, Any]:
    words = [sys.executable, "-c", READ, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_item_that_was_copied_here_is_not_read_over_the_network(tmp_path: Path) -> None:
    path = tmp_path / "item.json"
    asset = {"href": "https://example.invalid/B04.tif", "type": "image/tiff"}
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "one", "geometry": None}
    told = {"properties": {"datetime": "2023-05-01T10:56:21Z"}, "links": []}
    path.write_text(json.dumps({**item, **told, "assets": {"B04": asset}}), "utf-8")
    with pytest.raises(EmptyLayer, match="lies on this machine"):
        discover(tmp_path)


def test_files_that_need_a_secret_cannot_be_linked_to(server: SourceServer, tmp_path: Path) -> None:
    shelf.hold_planetary(server, shelf.pictures(1), tmp_path / "held")
    source = opened(server, "planetary-computer", "/stac/v1")

    with pytest.raises(SourceRefused, match="'mirror'"):
        source.link(only(source), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_same_scene_gives_the_same_bytes(server: SourceServer, tmp_path: Path) -> None:
    shelf.hold_earth_search(server, shelf.pictures(1), tmp_path / "held")
    source = opened(server, "earth-search", "/stac/v1")
    scene = only(source)
    one, two = (source.fetch(scene, tmp_path / name, no_progress) for name in ("a", "b"))

    for path in one.rglob("*"):
        assert path.read_bytes() == (two / path.relative_to(one)).read_bytes()


def test_a_path_outside_the_scene_is_refused(server: SourceServer, tmp_path: Path) -> None:
    shelf.hold_earth_search(server, shelf.pictures(1), tmp_path / "held")
    source = opened(server, "earth-search", "/stac/v1")
    scene = only(source)
    bad = replace(scene, files=(replace(scene.files[0], path="../../evil.tif"),))

    with pytest.raises(UnreadableFile, match="outside its scene"):
        source.fetch(bad, tmp_path / "out", no_progress)
    assert not (tmp_path.parent / "evil.tif").exists()


def test_a_zip_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "a.zip"
    packed.write_bytes(shelf._packed({"a.SAFE/x": b"1" * 50, "a.SAFE/y/z": b"2" * 50}))
    calls = 0

    def fails(_descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fails)
        with pytest.raises(ServiceUnavailable, match="Input/output error"):
            unpack(packed, tmp_path / "a.SAFE")
    assert [item.name for item in tmp_path.iterdir()] == ["a.zip"]
    unpack(packed, tmp_path / "a.SAFE")
    assert (tmp_path / "a.SAFE/y/z").read_bytes() == b"2" * 50


@pytest.mark.data
def test_the_manifest_of_a_real_product_lists_what_is_used(shared_data: Path) -> None:
    """Counted by hand in the sample: two metadata files, 12 bands and SCL; B01 and B09 at 60 m."""
    folder = "esa_S2B_MSIL2A_20210122T133229_N0214_R081_T22HBD_20210122T155500.SAFE"
    listed = used_files(
        shared_data / "sentinel_metadata_samples/s2_safe_mtd" / folder / "manifest.safe"
    )
    names = [item.path.rpartition("/")[2] for item in listed]

    assert len(listed) == 15
    assert {"MTD_MSIL2A.xml", "MTD_TL.xml"} <= set(names)
    assert "T22HBD_20210122T133229_B04_10m.jp2" in names
    assert "T22HBD_20210122T133229_B8A_20m.jp2" in names
    assert "T22HBD_20210122T133229_B09_60m.jp2" in names
    assert "T22HBD_20210122T133229_SCL_20m.jp2" in names
    assert all(item.size and item.checksum.startswith("md5:") for item in listed)


@pytest.mark.data
def test_the_relative_orbit_of_a_real_radar_scene(shared_data: Path) -> None:
    """`manifest.safe` of the sample gives relative orbit 59."""
    [safe] = (shared_data / "sentinel_metadata_samples/s1_safe_mtd/grd").glob("*.SAFE")
    named = read_name(safe.name)

    assert named is not None
    assert named.orbit == 59
    assert named.properties["sar:polarizations"] == ["VV", "VH"]


@pytest.mark.data
def test_real_items_and_names_tell_tile_time_and_baseline(shared_data: Path) -> None:
    folder = shared_data / "sentinel_metadata_samples/stac_items"
    old = json.loads((folder / "S2A_28QCH_20200714_0_L2A.json").read_bytes())
    named = read_name(old["properties"]["sentinel:product_id"])

    assert named is not None
    assert f"{named.start:%Y-%m-%dT%H:%M:%S}" == "2020-07-14T11:52:21"
    assert named.place == "28QCH"
    assert named.properties["s2:processing_baseline"] == "02.14"
    assert named.properties["created"] == "2020-07-14T19:13:10Z"
