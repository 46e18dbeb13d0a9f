"""What sources over the network have in common: bringing the files of a scene, and unpacking."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sen4cap.domain.scene import RemoteFile, Scene
from sen4cap.errors import UnreadableFile
from sen4cap.geo.archive import unpacked
from sen4cap.processing import Progress
from sen4cap.sources.http import Session
from sen4cap.sources.slots import Slots
from sen4cap.sources.transfer import bring, place, writing

LARGEST = 32 * 2**30
"""Bytes to which a product may unpack; a radar product has up to 10 GB."""


@dataclass(frozen=True)
class Remote:
    """A session and the number of connections it may use."""

    session: Session
    slots: Slots

    def bring(self, files: Sequence[RemoteFile], folder: Path, progress: Progress) -> list[Path]:
        """Bring files below a folder, one after the other; where each is.

        Raises
        ------
        SourceRefused, ServiceUnavailable, UnreadableFile
            As `transfer.bring`.
        """
        targets = [place(folder, file.path) for file in files]
        whole = sum(file.size or 1 for file in files)
        before = 0
        for file, target in zip(files, targets, strict=True):

            def told(count: int, before: int = before, file: RemoteFile = file) -> None:
                here = min(count, file.size) if file.size else 0
                progress((before + here) / whole, file.name)

            with self.slots.one(), writing(target):
                bring(self.session, file, target, told)
            before += file.size or 1
        return targets

    def bring_packed(self, scene: Scene, folder: Path, progress: Progress) -> Path:
        """Bring the zip of a scene and unpack it; the folder that was in it.

        Raises
        ------
        SourceRefused, ServiceUnavailable, UnreadableFile
            As `transfer.bring`.
        UnsafeArchive
            If the zip is not fit to be unpacked.
        """
        done = folder / f"{scene.name}{_ending(scene)}"
        if done.is_dir():
            return done
        [packed] = self.bring(scene.files, folder, progress)
        unpack(packed, done)
        packed.unlink()
        return done


def _ending(scene: Scene) -> str:
    return ".SAFE" if scene.files[0].path.endswith(".SAFE.zip") else ""


def unpack(packed: Path, target: Path) -> None:
    """Unpack a zip that holds one folder, to be `target`; it is there whole or not at all.

    Raises
    ------
    UnsafeArchive
        If it is not fit to be unpacked.
    UnreadableFile
        If it is damaged, or holds no folder of its own.
    ServiceUnavailable
        If the disk fails.
    """
    with (
        writing(target),
        unpacked(packed, max_bytes=LARGEST, within=packed.parent) as inside,
    ):
        folders = [path for path in inside.iterdir() if path.is_dir()]
        if len(folders) != 1:
            raise UnreadableFile(
                f"'{packed.name}' holds {len(folders)} folders and not one product: fetch it again."
            )
        for path in folders[0].rglob("*"):
            if path.is_file():
                sync(path)
        folders[0].replace(target)


def sync(path: Path) -> None:
    """Have the content of a file on disk."""
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())
