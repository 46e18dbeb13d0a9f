"""How good found events are: against those that are known, one to one (`event_matching`).

Rates come with the number they are of and Wilson's interval of 95 %; events of one parcel are
alike, so that the true intervals are somewhat wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sen4cap.kernels.accuracy import wilson_interval
from sen4cap.kernels.event_matching import match_events
from sen4cap.kernels.mowing import Events

Integers = NDArray[np.integer[Any]]
LATE = 90
"""Percentile of the date error that is told beside the median."""


@dataclass(frozen=True)
class Rate:
    """A share of `number`, 0-1, and its interval; NaN of none."""

    share: float
    number: int
    low: float
    high: float


def rate(part: int, number: int) -> Rate:
    """The rate of `part` among `number`."""
    share = part / number if number else float("nan")
    low, high = wilson_interval(share, number).tolist()
    return Rate(share, number, low, high)


@dataclass(frozen=True)
class EventScores:
    """Of some parcels; NaN where a figure is not defined."""

    parcels: int
    true: int
    found: int
    matched: int
    precision: Rate
    """Of the found events, those that answer a true one."""
    recall: Rate
    """Of the true events, those that are answered."""
    f1: float
    days_median: float
    """Of the absolute differences of the days of pairs."""
    days_mean: float
    days_p90: float
    days_bias: float
    """Mean of found less true day."""
    inside: Rate
    """Of the pairs, those whose interval holds the true day."""
    count_error: float
    """Mean absolute difference of the numbers of events per parcel."""
    right_count: Rate
    """Of the parcels, those with the right number of events."""


@dataclass(frozen=True)
class Compared:
    """True and found events of n parcels, and which answers which."""

    parcels: int
    parcel: Integers
    """Of the true events, 0 … n - 1; shape (t,)."""
    day: Integers
    """Of the true events, since 1970-01-01; shape (t,)."""
    found: Events
    answer: NDArray[np.int64]
    """Position of the found event that answers each true one, or -1; shape (t,)."""

    @classmethod
    def of(
        cls, parcels: int, parcel: Integers, day: Integers, found: Events, tolerance: int
    ) -> Compared:
        """Pair events whose interval is within `tolerance` days of the true day."""
        return cls(parcels, parcel, day, found, match_events(parcel, day, found, tolerance))

    def scores(self, members: NDArray[np.bool_] | None = None) -> EventScores:
        """Scores of all parcels, or of those of `members`, shape (n,)."""
        inside = np.ones(self.parcels, bool) if members is None else members
        true, found = inside[self.parcel], inside[self.found.parcel]
        paired = true & (self.answer >= 0)
        pair = self.found.take(self.answer[paired])
        off = pair.day.astype(np.int64) - self.day[paired]
        holds = (pair.first <= self.day[paired]) & (self.day[paired] <= pair.last)
        counts = [
            np.bincount(parcel, minlength=self.parcels)[inside]
            for parcel in (self.parcel, self.found.parcel)
        ]
        more, n, matched = np.abs(counts[0] - counts[1]), int(inside.sum()), int(paired.sum())
        total = int(true.sum()) + int(found.sum())
        return EventScores(
            parcels=n,
            true=int(true.sum()),
            found=int(found.sum()),
            matched=matched,
            precision=rate(matched, int(found.sum())),
            recall=rate(matched, int(true.sum())),
            f1=2 * matched / total if total else float("nan"),
            days_median=_or_nan(np.median, np.abs(off)),
            days_mean=_or_nan(np.mean, np.abs(off)),
            days_p90=_or_nan(lambda days: np.percentile(days, LATE), np.abs(off)),
            days_bias=_or_nan(np.mean, off),
            inside=rate(int(holds.sum()), matched),
            count_error=_or_nan(np.mean, more),
            right_count=rate(int((more == 0).sum()), n),
        )

    def reliability(self, edges: NDArray[np.floating]) -> list[tuple[float, float, float, Rate]]:
        """Per class of probability: its bounds, the mean one, and how many were true.

        `edges` ascend; a probability on one counts to the class above, the last edge to the last.
        Classes without events are left out.
        """
        hit = np.zeros(len(self.found.parcel), bool)
        hit[self.answer[self.answer >= 0]] = True
        probability = self.found.probability.astype(np.float64)
        place = np.clip(np.searchsorted(edges, probability, side="right") - 1, 0, len(edges) - 2)
        classes = []
        for number in np.unique(place):
            here = place == number
            classes.append(
                (
                    float(edges[number]),
                    float(edges[number + 1]),
                    float(probability[here].mean()),
                    rate(int(hit[here].sum()), int(here.sum())),
                )
            )
        return classes


def _or_nan(function: Any, values: NDArray[Any]) -> float:
    return float(function(values)) if len(values) else float("nan")
