"""The rules by hand calculation, and that no other parcel changes a parcel's result."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sen4cap.kernels.mowing import Events, Kind, Seen
from sen4cap.kernels.mowing_rules import (
    OpticalRule,
    RadarRule,
    apart,
    detect,
    deviations,
    falls,
    fused,
    jumps,
)
from sen4cap.kernels.series import Series
from sen4cap.testing import plain_mowing

ALWAYS = (-(10**6), 10**6)
Parcel = Sequence[tuple[int, float]]
"""Day and NDVI."""
Pair = tuple[int, float, int, int]
"""Day of the later image, coherence, track, length."""


def ndvi(*parcels: Parcel) -> Series:
    day = np.array([day for parcel in parcels for day, _ in parcel], np.int32)
    value = np.array([[value for parcel in parcels for _, value in parcel]], np.float32)
    track, span = np.full(len(day), -1, np.int16), np.zeros(len(day), np.int16)
    return Series(_starts(parcels), day, value, track, span)


def coherence(*parcels: Sequence[Pair], pixels: float = 100) -> Series:
    rows = [pair for parcel in parcels for pair in parcel]
    day, value, track, span = zip(*rows, strict=True) if rows else ((), (), (), ())
    values = np.array([value, [pixels] * len(rows)], np.float32)
    return Series(
        _starts(parcels),
        np.array(day, np.int32),
        values,
        np.array(track, np.int16),
        np.array(span, np.int16),
    )


def _starts(parcels: Sequence[Sequence[object]]) -> np.ndarray:
    return np.cumsum([0, *(len(parcel) for parcel in parcels)]).astype(np.int64)


def event(
    first: int, last: int, confidence: float, sensor: Seen = Seen.S2, parcel: int = 0
) -> Events:
    code = np.array([int(sensor)], np.uint8)
    evidence = [np.array([0.2 if sensor is seen else np.nan], np.float32) for seen in Seen]
    days = [np.array([day], np.int32) for day in (first, last, (first + last + 1) // 2)]
    kind, chance = np.zeros(1, np.uint8), np.array([confidence], np.float32)
    return Events(np.array([parcel]), *days, chance, kind, code, code, *evidence)


def all_of(*events: Events) -> Events:
    return Events(*(np.concatenate(parts) for parts in zip(*events, strict=True)))


def intervals(events: Events) -> list[tuple[int, int]]:
    return list(zip(events.first.tolist(), events.last.tolist(), strict=True))


def test_a_fall_is_an_event_between_its_two_observations() -> None:
    """0.8 - 0.5 - 0.12 = 0.18 is 0.36 of 0.5; 1 - 0.5 e^-0.36 = 0.6512."""
    found = falls(ndvi([(0, 0.8), (10, 0.5), (20, 0.55)]), OpticalRule(), ALWAYS)
    assert intervals(found) == [(0, 10)]
    assert found.day.tolist() == [5]
    assert found.probability == pytest.approx([0.65116], abs=1e-5)
    assert found.drop == pytest.approx([0.3], abs=1e-6)
    assert np.isnan(found.jump).all()
    assert (found.kind[0], found.seen[0], found.leading[0]) == (Kind.MOWING, Seen.S2, Seen.S2)


@pytest.mark.parametrize(
    "values",
    [
        [(0, 0.8), (10, 0.5), (12, 0.85)],  # 0.175 a day: a cloud went
        [(0, 0.95), (10, 0.76), (20, 0.7)],  # ends too high
        [(0, 0.5), (10, 0.3), (20, 0.3)],  # starts too low
        [(0, 0.8), (10, 0.69), (20, 0.6)],  # 0.11 is not more than 0.12
        [(0, 0.8), (10, 0.5)],  # not confirmed yet
        [(0, 0.8), (10, np.nan), (20, 0.7)],
    ],
)
def test_what_is_no_fall(values: Parcel) -> None:
    assert not len(falls(ndvi(values), OpticalRule(), ALWAYS).day)


def test_missing_and_corrupted_values_are_passed_over() -> None:
    values = [(0, 0.8), (3, 0.09), (5, np.nan), (10, 0.5), (12, -0.2), (20, 0.55)]
    assert intervals(falls(ndvi(values), OpticalRule(), ALWAYS)) == [(0, 10)]


def test_a_long_gap_is_cut_to_the_longest_interval() -> None:
    values = [(0, 0.8), (50, 0.5), (60, 0.55)]
    assert intervals(falls(ndvi(values), OpticalRule(), ALWAYS)) == [(20, 50)]


def test_observations_outside_the_period_do_not_count() -> None:
    values = ndvi([(0, 0.8), (10, 0.5), (20, 0.55)])
    assert intervals(falls(values, OpticalRule(), (0, 20))) == [(0, 10)]
    assert not len(falls(values, OpticalRule(), (1, 20)).day)
    assert not len(falls(values, OpticalRule(), (0, 19)).day)


def test_deviations_of_a_false_alarm_rate() -> None:
    """As Python's own normal distribution; 5.42 and 4.99 for the original's two rates."""
    for rate in (0.025, 3e-7, 3e-8):
        assert deviations(rate) == pytest.approx(NormalDist().inv_cdf(1 - rate), abs=1e-6)
    assert deviations(3e-8) == pytest.approx(5.4188, abs=1e-4)
    assert deviations(3e-7) == pytest.approx(4.9912, abs=1e-4)


@pytest.mark.parametrize(
    ("pixels", "least"),
    [(1, 0.8395), (10, 0.2655), (25, 0.1679), (50, 0.1187), (100, 0.0839), (400, 0.0420)],
)
def test_the_jump_that_coherence_needs(pixels: int, least: float) -> None:
    """5.4188 · sqrt(0.024 / n), above an even history."""
    for jump, count in ((least * 0.99, 0), (least * 1.01, 1)):
        series = [(6 * pair, 0.1, 15, 6) for pair in range(5)] + [(30, 0.1 + jump, 15, 6)]
        found = jumps(coherence(series, pixels=pixels), RadarRule(), ALWAYS)
        assert len(found.day) == count


def test_a_jump_is_an_event_one_pair_before() -> None:
    """The line through 0.30 … 0.34 ends at 0.34, without residuals; sigma is sqrt(0.024 / 100)."""
    series = [(6 * pair, 0.3 + 0.01 * pair, 15, 6) for pair in range(5)] + [(30, 0.44, 15, 6)]
    found = jumps(coherence(series), RadarRule(), ALWAYS)
    height = 0.1 / np.sqrt(0.024 / 100)
    assert intervals(found) == [(18, 24)]
    assert found.jump == pytest.approx([height], abs=1e-3)
    assert found.probability == pytest.approx([0.5 * (1 - np.exp(5.4188 - height))], abs=1e-3)


def test_twelve_day_pairs_have_intervals_of_their_own_length() -> None:
    series = [(12 * pair, 0.3, 15, 12) for pair in range(5)] + [(60, 0.6, 15, 12)]
    assert intervals(jumps(coherence(series), RadarRule(), ALWAYS)) == [(36, 48)]


def test_residuals_widen_what_is_normal() -> None:
    """Of 0.2 0.4 0.2 0.4 0.2: slope 0, deviation sqrt(0.048 / 5) = 0.098; 5.42 of them are 0.53."""
    past = [(6 * pair, (0.2, 0.4)[pair % 2], 15, 6) for pair in range(5)]
    for value, count in ((0.8, 0), (0.82, 1)):
        found = jumps(coherence([*past, (30, value, 15, 6)]), RadarRule(), ALWAYS)
        assert len(found.day) == count


def test_a_missing_pair_is_not_a_coherence_of_zero() -> None:
    past = [(6 * pair, 0.5, 15, 6) for pair in range(5)]
    rows = [*past, (30, np.nan, 15, 6), (36, 0.5, 15, 6)]
    assert not len(jumps(coherence(rows), RadarRule(), ALWAYS).day)


def test_tracks_and_lengths_do_not_mix() -> None:
    """Alternating levels of two tracks are no jumps; nor is what 12-day pairs lack."""
    rows = [(6 * pair, 0.3, 15, 6) for pair in range(9)]
    rows += [(6 * pair + 3, 0.7, 88, 6) for pair in range(9)]
    rows += [(6 * pair, 0.1, 15, 12) for pair in range(9)]
    assert not len(jumps(coherence(sorted(rows)), RadarRule(), ALWAYS).day)


def test_pairs_before_the_period_are_history() -> None:
    series = coherence([(6 * pair, 0.3, 15, 6) for pair in range(5)] + [(30, 0.6, 15, 6)])
    assert len(jumps(series, RadarRule(), (25, 40)).day) == 1
    assert not len(jumps(series, RadarRule(), (0, 29)).day)


def test_fusion_of_two_sensors() -> None:
    """1 - 1 / (1 / 0.2 + 1 / 0.6) = 0.85; the optical event gives the dates."""
    found = fused(event(10, 20, 0.8), event(15, 21, 0.4, Seen.S1), 1)
    assert intervals(found) == [(10, 20)]
    assert found.probability == pytest.approx([0.85])
    assert found.seen.tolist() == [Seen.S2 | Seen.S1]
    assert found.leading.tolist() == [Seen.S2]
    assert (found.drop[0], found.jump[0]) == pytest.approx((0.2, 0.2))


def test_radar_leads_where_it_is_surer() -> None:
    found = fused(event(10, 20, 0.3), event(15, 21, 0.4, Seen.S1), 1)
    assert intervals(found) == [(15, 21)]
    assert found.leading.tolist() == [Seen.S1]


def test_radar_alone_is_never_sure() -> None:
    """1 - 1 / (2 / 0.6) = 0.7, cut to 0.5."""
    radar = all_of(event(10, 16, 0.4, Seen.S1), event(15, 21, 0.4, Seen.S1))
    found = fused(radar.take(slice(0, 0)), radar, 1)
    assert found.probability.tolist() == [0.5]
    assert intervals(found) == [(10, 16)]


def test_what_does_not_overlap_stays_apart() -> None:
    found = fused(event(10, 20, 0.8), event(21, 27, 0.4, Seen.S1), 1)
    assert intervals(found) == [(10, 20), (21, 27)]
    assert found.probability == pytest.approx([0.8, 0.4])


def test_four_events_by_confidence_in_order_of_time() -> None:
    five = all_of(*(event(50 * at, 50 * at + 5, 0.5 + 0.1 * (at != 2)) for at in range(5)))
    kept = apart(five, 1, 45, 4, by_ends=False)
    assert intervals(kept) == [(0, 5), (50, 55), (150, 155), (200, 205)]


def test_the_two_distances() -> None:
    """Ends are 44 days apart, the start of one is 50 before the end of the other."""
    pair = all_of(event(0, 6, 0.6), event(44, 50, 0.7))
    assert len(apart(pair, 1, 45, 4, by_ends=False).day) == 2
    assert intervals(apart(pair, 1, 45, 4, by_ends=True)) == [(44, 50)]
    assert intervals(apart(pair, 1, 51, 4, by_ends=False)) == [(44, 50)]
    assert len(apart(pair, 1, 44, 4, by_ends=True).day) == 2


def test_parcels_without_observations_have_no_events() -> None:
    mown = [(0, 0.8), (10, 0.5), (20, 0.55)]
    found = detect(ndvi([], mown, [], mown[:2]), None, (OpticalRule(), RadarRule()), (ALWAYS,) * 2)
    assert found.parcel.tolist() == [1]
    empty = detect(ndvi(), coherence(), (OpticalRule(), RadarRule()), (ALWAYS,) * 2)
    assert not len(empty.day)


SENSORS = {(1, 1): "S2", (2, 2): "S1", (3, 1): "S2/S1", (3, 2): "S1/S2"}
"""By the bits of what is seen and of what leads."""


def test_the_rules_in_plain_python_find_the_same() -> None:
    """300 parcels of noise in which much happens; some values are missing."""
    rng = np.random.default_rng(5)
    rules = OpticalRule(non_overlap_interval_days=30), RadarRule(pfa=1e-2)
    optical, radar, tracks = [], [], []
    for _ in range(300):
        days = np.sort(rng.choice(200, 40, replace=False))
        values = np.where(rng.random(40) < 0.1, np.nan, rng.uniform(0, 0.95, 40))
        optical.append(
            [(int(day), float(np.float32(value))) for day, value in zip(days, values, strict=True)]
        )
        pairs = [
            (first + 6 * pair, float(np.float32(rng.uniform(0.1, 0.7))), orbit, span)
            for orbit, span, first in ((15, 6, 0), (88, 12, 2))
            for pair in range(0, 34, span // 6)
            if rng.random() > 0.1
        ]
        radar.append(sorted(pairs))
        tracks.append(
            [
                (span, [(day, value, 30.0) for day, value, orbit, _ in pairs if orbit == track])
                for track, span in ((15, 6), (88, 12))
            ]
        )
    found = detect(ndvi(*optical), coherence(*radar, pixels=30), rules, (ALWAYS,) * 2)
    for parcel in range(300):
        mine = found.take(found.parcel == parcel)
        plain = plain_mowing.detect(optical[parcel], tracks[parcel], rules)
        assert sorted(intervals(mine)) == [(event.first, event.last) for event in plain]
        codes = zip(mine.seen.tolist(), mine.leading.tolist(), strict=True)
        told = sorted(zip(intervals(mine), [SENSORS[code] for code in codes], strict=True))
        assert [sensors for _, sensors in told] == [event.sensors for event in plain]
        assert sorted(mine.probability.tolist()) == pytest.approx(
            sorted(event.confidence for event in plain), abs=1e-5
        )
    assert len(found.day) > 900
    assert len(set(found.seen.tolist())) == 3


LEVELS = st.sampled_from([0.05, 0.2, 0.35, 0.5, 0.65, 0.8, float("nan")])
OPTICAL = st.lists(st.tuples(st.integers(0, 200), LEVELS), max_size=25, unique_by=lambda x: x[0])
RADAR = st.lists(
    st.tuples(st.integers(0, 200), LEVELS, st.sampled_from([15, 88]), st.sampled_from([6, 12])),
    max_size=40,
    unique_by=lambda x: (x[0], x[2], x[3]),
)
LENIENT = (OpticalRule(non_overlap_interval_days=20), RadarRule(pfa=0.1, stat_smpl_n=3))


def found_in(parcels: Sequence[tuple[Parcel, Sequence[Pair]]]) -> Events:
    optical, radar = ([sorted(parcel[at]) for parcel in parcels] for at in (0, 1))
    return detect(ndvi(*optical), coherence(*radar, pixels=20), LENIENT, (ALWAYS, (20, 180)))


@given(st.lists(st.tuples(OPTICAL, RADAR), min_size=1, max_size=6), st.randoms())
def test_order_and_splits_of_parcels_change_nothing(
    parcels: list[tuple[Parcel, Sequence[Pair]]], chance: st.Random
) -> None:
    whole = found_in(parcels)
    order = list(range(len(parcels)))
    chance.shuffle(order)
    shuffled = found_in([parcels[at] for at in order])
    for position, parcel in enumerate(parcels):
        alone = found_in([parcel])
        for one in (whole.take(whole.parcel == position),
                    shuffled.take(shuffled.parcel == order.index(position))):  # fmt: skip
            for left, right in zip(one[1:], alone[1:], strict=True):
                assert_array_equal(left, right)


@given(st.tuples(OPTICAL, RADAR))
def test_what_is_found_is_a_well_formed_event(parcel: tuple[Parcel, Sequence[Pair]]) -> None:
    found = found_in([parcel])
    assert len(found.day) <= 4
    assert (found.first <= found.day).all()
    assert (found.day <= found.last).all()
    assert (np.diff(found.day) >= 0).all()
    assert ((found.probability > 0) & (found.probability < 1)).all()
    assert ((found.seen & found.leading) == found.leading).all()
