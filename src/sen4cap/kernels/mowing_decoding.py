"""From the probabilities of candidates to events: pooled, chosen with a least gap, counted.

A mowing often shows in two or three intervals, one after another. What speaks for each of them
speaks for the same event, so that the probability of an event at a candidate pools those near it:
1 less the product of all their (1 - p). Of all sets of candidates that keep the least gap, the
one with the greatest sum of log-odds over the threshold is taken, by dynamic programming.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sen4cap.kernels.mowing_candidates import Candidates

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

POOLED = 14
"""Days between the middles of candidates that may be one event."""
LEAST_GAP = 20
"""Days between the middles of events, at least."""
MOST_COUNTED = 12
"""Numbers of events that are told apart; more count as these."""


def pooled(found: Candidates, probability: NDArray[np.floating[Any]]) -> Doubles:
    """Probability that there is an event at or near a candidate, shape (k,).

    A candidate pools those within `POOLED` days that are not more probable than itself.
    """
    out = np.empty(len(probability))
    _pool(found, probability.astype(np.float64), out)
    return out


def chosen(found: Candidates, probability: Doubles, threshold: Doubles) -> Flags:
    """Candidates that are events, shape (k,): the best set above the threshold.

    `probability`: 0-1, both excluded, shape (k,). `threshold`: of each, the probability that is
    worth an event, shape (k,).
    """
    odds = np.log(probability / (1 - probability)) - np.log(threshold / (1 - threshold))
    take = np.zeros(len(odds), np.bool_)
    _choose(found, odds, take)
    return take


def peaks(found: Candidates, probability: Doubles, taken: Flags) -> Flags:
    """Further possible events beside those taken, shape (k,).

    From the most probable down, each that keeps the least gap to all that stand before it.
    """
    out = np.zeros(len(probability), np.bool_)
    _peak(found, probability, taken, out)
    return out


def counts(parcel: NDArray[np.int64], probability: Doubles, parcels: int) -> Doubles:
    """Probability of 0, 1, … `MOST_COUNTED` events for each parcel, shape (n, that + 1).

    `parcel`, `probability`: of the possible events, taken for independent (Poisson binomial).
    """
    out = np.zeros((parcels, MOST_COUNTED + 1))
    out[:, 0] = 1
    _count(parcel, probability, out)
    return out


@njit(nogil=True, cache=True)
def _middle(found: Candidates, here: int) -> float:
    return float(found.first[here] + found.last[here]) / 2


@njit(nogil=True, cache=True)
def _pool(found: Candidates, probability: Doubles, out: Doubles) -> None:
    begin = 0
    for end in range(1, len(probability) + 1):
        if end < len(probability) and found.parcel[end] == found.parcel[begin]:
            continue
        for here in range(begin, end):
            nothing = 1 - probability[here]
            for other in range(begin, end):
                close = abs(_middle(found, other) - _middle(found, here)) <= POOLED
                if other != here and close and probability[other] <= probability[here]:
                    nothing *= 1 - probability[other]
            out[here] = 1 - nothing
        begin = end


@njit(nogil=True, cache=True)
def _choose(found: Candidates, odds: Doubles, take: Flags) -> None:
    begin = 0
    for end in range(1, len(odds) + 1):
        if end < len(odds) and found.parcel[end] == found.parcel[begin]:
            continue
        _best_set(found, odds, begin, end, take)
        begin = end


@njit(nogil=True, cache=True)
def _best_set(found: Candidates, odds: Doubles, begin: int, end: int, take: Flags) -> None:
    size = end - begin
    order = begin + np.argsort(np.array([_middle(found, here) for here in range(begin, end)]),
                               kind="mergesort")  # fmt: skip
    best, before = np.zeros(size + 1), np.zeros(size + 1, np.int64)
    for number in range(1, size + 1):
        here = order[number - 1]
        free = number - 1
        while free > 0 and not _apart(found, order[free - 1], here):
            free -= 1
        with_it = best[free] + odds[here]
        best[number] = max(best[number - 1], with_it)
        before[number] = free if with_it > best[number - 1] else -1
    number = size
    while number > 0:
        if before[number] < 0:
            number -= 1
        else:
            take[order[number - 1]] = True
            number = before[number]


@njit(nogil=True, cache=True)
def _apart(found: Candidates, one: int, other: int) -> bool:
    return _middle(found, other) - _middle(found, one) >= LEAST_GAP


@njit(nogil=True, cache=True)
def _peak(found: Candidates, probability: Doubles, taken: Flags, out: Flags) -> None:
    begin = 0
    for end in range(1, len(probability) + 1):
        if end < len(probability) and found.parcel[end] == found.parcel[begin]:
            continue
        for here in begin + np.argsort(-probability[begin:end], kind="mergesort"):
            free = not taken[here]
            for other in range(begin, end):
                if taken[other] or out[other]:
                    free = free and abs(_middle(found, other) - _middle(found, here)) >= LEAST_GAP
            out[here] = free
        begin = end


@njit(nogil=True, cache=True)
def _count(parcel: NDArray[np.int64], probability: Doubles, out: Doubles) -> None:
    for event in range(len(parcel)):
        row, chance = out[parcel[event]], probability[event]
        row[MOST_COUNTED] += chance * row[MOST_COUNTED - 1]
        for number in range(MOST_COUNTED - 1, 0, -1):
            row[number] = row[number] * (1 - chance) + row[number - 1] * chance
        row[0] *= 1 - chance
