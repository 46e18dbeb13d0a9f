"""Products on this machine as a source: a folder tree, or a DIAS' mounted `/eodata`.

Products are SAFE folders. Under `Sentinel-2/MSI/L2A/YYYY/MM/DD` (and the like) only the days that
are asked for are looked into; elsewhere the whole tree is. They are copied, or linked to.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from xml.etree.ElementTree import Element

from sen4cap.domain import ProductType
from sen4cap.domain.scene import RemoteFile, Request, Scene
from sen4cap.errors import SourceRefused, UnreadableFile
from sen4cap.geo.metadata import parse
from sen4cap.processing import Progress, publish
from sen4cap.sources.asked import is_asked
from sen4cap.sources.footprint import of_positions
from sen4cap.sources.naming import Named, read_name
from sen4cap.sources.profiles import Profile
from sen4cap.sources.transfer import place, writing

TREES = {
    ProductType.L2A: "Sentinel-2/MSI/L2A",
    ProductType.L1C: "Sentinel-2/MSI/L1C",
    ProductType.SLC: "Sentinel-1/SAR/SLC",
}
"""Folders of `/eodata`, below which products lie by year, month and day."""
MANIFEST = "manifest.safe"


class Mode(StrEnum):
    """What is done with the products of an archive."""

    COPY = "copy"
    LINK = "link"


@dataclass(frozen=True)
class ArchiveSource:
    """SAFE folders below a folder."""

    name: str
    profile: Profile
    root: Path
    mode: Mode = Mode.LINK

    def query(self, request: Request) -> Iterator[Scene]:
        """The scenes that meet a request, each once; see `acquisition.ports.Source`."""
        if not self.root.is_dir():
            raise SourceRefused(
                f"The folder '{self.root}' of source '{self.name}' is not there: "
                "mount it, or set another root."
            )
        found = {path.name: path for path in self._folders(request)}
        for name in sorted(found):
            scene = self._scene(found[name], request)
            if scene is not None and is_asked(scene, request):
                yield scene

    def _folders(self, request: Request) -> Iterator[Path]:
        tree = self.root / TREES.get(request.kind, "-")
        if not tree.is_dir():
            yield from self.root.rglob("*.SAFE")
            return
        for day in _days(request):
            yield from (tree / f"{day:%Y/%m/%d}").glob("*.SAFE")

    def _scene(self, folder: Path, request: Request) -> Scene | None:
        """The scene of a SAFE folder; None where its name says that it was not asked for."""
        named = read_name(folder.name)
        if named is None or named.platform not in request.platforms:
            return None
        if named.kind is not request.kind or not request.start <= named.start < request.end:
            return None
        return Scene(
            name=named.name,
            source=self.name,
            kind=request.kind,
            place=named.place,
            start=named.start,
            footprint=_footprint(folder),
            files=tuple(_files(folder)),
            properties={**named.properties, **_cloud(folder, named)},
        )

    def fetch(self, scene: Scene, folder: Path, progress: Progress) -> Path:
        """Copy the SAFE folder, or link to it; see `acquisition.ports.Source`."""
        if self.mode is Mode.LINK:
            return _linked(scene, folder)
        whole = scene.size or 1
        done = 0
        for file in scene.files:
            progress(done / whole, file.name)
            target = place(folder, file.path)
            with writing(target):
                _copy(file, target)
            done += file.size or 0
        return folder / f"{scene.name}.SAFE"

    def link(self, scene: Scene, folder: Path) -> Path:
        """A link to the SAFE folder where it lies; see `acquisition.ports.Source`."""
        if self.mode is Mode.COPY:
            raise SourceRefused(
                f"Source '{self.name}' is set up to be copied: set its mode to 'link' to read in "
                "place."
            )
        return _linked(scene, folder)


def _linked(scene: Scene, folder: Path) -> Path:
    target = folder / f"{scene.name}.SAFE"
    there = Path(scene.files[0].href.removesuffix(f"/{_inner(scene.files[0])}"))
    if not there.is_dir():
        raise _gone(there)
    folder.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.symlink_to(there, target_is_directory=True)
    return target


def _inner(file: RemoteFile) -> str:
    """Path of a file within its SAFE folder."""
    return file.path.partition("/")[2]


def _days(request: Request) -> Iterator[date]:
    day = request.start.date()
    while day <= request.end.date():
        yield day
        day += timedelta(days=1)


def _files(folder: Path) -> Iterator[RemoteFile]:
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        inner = path.relative_to(folder).as_posix()
        yield RemoteFile(inner, str(path.absolute()), f"{folder.name}/{inner}", path.stat().st_size)


def _copy(file: RemoteFile, target: Path) -> None:
    """Copy a file that is not there yet as it should be; whole before it has its name."""
    if target.is_file() and target.stat().st_size == file.size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(file.href, part)
    except FileNotFoundError as error:
        raise _gone(Path(file.href)) from error
    if part.stat().st_size != file.size:
        raise UnreadableFile(
            f"'{file.href}' has {part.stat().st_size} bytes and had {file.size} when it was "
            "listed: list it again."
        )
    publish(part, target)


def _gone(path: Path) -> SourceRefused:
    return SourceRefused(f"'{path}' is not there any more: mount the archive, or list it again.")


def _footprint(folder: Path) -> str:
    """Outline as the manifest gives it; empty where there is none that can be read."""
    try:
        positions = next(
            (item.text for item in parse(folder / MANIFEST).iter() if _ends(item, "coordinates")),
            "",
        )
        numbers = [float(text) for text in (positions or "").replace(",", " ").split()]
        return of_positions(numbers) if len(numbers) >= 6 else ""
    except (UnreadableFile, ValueError):
        return ""


def _ends(item: Element, name: str) -> bool:
    return str(item.tag).rpartition("}")[2] == name


def _cloud(folder: Path, named: Named) -> dict[str, float]:
    """Cloud cover of a Sentinel-2 product; empty where it cannot be read."""
    if named.platform != "sentinel-2":
        return {}
    level = "L2A" if named.kind is ProductType.L2A else "L1C"
    try:
        root = parse(folder / f"MTD_MSI{level}.xml")
        text = next((item.text for item in root.iter("Cloud_Coverage_Assessment")), None)
        return {"eo:cloud_cover": float(text)} if text else {}
    except (UnreadableFile, ValueError):
        return {}
