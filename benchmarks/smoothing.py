"""How fast are a million series smoothed, and how much faster than solved one by one?

Seeded series of 60 dates at uneven distances, two values in five missing. The peer is scipy's
banded solver in a loop over some of the series, its time extrapolated to all of them; it gets the
penalty ready-made, as the kernel does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from sen4cap.kernels.smoothing import interpolated, penalty, whittaker

SMOOTHNESS, THREADS = 1e3, 2
Array = NDArray[Any]


def season(series: int, dates: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    days = np.sort(rng.choice(365, dates, replace=False)).astype(float)
    values = np.sin(days / 60, dtype=np.float32) + rng.normal(0, 0.1, (series, dates))
    values[rng.random(values.shape) < 0.4] = np.nan
    return days, values.astype(np.float32)


def one_by_one(days: Array, values: Array) -> Array:
    bands = penalty(days, SMOOTHNESS)
    curves = np.empty(values.shape)
    for row, series in enumerate(values):
        weights = (~np.isnan(series)).astype(float)
        left = np.array([bands[0] + weights, bands[1], bands[2]])
        curves[row] = solveh_banded(left, weights * np.nan_to_num(series), lower=True)
    return curves


def timed(label: str, work: Callable[[], Array]) -> tuple[Array, Array]:
    start, busy = time.perf_counter(), time.process_time()
    result = work()
    seconds, cpu = time.perf_counter() - start, time.process_time() - busy
    print(f"{label:<44} {seconds:7.2f} s {cpu:7.2f} CPU s")
    return np.array([seconds, cpu]), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--dates", type=int, default=60)
    parser.add_argument("--subset", type=int, default=20_000)
    asked = parser.parse_args()
    days, values = season(asked.series, asked.dates)
    dekads = np.arange(36) * 10.0 + 5

    def smooth(out_days: Array, **options: Any) -> Array:
        return whittaker(days, values, out_days, smoothness=SMOOTHNESS, **options)

    whittaker(days, values[:9], days, smoothness=SMOOTHNESS)  # compiled before it is timed
    interpolated(days, values[:9], dekads, max_gap=60)
    timed("Whittaker, own dates", lambda: smooth(days))
    ours, found = timed("Whittaker, own dates, 2 threads", lambda: smooth(days, threads=THREADS))
    timed("Whittaker, dekads, 2 threads", lambda: smooth(dekads, threads=THREADS))
    timed(
        "Whittaker, upper envelope, 2 threads",
        lambda: smooth(days, threads=THREADS, asymmetry=0.9),
    )
    timed(
        "lines, dekads, 2 threads",
        lambda: interpolated(days, values, dekads, max_gap=60, threads=THREADS),
    )
    few = values[: asked.subset]
    part, expected = timed(f"solveh_banded, {len(few)} series", lambda: one_by_one(days, few))
    theirs = part * len(values) / len(few)
    difference = np.abs(found[: len(few)] - expected).max()
    print(f"solveh_banded, extrapolated to {len(values)} series: {theirs[0]:.1f} s")
    faster, cheaper = theirs / ours
    print(f"{faster:.0f} times as fast, {cheaper:.0f} times by CPU time; ", end="")
    print(f"greatest difference: {difference:.1e} (float32)")


if __name__ == "__main__":
    main()
