"""Alaska Satellite Facility as a source: Sentinel-1 SLC, and OPERA's RTC-S1 bursts.

The question to NASA's catalogue (CMR) and the reading of its answers are asf_search's; its
requests go through the session that all sources share. Its reports of failures to ASF are off.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sen4cap.domain.scene import RemoteFile, Request, Scene
from sen4cap.errors import SourceRefused
from sen4cap.processing import Progress
from sen4cap.sources.asked import is_asked
from sen4cap.sources.complete import each_once, understood
from sen4cap.sources.footprint import of_geometry
from sen4cap.sources.naming import Named, read_name
from sen4cap.sources.profiles import Collection, Form, Profile
from sen4cap.sources.remote import Remote

CMR = "https://cmr.earthdata.nasa.gov"
"""Where asf_search sends its questions."""
_CONTENT = re.compile(r"_(VV|VH|HH|HV|mask)\.tif$")


@dataclass(frozen=True)
class AsfSource:
    """ASF through CMR, files with a token of NASA Earthdata."""

    name: str
    profile: Profile
    remote: Remote

    def query(self, request: Request) -> Iterator[Scene]:
        """The scenes that meet a request, each once; see `acquisition.ports.Source`."""
        scenes: list[Scene] = []
        with understood(self.name, "NASA's catalogue"):
            for platform in request.platforms:
                if collection := self.profile.collection(request.kind, platform):
                    found = self._products(collection, request)
                    scenes += [made for item in found if (made := self._scene(collection, item))]
        return iter([scene for scene in scenes if is_asked(scene, request)])

    def _products(self, collection: Collection, request: Request) -> list[Any]:
        import asf_search

        asf_search.REPORT_ERRORS = False
        told: dict[str, Any] = {
            **collection.terms,
            "dataset": collection.id,
            "intersectsWith": request.footprint,
            "start": request.start,
            "end": request.end + timedelta(minutes=1),
            "session": self.remote.session,
        }
        if request.orbits:
            told["relativeOrbit"] = list(request.orbits)
        with understood(self.name, "NASA's catalogue", asf_search.ASFError), _quiet():
            matched = asf_search.search_count(**told)
            pages = ((list(page), matched) for page in asf_search.search_generator(**told))
            return each_once(self.name, pages, lambda item: str(item.properties["fileID"]))

    def _scene(self, collection: Collection, item: Any) -> Scene | None:
        """The scene of a product; None where its name is of no known form, or no file is of use."""
        told: Mapping[str, Any] = item.properties
        named = read_name(str(told.get("sceneName") or told["fileID"]))
        files = () if named is None else _files(collection, told, named)
        if named is None or not files:
            return None
        return Scene(
            name=named.name,
            source=self.name,
            kind=collection.kind,
            place=named.place,
            start=named.start,
            footprint=of_geometry(item.geometry) if item.geometry["coordinates"] else "",
            files=files,
            properties=_properties(told, named),
        )

    def fetch(self, scene: Scene, folder: Path, progress: Progress) -> Path:
        """Bring a SAFE folder, or the rasters of a burst; see `acquisition.ports.Source`."""
        if scene.files[0].path.endswith(".zip"):
            return self.remote.bring_packed(scene, folder, progress)
        self.remote.bring(scene.files, folder, progress)
        return folder / scene.name

    def link(self, scene: Scene, folder: Path) -> Path:
        """Refused: the files need a token."""
        raise SourceRefused(
            f"'{scene.name}' cannot be read in place at source '{self.name}', it needs a token: "
            f"set the mode of the site to 'mirror' ('{folder.name}' stays empty)."
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing is said of functions that shapely 2.2 renamed and asf_search 14 calls."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"The 'shapely\.ops", DeprecationWarning)
        yield


def _files(collection: Collection, told: Mapping[str, Any], named: Named) -> tuple[RemoteFile, ...]:
    if collection.form is Form.PACKED:
        return (_packed(told, named),)
    urls = [str(told["url"]), *map(str, told.get("additionalUrls") or ())]
    files = {
        match[1]: _raster(told, named, match[1], url)
        for url in urls
        if (match := _CONTENT.search(url))
    }
    return tuple(files[name] for name in sorted(files))


def _packed(told: Mapping[str, Any], named: Named) -> RemoteFile:
    size, checksum = told.get("bytes"), told.get("md5sum")
    return RemoteFile(
        name="product",
        href=str(told["url"]),
        path=f"{named.name}.SAFE.zip",
        size=int(size) if size else None,
        checksum=f"md5:{checksum.lower()}" if checksum else "",
        media_type="application/zip",
    )


def _raster(told: Mapping[str, Any], named: Named, name: str, url: str) -> RemoteFile:
    file = url.rpartition("/")[2]
    size = (told.get("bytes") or {}).get(file, {}).get("bytes")
    return RemoteFile(
        name=name,
        href=url,
        path=f"{named.name}/{file}",
        size=int(size) if size else None,
        media_type="image/tiff; application=geotiff",
    )


def _properties(told: Mapping[str, Any], named: Named) -> dict[str, Any]:
    found: dict[str, Any] = dict(named.properties)
    if told.get("pathNumber"):
        found["sat:relative_orbit"] = int(told["pathNumber"])
    if told.get("flightDirection"):
        found["sat:orbit_state"] = str(told["flightDirection"]).lower()
    if told.get("processingDate"):
        found.setdefault("created", str(told["processingDate"]))
    polarisations = told.get("polarization")
    if polarisations:
        names = polarisations if isinstance(polarisations, list) else polarisations.split("+")
        found["sar:polarizations"] = list(names)
    return found
