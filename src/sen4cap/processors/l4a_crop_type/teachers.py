"""The parcels that a model is taught by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Teachers:
    """Parcels to learn from."""

    values: NDArray[np.floating]
    """Features, shape (n, k); NaN is missing."""
    target: NDArray[np.integer]
    """Class, numbered from 0, none left out, shape (n,)."""
    classes: int
    fold: NDArray[np.integer]
    """Fold of its block and holding, shape (n,)."""

    def __len__(self) -> int:
        return len(self.target)


def class_weights(target: NDArray[np.integer]) -> NDArray[np.float64]:
    """Weight of each parcel, inverse square root of its class's frequency; mean 1."""
    weight = 1 / np.sqrt(np.bincount(target))[target]
    normalised: NDArray[np.float64] = weight / weight.mean()
    return normalised
