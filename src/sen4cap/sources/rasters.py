"""One raster file as a source sees it: whole, georeferenced, and what it says of itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import rasterio

from sen4cap.domain import Grid, Role
from sen4cap.domain.found import FoundBand, Scaling
from sen4cap.geo.angles import Angles
from sen4cap.geo.raster import grid_of, verify
from sen4cap.sources.bands import nodata_of, role_of

RASTER_SUFFIXES = frozenset({".tif", ".tiff", ".jp2", ".img", ".vrt"})
ANGLES = "angles"
"""Name of the file of a product that `geo.angles` reads."""
MEDIA_TYPES = {".jp2": "image/jp2", ".tif": "image/tiff; application=geotiff"}

_WHOLE = 16 * 2**20
_END = 2**20
_PIECE = 2**16
_PIECES = 64


@dataclass(frozen=True)
class RasterFile:
    """What is known of a raster without reading its pixels."""

    path: Path | str
    """Or its URL."""
    grid: Grid
    data_types: tuple[str, ...]
    """One per band, as all that follows."""
    nodata: tuple[float | None, ...]
    scalings: tuple[Scaling, ...]
    descriptions: tuple[str, ...]
    fingerprint: str

    @property
    def count(self) -> int:
        """Number of bands."""
        return len(self.data_types)

    def band(
        self,
        name: str,
        index: int = 1,
        *,
        nodata: float | None = None,
        declared: tuple[Scaling, ...] = (),
    ) -> FoundBand:
        """A band under a name; `nodata` and `declared` are what other metadata say of it.

        Nodata is what they say, else what the file says, else `bands.nodata_of`.
        """
        own, data_type = self.scalings[index - 1], self.data_types[index - 1]
        told = (nodata, self.nodata[index - 1], nodata_of(name, data_type))
        says_something = own.scale is not None or own.offset is not None
        return FoundBand(
            name=name,
            href=str(self.path),
            data_type=data_type,
            index=index,
            role=role_of(name),
            media_type=MEDIA_TYPES.get(_suffix(self.path), MEDIA_TYPES[".tif"]),
            nodata=next((value for value in told if value is not None), None),
            declared=(*declared, own) if says_something else declared,
            fingerprint=self.fingerprint,
        )


def inspect(path: Path | str, grid_name: str) -> RasterFile:
    """What a raster, a file or a URL, says of itself; its grid goes under `grid_name`.

    Raises
    ------
    UnreadableFile
        If it is missing, truncated or of an unknown format.
    MissingCrs
        If it has no coordinate reference system.
    """
    verify(path)
    grid = grid_of(path, grid_name)
    with rasterio.open(path) as dataset:
        return RasterFile(
            path=path if isinstance(path, str) else path.absolute(),
            grid=grid,
            data_types=tuple(str(kind) for kind in dataset.dtypes),
            nodata=tuple(dataset.nodatavals),
            scalings=tuple(map(_scaling, dataset.scales, dataset.offsets)),
            descriptions=tuple(text or "" for text in dataset.descriptions),
            fingerprint=_address(path) if isinstance(path, str) else fingerprint(path),
        )


def _suffix(path: Path | str) -> str:
    return PurePosixPath(urlsplit(path).path if isinstance(path, str) else path).suffix.lower()


def _address(url: str) -> str:
    """Hash of an address: sources give another one to what they make anew."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def angle_files(path: Path, angles: Angles | None) -> tuple[FoundBand, ...]:
    """The metadata file as the one that holds a product's angle grids, if it does."""
    if angles is None or angles.sun_grid is None:
        return ()
    found = FoundBand(
        name=ANGLES,
        href=str(path.absolute()),
        data_type="",
        role=Role.METADATA,
        media_type="application/xml",
        fingerprint=fingerprint(path),
    )
    return (found,)


def _scaling(scale: float, offset: float) -> Scaling:
    """GDAL gives 1 and 0 where a file says nothing, so these are taken for silence."""
    return Scaling(
        "the raster file",
        None if scale == 1.0 else float(scale),
        None if offset == 0.0 else float(offset),
    )


def fingerprint(path: Path) -> str:
    """Hash of a file's size and contents, 32 hex digits; of one above 16 MiB only samples.

    These are its first and last MiB and 64 pieces of 64 KiB evenly between. The head of a large
    compressed raster holds the sizes of all its blocks, which differ with the pixels; an edit of
    an uncompressed one goes unseen only where it is shorter than a 64th of the file.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as handle:
        for start, length in _samples(size):
            handle.seek(start)
            digest.update(handle.read(length))
    return digest.hexdigest()[:32]


def _samples(size: int) -> list[tuple[int, int]]:
    """Start and length, bytes, of what is read of a file."""
    if size <= _WHOLE:
        return [(0, size)]
    step = (size - 2 * _END) // _PIECES
    pieces = [(_END + number * step, _PIECE) for number in range(_PIECES)]
    return [(0, _END), *pieces, (size - _END, _END)]
