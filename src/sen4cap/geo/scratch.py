"""A raster on its way to disk: stored values in a plain file, filled in any order by any thread.

Memory holds what is being written or read, nothing more; the file is as large as the raster. GDAL
reads it, and its overviews, through a VRT (format description: gdal.org/drivers/raster/vrt.html).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.windows import Window

from sen4cap.domain import Grid

Array = npt.NDArray[Any]
ROWS = 1024
"""Rows that are coarsened at a time."""
_GDAL_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "float32": "Float32",
    "float64": "Float64",
}


@dataclass(frozen=True)
class Scratch:
    """A raster of one band in a plain file."""

    path: Path
    width: int
    height: int
    dtype: str

    @classmethod
    def create(cls, path: Path, width: int, height: int, dtype: str) -> Scratch:
        """A raster full of zeros, which takes no space until it is filled."""
        with path.open("wb") as file:
            file.truncate(width * height * np.dtype(dtype).itemsize)
        return cls(path, width, height, dtype)

    def write(self, window: Window, values: Array) -> None:
        """Store the values of a window, shape (rows, columns); others may write meanwhile."""
        lines = np.ascontiguousarray(values, np.dtype(self.dtype))
        size, first = lines.dtype.itemsize, window.row_off * self.width + window.col_off
        whole = lines.shape[1] == self.width
        parts = [lines] if whole else list(lines)
        with self.path.open("r+b") as file:
            for number, part in enumerate(parts):
                os.pwrite(file.fileno(), part.tobytes(), (first + number * self.width) * size)

    def read(self, first: int, rows: int) -> Array:
        """Some rows, shape (rows, width)."""
        count, size = rows * self.width, np.dtype(self.dtype).itemsize
        values = np.fromfile(self.path, self.dtype, count, offset=first * self.width * size)
        return values.reshape(rows, self.width)

    def halved(self, nodata: float | None, *, average: bool) -> Scratch:
        """The raster at half the resolution, in a file beside; see `kernels.stored.halved`."""
        from sen4cap.kernels.stored import halved

        width, height = -(-self.width // 2), -(-self.height // 2)
        coarse = Scratch.create(
            self.path.with_name(f"{self.path.name}.half"), width, height, self.dtype
        )
        for first in range(0, self.height, ROWS):
            values = self.read(first, min(ROWS, self.height - first))
            part = halved(values, nodata, average=average)
            coarse.write(Window(0, first // 2, width, len(part)), part)
        return coarse


@dataclass(frozen=True)
class Described:
    """What a file says of its values."""

    nodata: float | None
    scale: float = 1.0
    offset: float = 0.0
    description: str = ""
    tags: Mapping[str, str] | None = None


def write_vrt(grid: Grid, levels: Sequence[Scratch], told: Described) -> Path:
    """Describe a raster and its overviews, finest first, in a file beside the first; its path."""
    whole = levels[0]
    root = _dataset(whole, told.nodata)
    ET.SubElement(root, "SRS").text = grid.crs
    a, b, c, d, e, f = grid.transform
    ET.SubElement(root, "GeoTransform").text = ", ".join(
        _number(value) for value in (c, a, b, f, d, e)
    )
    _metadata(root, told.tags or {})
    band = root.find("VRTRasterBand")
    assert band is not None
    for name, value in _of_band(told):
        ET.SubElement(band, name).text = value
    for coarse in levels[1:]:
        overview = ET.SubElement(band, "Overview")
        ET.SubElement(overview, "SourceFilename", relativeToVRT="1").text = _vrt(coarse).name
        ET.SubElement(overview, "SourceBand").text = "1"
        _write(_dataset(coarse, told.nodata), _vrt(coarse))
    _write(root, _vrt(whole))
    return _vrt(whole)


def _vrt(raster: Scratch) -> Path:
    return raster.path.with_name(f"{raster.path.name}.vrt")


def _write(root: ET.Element, path: Path) -> None:
    path.write_text(ET.tostring(root, encoding="unicode"), "utf-8")


def _dataset(raster: Scratch, nodata: float | None) -> ET.Element:
    size = {"rasterXSize": str(raster.width), "rasterYSize": str(raster.height)}
    root = ET.Element("VRTDataset", size)
    item = np.dtype(raster.dtype).itemsize
    band = ET.SubElement(
        root,
        "VRTRasterBand",
        dataType=_GDAL_TYPES[raster.dtype],
        band="1",
        subClass="VRTRawRasterBand",
    )
    for name, value in (
        ("ImageOffset", 0),
        ("PixelOffset", item),
        ("LineOffset", item * raster.width),
    ):
        ET.SubElement(band, name).text = str(value)
    ET.SubElement(band, "ByteOrder").text = "LSB" if np.little_endian else "MSB"
    ET.SubElement(band, "SourceFilename", relativetoVRT="1").text = raster.path.name
    if nodata is not None:
        ET.SubElement(band, "NoDataValue").text = _number(nodata)
    return root


def _of_band(told: Described) -> Iterator[tuple[str, str]]:
    if told.description:
        yield "Description", told.description
    yield "Scale", _number(told.scale)
    yield "Offset", _number(told.offset)


def _number(value: float) -> str:
    """With every digit, also of numpy's numbers."""
    return repr(float(value))


def _metadata(root: ET.Element, tags: Mapping[str, str]) -> None:
    if tags:
        items = ET.SubElement(root, "Metadata")
        for key, value in tags.items():
            ET.SubElement(items, "MDI", key=key).text = value


def overviews(raster: Scratch, nodata: float | None, side: int, *, average: bool) -> list[Scratch]:
    """The raster and coarser ones, each half the size, down to one of at most `side` a side."""
    levels = [raster]
    while max(levels[-1].width, levels[-1].height) > side:
        levels.append(levels[-1].halved(nodata, average=average))
    return levels


def trusted() -> rasterio.Env:
    """Surroundings in which GDAL reads plain files that lie beside their VRT."""
    return rasterio.Env(GDAL_VRT_RAWRASTERBAND_ALLOWED_SOURCE="SIBLING_OR_CHILD_OF_VRT_PATH")
