"""What a running step may touch: where to read, where to write, how to tell its progress.

A step reads its input products through the paths in them, its parcels and markers through the
context, and writes below the archive under temporary names that become final when complete.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sen4cap.domain import Grid, ParcelSet, Season, Sensor, Site
from sen4cap.errors import NoInput

Progress = Callable[[float, str], None]
"""Share done, 0-1, and what is being done."""


def no_progress(_share: float, _message: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Context:
    """The surroundings of one step; values only, so that it can travel to another process."""

    site: Site
    season: Season
    archive: Path
    """Root folder of all products."""
    parcel_set: ParcelSet | None = None
    """Parcels of the season's year."""
    lut: Path | None = None
    """Crop look-up table of the season's year, Parquet."""
    grids: tuple[Grid, ...] = ()
    """All grids of the site, at their finest resolution, sorted by name."""
    cores: int = 1
    """Threads that kernels may use."""
    progress: Progress = no_progress

    @property
    def parcels(self) -> ParcelSet:
        """Parcels of the season.

        Raises
        ------
        NoInput
            If none were imported.
        """
        if self.parcel_set is None:
            raise NoInput(
                f"Site '{self.site.short_name}' has no parcels for {self.season.year}: "
                "run 'sen4cap lpis import' first."
            )
        return self.parcel_set

    def sensor_grids(self, sensor: Sensor) -> tuple[Grid, ...]:
        """The site's grids of one sensor."""
        return tuple(grid for grid in self.grids if grid.sensor == sensor)

    def folder(self, *parts: str) -> Path:
        """Folder of the site in the archive; not made."""
        return self.archive.joinpath(self.site.short_name, *parts)

    @contextmanager
    def write(self, path: Path) -> Iterator[Path]:
        """Yield a temporary path beside `path`; it becomes `path` when the block ends well."""
        with write_whole(path) as temporary:
            yield temporary


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; renamed when the block ends well, removed when not.

    The suffix is kept, because drivers choose their format by it. The file is on disk before it
    has its name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(
        f".{path.stem}{part(socket.gethostname(), os.getpid())}{path.suffix}"
    )
    try:
        yield temporary
        publish(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def part(node: str, pid: int) -> str:
    """What the names of incomplete files carry: whose they are."""
    return f".{node}.{pid}.part"


def sweep(folder: Path) -> None:
    """Remove what a step that was killed left in its own folder: entries that begin with a dot."""
    for left in folder.glob(".*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def publish(temporary: Path, path: Path) -> None:
    """Give a complete file its name, once it is on disk."""
    with temporary.open("rb+") as handle:
        os.fsync(handle.fileno())
    temporary.replace(path)
