"""Calibration, coverage, lights and wrong declarations: what holds on which data.

    python benchmarks/crop_type_decision.py ../shared/data [place:seeds …]

Places: demarke, demarke_grass, cawa, toulouse, generated. For each seed (folds, learner and swaps)
the learner is taught three times, out of fold each: on the declarations as they are, with 2 % of
them swapped (targets by class frequency), and with 2 % of those of look-alike crops swapped among
themselves. Figures are pooled over seeds; [a b] are Wilson's intervals of 95 %, which take parcels
of several seeds for different ones. On real data swaps compete with declarations that are wrong
already: those count as false reds and take places among the least conform.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sen4cap.kernels.calibration import expected_calibration_error, log_loss
from sen4cap.processors.l4a_crop_type.decision import Decision, Evidence, Light, decide
from sen4cap.processors.l4a_crop_type.model import Sample, out_of_fold
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.testing import declarations
from sen4cap.testing.declarations import Declared, swapped

SHARE, FIRST = 0.02, 0.05
"""Of declarations that are swapped, and of parcels that are looked at."""
COMMON, LARGE = 100, 300
"""Parcels of classes whose calibration, and of groups whose coverage is reported."""
DEFAULT = ("demarke:10", "demarke_grass:3", "cawa:5", "toulouse:1", "generated:3")
PARAMS = CropTypeParams(pa_min=1)

Flags = NDArray[np.bool_]


def rate(hits: float, total: float) -> str:
    low, high = stats.binomtest(int(hits), int(total)).proportion_ci(method="wilson")
    return f"{hits / total:.4f} [{low:.4f} {high:.4f}] n={int(total)}"


def judged(sample: Sample, seed: int) -> tuple[NDArray[np.floating], Decision]:
    params = PARAMS.model_copy(update={"seed": seed})
    probability = out_of_fold(sample, params, 2)
    given = Evidence(probability, sample.target, sample.fold, sample.teaches)
    return probability, decide(given, params)


def by_chance(said: NDArray[np.floating]) -> float:
    """Calibration error of few parcels where every probability is right."""
    draw = np.random.default_rng(0)
    came = draw.random((20, len(said))) < said
    return float(np.mean([expected_calibration_error(said, each) for each in came]))


def calibration(sample: Sample, raw: NDArray[np.floating], found: Decision) -> dict[str, float]:
    target, count = sample.target, np.bincount(sample.target, minlength=sample.classes)
    said = found.probability
    right = {name: p.argmax(axis=1) == target for name, p in (("raw", raw), ("own", said))}
    errors = [
        expected_calibration_error(said[:, number], target == number)
        for number in np.flatnonzero(count >= COMMON)
    ]
    return {
        "overall accuracy": right["own"].mean(),
        "log loss, not calibrated": log_loss(raw, target),
        "log loss": log_loss(said, target),
        "ECE, not calibrated": expected_calibration_error(raw.max(axis=1), right["raw"]),
        "ECE": expected_calibration_error(said.max(axis=1), right["own"]),
        "ECE, by chance alone": by_chance(said.max(axis=1)),
        "ECE, worst class": max(errors),
        "stray": found.scaling.stray,
    }


def coverage(found: Decision, names: tuple[str, ...]) -> Counter[str]:
    """By group: parcels covered and in all, and whether the share is as it must be."""
    told: Counter[str] = Counter()
    for group in found.groups:
        name = names[group.classes[0]] if len(group.classes) == 1 else "rare crops"
        told[f"in {name}"] += group.covered
        told[f"of {name}"] += group.parcels
        told[f"good {name}"] += _covers(group.covered, group.parcels)
        told[f"seeds {name}"] += 1
    return told


def _covers(covered: int, parcels: int) -> bool:
    """Within 2 points of the level, or where there are few, within what chance allows."""
    level = 1 - PARAMS.green_rate
    if parcels >= LARGE:
        return abs(covered / parcels - level) <= 0.02
    low, high = stats.binom.interval(0.95, parcels, level)
    return bool(low <= covered <= high)


def lights(found: Decision, wrong: Flags) -> Counter[str]:
    red, green = found.light == Light.RED, found.light == Light.GREEN
    first = found.rank <= np.ceil(FIRST * len(wrong))
    return Counter(
        swapped=int(wrong.sum()),
        kept=int((~wrong).sum()),
        first=int((first & wrong).sum()),
        decided=int((red | green).sum()),
        false_red=int((red & ~wrong).sum()),
        true_red=int((red & wrong).sum()),
        false_green=int((green & wrong).sum()),
    )


def report(place: str, data: Path, seeds: int) -> None:
    means: list[dict[str, float]] = []
    inside, swaps, alike = Counter[str](), Counter[str](), Counter[str]()
    for seed in range(seeds):
        given: Declared = getattr(declarations, place)(data, seed)
        raw, found = judged(given.sample, seed)
        means.append(calibration(given.sample, raw, found))
        inside += coverage(found, given.names)
        sample, wrong = swapped(given, SHARE, 1000 + seed)
        swaps += lights(judged(sample, seed)[1], wrong)
        if given.alike:
            sample, wrong = swapped(given, SHARE, 2000 + seed, alike=True)
            alike += lights(judged(sample, seed)[1], wrong)
    count = len(given.sample.target)
    print(f"{place}: {count} parcels, {len(given.names)} classes, {seeds} seeds")
    for name in means[0]:
        values = [item[name] for item in means]
        print(f"  {name:32s} {np.mean(values):.4f} (greatest {max(values):.4f})")
    _tell_coverage(inside)
    _tell_lights(swaps, "swaps")
    if alike:
        print(f"  {'look-alike swaps in first 5 %':32s} {rate(alike['first'], alike['swapped'])}")
    sys.stdout.flush()


def _tell_coverage(inside: Counter[str]) -> None:
    print(f"  coverage at {1 - PARAMS.green_rate:g}")
    for key in [key for key in inside if key.startswith("of ")]:
        name = key.removeprefix("of ")
        seeds = inside[f"seeds {name}"]
        share, size = inside[f"in {name}"] / inside[key], inside[key] / seeds
        good = f"as it must be for {inside[f'good {name}']} of {seeds} seeds"
        print(f"    {name:30s} {share:.4f} n={size:.0f} {good}")


def _tell_lights(found: Counter[str], title: str) -> None:
    everyone = found["swapped"] + found["kept"]
    print(f"  {title + ' in first 5 %':32s} {rate(found['first'], found['swapped'])}")
    print(f"  {'decided':32s} {rate(found['decided'], everyone)}")
    print(f"  {'false reds':32s} {rate(found['false_red'], found['kept'])}")
    print(f"  {'swaps that are red':32s} {rate(found['true_red'], found['swapped'])}")
    print(f"  {'swaps that are green':32s} {rate(found['false_green'], found['swapped'])}")


if __name__ == "__main__":
    for wanted in sys.argv[2:] or DEFAULT:
        name, _, number = wanted.partition(":")
        report(name, Path(sys.argv[1]), int(number or 10))
