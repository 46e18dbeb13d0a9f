"""Lights of declarations, and the sentences that explain them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sen4cap.processors.l4a_crop_type.decision import (
    Decision,
    Evidence,
    Light,
    Why,
    decide,
    sentence_of,
    sentences,
)
from sen4cap.processors.l4a_crop_type.params import CropTypeParams

NAMES = ("grass", "maize", "beet")


def evidence(seed: int = 0, wrong: float = 0.0) -> tuple[Evidence, np.ndarray]:
    """1,800 parcels of two frequent crops and 60 of a rare one, fairly told apart by a learner.

    A share of declarations is `wrong`; the mask tells which.
    """
    draw = np.random.default_rng(seed)
    crop = np.repeat([0, 1, 2], [1200, 600, 60])
    logs = draw.normal(0, 1.2, (len(crop), 3)) + 5 * np.eye(3)[crop]
    probability = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    swapped = draw.random(len(crop)) < wrong
    declared = np.where(swapped, (crop + 1) % 2, crop)
    fold = draw.permutation(len(crop)) % 5
    return Evidence(probability, declared, fold, np.ones(len(crop), bool)), swapped


def counts(decision: Decision) -> dict[str, int]:
    return dict(zip(*np.unique(decision.light, return_counts=True), strict=True))


def test_reds_of_rightly_declared_parcels_stay_at_the_chosen_rate_in_each_group() -> None:
    for rate in (0.01, 0.05):
        given, swapped = evidence(wrong=0.02)
        found = decide(given, CropTypeParams(red_rate=rate, group_min=100))
        red = found.light == Light.RED
        for number in range(len(found.groups)):
            here = found.group == number
            assert red[here & ~swapped].mean() <= rate
            assert (found.p_declared[here] <= rate).mean() <= rate


def test_a_higher_rate_finds_more_and_decides_no_green() -> None:
    given, swapped = evidence(wrong=0.02)
    strict = decide(given, CropTypeParams(red_rate=0.01))
    loose = decide(given, CropTypeParams(red_rate=0.04))
    reds = [(item.light == Light.RED) & swapped for item in (strict, loose)]
    assert reds[0].sum() < reds[1].sum()
    assert reds[1].sum() > 0.8 * swapped.sum()
    np.testing.assert_array_equal(strict.light == Light.GREEN, loose.light == Light.GREEN)


def test_swapped_declarations_lead_the_ranking() -> None:
    given, swapped = evidence(wrong=0.02)
    found = decide(given, CropTypeParams())
    first = found.rank <= 0.05 * len(swapped)
    assert first[swapped].mean() > 0.95
    assert sorted(found.rank) == list(range(1, len(swapped) + 1))


def test_a_group_too_small_for_the_rate_is_never_red_and_says_so() -> None:
    """60 parcels: the least p-value is 1 in 60, above 1 %."""
    given, _ = evidence()
    probability = given.probability.copy()
    probability[-1] = 0.999, 0.0005, 0.0005
    found = decide(replace(given, probability=probability), CropTypeParams())
    rare = found.groups[-1]
    assert (rare.classes, rare.parcels, rare.reachable) == ((2,), 60, 1 / 60)
    assert found.p_declared[-1] == rare.reachable
    assert (found.light[-1], found.why[-1]) == (Light.YELLOW, Why.TOO_FEW)
    assert not (found.light[found.group == 2] == Light.RED).any()
    reachable = decide(replace(given, probability=probability), CropTypeParams(red_rate=0.02))
    assert (reachable.light[-1], reachable.why[-1]) == (Light.RED, Why.OTHER_CROP)


def test_small_parcels_are_compared_with_small_ones_where_there_are_enough() -> None:
    given, _ = evidence()
    small = np.arange(len(given.declared)) % 4 == 0
    found = decide(replace(given, teaches=~small), CropTypeParams(group_min=140))
    told = [(group.classes, group.large, group.parcels) for group in found.groups]
    assert told == [
        ((0,), False, 300),
        ((0,), True, 900),
        ((1,), False, 150),
        ((1,), True, 450),
        ((2,), None, 60),
    ]


def test_coverage_of_each_group_is_the_level() -> None:
    given, _ = evidence()
    found = decide(given, CropTypeParams(green_rate=0.1))
    for group in found.groups[:2]:
        assert group.covered / group.parcels == pytest.approx(0.9, abs=0.02)


def test_lights_follow_from_what_is_looked_at() -> None:
    """Five parcels of 1,000 that look unlike the rest, one of each sort."""
    draw = np.random.default_rng(0)
    declared = np.repeat([0, 1], [500, 500])
    own = 0.9 - 0.1 * draw.random(1000)
    own[[0, 1, 2, 3]] = 0.03, 0.02, 0.01, 0.52
    probability = np.stack([own, 1 - own, np.zeros(1000)], axis=1)
    probability[500:] = probability[500:, [1, 0, 2]]
    probability[2] = 0.01, 0.495, 0.495
    probability[4] = 0.45, 0.55, 0.0
    given = Evidence(probability, declared, np.arange(1000) % 5, np.ones(1000, bool))
    found = decide(given, CropTypeParams(red_rate=0.006))
    assert found.why[:5].tolist() == [
        Why.OTHER_CROP,
        Why.OTHER_CROP,
        Why.NO_CROP_CLEAR,
        Why.UNUSUAL,
        Why.OTHER_LIKELIER,
    ]
    assert found.why[600] == Why.AS_DECLARED
    np.testing.assert_array_equal(found.light, [Why(code).light for code in found.why])


def test_equal_parcels_are_treated_alike_in_any_order() -> None:
    given, _ = evidence(wrong=0.02)
    order = np.random.default_rng(9).permutation(len(given.declared))
    shuffled = Evidence(
        given.probability[order], given.declared[order], given.fold[order], given.teaches[order]
    )
    first, second = (decide(item, CropTypeParams()) for item in (given, shuffled))
    np.testing.assert_array_equal(first.light[order], second.light)
    np.testing.assert_allclose(first.p_declared[order], second.p_declared)


def test_sentences_say_what_the_numbers_say() -> None:
    given, _ = evidence(wrong=0.02)
    found = decide(given, CropTypeParams(red_rate=0.02))
    told = sentences(found, given.declared, NAMES)
    red = np.flatnonzero((found.why == Why.OTHER_CROP) & (found.p_declared < 0.01))[0]
    most = round(100 * found.probability[red].max())
    declared, other = NAMES[given.declared[red]], NAMES[found.probability[red].argmax()]
    assert told[red] == (
        f"Looks like {other} ({most} %); of 100 parcels rightly declared as {declared}, fewer "
        "than 1 looks so little like it."
    )
    for code in Why:
        assert sentence_of(code).endswith(".")
        for place in np.flatnonzero(found.why == code):
            assert "{" not in told[place]
            assert NAMES[given.declared[place]] in told[place]
    rare = replace(found, groups=(*found.groups[:2], replace(found.groups[2], classes=(1, 2))))
    assert (
        "one of the 2 rare crops"
        in sentences(rare, given.declared, NAMES)[(found.group == 2) & (found.why == Why.UNUSUAL)][
            0
        ]
    )
