"""STAC APIs as sources: Earth Search, CDSE, Planetary Computer, USGS, and others like them.

pystac-client speaks the protocol (conformance, paging, GET and POST); its requests go through the
session that all sources share.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pystac
import requests
import shapely
from pystac_client import Client
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO

from sen4cap.domain import as_utc
from sen4cap.domain.scene import RemoteFile, Request, Scene
from sen4cap.errors import ServiceUnavailable, SourceRefused
from sen4cap.processing import Progress, write_whole
from sen4cap.sources.asked import is_asked
from sen4cap.sources.bands import band_name
from sen4cap.sources.complete import each_once, understood
from sen4cap.sources.documents import IN_PLACE
from sen4cap.sources.footprint import of_geometry
from sen4cap.sources.http import Session
from sen4cap.sources.naming import Named, read_name
from sen4cap.sources.profiles import Collection, Form, Profile
from sen4cap.sources.remote import Remote
from sen4cap.sources.stac import tile_of

PAGE = 100
LONGEST_TAKE = timedelta(hours=1)
"""A granule may be seen so long after its data take began."""
FIELDS = "sen4cap:fields"
"""Property of a scene: what the item says of each asset, for the item that is written here."""
ITEM = "sen4cap:item"
"""Property of a scene: address of its item."""
KEPT_FIELDS = ("eo:bands", "raster:bands", "bands", "raster:scale", "raster:offset", "nodata")
LEFT_OUT = frozenset({"providers", "links", "proj:geometry", "proj:projjson", "proj:wkt2"})
"""Properties of items that are long and of no use here."""
NAMES = ("s2:product_uri", "sentinel:product_id", "landsat:scene_id", "title")
"""Properties that may hold the name the data's maker gave."""

MULTIHASH = {"1220": "sha256", "1114": "sha1", "1340": "sha512", "d50110": "md5"}
"""Beginning of a multihash (code and length), as `file:checksum` has it."""


@dataclass(frozen=True)
class StacSource:
    """A STAC API."""

    name: str
    profile: Profile
    endpoint: str
    remote: Remote

    def query(self, request: Request) -> Iterator[Scene]:
        """The scenes that meet a request, each once; see `acquisition.ports.Source`."""
        scenes: list[Scene] = []
        with understood(self.name, "a STAC API", APIError, pystac.STACError):
            for collection in _collections(self.profile, request):
                found = self._items(collection, request)
                scenes += [made for one in found if (made := self._scene(collection, one))]
        return iter([scene for scene in scenes if is_asked(scene, request)])

    def _items(self, collection: Collection, request: Request) -> list[dict[str, Any]]:
        client = Client.open(self.endpoint, stac_io=_Io(self.remote.session))
        search = client.search(
            collections=[collection.id],
            intersects=json.loads(shapely.to_geojson(shapely.from_wkt(request.footprint))),
            datetime=_span(request.start, request.end),
            limit=PAGE,
        )
        pages = ((page["features"], _matched(page)) for page in search.pages_as_dicts())
        return each_once(self.name, pages, lambda document: str(document["id"]))

    def _scene(self, collection: Collection, document: dict[str, Any]) -> Scene | None:
        """The scene of an item; None where none of its assets is of use."""
        item = pystac.Item.from_dict(document, migrate=False)
        named = _named(item)
        files, fields = _files(collection, item)
        if not files:
            return None
        return Scene(
            name=named.name if named and collection.form is Form.PACKED else item.id,
            source=self.name,
            kind=collection.kind,
            place=_place(item, named),
            start=_start(item, named),
            footprint=of_geometry(item.geometry) if item.geometry else "",
            files=files,
            properties=_properties(item, named, fields),
        )

    def fetch(self, scene: Scene, folder: Path, progress: Progress) -> Path:
        """Bring its files; see `acquisition.ports.Source`."""
        if not self.profile.fetches:
            raise SourceRefused(
                f"Source '{self.name}' is for queries only: {self.profile.note or 'set another.'}"
            )
        form = _form(self.profile, scene)
        if form is Form.PACKED:
            return self.remote.bring_packed(scene, folder, progress)
        self.remote.bring(scene.files, folder, progress)
        home = folder / scene.name
        if form is Form.ITEM:
            hrefs = {file.name: f"./{PurePosixPath(file.path).name}" for file in scene.files}
            _write_item(home / f"{scene.name}.json", scene, hrefs)
        return home

    def link(self, scene: Scene, folder: Path) -> Path:
        """Write an item whose assets stay where they are; see `acquisition.ports.Source`."""
        if not self.profile.streams:
            raise SourceRefused(
                f"The files of source '{self.name}' cannot be read in place, they need "
                "credentials: set the mode of the site to 'mirror'."
            )
        path = folder / scene.name / f"{scene.name}.json"
        there = replace(scene, properties={**scene.properties, IN_PLACE: True})
        _write_item(path, there, {file.name: file.href for file in scene.files})
        return path


class _Io(StacApiIO):
    """pystac-client's requests, sent by our session."""

    def __init__(self, session: Session) -> None:
        super().__init__(max_retries=None)
        self.ours = session

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        method = (method or "GET").upper()
        content = {"json" if method == "POST" else "params": parameters}
        try:
            return self.ours.answer(method, href, headers=headers, **content).text
        except requests.RequestException as error:
            raise ServiceUnavailable(
                f"Source '{self.ours.source}' broke off its answer ({type(error).__name__}): "
                "try again later."
            ) from error


def _collections(profile: Profile, request: Request) -> list[Collection]:
    return [
        item
        for item in profile.collections
        if item.kind is request.kind and item.platform in request.platforms
    ]


def _form(profile: Profile, scene: Scene) -> Form:
    platform = str(scene.properties.get("platform", ""))
    for item in profile.collections:
        if item.kind is scene.kind and platform.startswith(item.platform):
            return item.form
    return Form.ITEM


def _span(start: datetime, end: datetime) -> str:
    """An interval with the granules of every data take that begins in it, and of a few others."""
    return f"{_iso(start)}/{_iso(end + LONGEST_TAKE)}"


def _iso(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _matched(page: Mapping[str, Any]) -> int | None:
    told = page.get("numberMatched", page.get("context", {}).get("matched"))
    return None if told is None else int(told)


def _named(item: pystac.Item) -> Named | None:
    texts = [str(item.properties.get(key, "")) for key in NAMES]
    return next((found for text in (*texts, item.id) if (found := read_name(text))), None)


def _place(item: pystac.Item, named: Named | None) -> str:
    told = item.properties
    if "landsat:wrs_path" in told:
        return f"{int(told['landsat:wrs_path']):03d}{int(told['landsat:wrs_row']):03d}"
    if (named is None or named.platform == "sentinel-2") and (tile := tile_of(item)):
        return tile
    return named.place if named else ""


def _start(item: pystac.Item, named: Named | None) -> datetime:
    """Sensing start, whole seconds: of the data take for Sentinel-2, whoever lists the scene."""
    if named is not None and named.platform == "sentinel-2":
        return named.start
    told = item.common_metadata.start_datetime or item.datetime
    if told is None:
        raise ValueError(f"item '{item.id}' has no date")
    return as_utc(told).replace(microsecond=0)


def _properties(
    item: pystac.Item, named: Named | None, fields: Mapping[str, Any]
) -> dict[str, Any]:
    told = {key: value for key, value in item.properties.items() if key not in LEFT_OUT}
    implied = dict(named.properties) if named else {}
    platform = str(told.get("platform") or implied.get("platform", "")).lower()
    made = told.get("s2:generation_time") or implied.get("created") or told.get("created", "")
    link = item.get_single_link(pystac.RelType.SELF)
    more = {"platform": platform, "created": made, FIELDS: dict(fields)}
    return {**implied, **told, **more, ITEM: link.target if link else ""}


def _files(
    collection: Collection, item: pystac.Item
) -> tuple[tuple[RemoteFile, ...], dict[str, Any]]:
    """What is fetched of an item, sorted by name, and what it says of each."""
    files: dict[str, RemoteFile] = {}
    fields: dict[str, Any] = {}
    for key in sorted(item.assets):
        asset = item.assets[key]
        name, href = _content(collection, key), _address(asset)
        if name and href and name not in files:
            files[name] = _file(collection, item, name, href, asset)
            told = {k: v for k, v in asset.extra_fields.items() if k in KEPT_FIELDS}
            fields.update({name: told} if told else {})
    return tuple(files[name] for name in sorted(files)), fields


def _content(collection: Collection, key: str) -> str | None:
    """Name of what an asset holds; None where it is of no use."""
    if collection.form is Form.PACKED:
        return "product" if key in collection.assets else None
    if collection.assets:
        return key if key in collection.assets else None
    return band_name(key)


def _address(asset: pystac.Asset) -> str:
    """Where an asset can be had over HTTP; empty where it cannot."""
    others: Mapping[str, Any] = asset.extra_fields.get("alternate", {})
    hrefs = (asset.href, *(str(other.get("href", "")) for other in others.values()))
    return next((href for href in hrefs if urlsplit(href).scheme in {"http", "https"}), "")


def _file(
    collection: Collection, item: pystac.Item, name: str, href: str, asset: pystac.Asset
) -> RemoteFile:
    told = asset.extra_fields
    size = told.get("file:size")
    if collection.form is Form.PACKED:
        named = _named(item)
        path = f"{named.name if named else item.id}.SAFE.zip"
    else:
        path = f"{item.id}/{_file_name(href)}"
    return RemoteFile(
        name=name,
        href=href,
        path=path,
        size=int(size) if size is not None else None,
        checksum=_checksum(str(told.get("file:checksum", ""))),
        media_type=asset.media_type or "",
    )


def _file_name(href: str) -> str:
    """Last part of an address; of an OData node `…/Nodes(name)/$value` its name."""
    parts = PurePosixPath(urlsplit(href).path).parts
    last = parts[-2] if parts[-1] == "$value" else parts[-1]
    return last.removeprefix("Nodes(").removesuffix(")")


def _checksum(multihash: str) -> str:
    """`md5:<hex>` of a multihash in hex; empty where it is of another kind."""
    for begins, name in MULTIHASH.items():
        if multihash.lower().startswith(begins):
            return f"{name}:{multihash.lower().removeprefix(begins)}"
    return ""


def _write_item(path: Path, scene: Scene, hrefs: Mapping[str, str]) -> None:
    told = scene.properties
    fields = told.get(FIELDS, {})
    assets = {
        file.name: {
            "href": hrefs[file.name],
            "type": file.media_type or "image/tiff; application=geotiff",
            "roles": ["data"],
            **fields.get(file.name, {}),
        }
        for file in scene.files
    }
    document = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": scene.name,
        **_outline(scene.footprint),
        "properties": {
            **{key: value for key, value in told.items() if key not in {FIELDS, ITEM}},
            "datetime": _iso(scene.start),
        },
        "links": [{"rel": "via", "href": told[ITEM]}] if told.get(ITEM) else [],
        "assets": assets,
    }
    with write_whole(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")


def _outline(footprint: str) -> dict[str, Any]:
    if not footprint:
        return {"geometry": None}
    geometry = shapely.from_wkt(footprint)
    return {
        "geometry": json.loads(shapely.to_geojson(geometry)),
        "bbox": list(shapely.bounds(geometry)),
    }
