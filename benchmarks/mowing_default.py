"""Time and memory of the default mowing method, beside its parts.

`python benchmarks/mowing_default.py [PARCELS] [THREADS]`: simulated meadows with 60 clear dates and
two tracks of 30 pairs each, repeated to so many parcels.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
from numpy.typing import NDArray

from sen4cap.kernels.series import Series
from sen4cap.processors.l4b_mowing.detector import detect, part
from sen4cap.processors.l4b_mowing.judging import judged
from sen4cap.processors.l4b_mowing.model import shipped
from sen4cap.simulate.meadows import meadows
from sen4cap.testing.meadows import taken

BASE = 1000
SEASON = 18628 + 90, 18628 + 303


def main(parcels: int = 1_000_000, threads: int = 2) -> None:
    """Print the time of all, and of the features and the trees of one block."""
    made = meadows(12 * BASE, 2021, 5)
    optical = repeated(thinned(made.optical, 60), parcels)
    radar = repeated(thinned(two_tracks(made.radar), 60), parcels)
    model = shipped()
    detect(part(optical, 0, 9), part(radar, 0, 9), SEASON, model)
    begin = time.perf_counter()
    events = detect(optical, radar, SEASON, model, threads=threads)
    spent = time.perf_counter() - begin
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{parcels:,} parcels, {len(optical.day) / parcels:.0f} dates and "
          f"{len(radar.day) / parcels:.0f} pairs each, {threads} threads: {spent:.1f} s, "
          f"{len(events.parcel):,} events, memory with all series {most:.1f} GiB")  # fmt: skip
    parts(optical, radar)


def parts(optical: Series, radar: Series) -> None:
    """Time of the parts, on one thread, per million parcels."""
    size = 8192
    first, last = (np.full(size, day, np.int64) for day in SEASON)
    block = part(optical, 0, size), part(radar, 0, size)
    begin = time.perf_counter()
    seen = judged(*block, first, last)
    middle = time.perf_counter()
    shipped().mowing(seen.values)
    end = time.perf_counter()
    print(f"per million on one thread: candidates and features {(middle - begin) / size * 1e6:.0f} "
          f"s, trees {(end - middle) / size * 1e6:.0f} s; {len(seen.values) / size:.1f} candidates "
          "per parcel")  # fmt: skip


def two_tracks(radar: Series) -> Series:
    """Pairs of the first two tracks."""
    kept = (radar.span == 6) & (radar.track >= 0) & (radar.track < 2)
    number = np.concatenate([[0], np.cumsum(kept)])
    return Series(
        number[radar.start], radar.day[kept], radar.values[:, kept], radar.track[kept],
        radar.span[kept],
    )  # fmt: skip


def thinned(series: Series, count: int) -> Series:
    """The first `BASE` parcels with at least `count` observations, so many of each."""
    enough = np.flatnonzero(np.diff(series.start) >= count)[:BASE]
    rows = np.zeros(len(series.start) - 1, np.bool_)
    rows[enough] = True
    chosen = taken(series, rows)
    keep = [spread(begin, end, count) for begin, end in zip(chosen.start, chosen.start[1:])]  # noqa: B905
    kept = np.concatenate(keep)
    return Series(
        np.arange(len(keep) + 1) * count, chosen.day[kept], chosen.values[:, kept],
        chosen.track[kept], chosen.span[kept],
    )  # fmt: skip


def spread(begin: int, end: int, count: int) -> NDArray[np.int64]:
    """So many positions between two, evenly."""
    return np.linspace(begin, end - 1, count).astype(np.int64)


def repeated(series: Series, parcels: int) -> Series:
    """The series over and over, for so many parcels."""
    base = len(series.start) - 1
    times = parcels // base
    size = np.tile(np.diff(series.start), times)
    return Series(
        np.concatenate([[0], np.cumsum(size)]),
        np.tile(series.day, times),
        np.tile(series.values, (1, times)),
        np.tile(series.track, times),
        np.tile(series.span, times),
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
