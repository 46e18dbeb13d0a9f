"""Practices on arable land as the methods take and give them: many rows at once.

A row is a parcel under one practice; a parcel with two practices has two rows. Days are counted
from 1970-01-01, UTC; weeks are named by their Monday.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NOT_GIVEN = np.int32(np.iinfo(np.int32).min)
"""In place of a day that is not applicable, or not known: the original's NA."""
NOT_REACHED = np.int32(np.iinfo(np.int32).min + 1)
"""In place of a day of what did not happen, or cannot have happened yet: the original's NR."""
FEW_PIXELS = np.int32(np.iinfo(np.int32).min + 2)
"""In place of a day where too few radar pixels lie in the parcel: the original's NA1."""


class Practice(IntEnum):
    """What is looked for besides the harvest."""

    NONE = 0
    """Harvest only: the original's `NA`."""
    CATCH_CROP = 1
    FALLOW = 2
    NFC = 3
    """Nitrogen-fixing crop."""


class Code(IntEnum):
    """A sign of a row: yes, no, or why neither."""

    TRUE = 1
    FALSE = 0
    NA = -1
    FEW_PIXELS = -2
    NR = -3


class Grade(IntEnum):
    """How well the practice is seen to be carried out: the original's `C_INDEX`."""

    NA = -1
    NR = -3
    POOR = 1
    WEAK = 2
    MODERATE = 3
    STRONG = 4


class Work(IntEnum):
    """What happens on a field."""

    HARVEST = 0
    TILLAGE = 1
    REGROWTH = 2


class Rows(NamedTuple):
    """n rows, sorted by parcel; the series they belong to are in the same order of parcels."""

    parcel: NDArray[np.int64]
    """Position of the parcel in the series, not falling; shape (n,)."""
    practice: NDArray[np.uint8]
    """Codes of `Practice`; shape (n,)."""
    kind: NDArray[np.uint8]
    """Position of `P_TYPE` in the kinds that the method knows; 0 of none; shape (n,)."""
    crop: NDArray[np.uint8]
    """Position of the crop's group in the groups that the method knows; 0 of none; shape (n,)."""
    vegetation: NDArray[np.int32]
    """Day from which vegetation is looked for, `VEG_START`; shape (n,)."""
    harvest: NDArray[np.int32]
    """First and last day of harvest, `H_START` and `H_END`; shape (n, 2)."""
    window: NDArray[np.int32]
    """First and last day of the practice, `P_START` and `P_END`, or `NOT_GIVEN`; shape (n, 2)."""


class Weeks(NamedTuple):
    """The weeks of n rows, k in all, one after another in the order of the rows."""

    start: NDArray[np.int64]
    """Those of row i are `start[i]:start[i + 1]`; shape (n + 1,)."""
    monday: NDArray[np.int32]
    """Shape (k,)."""
    signs: NDArray[np.int8]
    """M1 to M5, codes of `Code`; shape (k, 5)."""


class Works(NamedTuple):
    """k events of n rows, sorted by row, then by day."""

    row: NDArray[np.int64]
    """Shape (k,)."""
    kind: NDArray[np.uint8]
    """Codes of `Work`; shape (k,)."""
    first: NDArray[np.int32]
    """First day on which it may have happened; shape (k,)."""
    last: NDArray[np.int32]
    """Last day on which it may have happened; shape (k,)."""
    day: NDArray[np.int32]
    """Best single day, `first <= day <= last`; shape (k,)."""
    probability: NDArray[np.float32]
    """0-1; NaN of rules, which know none; shape (k,)."""
    seen: NDArray[np.uint8]
    """Bits of `sen4cap.kernels.mowing.Seen`; shape (k,)."""


class Findings(NamedTuple):
    """What a method says of n rows."""

    signs: NDArray[np.int8]
    """M1 to M10, codes of `Code`; shape (n, 10). M1 to M5 are those of the last week."""
    last_week: NDArray[np.int32]
    """`L_WEEK`; shape (n,)."""
    harvest_week: NDArray[np.int32]
    """`H_WEEK`, or one of the codes above; shape (n,)."""
    radar_week: NDArray[np.int32]
    """`H_W_S1`, the same without optical images; shape (n,)."""
    tillage_week: NDArray[np.int32]
    """`TL_WEEK`; shape (n,)."""
    grade: NDArray[np.int8]
    """Codes of `Grade`; shape (n,)."""
    pixels: NDArray[np.int32]
    """`S1PIX`, radar pixels of the parcel; shape (n,)."""
    gaps: NDArray[np.int16]
    """`S1GAPS`, `H_S1GAPS`, `P_S1GAPS`, `H_W_S1GAPS`, weeks without radar, -1 where not applicable;
    shape (n, 4)."""
    quality: NDArray[np.int8]
    """`H_QUALITY`, `C_QUALITY`: codes of `Code`, 1 where doubtful; shape (n, 2)."""
    why: NDArray[np.uint8]
    """Position in the sentences of the method: what the grade rests on; shape (n,)."""
    probability: NDArray[np.float32]
    """That a harvest took place in its window, and that the practice was carried out; NaN of rules;
    shape (n, 2)."""
    weeks: Weeks
    works: Works
