"""Events that were found against events that are known, one to one.

A found event may answer a true one of its parcel if its interval meets the true day, widened by a
tolerance to both sides. Each answers at most one: of all ways to pair them that pair the most, the
one with the smallest sum of differences in days is taken (maximum bipartite matching of least
weight; the original's tool counts an event that is met twice twice, which flatters).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from sen4cap.kernels.mowing import Events

Integers = NDArray[np.integer[Any]]

PAIRS = 500
"""About as many possible pairs are looked at together."""


def match_events(
    parcel: Integers, day: Integers, found: Events, tolerance: int
) -> NDArray[np.int64]:
    """Position in `found` of the event that answers each true one, -1 where none does.

    `parcel`, `day`: of the true events, shape (n,), in any order; parcels are numbered as in
    `found`, days counted as there. `tolerance` is in days. Returns shape (n,).
    """
    true, answer = _pairs(parcel, found.parcel)
    away = np.maximum(found.first[answer] - day[true], day[true] - found.last[answer])
    true, answer = true[away <= tolerance], answer[away <= tolerance]
    matched = np.full(len(parcel), -1, np.int64)
    alone = (np.bincount(true)[true] == 1) & (np.bincount(answer)[answer] == 1)
    matched[true[alone]] = answer[alone]
    true, answer = true[~alone], answer[~alone]
    for block in _blocks(parcel[true]):
        rows, row = np.unique(true[block], return_inverse=True)
        columns, column = np.unique(answer[block], return_inverse=True)
        cost = np.abs(found.day[answer[block]].astype(np.int64) - day[true[block]])
        chosen = _cheapest(row, column, cost, len(rows), len(columns))
        paired = chosen < len(columns)
        matched[rows[paired]] = columns[chosen[paired]]
    return matched


def _blocks(parcel: Integers) -> list[NDArray[np.int64]]:
    """Positions of pairs, those of a parcel together, some parcels at a time.

    The solver's time grows with the square of what it is given at once.
    """
    order = np.argsort(parcel, kind="stable")
    ordered = parcel[order]
    begins = np.flatnonzero(np.diff(ordered, prepend=-1))
    runs = np.unique(begins // PAIRS, return_index=True)[1]
    return np.split(order, begins[runs][1:]) if len(order) else []


def _pairs(left: Integers, right: Integers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of all pairs of equal numbers."""
    order = np.argsort(right, kind="stable")
    begin, end = (np.searchsorted(right[order], left, side=side) for side in ("left", "right"))
    first = np.repeat(np.arange(len(left)), end - begin)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin)
    return first, order[np.repeat(begin, end - begin) + offset].astype(np.int64)


def _cheapest(
    row: NDArray[np.int64], column: NDArray[np.int64], cost: Integers, rows: int, columns: int
) -> NDArray[np.int64]:
    """Column of each row; a row that is left over has a column of its own beyond the others.

    To leave a row over costs more than all differences together, so that the most are paired.
    """
    alone = np.arange(rows)
    nothing = np.full(rows, 2 * (int(cost.sum()) + len(cost) + 1))
    values = np.concatenate([cost + 1, nothing]).astype(np.float64)
    places = np.concatenate([row, alone]), np.concatenate([column, columns + alone])
    graph = csr_array((values, places), shape=(rows, columns + rows))
    _, chosen = min_weight_full_bipartite_matching(graph)
    return np.asarray(chosen, np.int64)
