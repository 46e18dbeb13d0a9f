"""Series of many parcels at once: observations one after another, in the order of the parcels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Series(NamedTuple):
    """Observations of n parcels, k in all; a parcel may have none."""

    start: NDArray[np.int64]
    """Those of parcel i are `start[i]:start[i + 1]`; shape (n + 1,)."""
    day: NDArray[np.int32]
    """Days since 1970-01-01, not falling within a parcel; shape (k,)."""
    values: NDArray[np.float32]
    """Shape (signals, k); NaN is missing."""
    track: NDArray[np.int16]
    """Relative orbit, shape (k,); -1 where unknown."""
    span: NDArray[np.int16]
    """Days between the two images of a coherence pair, shape (k,); 0 for single images. `day` is
    that of the later one."""
