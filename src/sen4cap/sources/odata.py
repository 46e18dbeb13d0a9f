"""CDSE's catalogue (OData) as a source: whole products as zip, or only the files that are used.

The question is put into OData by cdsetool. Its requests are not used: they go to fixed hosts,
sleep for minutes, end a search that failed as if nothing more matched, and a broken download
begins anew and is not checked. Source: documentation.dataspace.copernicus.eu, "OData".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from xml.etree.ElementTree import Element

from sen4cap.domain import ProductType
from sen4cap.domain.scene import RemoteFile, Request, Scene
from sen4cap.errors import SourceRefused, UnreadableFile
from sen4cap.geo.metadata import parse
from sen4cap.processing import Progress
from sen4cap.sources.asked import is_asked
from sen4cap.sources.bands import MASK, REFLECTANCES
from sen4cap.sources.complete import each_once, understood
from sen4cap.sources.footprint import of_geometry
from sen4cap.sources.naming import read_name
from sen4cap.sources.profiles import Collection, Profile
from sen4cap.sources.remote import Remote

PAGE = 100
MANIFEST = "manifest.safe"
ATTRIBUTES = {
    "cloudCover": "eo:cloud_cover",
    "relativeOrbitNumber": "sat:relative_orbit",
    "orbitDirection": "sat:orbit_state",
    "orbitNumber": "sat:absolute_orbit",
    "processingBaseline": "sen4cap:catalogue_baseline",
    "polarisationChannels": "sen4cap:polarisations",
}
"""Attributes of the catalogue and the STAC properties they become."""

_IMAGE = re.compile(r"IMG_DATA/R(\d{2})m/.*_(B\d{2}|B8A|SCL)_\d{2}m\.\w+$")


@dataclass(frozen=True)
class ODataSource:
    """CDSE's OData catalogue and download."""

    name: str
    profile: Profile
    endpoint: str
    download: str
    remote: Remote
    by_nodes: bool = False
    """Whether only the files that are used are brought, instead of the whole zip; for L2A."""

    def query(self, request: Request) -> Iterator[Scene]:
        """The scenes that meet a request, each once; see `acquisition.ports.Source`."""
        scenes: list[Scene] = []
        with understood(self.name, "an OData catalogue"):
            for platform in request.platforms:
                if collection := self.profile.collection(request.kind, platform):
                    found = self._entries(collection, request)
                    scenes += [made for entry in found if (made := self._scene(collection, entry))]
        return iter([scene for scene in scenes if is_asked(scene, request)])

    def _entries(self, collection: Collection, request: Request) -> list[dict[str, Any]]:
        url = f"{self.endpoint}/Products?{question(collection, request)}"
        pages = self._pages(url)
        return each_once(self.name, pages, lambda entry: str(entry["Id"]))

    def _pages(self, first: str) -> Iterator[tuple[list[dict[str, Any]], int | None]]:
        url: str | None = first
        while url:
            page = self.remote.session.json("GET", url)
            yield page["value"], page.get("@odata.count")
            url = page.get("@odata.nextLink")

    def _scene(self, collection: Collection, entry: Mapping[str, Any]) -> Scene | None:
        """The scene of an entry; None where its name is not one of its collection, or offline."""
        named = read_name(str(entry["Name"]))
        if named is None or not entry.get("Online", True):
            return None
        packed = RemoteFile(
            name="product",
            href=f"{self.download}/Products({entry['Id']})/$value",
            path=f"{named.name}.SAFE.zip",
            size=int(entry["ContentLength"]) if entry.get("ContentLength") else None,
            checksum=_checksum(entry.get("Checksum") or ()),
            media_type="application/zip",
        )
        return Scene(
            name=named.name,
            source=self.name,
            kind=collection.kind,
            place=named.place,
            start=named.start,
            footprint=of_geometry(entry["GeoFootprint"]) if entry.get("GeoFootprint") else "",
            files=(packed,),
            properties={**_properties(entry), **named.properties},
        )

    def fetch(self, scene: Scene, folder: Path, progress: Progress) -> Path:
        """Bring a product as SAFE folder; see `acquisition.ports.Source`."""
        if self.by_nodes and scene.kind is ProductType.L2A:
            return self._bring_nodes(scene, folder, progress)
        return self.remote.bring_packed(scene, folder, progress)

    def _bring_nodes(self, scene: Scene, folder: Path, progress: Progress) -> Path:
        """Bring what is used of a product, each file checked against the manifest."""
        safe = f"{scene.name}.SAFE"
        root = scene.files[0].href.removesuffix("/$value") + f"/Nodes({safe})"
        manifest = RemoteFile(MANIFEST, f"{root}/Nodes({MANIFEST})/$value", f"{safe}/{MANIFEST}")
        [path] = self.remote.bring([manifest], folder, lambda _share, _name: None)
        files = [_node(root, safe, file) for file in used_files(path)]
        self.remote.bring(files, folder, progress)
        return folder / safe

    def link(self, scene: Scene, folder: Path) -> Path:
        """Refused: the files need a token."""
        raise SourceRefused(
            f"'{scene.name}' cannot be read in place at source '{self.name}', it needs a token: "
            f"set the mode of the site to 'mirror' ('{folder.name}' stays empty)."
        )


def question(collection: Collection, request: Request) -> str:
    """The query part of the URL that asks for the scenes of a request."""
    from cdsetool.query import FeatureQuery

    terms: dict[str, Any] = {
        **collection.terms,
        "contentDateStartGe": request.start,
        "contentDateStartLt": request.end,
        "geometry": request.footprint,
        "top": PAGE,
    }
    asked = FeatureQuery(collection.id, terms, options={"expand_attributes": True}).next_url
    return urlunsplit(("", "", "", urlsplit(asked).query, "")).lstrip("?")


def _properties(entry: Mapping[str, Any]) -> dict[str, Any]:
    told = {item["Name"]: item["Value"] for item in entry.get("Attributes", ())}
    found = {key: told[name] for name, key in ATTRIBUTES.items() if name in told}
    if "sat:orbit_state" in found:
        found["sat:orbit_state"] = str(found["sat:orbit_state"]).lower()
    published = str(entry.get("ModificationDate") or entry.get("PublicationDate") or "")
    return {**found, "created": _whole_seconds(published)} if published else found


def _whole_seconds(text: str) -> str:
    instant = datetime.fromisoformat(text).astimezone(UTC)
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _checksum(told: Any) -> str:
    """The checksum that is known here, of several."""
    known = {str(item.get("Algorithm", "")).lower(): item.get("Value", "") for item in told}
    for name in ("sha256", "md5"):
        if known.get(name):
            return f"{name}:{known[name].lower()}"
    return ""


@dataclass(frozen=True)
class _Listed:
    """A file of a SAFE folder as its manifest lists it."""

    path: str
    size: int | None
    checksum: str


def used_files(manifest: Path) -> list[_Listed]:
    """What is used of an L2A product: metadata, and each band at its best resolution.

    Raises
    ------
    UnreadableFile
        If the manifest is broken or lists no band.
    """
    listed = [file for item in parse(manifest).iter("dataObject") if (file := _listed(item))]
    images: dict[str, tuple[int, _Listed]] = {}
    for file in listed:
        if (match := _IMAGE.search(file.path)) and match[2] in {*REFLECTANCES, MASK}:
            best = images.get(match[2])
            if best is None or int(match[1]) < best[0]:
                images[match[2]] = int(match[1]), file
    if not images:
        raise UnreadableFile(f"'{manifest}' lists no band: fetch the product as a whole.")
    metadata = [file for file in listed if re.search(r"MTD_(MSIL2A|TL)\.xml$", file.path)]
    return [*metadata, *(images[band][1] for band in sorted(images))]


def _listed(item: Element) -> _Listed | None:
    stream, place = item.find("byteStream"), item.find("byteStream/fileLocation")
    if stream is None or place is None:
        return None
    told = stream.find("checksum")
    size = stream.get("size", "")
    checksum = ""
    if told is not None and told.text and told.get("checksumName", "").upper() == "MD5":
        checksum = f"md5:{told.text.strip().lower()}"
    path = place.get("href", "").removeprefix("./")
    return _Listed(path, int(size) if size.isdigit() else None, checksum)


def _node(root: str, safe: str, file: _Listed) -> RemoteFile:
    nodes = "/".join(f"Nodes({part})" for part in file.path.split("/"))
    plain = RemoteFile(
        file.path.rpartition("/")[2], f"{root}/{nodes}/$value", f"{safe}/{file.path}"
    )
    return replace(plain, size=file.size, checksum=file.checksum)
