"""The biophysical variables as one table, and what may be doubtful in an estimate of one.

They are defined by Weiss & Baret (S2ToolBox Level 2 products, version 1.1, 2016); ranges are those
of the extreme cases of the networks. `kernels.biophysical` computes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag

from sen4cap.kernels.indices import INDICES, SpectralIndex

MISSING = 255
"""In place of flags where there is no value."""


class DomainFlag(IntFlag):
    """What is doubtful in an estimate; the first five are those of SNAP's operator."""

    INPUT = 1
    """The spectrum is none of those the networks were trained for: range or combination."""
    AT_MINIMUM = 2
    """Below the range of the variable, within tolerance."""
    AT_MAXIMUM = 4
    """Above the range of the variable, within tolerance."""
    TOO_LOW = 8
    """Below the range of the variable, beyond tolerance."""
    TOO_HIGH = 16
    """Above the range of the variable, beyond tolerance."""
    BAND = 32
    """A reflectance lies outside the range of its band; `INPUT` is set too."""
    ANGLE = 64
    """The sun or the view is lower, or the sun higher, than in the training."""


@dataclass(frozen=True)
class Variable:
    """A biophysical variable: a row of the table."""

    id: str
    """Short name, as in configuration keys: `lai`."""
    title: str
    unit: str
    low: float
    """Least value that is ever written; also an end of the colours of pictures."""
    high: float
    """Greatest value that is ever written."""
    scale: float
    """Step in which integers hold it."""
    reference: str = "Weiss & Baret 2016, S2ToolBox Level 2 products, version 1.1"


VARIABLES: Mapping[str, Variable] = {
    item.id: item
    for item in (
        Variable("lai", "leaf area index", "m2 m-2", 0.0, 8.0, 0.001),
        Variable("fapar", "absorbed share of the active radiation", "1", 0.0, 0.94, 0.001),
        Variable("fcover", "share of the ground under green", "1", 0.0, 1.0, 0.001),
        Variable("ccc", "chlorophyll content of the canopy", "ug cm-2", 0.0, 600.0, 0.1),
        Variable("cwc", "water content of the canopy", "g cm-2", 0.0, 0.55, 0.0001),
    )
}
"""All biophysical variables by id."""

TABLE: Mapping[str, SpectralIndex | Variable] = {**INDICES, **VARIABLES}
"""Indices and biophysical variables: all that L3B makes, by id."""
