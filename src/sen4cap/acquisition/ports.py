"""What acquisition needs of a source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from sen4cap.domain.scene import Request, Scene
from sen4cap.processing import Progress


class Source(Protocol):
    """Somewhere scenes can be found, fetched, or both."""

    @property
    def name(self) -> str:
        """As in the configuration."""

    def query(self, request: Request) -> Iterator[Scene]:
        """The scenes that meet a request, each once, in any order.

        Raises
        ------
        SourceRefused
            If it cannot be asked, with the way out: credentials, quota, another source.
        ServiceUnavailable
            If it does not answer now, after its own retries.
        """

    def fetch(self, scene: Scene, folder: Path, progress: Progress) -> Path:
        """Bring a scene's files below `folder`, whole and checked; returns what to look into.

        What a call that failed had brought is gone on with by the next one. The path is one that
        `sources.discover` takes: the folder of a SAFE product, a STAC Item, …

        Raises
        ------
        SourceRefused, ServiceUnavailable
            As `query`.
        UnreadableFile
            If a file is not what the source says it is: size or checksum differ, with both.
        """

    def link(self, scene: Scene, folder: Path) -> Path:
        """Write a STAC Item below `folder` whose assets stay at the source, to be read in place.

        Raises
        ------
        SourceRefused
            If its files cannot be read in place.
        """
