"""The mowing rules as plain Python, parcel by parcel and date by date.

What the kernels are held against, in results and in speed. Written from the description of the
method, not from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, isnan, sqrt

import numpy as np

from sen4cap.kernels.mowing_rules import OpticalRule, RadarRule, deviations

Optical = Sequence[tuple[int, float]]
"""Day and NDVI, by day."""
Radar = Sequence[tuple[int, float, float]]
"""Day of the later image, coherence and pixels of one track, by day."""


@dataclass(frozen=True)
class Found:
    """An event."""

    first: int
    last: int
    confidence: float
    sensors: str
    """`S2`, `S1`; of both the one that gives the dates first."""


def detect(
    optical: Optical, tracks: Sequence[tuple[int, Radar]], rules: tuple[OpticalRule, RadarRule]
) -> list[Found]:
    """Events of one parcel by both sensors; tracks with the days between their images."""
    mown = _apart(_falls(optical, rules[0]), rules[0].non_overlap_interval_days, by_ends=False)
    moved = [event for days, track in tracks for event in _jumps(track, days, rules[1])]
    joined = _fused([*mown, *moved])
    return _apart(joined, rules[1].non_overlap_interval_days, by_ends=True)


def _falls(optical: Optical, rule: OpticalRule) -> list[Found]:
    clear = [(day, value) for day, value in optical if value >= rule.corrupted_th]
    found = []
    for (d0, v0), (d1, v1), (dt, vt) in zip(clear, clear[1:], clear[2:], strict=False):
        drop = v0 - v1 - rule.decreasing_abs_th
        if (
            drop > 0
            and (v1 - v0) / (d1 - d0) < rule.decreasing_rate_th
            and (vt - v1) / (dt - d1) < rule.increasing_rate_th
            and v1 < rule.high_abs_th
            and v0 > rule.low_abs_th
        ):
            confidence = min(1 - 0.5 * exp(-drop / v1), 0.999)
            found.append(Found(max(d0, d1 - rule.no_mowing_after_det), d1, confidence, "S2"))
    return found


def _jumps(track: Radar, span: int, rule: RadarRule) -> list[Found]:
    factor, n = deviations(rule.pfa), rule.stat_smpl_n
    seen = [item for item in track if not isnan(item[1])]
    found = []
    for at in range(n, len(seen)):
        day, value, pixels = seen[at]
        days, past = np.array([item[:2] for item in seen[at - n : at]]).T
        line = np.polyfit(days - days[-1], past, 1)
        sigma = float(np.std(past - np.polyval(line, days - days[-1])))
        if rule.saturate_sigma:
            sigma = max(sigma, sqrt(rule.min_cohe_var / max(pixels, 1)))
        excess = (value - float(line[1])) / sigma - factor
        if excess > 0:
            confidence = 0.5 * (1 - exp(-excess))
            found.append(Found(day - 2 * span, day - span, confidence, "S1"))
    return found


def _fused(events: Sequence[Found]) -> list[Found]:
    """Each event joins the surest one that it overlaps; optical ones do not join each other."""
    groups: list[list[Found]] = []
    for event in sorted(events, key=_rank):
        for group in groups:
            head = group[0]
            overlap = event.first <= head.last and head.first <= event.last
            if overlap and not event.sensors == head.sensors == "S2":
                group.append(event)
                break
        else:
            groups.append([event])
    return [_joined(group) for group in groups]


def _joined(group: Sequence[Found]) -> Found:
    confidence = 1 - 1 / sum(1 / (1 - event.confidence) for event in group)
    sensors = list(dict.fromkeys(event.sensors for event in group))
    if sensors == ["S1"]:
        confidence = min(confidence, 0.5)
    return replace(group[0], confidence=confidence, sensors="/".join(sensors))


def _rank(event: Found) -> tuple[float, bool, int, int]:
    return -event.confidence, event.sensors != "S2", event.last, event.first


def _apart(events: Sequence[Found], days: int, *, by_ends: bool, most: int = 4) -> list[Found]:
    kept: list[Found] = []
    for event in sorted(events, key=lambda item: (-item.confidence, item.last, item.first)):
        distances = [
            abs(event.last - other.last)
            if by_ends
            else max(event.last - other.first, other.last - event.first)
            for other in kept
        ]
        if all(distance >= days for distance in distances):
            kept.append(event)
    chosen = kept[:most]
    return sorted(chosen, key=lambda event: (event.first, event.last))
