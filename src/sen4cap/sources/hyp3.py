"""ASF HyP3 as a source: backscatter (RTC) and coherence (InSAR) that the user ordered there.

A HyP3 job is made on order; what is listed is what the account has and what has not expired.
Source: hyp3-docs.asf.alaska.edu, "Using HyP3, API", and the product guides of RTC and InSAR.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sen4cap.domain import ProductType
from sen4cap.domain.scene import RemoteFile, Request, Scene
from sen4cap.errors import SourceRefused
from sen4cap.processing import Progress
from sen4cap.sources.asked import is_asked
from sen4cap.sources.complete import each_once, understood
from sen4cap.sources.naming import Named, read_name
from sen4cap.sources.profiles import Collection, Profile
from sen4cap.sources.remote import Remote

_BURST = re.compile(r"S1_(?P<burst>\d{6}_IW\d)_(?P<start>\d{8}T\d{6})_[VH]{2}_[0-9A-F]{4}-BURST")


@dataclass(frozen=True)
class Hyp3Source:
    """The finished jobs of an account."""

    name: str
    profile: Profile
    endpoint: str
    remote: Remote

    def query(self, request: Request) -> Iterator[Scene]:
        """The scenes that meet a request, each once; see `acquisition.ports.Source`.

        HyP3 does not say where a product lies: every one of the time asked for is listed.
        """
        scenes: list[Scene] = []
        with understood(self.name, "HyP3"):
            for item in self.profile.collections:
                if item.kind is request.kind and item.platform in request.platforms:
                    jobs = self._jobs(item)
                    scenes += [made for job in jobs if (made := self._scene(item, job))]
        return iter([scene for scene in scenes if is_asked(scene, request)])

    def _jobs(self, collection: Collection) -> list[dict[str, Any]]:
        return each_once(self.name, self._pages(collection), lambda job: str(job["job_id"]))

    def _pages(self, collection: Collection) -> Iterator[tuple[list[dict[str, Any]], None]]:
        url: str | None = f"{self.endpoint}/jobs"
        asked: dict[str, str] | None = {"status_code": "SUCCEEDED", "job_type": collection.id}
        while url:
            page = self.remote.session.json("GET", url, params=asked)
            yield page["jobs"], None
            url, asked = page.get("next"), None

    def _scene(self, collection: Collection, job: Mapping[str, Any]) -> Scene | None:
        """The scene of a job; None where it has expired or its input is of no known form."""
        inputs = [_input(str(name)) for name in job["job_parameters"].get("granules", ())]
        inputs += [_input(str(name)) for name in job["job_parameters"].get("secondary", ())]
        dated = sorted((item for item in inputs if item), key=lambda item: item.start)
        if not dated or not job.get("files") or _has_expired(job, self.remote.session.policy.now()):
            return None
        file, latest = job["files"][0], dated[-1]
        name = str(file["filename"]).removesuffix(".zip")
        return Scene(
            name=name,
            source=self.name,
            kind=collection.kind,
            place=_place(collection, dated),
            start=latest.start,
            footprint="",
            files=(
                RemoteFile(
                    "product",
                    str(file["url"]),
                    f"{name}.zip",
                    int(file["size"]) if file.get("size") else None,
                    media_type="application/zip",
                ),
            ),
            properties=_properties(collection, job, dated),
        )

    def fetch(self, scene: Scene, folder: Path, progress: Progress) -> Path:
        """Bring the folder of rasters of a job; see `acquisition.ports.Source`."""
        return self.remote.bring_packed(scene, folder, progress)

    def link(self, scene: Scene, folder: Path) -> Path:
        """Refused: the files are packed."""
        raise SourceRefused(
            f"'{scene.name}' of source '{self.name}' is packed and cannot be read in place: "
            f"set the mode of the site to 'mirror' ('{folder.name}' stays empty)."
        )


def _input(text: str) -> Named | None:
    """What the name of a job's input tells: a scene, or a burst."""
    if match := _BURST.search(text):
        start = datetime.strptime(match["start"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        return Named(match[0], ProductType.SLC, "sentinel-1", match["burst"], start)
    return read_name(text)


def _has_expired(job: Mapping[str, Any], now: datetime) -> bool:
    told = job.get("expiration_time")
    return bool(told) and datetime.fromisoformat(str(told)) <= now


def _place(collection: Collection, inputs: list[Named]) -> str:
    """Burst or frame of the later input; of a pair with its days, two may end on the same date."""
    first, last = inputs[0], inputs[-1]
    if collection.kind is not ProductType.S1_COHE:
        return last.place
    return f"{last.place}_{(last.start.date() - first.start.date()).days}d"


def _properties(
    collection: Collection, job: Mapping[str, Any], inputs: list[Named]
) -> dict[str, Any]:
    first, last = inputs[0], inputs[-1]
    found: dict[str, Any] = {
        **last.properties,
        "platform": last.properties.get("platform", "sentinel-1"),
        "created": str(job["request_time"]),
        "sen4cap:hyp3_job": str(job["job_id"]),
    }
    if collection.kind is ProductType.S1_COHE:
        found["sen4cap:pair"] = [item.start.isoformat() for item in (first, last)]
        found["sen4cap:baseline_days"] = (last.start.date() - first.start.date()).days
    return found
