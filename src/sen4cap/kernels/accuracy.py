"""Agreement of two classifications (Congalton 1991, Remote Sensing of Environment 37: 35-46).

A confusion matrix has predicted classes in rows and declared ones in columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.number]
Floats = NDArray[np.float64]

Z = 1.959964
"""Of the normal distribution: 95 % lie within so many standard deviations."""


def confusion_matrix(
    predicted: NDArray[np.integer],
    declared: NDArray[np.integer],
    classes: int,
    weights: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Number, or sum of weights, of elements per predicted (row) and declared (column) class.

    `predicted`, `declared`, `weights`: shape (n,), classes numbered from 0. Returns shape
    (classes, classes).
    """
    cell = predicted.astype(np.int64) * classes + declared
    total = np.bincount(cell, weights=weights, minlength=classes * classes)
    return total.reshape(classes, classes).astype(np.float64)


def overall_accuracy(matrix: Matrix) -> float:
    """Share on the diagonal; NaN of an empty matrix."""
    total = float(matrix.sum())
    return float(np.trace(matrix)) / total if total else float("nan")


def kappa(matrix: Matrix) -> float:
    """Agreement beyond chance (Cohen 1960); NaN where chance alone agrees fully."""
    total = float(matrix.sum())
    if not total:
        return float("nan")
    by_chance = float(matrix.sum(axis=0) @ matrix.sum(axis=1)) / total**2
    return (overall_accuracy(matrix) - by_chance) / (1 - by_chance) if by_chance < 1 else np.nan


def user_accuracy(matrix: Matrix) -> Floats:
    """Share of each predicted class that is declared so (precision); NaN if never predicted."""
    return _share(np.diagonal(matrix), matrix.sum(axis=1))


def producer_accuracy(matrix: Matrix) -> Floats:
    """Share of each declared class that is predicted so (recall); NaN if never declared."""
    return _share(np.diagonal(matrix), matrix.sum(axis=0))


def f1_score(matrix: Matrix) -> Floats:
    """Harmonic mean of user's and producer's accuracy; NaN if neither predicted nor declared."""
    return _share(2 * np.diagonal(matrix), matrix.sum(axis=0) + matrix.sum(axis=1))


def _share(part: Matrix, whole: Matrix) -> Floats:
    share = np.full(len(whole), np.nan)
    np.divide(part, whole, out=share, where=whole > 0)
    return share


def wilson_interval(share: Matrix | float, number: Matrix | float) -> Floats:
    """Wilson's score interval of shares among `number` elements, shape (..., 2); NaN of none.

    Wilson 1927, Journal of the American Statistical Association 22: 209-212. `number` may be
    broken.
    """
    p, n = np.broadcast_arrays(np.asarray(share, float), np.asarray(number, float))
    n = np.where(n > 0, n, np.nan)
    centre = p + Z**2 / (2 * n)
    half = Z * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    bounds = np.stack([centre - half, centre + half], axis=-1) / (1 + Z**2 / n)[..., None]
    return np.asarray(np.clip(bounds, 0, 1))
