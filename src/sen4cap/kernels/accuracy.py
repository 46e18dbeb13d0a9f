"""Agreement of two classifications (Congalton 1991, Remote Sensing of Environment 37: 35-46).

A confusion matrix has predicted classes in rows and declared ones in columns.

Intervals hold 95 %. They take elements as independent of each other: neighbours are alike, so that
true ones are somewhat wider.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.number]
Floats = NDArray[np.float64]

Z = 1.959964
"""Of the normal distribution: 95 % lie within so many standard deviations."""
DRAWS = 2000
"""Matrices drawn for an interval."""


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
    broken, such as `effective_number`.
    """
    p, n = np.broadcast_arrays(np.asarray(share, float), np.asarray(number, float))
    n = np.where(n > 0, n, np.nan)
    centre = p + Z**2 / (2 * n)
    half = Z * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    bounds = np.stack([centre - half, centre + half], axis=-1) / (1 + Z**2 / n)[..., None]
    return np.asarray(np.clip(bounds, 0, 1))


def effective_number(weights: NDArray[np.floating]) -> float:
    """As many equal elements tell as much as these weighted ones (Kish 1965); 0 of none."""
    total = float((weights.astype(np.float64) ** 2).sum())
    return float(weights.sum(dtype=np.float64)) ** 2 / total if total else 0.0


def f1_interval(matrix: Matrix) -> Floats:
    """Interval of `f1_score`, shape (classes, 2); NaN where that is.

    F1 = 2·J / (1 + J), which grows with J, the share of those predicted or declared as a class
    that are both. Wilson's interval of J is carried over.
    """
    both = np.diagonal(matrix)
    either = matrix.sum(axis=0) + matrix.sum(axis=1) - both
    bounds = wilson_interval(_share(both, either), either)
    return 2 * bounds / (1 + bounds)


class Spread(NamedTuple):
    """Intervals of figures of a matrix, shape (2,) each; NaN where one is not defined."""

    kappa: Floats
    macro_f1: Floats


def macro_f1(matrix: Matrix, counted: NDArray[np.bool_]) -> float:
    """Mean F1 of the classes of `counted`, shape (classes,); NaN of none."""
    found = f1_score(matrix)[counted]
    return float(np.nan_to_num(found).mean()) if len(found) else float("nan")


def spread_of(matrix: Matrix, counted: NDArray[np.bool_], seed: int) -> Spread:
    """Intervals of `kappa` and `macro_f1`: of 2,000 matrices that this one leaves likely.

    The shares of the cells are drawn from their Dirichlet distribution, to which all cells together
    add one element, so that a matrix without errors has an interval too.
    """
    nothing = np.full(2, np.nan)
    if not matrix.sum():
        return Spread(nothing, nothing)
    cells = np.ravel(matrix).astype(np.float64) + 1 / matrix.size
    drawn = np.random.default_rng(seed).dirichlet(cells, DRAWS).reshape(-1, *matrix.shape)
    return Spread(
        _around(kappa(matrix), [kappa(one) for one in drawn]),
        _around(macro_f1(matrix, counted), [macro_f1(one, counted) for one in drawn]),
    )


def _around(figure: float, drawn: Sequence[float]) -> Floats:
    """The middle 95 % of what was drawn, as wide as to hold the figure; NaN where that is."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return np.array([np.minimum(low, figure), np.maximum(high, figure)])
