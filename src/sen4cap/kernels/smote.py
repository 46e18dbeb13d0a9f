"""Synthetic samples of rare classes (SMOTE; Chawla et al. 2002, JAIR 16: 321-357)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Floats = NDArray[np.float32]


def synthetic(
    values: NDArray[np.floating], count: int, neighbours: int, draw: np.random.Generator
) -> Floats:
    """So many points between samples of one class and their nearest neighbours.

    `values`: shape (n, k), none missing. Each point lies at a random place on the line from a
    sample, taken in turn in a random order, to one of its `neighbours` nearest ones, or as many as
    there are; a sample without any is repeated. Distances are Euclidean and not scaled. Returns
    shape (count, k). Memory: 8 bytes for each pair of samples.
    """
    samples = len(values)
    origin = np.resize(draw.permutation(samples), count)
    nearest = min(neighbours, samples - 1)
    if nearest < 1:
        return values[origin].astype(np.float32)
    distance = cdist(values, values)
    np.fill_diagonal(distance, np.inf)
    close = np.argsort(distance, axis=1, kind="stable")[:, :nearest]
    other = close[origin, draw.integers(nearest, size=count)]
    along = draw.random((count, 1))
    return (values[origin] + along * (values[other] - values[origin])).astype(np.float32)
