"""A source made of products in a folder, that counts what it is asked and fails when told to.

It stands for a service: each page of a query and each file is one call, files come in two pieces
into a hidden file, are checked against size and checksum, brought to disk and then named.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sen4cap.domain import ProductType
from sen4cap.domain.scene import RemoteFile, Request, Scene
from sen4cap.errors import ServiceUnavailable, SourceRefused, UnreadableFile
from sen4cap.processing import Progress
from sen4cap.testing import scenes as made

PAGE = 2
"""Scenes on a page."""


def no_fault(_event: str) -> None:
    """Nothing goes wrong."""


@dataclass
class FolderSource:
    """Scenes whose files lie in folders of this machine."""

    name: str
    scenes: list[Scene] = field(default_factory=list)
    fault: Callable[[str], None] = no_fault
    """Called with what is about to happen, `query …` or `get …`; may raise."""
    is_down: bool = False
    calls: list[str] = field(default_factory=list)

    def query(self, request: Request) -> Iterator[Scene]:
        """The scenes that meet a request, page by page."""
        found = [scene for scene in self.scenes if _meets(scene, request)]
        for first in range(0, max(len(found), 1), PAGE):
            self._call(f"query page {first // PAGE}")
            yield from found[first : first + PAGE]

    def fetch(self, scene: Scene, folder: Path, progress: Progress) -> Path:
        """Bring a scene's files below a folder; those that are there stay."""
        for number, file in enumerate(scene.files):
            target = folder / file.path
            if not target.is_file():
                self._bring(file, target)
            progress((number + 1) / len(scene.files), file.name)
        return folder / f"{scene.name}.SAFE"

    def link(self, scene: Scene, _folder: Path) -> Path:
        """Nothing here can be read in place."""
        raise SourceRefused(f"The files of '{scene.name}' cannot be read in place: fetch them.")

    def _call(self, what: str) -> None:
        self.calls.append(what)
        self.fault(what)
        if self.is_down:
            raise ServiceUnavailable(f"Source '{self.name}' does not answer: try again later.")

    def _bring(self, file: RemoteFile, target: Path) -> None:
        self._call(f"get {file.path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        content = Path(file.href).read_bytes()
        middle = len(content) // 2
        with part.open("wb") as handle:
            handle.write(content[:middle])
            self._call(f"get {file.path} further")
            handle.write(content[middle:])
            handle.flush()
            os.fsync(handle.fileno())
        if file.checksum != _checksum(part):
            part.unlink()
            raise UnreadableFile(f"'{file.path}' is not what the source says: fetch it again.")
        part.replace(target)


def _meets(scene: Scene, request: Request) -> bool:
    platform = str(scene.properties.get("platform", ""))
    return (
        scene.kind is request.kind
        and request.start <= scene.start < request.end
        and any(platform.startswith(name) for name in request.platforms)
        and (not request.tiles or scene.place in request.tiles)
    )


def _checksum(path: Path) -> str:
    return f"md5:{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}"


def offered(
    folder: Path,
    scene: made.Scene,
    source: str,
    *,
    created: str = "",
    properties: Mapping[str, Any] | None = None,
    add_offset: int | None = -1000,
) -> Scene:
    """Write a product of a scene below a folder, and tell of it as a source would."""
    safe = made.write_safe(folder, scene, add_offset=add_offset)
    paths = sorted(path for path in safe.rglob("*") if path.is_file())
    corners = ", ".join(f"{x} {y}" for x, y in scene.corners)
    told = {
        "platform": scene.platform,
        "sat:relative_orbit": scene.relative_orbit,
        "s2:processing_baseline": scene.baseline,
        "eo:cloud_cover": scene.cloud_cover,
        "created": created,
        **(properties or {}),
    }
    return Scene(
        name=scene.name,
        source=source,
        kind=ProductType.L2A,
        place=scene.grid.name,
        start=scene.start,
        footprint=f"POLYGON (({corners}))",
        files=tuple(_file(path, folder) for path in paths),
        properties={key: value for key, value in told.items() if value != ""},
    )


def _file(path: Path, root: Path) -> RemoteFile:
    name = str(path.relative_to(root))
    return RemoteFile(name, str(path), name, path.stat().st_size, _checksum(path))


def with_wrong_checksum(scene: Scene) -> Scene:
    """The scene with a checksum that its last file does not have."""
    *files, last = scene.files
    return replace(scene, files=(*files, replace(last, checksum="md5:" + "0" * 32)))


def opened_from(sources: Sequence[FolderSource]) -> Callable[[str], FolderSource]:
    """What opens sources by name."""
    by_name = {source.name: source for source in sources}
    return by_name.__getitem__
