"""Reading rasters: what grid they have, whether they are whole, their values by strips.

Values are read on the grid that is asked for. A raster of the same grid is read as it is; one of
another resolution or origin in the same CRS gives to each cell the pixel that holds the cell's
centre (nearest neighbour; a centre on an edge belongs to the pixel that begins there). Another
CRS is refused: nothing is warped silently.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import rasterio
from rasterio.enums import Interleaving, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.windows import Window

from sen4cap.domain import Asset, Grid, Sensor
from sen4cap.errors import InputRefused, MissingCrs, OutsideSite, UnreadableFile
from sen4cap.geo.crs import same

CACHE = 128 << 20
"""Memory for GDAL's block cache, bytes: rasters are read straight through, each block once."""
STRIP_ROWS = 512
LARGE = 1 << 18
"""Pixels from which on values are converted by compiled code, which takes a second to load."""
REMOTE = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MAX_RETRY": "4",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_HTTP_TIMEOUT": "60",
}
"""Settings of GDAL for rasters that are read in place: no look at what lies beside them."""

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


def grid_of(path: str | Path, name: str, sensor: Sensor = Sensor.S2) -> Grid:
    """The grid of a raster file, under the name of its tile or series.

    Raises
    ------
    UnreadableFile
        If it is missing, truncated or no raster.
    MissingCrs
        If it has no coordinate reference system.
    InputRefused
        If it has no georeference or is rotated.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with _open(path) as dataset:
            if dataset.crs is None:
                raise MissingCrs(
                    f"'{path}' has no coordinate reference system: "
                    "write one into it, for example with 'rio edit-info --crs'."
                )
            if dataset.transform.is_identity:
                raise InputRefused(
                    f"'{path}' has no georeference: write its origin and pixel size into it."
                )
            return _grid(dataset, name, sensor)


def stored_grid(dataset: Any) -> Grid:
    """The grid of an open raster, under a name of no meaning.

    Raises
    ------
    OutsideSite
        If it has no CRS.
    """
    if dataset.crs is None:
        raise OutsideSite(
            f"'{dataset.name}' has no coordinate reference system: write one into it."
        )
    return _grid(dataset, "raster")


def _grid(dataset: Any, name: str, sensor: Sensor = Sensor.S2) -> Grid:
    a, b, c, d, e, f = (float(value) for value in dataset.transform[:6])
    crs, transform = _crs_text(dataset.crs), (a, b, c, d, e, f)
    return Grid(name, crs, transform, dataset.width, dataset.height, sensor)


def _crs_text(crs: Any) -> str:
    """`EPSG:…` where there is a code, else WKT."""
    return _code_or_wkt(crs.to_wkt())


@lru_cache(maxsize=64)
def _code_or_wkt(wkt: str) -> str:
    code = pyproj.CRS.from_wkt(wkt).to_authority()
    return ":".join(code) if code else wkt


@contextmanager
def _open(path: str | Path) -> Iterator[Any]:
    with rasterio.Env(GDAL_CACHEMAX=CACHE, **(REMOTE if "://" in str(path) else {})):
        with refusing(path):
            dataset = rasterio.open(path)
        with dataset:
            yield dataset


@contextmanager
def refusing(path: str | Path) -> Iterator[None]:
    """Whatever GDAL cannot read becomes `UnreadableFile`."""
    try:
        yield
    except RasterioIOError as error:
        raise UnreadableFile(
            f"'{path}' cannot be read: it is missing, truncated or no raster; fetch it again."
        ) from error


def verify(path: str | Path) -> None:
    """Refuse a raster file that is not whole.

    Of a TIFF every block, also of its overviews, must end within the file, and the last one must
    be readable; of other formats the blocks in the corners. The data between are not read.

    Raises
    ------
    UnreadableFile
        If it is missing, truncated or no raster.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with _open(path) as dataset:
            if dataset.driver in {"GTiff", "COG"} and _tiff_end(dataset) > _size(path):
                raise UnreadableFile(f"'{path}' is truncated: fetch it again.")
            for window in _corner_blocks(dataset):
                _read(dataset, dataset.count, window)


def _size(path: str | Path) -> float:
    """Bytes of a local file; unbounded for what lies elsewhere."""
    return Path(path).stat().st_size if Path(path).is_file() else np.inf


def _tiff_end(dataset: Any) -> int:
    """Byte after the last block that the TIFF directories name, overviews within included."""
    bands = (1,) if dataset.interleaving == Interleaving.pixel else dataset.indexes
    aside = any(name.endswith(".ovr") for name in dataset.files)
    levels = range(0 if aside else len(dataset.overviews(1)))
    ends = [_level_end(dataset, dataset, bands, None)]
    for level in levels:
        with rasterio.open(dataset.name, overview_level=level) as overview:
            ends.append(_level_end(dataset, overview, bands, level))
    return max(ends)


def _level_end(dataset: Any, shape: Any, bands: Iterable[int], level: int | None) -> int:
    """As `_tiff_end`, of the full resolution or one overview; `shape` is opened on it."""
    height, width = shape.block_shapes[0]
    end = 0
    for band, row, column in product(
        bands, range(-(-shape.height // height)), range(-(-shape.width // width))
    ):
        items = (
            dataset.get_tag_item(f"BLOCK_{item}_{column}_{row}", "TIFF", bidx=band, ovr=level)
            for item in ("OFFSET", "SIZE")
        )
        end = max(end, sum(int(item or 0) for item in items))
    return end


def _corner_blocks(dataset: Any) -> set[Window]:
    height, width = dataset.block_shapes[-1]
    lefts = {0, (dataset.width - 1) // width * width}
    tops = {0, (dataset.height - 1) // height * height}
    return {
        Window(left, top, min(width, dataset.width - left), min(height, dataset.height - top))
        for left in lefts
        for top in tops
    }


def strips(grid: Grid, rows: int = STRIP_ROWS) -> Iterator[Window]:
    """Windows of full width and `rows` rows (the last may have fewer) that cover a grid."""
    for top in range(0, grid.height, rows):
        yield Window(0, top, grid.width, min(rows, grid.height - top))


def widened(window: Window, rows: int) -> Window:
    """A window with some rows more above and below, which may leave its grid."""
    return Window(window.col_off, window.row_off - rows, window.width, window.height + 2 * rows)


@contextmanager
def open_asset(asset: Asset) -> Iterator[Any]:
    """The open dataset of an asset, for `read_physical` and `read_codes`.

    Raises
    ------
    UnreadableFile
        If it is missing or no raster.
    """
    with _open(asset.href) as dataset:
        yield dataset


def read_physical(dataset: Any, asset: Asset, grid: Grid, window: Window) -> Floats:
    """Physical values of a window of `grid`, shape (rows, columns) of the window; NaN is missing.

    Stored values equal to the asset's nodata (where it names none: what the file marks as
    missing) are missing, the others are multiplied and shifted by the asset's scale and offset.
    Scale and offset that stand in the file are not applied: the asset records them in full.
    Cells outside the raster are missing.

    Raises
    ------
    OutsideSite
        If the raster has another CRS than the grid.
    UnreadableFile
        If the data are damaged.
    """
    source = _source_window(dataset, grid, window)
    stored = _read(dataset, asset.index, source.window)
    return source.spread(_physical(dataset, asset, stored, window=source.window), np.nan)


def sample(dataset: Any, asset: Asset, places: Array) -> Floats:
    """Physical values at some places, shape (n,); NaN where missing or outside.

    `places` are coordinates of the raster's CRS, shape (n, 2). Only their pixels are read.

    Raises
    ------
    UnreadableFile
        If the data are damaged.
    """
    with refusing(dataset.name):
        found = list(dataset.sample(places, indexes=asset.index, masked=True))
    stored = np.array([item.data[0] for item in found], dataset.dtypes[asset.index - 1])
    known = replace(asset, nodata=_nodata(dataset, asset))
    values = _physical(dataset, known, stored, out_shape=stored.shape)
    values[[bool(np.ma.getmaskarray(item)[0]) for item in found]] = np.nan
    return values


def read_overview(dataset: Any, asset: Asset, size: int) -> Floats:
    """Physical values of a whole raster, coarsened to at most `size` pixels a side.

    Overviews are used where there are some. NaN is missing.

    Raises
    ------
    UnreadableFile
        If the data are damaged.
    """
    step = max(1.0, max(dataset.shape) / size)
    shape = tuple(max(1, round(side / step)) for side in dataset.shape)
    with refusing(dataset.name):
        stored = dataset.read(asset.index, out_shape=shape)
    return _physical(dataset, asset, stored, out_shape=shape)


def _physical(dataset: Any, asset: Asset, stored: Array, **part: Any) -> Floats:
    """Physical values of stored ones; `part` says what was read, for the file's mask."""
    nodata = _nodata(dataset, asset)
    values = to_physical(stored, nodata, asset)
    if nodata is None and not _is_all_valid(dataset, asset):
        values[_missing(dataset, asset, stored, **part)] = np.nan
    return values


def to_physical(stored: Array, nodata: float | None, asset: Asset) -> Floats:
    """Physical values of stored ones, shape as `stored`; NaN where they are `nodata`."""
    is_whole = nodata is None or float(nodata).is_integer()
    if stored.size >= LARGE and stored.dtype.kind in "iu" and is_whole:
        from sen4cap.kernels.stored import physical

        code = None if nodata is None else int(nodata)
        return physical(stored, code, asset.scale, asset.offset)
    values = stored.astype(np.float32)
    if nodata is not None:
        values[stored == (int(nodata) if is_whole else nodata)] = np.nan
    if asset.scale != 1.0:
        values *= np.float32(asset.scale)
    if asset.offset:
        values += np.float32(asset.offset)
    return values


def read_codes(dataset: Any, asset: Asset, grid: Grid, window: Window) -> Array:
    """Class codes of a window of `grid`, shape (rows, columns); 0 outside the raster.

    The type is uint8 where the file's is, else int16.

    Raises
    ------
    OutsideSite
        If the raster has another CRS than the grid.
    UnreadableFile
        If the data are damaged.
    """
    source = _source_window(dataset, grid, window)
    stored = _read(dataset, asset.index, source.window)
    codes = stored if stored.dtype == np.uint8 else stored.astype(np.int16)
    return source.spread(codes, 0)


def _read(dataset: Any, band: int, window: Window) -> Array:
    if not window.width or not window.height:
        return np.empty((window.height, window.width), dataset.dtypes[band - 1])
    with refusing(dataset.name):
        stored: Array = dataset.read(band, window=window)
    return stored


def _missing(dataset: Any, asset: Asset, stored: Array, **part: Any) -> Array:
    """Where stored values are missing, shape as `stored`."""
    nodata = _nodata(dataset, asset)
    if nodata is not None:
        exact = int(nodata) if float(nodata).is_integer() else nodata
        return np.asarray(stored == exact)
    if _is_all_valid(dataset, asset) or not stored.size:
        return np.zeros(stored.shape, bool)
    return np.asarray(dataset.read_masks(asset.index, **part) == 0)


def _nodata(dataset: Any, asset: Asset) -> float | None:
    """The stored value that means missing: the asset's, else the file's."""
    found = dataset.nodatavals[asset.index - 1] if asset.nodata is None else asset.nodata
    return None if found is None else float(found)


def _is_all_valid(dataset: Any, asset: Asset) -> bool:
    """Whether the file marks nothing as missing."""
    return MaskFlags.all_valid in dataset.mask_flag_enums[asset.index - 1]


class _Source:
    """The part of a raster under a window of a grid, and where its pixels go."""

    def __init__(self, rows: Array, columns: Array, shape: tuple[int, int]) -> None:
        self._rows, self._row_span = _span(rows, shape[0])
        self._columns, self._column_span = _span(columns, shape[1])
        (top, bottom), (left, right) = self._row_span, self._column_span
        self.window = Window(left, top, right - left, bottom - top)

    def spread(self, values: Array, outside: float) -> Array:
        """Values of the source window on the cells of the grid's window."""
        rows, columns = self._rows, self._columns
        if _is_all(rows, values.shape[0]) and _is_all(columns, values.shape[1]):
            return values
        spread = np.full((len(rows), len(columns)), outside, values.dtype)
        inside = np.ix_(rows >= 0, columns >= 0)
        spread[inside] = values[np.ix_(rows[rows >= 0], columns[columns >= 0])]
        return spread


def _span(index: Array, size: int) -> tuple[Array, tuple[int, int]]:
    """Indices relative to the first that is used, -1 outside; and the half-open span of them."""
    inside = (index >= 0) & (index < size)
    if not inside.any():
        return np.full(len(index), -1), (0, 0)
    first, last = int(index[inside].min()), int(index[inside].max())
    return np.where(inside, index - first, -1), (first, last + 1)


def _is_all(index: Array, size: int) -> bool:
    return len(index) == size and bool((index == np.arange(size)).all())


def _source_window(dataset: Any, grid: Grid, window: Window) -> _Source:
    if dataset.crs is None or not same(_crs_text(dataset.crs), grid.crs):
        raise OutsideSite(
            f"'{dataset.name}' is not in the coordinate reference system of grid '{grid.name}': "
            f"warp it to {grid.crs} first."
        )
    own = _grid(dataset, grid.name)
    (a, _, c, _, e, f), (step_x, _, left, _, step_y, top) = grid.transform, own.transform
    xs = c + (window.col_off + np.arange(window.width) + 0.5) * a
    ys = f + (window.row_off + np.arange(window.height) + 0.5) * e
    shape = own.height, own.width
    return _Source(_pixel_at(ys, top, step_y), _pixel_at(xs, left, step_x), shape)


def _pixel_at(centres: Array, origin: float, step: float) -> Array:
    """Index of the pixel that holds each centre, along one axis.

    Rounding to a millionth of a pixel takes centres that lie on an edge but for the error of
    their coordinates to the pixel that begins there.
    """
    return np.floor(np.round((centres - origin) / step, 6)).astype(np.int64)
