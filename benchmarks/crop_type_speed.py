"""Time and memory of the default method against a random forest of scikit-learn.

    python benchmarks/crop_type_speed.py [rounds]

100,000 simulated parcels with 300 features and 25 crops: 25,000 teach, 75,000 are judged, with two
threads for either. Crops differ in when they start, how long they stand and how much they grow;
parcels of a crop differ among each other by as much as neighbouring crops do. Four optical markers,
45 % of their dekads missing, and two of radar with speckle; for each 36 dekads, ten statistics
and four quantiles of mid-season. Shares of crops fall with their rank; 2 % of all labels are wrong.
The forest has 300 trees; it gets the same values. The methods take turns, the least time counts.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from sen4cap.kernels.accuracy import confusion_matrix, f1_score, overall_accuracy
from sen4cap.kernels.features import Interval, interval_quantiles, season_statistics
from sen4cap.processors.l4a_crop_type.model import Sample, judge
from sen4cap.processors.l4a_crop_type.params import CropTypeParams

PARCELS, TEACHERS, CROPS, DEKADS = 100_000, 25_000, 25, 36
CORES = 2
OPTICAL = ((1.0, 0.2), (0.6, -0.1), (-0.4, 0.3), (0.5, 0.4))
"""Gain and offset of each optical marker in growth."""
RADAR = ((6.0, -14.0), (8.0, -17.0))
MID_SEASON = (Interval(9, 27, (0.25, 0.5, 0.75, 1.0)),)

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def growth(crop: Integers, draw: np.random.Generator) -> NDArray[np.float64]:
    """Green cover of each parcel in each dekad, shape (n, dekads)."""
    start, length = draw.uniform(3, 20, CROPS)[crop], draw.uniform(7, 20, CROPS)[crop]
    most = draw.uniform(0.4, 0.75, CROPS)[crop] * np.exp(draw.normal(0, 0.12, len(crop)))
    begin = start + draw.normal(0, 1.2, len(crop))
    end = begin + length + draw.normal(0, 1.2, len(crop))
    dekad = np.arange(DEKADS)
    rise = 1 / (1 + np.exp(begin[:, None] - dekad))
    fall = 1 / (1 + np.exp(end[:, None] - dekad))
    return most[:, None] * (rise - fall)


def simulated(seed: int) -> tuple[Floats, Integers]:
    """Features, shape (100,000, 300), and crops."""
    draw = np.random.default_rng(seed)
    share = 1 / np.arange(1, CROPS + 1)
    crop = draw.choice(CROPS, PARCELS, p=share / share.sum())
    green = growth(crop, draw)
    clear = draw.random(green.shape) < 0.55
    series = [
        np.where(clear, offset + gain * green + draw.normal(0, 0.05, green.shape), np.nan)
        for gain, offset in OPTICAL
    ]
    series += [
        offset + gain * green + draw.normal(0, 1.2, green.shape) + draw.normal(0, 0.7, (PARCELS, 1))
        for gain, offset in RADAR
    ]
    columns = [
        part
        for values in series
        for part in (values, season_statistics(values), interval_quantiles(values, MID_SEASON))
    ]
    wrong = draw.random(PARCELS) < 0.02
    declared = np.where(wrong, draw.choice(CROPS, PARCELS, p=share / share.sum()), crop)
    return np.concatenate(columns, axis=1).astype(np.float32), declared


def boosted(values: Floats, target: Integers) -> Integers:
    teaches = np.arange(PARCELS) < TEACHERS
    sample = Sample(values, target, CROPS, teaches, np.arange(PARCELS) % 5)
    return judge(sample, values[TEACHERS:], CropTypeParams(), CORES).argmax(axis=1)


def forest(values: Floats, target: Integers) -> Integers:
    model = RandomForestClassifier(300, random_state=0, n_jobs=CORES)
    model.fit(values[:TEACHERS], target[:TEACHERS])
    found: Integers = model.predict(values[TEACHERS:])
    return found


def timed(method: Callable[[Floats, Integers], Integers], *given: NDArray) -> tuple[float, str]:
    begin = time.perf_counter()
    predicted = method(*given)
    spent = time.perf_counter() - begin
    matrix = confusion_matrix(predicted, given[1][TEACHERS:], CROPS)
    macro = np.nan_to_num(f1_score(matrix)).mean()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    said = f"overall {overall_accuracy(matrix):.4f}, macro-F1 {macro:.4f}"
    return spent, f"{said}, peak memory so far {memory:.2f} GiB"


def main(rounds: int) -> None:
    values, target = simulated(0)
    print(f"{values.shape[0]} parcels, {values.shape[1]} features, {CROPS} crops")
    boosted(values[:, :20], target)  # compiles
    times: dict[str, list[float]] = {"boosted": [], "random forest": []}
    for _ in range(rounds):
        for title, method in (("boosted", boosted), ("random forest", forest)):
            spent, said = timed(method, values, target)
            times[title].append(spent)
            print(f"{title}: {spent:.1f} s, {said}", flush=True)
    ratio = min(times["boosted"]) / min(times["random forest"])
    print(f"time as a share of the forest's: {ratio:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
