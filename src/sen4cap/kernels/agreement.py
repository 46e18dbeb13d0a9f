"""How well estimates agree with measurements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Agreement:
    """Of pairs of an estimate and a measurement, in their unit; NaN where it is not defined."""

    count: int
    r: float
    """Pearson's correlation."""
    rmse: float
    """Root of the mean square difference."""
    bias: float
    """Mean of estimate less measurement."""
    slope: float
    """Of the least-squares line of the estimates over the measurements."""
    intercept: float


def agreement(estimated: Floats, measured: Floats) -> Agreement:
    """Agreement of two arrays of shape (n,); pairs with a NaN do not count."""
    both = np.isfinite(estimated) & np.isfinite(measured)
    y, x = estimated[both].astype(np.float64), measured[both].astype(np.float64)
    nothing = float("nan")
    if not len(x):
        return Agreement(0, nothing, nothing, nothing, nothing, nothing)
    difference = y - x
    rmse, bias = float(np.sqrt((difference**2).mean())), float(difference.mean())
    across, along = x - x.mean(), y - y.mean()
    spread, other = float(across @ across), float(along @ along)
    if len(x) < 2 or not spread:
        return Agreement(len(x), nothing, rmse, bias, nothing, nothing)
    slope = float(across @ along) / spread
    r = float(across @ along) / np.sqrt(spread * other) if other else nothing
    return Agreement(len(x), float(r), rmse, bias, slope, float(y.mean() - slope * x.mean()))
