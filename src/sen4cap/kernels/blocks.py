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


def blocks_of_holdings(block: Integers, holding: Integers, folds: int) -> Integers:
    """Block of each element, that of most elements of its holding; ties go to the lowest block.

    `block`, `holding`: shape (n,); a holding below 0 is none. A holding with more than its share
    of the folds' elements stays where it is: it would fill a fold alone.
    """
    size = np.bincount(holding + 1)[holding + 1]
    alone = (holding < 0) | (size > len(block) / folds)
    pair, count = np.unique(np.stack([holding, block])[:, ~alone], axis=1, return_counts=True)
    order = np.lexsort((pair[1], -count, pair[0]))
    owner, first = np.unique(pair[0, order], return_index=True)
    found = block.copy()
    found[~alone] = pair[1, order][first][np.searchsorted(owner, holding[~alone])]
    return found


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
