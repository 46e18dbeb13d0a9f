"""What is said of each declaration: calibrated probabilities, a p-value, and a traffic light."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sen4cap.processors.l4a_crop_type.params import CropTypeParams

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]


class Light(StrEnum):
    """What a declaration looks like from above."""

    GREEN = "conform"
    YELLOW = "not decided"
    RED = "not conform"


@dataclass(frozen=True)
class Evidence:
    """What is known of the judged parcels."""

    probability: Floats
    """Out of fold, not calibrated, shape (n, classes); rows add up to 1."""
    declared: Integers
    """Class declared, numbered from 0, shape (n,)."""
    fold: Integers
    """Fold that the parcel was judged in, shape (n,)."""
    teaches: NDArray[np.bool_]
    """Whether the parcel is large enough to learn from, shape (n,)."""


@dataclass(frozen=True)
class Group:
    """Classes whose declarations are compared with each other."""

    classes: tuple[int, ...]
    parcels: int
    """Declarations that the p-values of the group rest on."""
    reachable: float
    """Least p-value that a parcel of the group can get; above the false-red rate none is red."""


@dataclass(frozen=True)
class Decision:
    """What is said of the judged parcels, in their order."""

    probability: Floats
    """Calibrated, shape (n, classes); rows add up to 1."""
    p_declared: Floats
    """Conformal p-value of the declared class, shape (n,)."""
    light: NDArray[np.str_]
    """`Light` of each parcel, shape (n,)."""
    why: NDArray[np.str_]
    """Code of what the light rests on, shape (n,)."""
    group: Integers
    """Position of its group, shape (n,)."""
    groups: tuple[Group, ...]
    temperature: float
    """By which the logarithms of the probabilities were divided."""


def decide(evidence: Evidence, params: CropTypeParams) -> Decision:
    """Calibrate, compare each declaration with the others of its group, and show a light."""
    raise NotImplementedError
