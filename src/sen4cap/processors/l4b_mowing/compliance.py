"""Whether parcels were mown as the rules of their crop group demand.

An event is known as an interval: it counts within a window that it meets, and against a rule only
where the whole interval does.

Codes are the original's: -1 no group, 0 not judged, 1 as demanded, 2 too few mowings within the
windows, 3 enough of them, but another rule is broken.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Sequence
from datetime import date, timedelta
from enum import IntFlag
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sen4cap.kernels.mowing import Events, Kind
from sen4cap.processors.l4b_mowing.rules import Group, Rules

UNKNOWN, NOT_JUDGED, MET, TOO_FEW, BROKEN = -1, 0, 1, 2, 3
EPOCH = date(1970, 1, 1)
IDLE = "Not judged: too little was seen of it."


class Span(NamedTuple):
    """First and last day, both included, since 1970-01-01."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{_date(self.first)} to {_date(self.last)}"


Spans = tuple[Span, ...]


class Breach(IntFlag):
    """What is broken."""

    TOO_FEW = 1
    OUTSIDE = 2
    FORBIDDEN = 4
    TOO_MANY = 8
    TOO_SOON = 16


class Verdict(NamedTuple):
    """One element per parcel."""

    code: NDArray[np.int8]
    sentence: NDArray[np.object_]


def judge(
    rules: Rules,
    crops: NDArray[Any],
    events: Events,
    judged: NDArray[np.bool_],
    year: int,
    searched: tuple[int, int],
) -> Verdict:
    """Judge n parcels.

    Parameters
    ----------
    crops
        Declared codes, text, shape (n,).
    events
        Of which the mowings count.
    judged
        Whether a parcel could be looked at, shape (n,).
    year
        In which the windows begin.
    searched
        First and last day that was looked at, since 1970-01-01.
    """
    code = np.full(len(crops), UNKNOWN, np.int8)
    sentence = _of_unknown(crops)
    mown = events.take(events.kind == Kind.MOWING)
    for group in rules.groups:
        members = np.isin(crops, group.crops)
        windows = spans(group.windows, year) or (Span(*searched),)
        forbidden = spans(group.forbidden, year)
        counts = _counted(group, mown, len(crops), windows, forbidden)
        codes = np.where(counts.breach == 0, MET, BROKEN)
        codes = np.where(counts.breach & Breach.TOO_FEW, TOO_FEW, codes)
        sentences = _sentences(group, counts, windows, forbidden, searched[1])
        idle = ~judged & (counts.total == 0)
        code[members] = np.where(idle, NOT_JUDGED, codes)[members]
        sentence[members] = np.where(idle, IDLE, sentences)[members]
    return Verdict(code, sentence)


def _of_unknown(crops: NDArray[Any]) -> NDArray[np.object_]:
    codes, which = np.unique(crops.astype(str), return_inverse=True)
    texts = [f"No rule for crop '{code}'." for code in codes]
    return np.array([*texts, ""], object)[which]


class _Counts(NamedTuple):
    """What the parcels did, by the rules of one group; shapes (n,)."""

    within: NDArray[np.int64]
    """Mowings that meet a window."""
    total: NDArray[np.int64]
    breach: NDArray[np.int64]
    """Bits of `Breach`."""


def _counted(group: Group, mown: Events, parcels: int, windows: Spans, forbidden: Spans) -> _Counts:
    meets, banned = np.zeros((2, len(mown.parcel)), bool)
    for span in windows:
        meets |= (mown.first <= span.last) & (mown.last >= span.first)
    for span in forbidden:
        banned |= (mown.first >= span.first) & (mown.last <= span.last)
    soon = np.zeros(len(mown.parcel), bool)
    same = mown.parcel[1:] == mown.parcel[:-1]
    soon[1:] = same & (mown.last[1:] - mown.first[:-1] < group.min_interval)

    def count(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(mown.parcel[chosen], minlength=parcels)

    within, total = count(meets), count(np.ones_like(meets))
    most = len(meets) if group.max_events is None else group.max_events
    broken = {
        Breach.TOO_FEW: within < group.min_events,
        Breach.OUTSIDE: (total > within) & group.exclusive,
        Breach.FORBIDDEN: count(banned) > 0,
        Breach.TOO_MANY: total > most,
        Breach.TOO_SOON: count(soon) > 0,
    }
    breach = sum(int(bit) * where.astype(np.int64) for bit, where in broken.items())
    return _Counts(within, total, np.asarray(breach))


def spans(windows: Sequence[tuple[str, str]], year: int) -> Spans:
    """Windows, given as `MM-DD`, that begin in a year."""
    return tuple(_span(first, last, year) for first, last in windows)


def _span(first: str, last: str, year: int) -> Span:
    """A window that begins in a year; it ends in the next one where its end comes first."""
    end = year + (last < first)
    return Span(_day(first, year), _day(last, end))


def _day(text: str, year: int) -> int:
    """Day of a year, since 1970-01-01; 29 February is the 28th where there is none."""
    month, day = int(text[:2]), int(text[3:])
    if (month, day) == (2, 29) and not isleap(year):
        day = 28
    return (date(year, month, day) - EPOCH).days


def _date(day: int) -> date:
    return EPOCH + timedelta(days=day)


def _sentences(
    group: Group, counts: _Counts, windows: Spans, forbidden: Spans, until: int
) -> NDArray[np.object_]:
    """One sentence per parcel; few of them differ."""
    rows = np.column_stack([counts.breach, counts.within, counts.total])
    kinds, which = np.unique(rows, axis=0, return_inverse=True)
    texts = [
        _sentence(group, Breach(breach), (within, total), windows, forbidden, until)
        for breach, within, total in kinds.tolist()
    ]
    return np.array([*texts, ""], object)[which.reshape(-1)]


def _sentence(
    group: Group,
    breach: Breach,
    count: tuple[int, int],
    windows: Spans,
    forbidden: Spans,
    until: int,
) -> str:
    within, total = count
    where = _or(windows)
    if not breach:
        return _capital(f"{_mown(within)} within {where}.")
    asked = f", {group.min_events} times asked" if group.min_events > 1 else ""
    still = f", looked at up to {_date(until)}" if until < windows[-1].last else ""
    told = {
        Breach.TOO_FEW: f"{_mown(within)} within {where}{asked}{still}",
        Breach.OUTSIDE: f"{_mown(total - within)} outside {where}",
        Breach.FORBIDDEN: f"mown within {_or(forbidden)}, when it must not be",
        Breach.TOO_MANY: f"{_mown(total)}, {group.max_events} allowed",
        Breach.TOO_SOON: f"mown again before {group.min_interval} days had passed",
    }
    return _capital("; ".join(words for bit, words in told.items() if bit in breach) + ".")


def _or(spans: Spans) -> str:
    return " or ".join(map(str, spans))


def _mown(count: int) -> str:
    return {0: "not mown", 1: "mown once", 2: "mown twice"}.get(count, f"mown {count} times")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
