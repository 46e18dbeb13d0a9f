"""Spatial blocks and folds: neighbours are judged together by a model that saw none of them.

Random folds put a parcel's neighbours, often of the same farm and under the same cloud, among its
teachers, and flatter the accuracy (Roberts et al. 2017, Ecography 40: 913-929).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def square_blocks(x: NDArray[np.floating], y: NDArray[np.floating], edge: float) -> Integers:
    """Number of the square cell, counted from 0 by column then row, that holds each point.

    `x`, `y`: shape (n,), in the unit of `edge`; the cells are aligned to the origin of the
    coordinates, so that a point's cell does not depend on the other points.
    """
    cells = np.stack([np.floor(x / edge), np.floor(y / edge)], axis=1)
    _, block = np.unique(cells, axis=0, return_inverse=True)
    return block.reshape(-1).astype(np.int64)


def balanced_folds(block: Integers, folds: int, seed: int) -> Integers:
    """Fold (0 … folds - 1) of each element; elements of one block share their fold.

    `block`: shape (n,), numbers from 0. Blocks are dealt out in an order that the seed shuffles,
    each to the fold that holds the fewest elements so far: folds differ by no more elements than
    the fullest block has.
    """
    size = np.bincount(block)
    load = np.zeros(folds, np.int64)
    fold = np.zeros(len(size), np.int64)
    for index in np.random.default_rng(seed).permutation(len(size)):
        fold[index] = np.argmin(load)
        load[fold[index]] += size[index]
    return fold[block]
