"""Validity of an L2A product's pixels, whoever made it.

Products keep the masks of their provider as they are; here is which of them make up the
validity, read by strips. Clouds may be grown, for which some rows around a strip are read too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sen4cap.domain import Asset, Grid, Product, Role
from sen4cap.geo.crs import metres_per_unit
from sen4cap.kernels import validity
from sen4cap.kernels.validity import Flags

SCL = "SCL"
METRES_PER_DEGREE = 111_320

Masks = Mapping[str, NDArray[Any]]
"""Codes by name of the mask, equal shapes."""


def _scl(masks: Masks) -> Flags:
    return validity.from_scl(masks[SCL])


def _muscate(masks: Masks) -> Flags:
    saturated = (masks["SAT"] != 0) | (masks["SAT_R2"] != 0)
    return validity.from_muscate(masks["MG2"], masks["EDG"], saturated)


def _maccs(masks: Masks) -> Flags:
    return validity.from_maccs(masks["CLD"], masks["MSK"], masks["QLT_SAT"], masks["QLT_OTH"])


def _landsat(masks: Masks) -> Flags:
    return validity.from_qa_pixel(masks["QA_PIXEL"], masks["QA_RADSAT"])


_KINDS: tuple[tuple[str, tuple[str, ...], Callable[[Masks], Flags]], ...] = (
    (SCL, (), _scl),
    ("MG2", ("EDG", "SAT", "SAT_R2"), _muscate),
    ("CLD", ("MSK", "QLT_SAT", "QLT_OTH"), _maccs),
    ("QA_PIXEL", ("QA_RADSAT",), _landsat),
)
"""The mask that tells a kind, those that may stand beside it, and what they mean together."""


@dataclass(frozen=True)
class Validity:
    """The masks of a product and what they mean."""

    masks: tuple[Asset, ...]
    flags_of: Callable[[Masks], Flags]
    others: tuple[str, ...] = ()
    """Masks of this kind that the product has not: nothing is set in them."""
    dilation: float = 0.0
    """Metres by which clouds are grown."""

    def margin(self, grid: Grid) -> int:
        """Rows around a window that its flags depend on: pixels by which clouds are grown."""
        metres = metres_per_unit(grid.crs) or METRES_PER_DEGREE
        return ceil(self.dilation / (metres * max(grid.pixel)))

    def flags(self, masks: Masks, margin: int = 0) -> Flags:
        """Flags of a window, from its codes with `margin` rows more above and below."""
        first = next(iter(masks.values()))
        unset = dict.fromkeys(self.others, np.zeros(first.shape, np.uint8))
        flags = validity.dilate(self.flags_of({**masks, **unset}), margin)
        return flags[margin : flags.shape[0] - margin]

    def observed(self, masks: Masks, margin: int = 0) -> NDArray[np.bool_]:
        """Where the ground was seen, as `flags`."""
        return validity.observed(self.flags(masks, margin))


def validity_of(product: Product, dilation: float = 0.0) -> Validity | None:
    """Masks of an L2A product, clouds grown by some metres; None where it has none."""
    found = {asset.name.upper(): asset for asset in product.assets if asset.role == Role.MASK}
    for first, beside, meaning in _KINDS:
        if first in found:
            names = (first, *(name for name in beside if name in found))
            others = tuple(name for name in beside if name not in found)
            return Validity(tuple(found[name] for name in names), meaning, others, dilation)
    return None
