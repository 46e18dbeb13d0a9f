"""Lessons for the mowing model, and how its events are scored: training, benchmark and tests.

What is learnt from is put together here once, so that what a score was made with is what ships.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from sen4cap.kernels.event_matching import match_events
from sen4cap.kernels.mowing import Events, Kind
from sen4cap.kernels.mowing_labels import Truth
from sen4cap.processors.l4b_mowing.detector import detect, joined
from sen4cap.processors.l4b_mowing.learning import TOLERANCE, Lesson
from sen4cap.processors.l4b_mowing.model import Model
from sen4cap.simulate.meadows import meadows
from sen4cap.testing.meadows import FIRST, LAST, Field, taken

SIMULATED = 600
"""Meadows in each simulated year."""
SIMULATED_YEAR = 2021
SIMULATED_SEEDS = (1, 2)
"""Of the meadows seen by both sensors, and of those seen by radar alone."""
SIMULATED_WEIGHT, SIMULATED_RADAR_WEIGHT = 0.03, 0.1
"""Of a simulated candidate seen by Sentinel-2, and of one seen by radar alone."""
POINT_WEIGHTS = (1.0, 0.3, 0.1)
"""Of a point's candidate seen by Sentinel-2, by both, by radar alone. Like the weights above one
of six sets, by cross-validation within the training parts."""

Sensors = tuple[bool, bool]
"""Whether Sentinel-2 and whether Sentinel-1 is used."""
Rows = NDArray[np.bool_]


def observed(name: str, field: Field, sensors: Sensors, weight: float, judges: str = "") -> Lesson:
    """A lesson of parcels with observed events."""
    return Lesson(
        name,
        field.optical if sensors[0] else None,
        field.radar if sensors[1] else None,
        field.day(*FIRST),
        field.day(*LAST),
        field.truth,
        field.place,
        weight,
        judges,
    )


def simulated(sensors: Sensors, seed: int, judges: str = "") -> Lesson:
    """A lesson of simulated meadows."""
    made = meadows(SIMULATED, SIMULATED_YEAR, seed)
    days = (np.datetime64(f"{SIMULATED_YEAR}-{month:02}-{day:02}", "D")
            for month, day in (FIRST, LAST))  # fmt: skip
    first, last = (np.full(SIMULATED, day.astype(np.int64)) for day in days)
    return Lesson(
        f"simulated {seed}",
        made.optical if sensors[0] else None,
        made.radar if sensors[1] else None,
        first,
        last,
        made.truth,
        np.array([f"simulated {seed} {number}" for number in range(SIMULATED)]),
        SIMULATED_WEIGHT if sensors[0] else SIMULATED_RADAR_WEIGHT,
        judges,
    )


def lessons(cameras: Field | None, points: Field | None) -> list[Lesson]:
    """All there is to learn from, each sensor alone and both together."""
    parts: list[Lesson] = []
    if cameras is not None:
        parts.append(observed("cameras", cameras, (True, False), 1.0, "optical"))
    if points is not None:
        parts.append(observed("points, optical", points, (True, False), POINT_WEIGHTS[0]))
        parts.append(observed("points, both", points, (True, True), POINT_WEIGHTS[1]))
        parts.append(observed("points, radar", points, (False, True), POINT_WEIGHTS[2]))
    both, alone = SIMULATED_SEEDS
    parts.append(simulated((True, False), both, "" if parts else "optical"))
    parts.append(simulated((True, True), both))
    parts.append(simulated((False, True), alone, "radar"))
    return parts


def held_out(field: Field) -> Rows:
    """Parcels the shipped model saw nothing of: about a fifth of the places, by their names."""
    places = field.place.tolist()
    return np.array([crc32(f"held out {place}".encode()) % 5 == 0 for place in places], np.bool_)


def fold(field: Field, folds: int) -> NDArray[np.int64]:
    """Fold of each parcel: neighbours are in the same one."""
    return np.array([crc32(f"fold {place}".encode()) % folds for place in field.place.tolist()])


class Score(NamedTuple):
    """What events are worth against known ones."""

    right: int
    found: int
    known: int
    error: NDArray[np.int64]
    """Days between the best day and the true one, of those that are right."""
    probability: NDArray[np.float32]
    """Of the events found."""
    true: Rows
    """Whether each event found is right."""
    counted: Rows
    """Parcels whose number of mowings is right, shape (n,)."""
    decided: Rows
    """Parcels without an undecided event, shape (n,)."""

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.right / max(self.found + self.known, 1)

    @property
    def precision(self) -> float:
        """Share of the found that is right."""
        return self.right / max(self.found, 1)

    @property
    def recall(self) -> float:
        """Share of the known that is found."""
        return self.right / max(self.known, 1)


def events_of_field(
    field: Field, model: Model, sensors: Sensors = (True, False), *, undecided: bool = False
) -> Events:
    """Events of April to October, each parcel in its year."""
    first, last = field.day(4, 1), field.day(10, 31)
    blocks = []
    for year in np.unique(field.year):
        rows = field.year == year
        used = [
            taken(item, rows) if use and item is not None else None
            for item, use in zip((field.optical, field.radar), sensors, strict=True)
        ]
        period = int(first[rows][0]), int(last[rows][0])
        events = detect(used[0], used[1], period, model, undecided=undecided)
        blocks.append(events._replace(parcel=np.flatnonzero(rows)[events.parcel]))
    events = joined(blocks)
    return events.take(np.lexsort((events.day, events.parcel)))


def score(
    field: Field, events: Events, *, distance: Callable[[Events], Events] = lambda item: item
) -> Score:
    """Mowings of April to October against those known, one to one, within ten days."""
    parcels = len(field.year)
    known = _within(field.truth.of(Kind.MOWING), field)
    mown = distance(events.take(events.kind == Kind.MOWING))
    answer = match_events(known.parcel, known.first, mown, TOLERANCE)
    met = answer >= 0
    true = np.zeros(len(mown.parcel), np.bool_)
    true[answer[met]] = True
    numbers = (np.bincount(item.parcel, minlength=parcels) for item in (known, mown))
    open_ = events.parcel[events.kind == Kind.UNDECIDED]
    return Score(
        int(met.sum()),
        len(mown.parcel),
        len(known.parcel),
        np.abs(mown.day[answer[met]].astype(np.int64) - known.first[met]),
        mown.probability,
        true,
        np.equal(*numbers),
        np.bincount(open_, minlength=parcels) == 0,
    )


def to_the_day(events: Events) -> Events:
    """Events whose interval is their best day: the stricter way to match."""
    return events._replace(first=events.day, last=events.day)


def _within(truth: Truth, field: Field) -> Truth:
    first, last = field.day(4, 1)[truth.parcel], field.day(10, 31)[truth.parcel]
    inside = (truth.first >= first) & (truth.first <= last)
    return truth.take(inside)


def with_gaps(field: Field, days: int, seed: int) -> Field:
    """The parcels with one gap in the optical series each, around a mowing where there is one."""
    random = np.random.default_rng(seed)
    centre = field.day(7, 1) + random.integers(-45, 46, len(field.year))
    mown = field.truth.of(Kind.MOWING)
    centre[mown.parcel] = mown.first + random.integers(-days // 3, days // 3 + 1, len(mown.first))
    owner = np.repeat(np.arange(len(field.year)), np.diff(field.optical.start))
    hidden = np.abs(field.optical.day - centre[owner]) <= days / 2
    values = np.where(hidden, np.float32(np.nan), field.optical.values)
    return field._replace(optical=field.optical._replace(values=values))


def by_region(field: Field, region: str) -> Field:
    """The parcels of one region."""
    return field.take(field.region == region)
