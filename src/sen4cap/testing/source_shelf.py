"""What the test server holds: a few small scenes, in the words of each public source.

Fields and their spelling follow real samples (STAC items of Earth Search and Planetary Computer,
`manifest.safe` of ESA) and the providers' documentation (OData, UMM-G, HyP3); values are made up.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from sen4cap.testing.rasters import small_grid
from sen4cap.testing.scenes import EARTH_SEARCH_KEYS, Array, Scene, write_item, write_safe
from sen4cap.testing.source_server import SourceServer

SITE = "POLYGON ((2.9 51.4, 3.1 51.4, 3.1 51.5, 2.9 51.5, 2.9 51.4))"
FIRST = datetime(2023, 5, 1, 10, 56, 21, tzinfo=UTC)
EVERY = timedelta(days=5)
RING = [[2.5, 51.0], [6.5, 51.0], [6.5, 53.0], [2.5, 53.0], [2.5, 51.0]]
ZIPPED_AT = (2023, 1, 1, 0, 0, 0)


def pictures(count: int = 5, baseline: str = "05.09") -> list[Scene]:
    """Small Sentinel-2 scenes of tile 31UDS, five days apart."""
    grid = small_grid(64, 64, name="31UDS")
    ramp = np.tile(np.arange(1100, 1164, dtype=np.uint16), (64, 1))
    bands: dict[str, Array] = {
        "B04": ramp,
        "B08": ramp + 2000,
        "SCL": np.full((32, 32), 4, np.uint8),
    }
    return [
        Scene(bands, grid, FIRST + number * EVERY, baseline, cloud_cover=10.0 * number)
        for number in range(count)
    ]


def hold_earth_search(server: SourceServer, scenes: Sequence[Scene], folder: Path) -> None:
    """Items of `sentinel-2-c1-l2a` with open COGs, their sizes and SHA-256 (multihash)."""
    server.items["sentinel-2-c1-l2a"] = [
        _earth_search(server, scene, write_item(folder, scene, earth_search_keys=True).parent)
        for scene in scenes
    ]


def _earth_search(server: SourceServer, scene: Scene, home: Path) -> dict[str, Any]:
    assets: dict[str, Any] = {}
    for band in scene.bands:
        path = f"/files/earth-search/{scene.name}/{band}.tif"
        content = (home / f"{band}.tif").read_bytes()
        server.files[path] = content
        assets[EARTH_SEARCH_KEYS[band]] = {
            "href": f"{server.store}{path}",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "roles": ["data", "reflectance"],
            "raster:bands": [_raster(band)],
            "file:size": len(content),
            "file:checksum": f"1220{hashlib.sha256(content).hexdigest()}",
        }
    assets["thumbnail"] = {"href": f"{server.store}/files/none.jpg", "type": "image/jpeg"}
    seen = scene.start + timedelta(seconds=221)
    properties = {
        "datetime": f"{seen:%Y-%m-%dT%H:%M:%S}.551000Z",
        "created": "2023-09-01T00:00:00.000Z",
        "platform": scene.platform,
        "constellation": "sentinel-2",
        "eo:cloud_cover": scene.cloud_cover,
        "grid:code": f"MGRS-{scene.grid.name}",
        "s2:product_uri": f"{scene.name}.SAFE",
        "s2:processing_baseline": scene.baseline,
        "earthsearch:boa_offset_applied": False,
        "proj:code": scene.grid.crs,
    }
    name = f"S2A_T{scene.grid.name}_{seen:%Y%m%dT%H%M%S}_L2A"
    return _item(server, "sentinel-2-c1-l2a", name, properties, assets)


def _raster(band: str) -> dict[str, Any]:
    if band == "SCL":
        return {"nodata": 0, "data_type": "uint8"}
    return {"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}


def _item(
    server: SourceServer,
    collection: str,
    name: str,
    properties: dict[str, Any],
    assets: dict[str, Any],
) -> dict[str, Any]:
    href = f"{server.base}/stac/v1/collections/{collection}/items/{name}"
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": name,
        "collection": collection,
        "geometry": {"type": "Polygon", "coordinates": [RING]},
        "bbox": [2.5, 51.0, 4.5, 52.0],
        "properties": properties,
        "links": [{"rel": "self", "href": href, "type": "application/geo+json"}],
        "assets": assets,
    }


def hold_planetary(server: SourceServer, scenes: Sequence[Scene], folder: Path) -> None:
    """Items of `sentinel-2-l2a` whose COGs need a signature; no size, no checksum."""
    server.guarded["/sentinel2-l2"] = "signature"
    server.items["sentinel-2-l2a"] = [
        _planetary(server, scene, write_item(folder, scene).parent) for scene in scenes
    ]


def _planetary(server: SourceServer, scene: Scene, home: Path) -> dict[str, Any]:
    assets: dict[str, Any] = {}
    for band in scene.bands:
        path = f"/sentinel2-l2/{scene.name}.SAFE/{band}.tif"
        server.files[path] = (home / f"{band}.tif").read_bytes()
        assets[band] = {
            "href": f"{server.store}{path}",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "eo:bands": [{"name": band}],
            "roles": ["data"],
        }
    properties = {
        "datetime": f"{scene.start:%Y-%m-%dT%H:%M:%S}.024000Z",
        "platform": scene.platform.capitalize(),
        "s2:mgrs_tile": scene.grid.name,
        "s2:product_uri": f"{scene.name}.SAFE",
        "s2:processing_baseline": scene.baseline,
        "s2:generation_time": "2023-09-02T08:05:31.830Z",
        "sat:relative_orbit": scene.relative_orbit,
        "eo:cloud_cover": scene.cloud_cover,
    }
    name = scene.name.replace(f"_N{scene.baseline.replace('.', '')}", "")
    return _item(server, "sentinel-2-l2a", name, properties, assets)


def hold_landsat(server: SourceServer, count: int = 5) -> None:
    """Items of `landsat-c2-l2`; the files are bytes without meaning."""
    server.items["landsat-c2-l2"] = [
        _landsat(server, FIRST + number * EVERY) for number in range(count)
    ]


def _landsat(server: SourceServer, start: datetime) -> dict[str, Any]:
    name = f"LC09_L2SP_199024_{start:%Y%m%d}_{start:%Y%m%d}_02_T1"
    assets: dict[str, Any] = {}
    for key, ending in (("red", "SR_B4.TIF"), ("qa_pixel", "QA_PIXEL.TIF"), ("mtl.txt", "MTL.txt")):
        path = f"/files/landsat/{name}/{name}_{ending}"
        server.files[path] = f"{name} {key} ".encode() * 50
        assets[key] = {"href": f"{server.store}{path}", "type": "image/vnd.stac.geotiff"}
    assets["lwir11"] = {"href": f"{server.store}/files/landsat/{name}/{name}_ST_B10.TIF"}
    properties = {
        "datetime": f"{start:%Y-%m-%dT%H:%M:%S}.313921Z",
        "platform": "landsat-9",
        "landsat:wrs_path": "199",
        "landsat:wrs_row": "024",
        "eo:cloud_cover": 3.0,
    }
    return _item(server, "landsat-c2-l2", name, properties, assets)


def hold_cdse(server: SourceServer, scenes: Sequence[Scene], folder: Path) -> None:
    """OData products with zip and nodes, MD5 and size, that need a token."""
    server.guarded["/download"] = "bearer"
    for scene in scenes:
        safe = write_safe(folder, scene, add_offset=-1000, driver="GTiff")
        write_manifest(safe)
        server.entries.append(_entry(server, scene.name, scene.start, "S2MSI2A", _zip(safe)))
        identifier = server.entries[-1]["Id"]
        for path in safe.rglob("*"):
            if path.is_file():
                inner = path.relative_to(folder).as_posix()
                server.files[f"/download/{identifier}/{inner}"] = path.read_bytes()


def write_manifest(safe: Path) -> None:
    """List the files of a SAFE folder with size and MD5, as `manifest.safe` does."""
    objects = "".join(
        f"""
    <dataObject ID="_{number}">
      <byteStream mimeType="application/octet-stream" size="{path.stat().st_size}">
        <fileLocation locatorType="URL" href="./{path.relative_to(safe).as_posix()}"/>
        <checksum checksumName="MD5">{_md5(path.read_bytes())}</checksum>
      </byteStream>
    </dataObject>"""
        for number, path in enumerate(sorted(item for item in safe.rglob("*") if item.is_file()))
    )
    ring = " ".join(f"{latitude} {longitude}" for longitude, latitude in RING)
    (safe / "manifest.safe").write_text(
        f"""<?xml version='1.0' encoding='UTF-8'?>
<xfdu:XFDU xmlns:gml="http://www.opengis.net/gml" xmlns:safe="http://www.esa.int/safe"
  xmlns:xfdu="urn:ccsds:schema:xfdu:1">
  <metadataSection><safe:footPrint><gml:coordinates>{ring} </gml:coordinates></safe:footPrint>
  </metadataSection>
  <dataObjectSection>{objects}
  </dataObjectSection>
</xfdu:XFDU>
""",
        encoding="utf-8",
    )


def _entry(
    server: SourceServer, name: str, start: datetime, kind: str, packed: bytes
) -> dict[str, Any]:
    identifier = str(uuid5(NAMESPACE_URL, name))
    server.files[f"/download/{identifier}"] = packed
    told = {"productType": kind, "cloudCover": 12.5, "orbitDirection": "DESCENDING"}
    return {
        "Id": identifier,
        "Name": f"{name}.SAFE",
        "ContentLength": len(packed),
        "Online": True,
        "Checksum": [
            {"Value": "00", "Algorithm": "BLAKE3"},
            {"Value": _md5(packed), "Algorithm": "MD5"},
        ],
        "ContentDate": {"Start": f"{start:%Y-%m-%dT%H:%M:%S}.024Z"},
        "ModificationDate": "2023-09-03T10:00:00.123Z",
        "GeoFootprint": {"type": "Polygon", "coordinates": [RING]},
        "Attributes": [
            {"Name": key, "Value": value, "ValueType": type(value).__name__}
            for key, value in told.items()
        ],
    }


def hold_asf(server: SourceServer, count: int = 5) -> None:
    """OPERA RTC-S1 bursts, and SLC products with MD5, that need a token."""
    server.guarded["/asf"] = "fixed"
    for number in range(count):
        start = FIRST + number * EVERY
        server.granules += [_opera(server, start), _slc(server, start)]


def _opera(server: SourceServer, start: datetime) -> dict[str, Any]:
    made = start + timedelta(hours=9)
    name = (
        f"OPERA_L2_RTC-S1_T059-125645-IW2_{start:%Y%m%dT%H%M%S}Z_{made:%Y%m%dT%H%M%S}Z_S1A_30_v1.0"
    )
    urls, told = [], []
    for ending in ("VV.tif", "VH.tif", "mask.tif", "BROWSE.png"):
        path = f"/asf/opera/{name}/{name}_{ending}"
        server.files[path] = f"{name} {ending} ".encode() * 30
        urls.append(f"{server.store}{path}")
        size = len(server.files[path])
        told.append({"Name": f"{name}_{ending}", "SizeInBytes": size, "Format": "COG"})
    return _granule("OPERA_L2_RTC-S1_V1", name, name, "RTC", start, urls, told)


def _slc(server: SourceServer, start: datetime) -> dict[str, Any]:
    end = start + timedelta(seconds=25)
    name = f"S1A_IW_SLC__1SDV_{start:%Y%m%dT%H%M%S}_{end:%Y%m%dT%H%M%S}_039156_049F13_6FF8"
    content = _packed({f"{name}.SAFE/manifest.safe": b"<XFDU/>", f"{name}.SAFE/iw.tiff": b"i" * 99})
    path = f"/asf/SLC/{name}.zip"
    server.files[path] = content
    made = _granule(
        "SENTINEL-1A_SLC", f"{name}-SLC", name, "SLC", start, [f"{server.store}{path}"], []
    )
    made["umm"]["AdditionalAttributes"] += [
        {"Name": "MD5SUM", "Values": [_md5(content)]},
        {"Name": "BYTES", "Values": [str(len(content))]},
    ]
    return made


def _granule(
    collection: str,
    name: str,
    scene: str,
    level: str,
    start: datetime,
    urls: list[str],
    sizes: list[dict[str, Any]],
) -> dict[str, Any]:
    instant = f"{start:%Y-%m-%dT%H:%M:%S}.000Z"
    attributes = {
        "PROCESSING_TYPE": level,
        "PATH_NUMBER": "59",
        "ASCENDING_DESCENDING": "ASCENDING",
        "POLARIZATION": "VV+VH",
        "BEAM_MODE": "IW",
    }
    return {
        "meta": {"concept-id": f"G-{name}", "native-id": name},
        "umm": {
            "GranuleUR": name,
            "CollectionReference": {"ShortName": collection, "Version": "1"},
            "TemporalExtent": {
                "RangeDateTime": {"BeginningDateTime": instant, "EndingDateTime": instant}
            },
            "DataGranule": {
                "ProductionDateTime": instant,
                "Identifiers": [{"IdentifierType": "ProducerGranuleId", "Identifier": scene}],
                "ArchiveAndDistributionInformation": sizes,
            },
            "RelatedUrls": [{"URL": url, "Type": "GET DATA"} for url in urls],
            "AdditionalAttributes": [
                {"Name": key, "Values": [value]} for key, value in attributes.items()
            ],
            "Platforms": [{"ShortName": "SENTINEL-1A"}],
            "SpatialExtent": _extent(),
        },
    }


def _extent() -> dict[str, Any]:
    points = [{"Longitude": longitude, "Latitude": latitude} for longitude, latitude in RING]
    geometry = {"GPolygons": [{"Boundary": {"Points": points}}]}
    return {"HorizontalSpatialDomain": {"Geometry": geometry}}


def hold_hyp3(server: SourceServer, count: int = 5) -> None:
    """Finished jobs of an account: backscatter and coherence, one of each expired."""
    for number in range(count + 1):
        start = FIRST + number * EVERY
        scene = f"S1A_IW_GRDH_1SDV_{start:%Y%m%dT%H%M%S}_{start:%Y%m%dT%H%M%S}_039156_049F13_6FF8"
        rtc = f"S1A_IW_{start:%Y%m%dT%H%M%S}_DVP_RTC20_G_gpuned_6FF8"
        pair = [
            f"S1_123456_IW2_{day:%Y%m%dT%H%M%S}_VV_6FF{digit}-BURST"
            for digit, day in enumerate((start - timedelta(days=12), start))
        ]
        insar = f"S1_123456_IW2_{start:%Y%m%d}_VV_INT20_6FF{number}"
        gone = number == count
        server.jobs += [
            _job(server, "RTC_GAMMA", rtc, [scene], start, gone=gone),
            _job(server, "INSAR_ISCE_BURST", insar, pair, start, gone=gone),
        ]


def _job(
    server: SourceServer, kind: str, name: str, inputs: list[str], start: datetime, *, gone: bool
) -> dict[str, Any]:
    path = f"/files/hyp3/{name}.zip"
    server.files[path] = _packed({f"{name}/{name}_VV.tif": name.encode() * 20})
    size = len(server.files[path])
    return {
        "job_id": str(uuid5(NAMESPACE_URL, name)),
        "job_type": kind,
        "status_code": "SUCCEEDED",
        "user_id": "ana",
        "request_time": f"{start + timedelta(days=1):%Y-%m-%dT%H:%M:%S}+00:00",
        "expiration_time": "2023-06-01T00:00:00+00:00" if gone else "2123-06-01T00:00:00+00:00",
        "job_parameters": {"granules": inputs},
        "files": [{"filename": f"{name}.zip", "size": size, "url": f"{server.store}{path}"}],
    }


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _zip(safe: Path) -> bytes:
    files = sorted(path for path in safe.rglob("*") if path.is_file())
    return _packed({path.relative_to(safe.parent).as_posix(): path.read_bytes() for path in files})


def _packed(files: dict[str, bytes]) -> bytes:
    """A zip of files, the same bytes each time."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, ZIPPED_AT), content)
    return made.getvalue()
