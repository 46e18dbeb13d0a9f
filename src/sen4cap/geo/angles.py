"""Sun and view angles of an optical acquisition, from the coarse grids in its metadata.

Understood are the tile metadata of Sentinel-2 (`MTD_TL.xml`; Products Specification Document,
S2-PDGS-TAS-DI-PSD, issue 14), MAJA's (`*_MTD_ALL.xml`, MUSCATE format) and MACCS's headers. Node
(0, 0) of a grid lies on the upper left corner of the tile. Of the view there is a grid per band
and detector. Directions are averaged as unit vectors, so that 359° and 1° make 0°.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt
from rasterio.windows import Window
from scipy import ndimage

from sen4cap.domain import Grid
from sen4cap.errors import UnreadableFile
from sen4cap.geo.metadata import parse

Floats = npt.NDArray[np.float64]
Cosine = npt.NDArray[np.float32]
Positions = npt.NDArray[np.integer]
LEVEL = 1e-12
"""Product of the sines of two zeniths below which there is no difference of azimuths."""

S2_BANDS = (*(f"B{number:02d}" for number in range(1, 9)), "B8A", "B09", "B10", "B11", "B12")
"""Sentinel-2 bands in the order of their ids 0-12."""

_SUN_GRIDS = ("Sun_Angles_Grid", "Sun_Angles_Grids", "Solar_Angles")
_SUN_MEANS = ("Mean_Sun_Angle", "Sun_Angles", "Mean_Solar_Angles")
_VIEW_MEANS = ("Mean_Viewing_Incidence_Angle", "Mean_Viewing_Angles")


@dataclass(frozen=True)
class Direction:
    """Towards the sun or the satellite."""

    zenith: float
    """Degrees from the vertical."""
    azimuth: float
    """Degrees from north over east, 0 to below 360."""


@dataclass(frozen=True, eq=False)
class AngleGrid:
    """Directions at the nodes of a coarse grid."""

    vectors: Floats
    """Unit vectors (east, north, up), shape (rows, columns, 3); NaN where not seen."""
    step: float
    """Metres between nodes."""

    @property
    def mean(self) -> Direction:
        """Mean over the nodes that are seen, as `Angles.view`; NaN where none is."""
        return _mean_direction(self.vectors[np.isfinite(self.vectors[..., 2])])

    def at(self, grid: Grid, window: Window) -> tuple[Floats, Floats]:
        """Zenith and azimuth, degrees, at the pixels of a window; shapes (rows, columns).

        Interpolated linearly; beyond the nodes that are seen, the nearest one counts. `grid` is
        one of the tile, so that its upper left corner is that of the nodes.
        """
        nodes = _filled(self.vectors)
        down, along = _weights_of(grid, window, self.step, nodes.shape[:2])
        vectors = np.stack([down @ nodes[..., axis] @ along.T for axis in range(3)], axis=-1)
        return _degrees(vectors)


@dataclass(frozen=True, eq=False)
class Cosines:
    """What the networks of biophysical variables take as angles, at the nodes of a coarse grid.

    Cosines of the view's zenith, of the sun's zenith and of the difference of their azimuths.
    """

    nodes: Floats
    """Shape (rows, columns, 3); NaN where not seen. One node counts everywhere."""
    step: float
    """Metres between nodes."""

    def at(self, grid: Grid, window: Window) -> tuple[Cosine, Cosine, Cosine]:
        """Values at the pixels of a window, shapes (rows, columns), as `AngleGrid.at` finds them.

        Each of the three is interpolated by itself, as the original does. Angles that are the same
        everywhere come as read-only views of one number.
        """
        nodes = _filled(self.nodes).astype(np.float32)
        if nodes.size == 3:
            shape = window.height, window.width
            view, sun, azimuth = (np.broadcast_to(value, shape) for value in nodes.ravel())
            return view, sun, azimuth
        down, along = _weights_of(grid, window, self.step, nodes.shape[:2])
        view, sun, azimuth = (
            (down.astype(np.float32) @ nodes[..., kind]) @ along.T.astype(np.float32)
            for kind in range(3)
        )
        return view, sun, azimuth

    def at_pixels(self, grid: Grid, rows: Positions, columns: Positions) -> Cosine:
        """Values at some pixels of a grid, shape (3, n); `rows` and `columns` are of shape (n,)."""
        nodes = _filled(self.nodes)
        width, height = grid.pixel
        at = [
            np.clip((rows + 0.5) * height / self.step, 0, nodes.shape[0] - 1),
            np.clip((columns + 0.5) * width / self.step, 0, nodes.shape[1] - 1),
        ]
        planes = (nodes[..., kind] for kind in range(3))
        found = [ndimage.map_coordinates(plane, at, order=1, mode="nearest") for plane in planes]
        return np.stack(found).astype(np.float32)


def cosines(sun: Direction, view: Direction) -> Cosines:
    """The same angles everywhere."""
    return Cosines(_cosines(_vector(sun)[None, None], _vector(view)[None, None]), 1.0)


def _cosines(sun: Floats, view: Floats) -> Floats:
    """Cosines of unit vectors, shapes (rows, columns, 3); at the zenith all azimuths are even."""
    flat = np.hypot(*np.moveaxis(sun[..., :2], -1, 0)) * np.hypot(
        *np.moveaxis(view[..., :2], -1, 0)
    )
    along = (sun[..., :2] * view[..., :2]).sum(axis=-1)
    azimuth = np.divide(along, flat, out=np.zeros_like(along), where=flat > LEVEL)
    azimuth[np.isnan(flat)] = np.nan
    return np.stack([view[..., 2], sun[..., 2], np.clip(azimuth, -1, 1)], axis=-1)


@dataclass(frozen=True, eq=False)
class Angles:
    """All that metadata tell of the directions of an acquisition."""

    sun: Direction
    """Over the tile."""
    views: Mapping[str, Direction]
    """Over the tile, by band."""
    sun_grid: AngleGrid | None = None
    view_grids: Mapping[str, AngleGrid] | None = None
    """By band, of all detectors together; None where the metadata have none."""

    @property
    def view(self) -> Direction:
        """Over all bands: the mean of their zeniths, and the azimuth of their mean vector."""
        return _mean_direction(np.stack([_vector(item) for item in self.views.values()]))

    @property
    def view_grid(self) -> AngleGrid | None:
        """Mean over the bands."""
        grids = list((self.view_grids or {}).values())
        return AngleGrid(_mean(grid.vectors for grid in grids), grids[0].step) if grids else None

    @property
    def cosines(self) -> Cosines:
        """From the grids; where a direction has none, or one that does not fit, from its mean."""
        sun, view = self.sun_grid, self.view_grid
        if sun is None:
            return cosines(self.sun, self.view)
        if view is None or view.vectors.shape != sun.vectors.shape:
            fixed = np.broadcast_to(_vector(self.view), sun.vectors.shape)
            return Cosines(_cosines(_filled(sun.vectors), fixed), sun.step)
        return Cosines(_cosines(_filled(sun.vectors), _filled(view.vectors)), sun.step)

    @property
    def properties(self) -> dict[str, float]:
        """STAC properties of the extension view, degrees."""
        view = self.view
        return {
            "view:sun_azimuth": self.sun.azimuth,
            "view:sun_elevation": 90.0 - self.sun.zenith,
            "view:incidence_angle": view.zenith,
            "view:azimuth": view.azimuth,
        }


def read_angles(path: Path) -> Angles | None:
    """Angles of a metadata file; None where it tells none.

    Raises
    ------
    UnreadableFile
        If it is missing or broken.
    """
    return angles_of(path, parse(path))


def angles_of(path: Path, root: Element) -> Angles | None:
    """As `read_angles`, of a file that is parsed already."""
    try:
        return _angles(root)
    except ValueError as error:
        raise UnreadableFile(
            f"'{path}' holds angles that are none ({error}): download the product again."
        ) from error


def _angles(root: Element) -> Angles | None:
    sun = next((found for item in _all(root, _SUN_MEANS) if (found := _told(item))), None)
    views = {
        _band(item): found for item in _all(root, _VIEW_MEANS) if (found := _told(item)) is not None
    }
    if sun is None or not views:
        return None
    suns = [grid for item in _all(root, _SUN_GRIDS) if (grid := _grid(item)) is not None]
    return Angles(sun, views, suns[0] if suns else None, _view_grids(root))


def _all(root: Element, tags: Iterable[str]) -> list[Element]:
    return [item for tag in tags for item in root.iter(tag)]


def _told(item: Element) -> Direction | None:
    values = [
        next((found.text for tag in tags if (found := item.find(tag)) is not None), None)
        for tags in (("ZENITH_ANGLE", "Zenith"), ("AZIMUTH_ANGLE", "Azimuth"))
    ]
    if not all(text and text.strip() for text in values):
        return None
    zenith, azimuth = (float(text or "") for text in values)
    return Direction(zenith, azimuth % 360.0) if np.isfinite(zenith) else None


def _band(item: Element) -> str:
    """Name of the band an element is of; empty for all bands."""
    if number := item.get("bandId"):
        return S2_BANDS[int(number)]
    name = item.get("band_id", "").removeprefix("B")
    return f"B{name:0>2}" if name else ""


def _view_grids(root: Element) -> dict[str, AngleGrid] | None:
    detectors: dict[str, list[AngleGrid]] = defaultdict(list)
    lists = list(root.iter("Band_Viewing_Incidence_Angles_Grids_List")) or [root]
    for parent in lists:
        for item in parent.iter("Viewing_Incidence_Angles_Grids"):
            if (grid := _grid(item)) is not None:
                detectors[_band(item) or _band(parent)].append(grid)
    return {
        band: AngleGrid(_mean(grid.vectors for grid in grids), grids[0].step)
        for band, grids in sorted(detectors.items())
    } or None


def _grid(item: Element) -> AngleGrid | None:
    zenith, azimuth = (item.find(tag) for tag in ("Zenith", "Azimuth"))
    if zenith is None or azimuth is None or zenith.find("Values_List") is None:
        return None
    step = float(zenith.findtext("COL_STEP") or "nan")
    return AngleGrid(_vectors(_values(zenith), _values(azimuth)), step)


def _values(item: Element) -> Floats:
    rows = [np.array((row.text or "").split(), np.float64) for row in item.iter("VALUES")]
    return np.stack(rows)


def _vectors(zenith: Floats, azimuth: Floats) -> Floats:
    z, a = np.radians(zenith), np.radians(azimuth)
    return np.stack([np.sin(z) * np.sin(a), np.sin(z) * np.cos(a), np.cos(z)], axis=-1)


def _vector(item: Direction) -> Floats:
    return _vectors(np.array(item.zenith), np.array(item.azimuth))


def _mean(vectors: Iterable[Floats]) -> Floats:
    """Mean directions, node by node, over those that are not NaN."""
    total = np.nansum(np.stack(list(vectors)), axis=0)
    length = np.linalg.norm(total, axis=-1, keepdims=True)
    mean: Floats = np.divide(total, length, out=np.full(total.shape, np.nan), where=length > 0)
    return mean


def _filled(vectors: Floats) -> Floats:
    """Nodes that are not seen get the nearest one's vector."""
    missing = np.isnan(vectors[..., 2])
    if not missing.any() or missing.all():
        return vectors
    nearest = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    filled: Floats = vectors[tuple(nearest)]
    return filled


def _weights_of(
    grid: Grid, window: Window, step: float, nodes: tuple[int, ...]
) -> tuple[Floats, Floats]:
    """Weights of the nodes down and along for the pixels of a window."""
    width, height = grid.pixel
    rows = (window.row_off + np.arange(window.height) + 0.5) * height
    columns = (window.col_off + np.arange(window.width) + 0.5) * width
    return _weights(rows, step, nodes[0]), _weights(columns, step, nodes[1])


def _weights(positions: Floats, step: float, nodes: int) -> Floats:
    """Weights of the nodes along one axis, shape (positions, nodes), for linear interpolation."""
    at = np.clip(positions / step, 0, nodes - 1)
    weights: Floats = np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(nodes)))
    return weights


def _degrees(vectors: Floats) -> tuple[Floats, Floats]:
    east, north, up = np.moveaxis(vectors, -1, 0)
    zenith = np.degrees(np.arctan2(np.hypot(east, north), up))
    return zenith, np.degrees(np.arctan2(east, north)) % 360.0


def _mean_direction(vectors: Floats) -> Direction:
    """Of unit vectors, shape (n, 3)."""
    if not len(vectors):
        return Direction(np.nan, np.nan)
    zenith, _ = _degrees(vectors)
    _, azimuth = _degrees(vectors.sum(axis=0))
    return Direction(float(zenith.mean()), float(azimuth))
