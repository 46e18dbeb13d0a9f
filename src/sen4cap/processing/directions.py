"""Sun and view of an L2A product, as the networks of biophysical variables take them.

Best are the grids in the provider's metadata; else the mean angles that the product tells; else its
sun alone with a view from straight above. Which of these it was is told.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from sen4cap.domain import Product
from sen4cap.errors import InputRefused
from sen4cap.geo.angles import Cosines, Direction, cosines, read_angles

ANGLES = "angles"
"""Asset that `geo.angles` reads."""


class Directions(StrEnum):
    """How well the angles of a product are known."""

    GRID = "grid"
    """Per pixel."""
    MEAN = "mean"
    """One for the whole scene."""
    SUN = "sun"
    """The sun for the whole scene; the view is taken from straight above."""


def directions_of(product: Product) -> Directions | None:
    """How well its angles are known, without reading any file; None where not at all."""
    if any(asset.name == ANGLES for asset in product.assets):
        return Directions.GRID
    told = product.properties
    if not {"view:sun_azimuth", "view:sun_elevation"} <= told.keys():
        return None
    return Directions.SUN if _view(product) is None else Directions.MEAN


def cosines_of(product: Product) -> Cosines:
    """Cosines of view zenith, sun zenith and relative azimuth.

    Raises
    ------
    InputRefused
        If the product tells no angles.
    UnreadableFile
        If its angle file is missing or broken.
    """
    known = directions_of(product)
    if known is Directions.GRID:
        angles = read_angles(Path(product.asset(ANGLES).href))
        if angles is not None:
            return angles.cosines
    if known not in {Directions.MEAN, Directions.SUN}:
        raise InputRefused(no_angles(product.name))
    told = product.properties
    sun = Direction(90.0 - float(told["view:sun_elevation"]), float(told["view:sun_azimuth"]))
    return cosines(sun, _view(product) or Direction(0.0, 0.0))


def no_angles(name: str) -> str:
    """What to do about a product without angles, one sentence."""
    return (
        f"'{name}' tells no angles of the sun: ingest it again with its metadata file, or with "
        "view:sun_elevation and view:sun_azimuth in its STAC Item."
    )


def _view(product: Product) -> Direction | None:
    zenith, azimuth = (
        product.properties.get(key) for key in ("view:incidence_angle", "view:azimuth")
    )
    if zenith is None or azimuth is None:
        return None
    return Direction(float(zenith), float(azimuth))
