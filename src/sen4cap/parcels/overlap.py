"""Which parcels lie on each other: equal ones, overlapping ones, and ones that were split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from sen4cap.parcels.geometry import Bools, Floats, Geometries

ROWS_AT_ONCE = 50_000
"""Parcels whose neighbours are looked for together; bounds memory."""
MIN_SHARE = 0.5
"""A part belongs to the parcel that held more than half of it."""

Rows = NDArray[np.int64]


def duplicates(digests: NDArray[np.object_], numbers: Rows, usable: Bools) -> tuple[Bools, Bools]:
    """Which parcels share their geometry, and which of these are not the first of it.

    Parameters
    ----------
    digests
        Geometry hashes, shape (n,).
    numbers
        `NewID`, shape (n,); the lowest of equal ones is the first.
    usable
        Which take part; the others are neither.
    """
    table = pd.DataFrame({"digest": digests, "number": numbers})[usable]
    ordered = table.sort_values("number")
    shared, later = np.zeros(len(digests), bool), np.zeros(len(digests), bool)
    shared[ordered.index] = ordered["digest"].duplicated(keep=False)
    later[ordered.index] = ordered["digest"].duplicated(keep="first")
    return shared, later


def covered_share(geometries: Geometries) -> Floats:
    """Share of each geometry's area that the union of all others covers, 0-1, shape (n,).

    Ground that several others cover counts once. 0 for None.
    """
    shares = np.zeros(len(geometries))
    pieces = list(_common(geometries, geometries, same=True))
    if not pieces:
        return shares
    left, right, common = (np.concatenate(items) for items in zip(*pieces, strict=True))
    rows = np.concatenate([left, right])
    both = np.concatenate([common, common])
    order = np.argsort(rows, kind="stable")
    touched, covered = _union_areas(rows[order], both[order])
    shares[touched] = np.clip(covered / shapely.area(geometries[touched]), 0.0, 1.0)
    return shares


def _union_areas(rows: Rows, geometries: Geometries) -> tuple[Rows, Floats]:
    """Area of the union of the geometries of each row; `rows` is sorted."""
    touched, group, count = np.unique(rows, return_inverse=True, return_counts=True)
    areas: Floats = np.bincount(group, shapely.area(geometries)).astype(np.float64)
    several = count > 1
    if several.any():
        member = several[group]
        regrouped = (np.cumsum(several) - 1)[group[member]]
        gathered = shapely.geometrycollections(geometries[member], indices=regrouped)
        areas[several] = shapely.area(shapely.union_all(gathered[:, None], axis=1))
    return touched, areas


def _common(
    left: Geometries, right: Geometries, *, same: bool = False
) -> Iterator[tuple[Rows, Rows, Geometries]]:
    """Yield rows of `left`, rows of `right` and the ground they share, where it has an area."""
    tree = shapely.STRtree(right)
    for start in range(0, len(left), ROWS_AT_ONCE):
        part = left[start : start + ROWS_AT_ONCE]
        rows, others = tree.query(part, predicate="intersects")
        rows = rows + start
        if same:
            rows, others = rows[rows < others], others[rows < others]
        common = shapely.intersection(left[rows], right[others])
        solid = shapely.area(common) > 0
        yield rows[solid], others[solid], common[solid]


def parts_of(whole: Geometries, parts: Geometries) -> tuple[Rows, Rows]:
    """Rows of wholes and of the parts they were split into, sorted; two or more parts each.

    A part belongs to the whole that covers more than half of it.
    """
    found = [
        (rows[inside], others[inside])
        for rows, others, common in _common(whole, parts)
        if (inside := shapely.area(common) > MIN_SHARE * shapely.area(parts[others])).any()
    ]
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows, others = (np.concatenate(items) for items in zip(*found, strict=True))
    split = np.bincount(rows, minlength=len(whole))[rows] > 1
    order = np.lexsort((others[split], rows[split]))
    return rows[split][order], others[split][order]
