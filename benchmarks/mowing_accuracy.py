"""How well the default mowing method does where it learnt nothing.

`python benchmarks/mowing_accuracy.py DATA` with the folder of the real data sets. Every rate stands
with its n and its Wilson interval at 95 %. A few minutes on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from sen4cap.kernels.accuracy import wilson_interval
from sen4cap.kernels.mowing import Kind
from sen4cap.processors.l4b_mowing.learning import learn
from sen4cap.processors.l4b_mowing.model import Model, shipped
from sen4cap.simulate.meadows import meadows
from sen4cap.testing import mowing
from sen4cap.testing.meadows import Field, cameras, points, salms

SEEDS = (0, 1, 2)
OPTICAL, BOTH, RADAR = (True, False), (True, True), (False, True)
FOLDS = 3
GAP = 30


def main(data: Path) -> None:
    """Print all tables."""
    folder = data / "ch_sk_grassland_mowing"
    plots, dots = cameras(folder), points(folder)
    swiss, slovak = (mowing.by_region(plots, region) for region in ("CH", "SK"))
    pooled = transfer(swiss, slovak, dots)
    print("\nReliability, both hold-outs and all seeds")
    reliability(pooled)
    print("\nShipped model, places it saw nothing of")
    kept = plots.take(mowing.held_out(plots))
    tell("cameras, held out", [mowing.score(kept, mowing.events_of_field(kept, shipped()))])
    grazing(kept, shipped())
    print("\nRadar beside optical, points, folds of places")
    radar_at_points(plots, dots)
    print("\nSimulated meadows that no model saw, shipped model")
    simulated(shipped())
    print("\nRadar alone, JRC SALMS, shipped model")
    meadow = salms(data / "jrc_salms_10parcels")
    tell(
        "coherence alone", [mowing.score(meadow, mowing.events_of_field(meadow, shipped(), RADAR))]
    )


def transfer(swiss: Field, slovak: Field, dots: Field) -> list[mowing.Score]:
    """Models of one country on plots of the other."""
    pooled = []
    print("Transfer")
    for name, taught, judged in (
        ("Slovak plots, points, simulation → Swiss plots", (slovak, dots), swiss),
        ("Swiss plots, points, simulation → Slovak plots", (swiss, dots), slovak),
        ("Swiss plots, simulation → Slovak plots", (swiss, None), slovak),
        ("simulation → Slovak plots", (None, None), slovak),
    ):
        models = [learn(mowing.lessons(*taught), seed) for seed in SEEDS]
        events = [mowing.events_of_field(judged, model) for model in models]
        scores = [mowing.score(judged, item) for item in events]
        tell(name, scores)
        days = [mowing.score(judged, item, distance=mowing.to_the_day) for item in events]
        print(f"    best day within 10 days: F1 {np.mean([item.f1 for item in days]):.3f}")
        open_ = [
            mowing.score(judged, mowing.events_of_field(judged, model, undecided=True))
            for model in models
        ]
        decided = sum(int(item.decided.sum()) for item in open_)
        right = sum(int((item.decided & item.counted).sum()) for item in open_)
        print(f"    decided {share(decided, sum(len(item.decided) for item in open_))}, "
              f"of these number right {share(right, decided)}", flush=True)  # fmt: skip
        if taught[1] is not None:
            pooled += scores
    return pooled


def reliability(scores: list[mowing.Score]) -> None:
    """Share of events that are true, by their probability."""
    probability = np.concatenate([item.probability for item in scores])
    true = np.concatenate([item.true for item in scores])
    for low in np.arange(0.4, 1.0, 0.1):
        here = (probability >= low) & (probability < low + 0.1)
        print(f"  {low:.1f}-{low + 0.1:.1f}: true {share(int(true[here].sum()), int(here.sum()))}")


def radar_at_points(plots: Field, dots: Field) -> None:
    """Points judged with and without radar, as they are and with a gap of 30 days."""
    fold = mowing.fold(dots, FOLDS)
    rows: dict[str, list[mowing.Score]] = {}
    for seed in SEEDS:
        for part in range(FOLDS):
            model = learn(mowing.lessons(plots, dots.take(fold != part)), seed)
            here = dots.take(fold == part)
            gap = mowing.with_gaps(here, GAP, seed)
            for name, field, sensors in (
                ("optical", here, OPTICAL), ("both", here, BOTH), ("radar", here, RADAR),
                ("optical, gap", gap, OPTICAL), ("both, gap", gap, BOTH),
            ):  # fmt: skip
                found = mowing.score(field, mowing.events_of_field(field, model, sensors))
                rows.setdefault(name, []).append(found)
    for name, scores in rows.items():
        tell(name, scores)


def simulated(model: Model) -> None:
    """Six hundred meadows of another year and seed, by each sensor, and with gaps."""
    made = meadows(600, 2022, 77)
    names = np.array([str(number) for number in range(600)])
    field = Field(names, names, np.full(600, 2022), made.optical, made.radar, made.truth)
    gap = mowing.with_gaps(field, GAP, 0)
    for name, where, sensors in (
        ("optical", field, OPTICAL), ("both", field, BOTH), ("radar", field, RADAR),
        ("optical, gap", gap, OPTICAL), ("both, gap", gap, BOTH),
    ):  # fmt: skip
        tell(name, [mowing.score(where, mowing.events_of_field(where, model, sensors))])


def grazing(field: Field, model: Model) -> None:
    """Grazings that are called so, and what is called so."""
    events = mowing.events_of_field(field, model)
    called = events.take(events.kind == Kind.GRAZING)
    truth = field.truth.of(Kind.GRAZING)
    met = [
        (called.parcel == parcel) & (called.first - 10 <= last) & (called.last + 10 >= first)
        for parcel, first, last, _ in zip(*truth, strict=True)
    ]
    table = np.array(met).reshape(len(met), len(called.parcel))
    print(f"    called grazing {len(called.parcel)}, right "
          f"{share(int(table.any(axis=0).sum()), table.shape[1])}; of known grazings found "
          f"{share(int(table.any(axis=1).sum()), table.shape[0])}")  # fmt: skip


def tell(name: str, scores: list[mowing.Score]) -> None:
    """One line per set, sums over seeds."""
    right, found, known = (sum(getattr(item, part) for item in scores)
                           for part in ("right", "found", "known"))  # fmt: skip
    single = " ".join(f"{item.f1:.3f}" for item in scores)
    error = np.concatenate([item.error for item in scores])
    counted = np.concatenate([item.counted for item in scores])
    print(f"  {name}: F1 {2 * right / max(found + known, 1):.3f} ({single})")
    print(f"    right {right}, false {found - right}, missed {known - right}; "
          f"P {share(right, found)}, R {share(right, known)}; "
          f"days off, median {np.median(error) if len(error) else np.nan:.1f}; "
          f"number right {share(int(counted.sum()), len(counted))}", flush=True)  # fmt: skip


def share(part: int, whole: int) -> str:
    """A rate with its n and Wilson interval."""
    if not whole:
        return "- (n 0)"
    low, high = wilson_interval(part / whole, whole).tolist()
    return f"{part / whole:.3f} [{low:.3f}, {high:.3f}] (n {whole})"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
