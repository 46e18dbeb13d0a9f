"""p-values among those that are declared alike."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sen4cap.kernels.conformal import (
    merged_groups,
    p_values,
    p_values_if,
    p_values_of_others,
    ranking,
)


def test_p_values_by_definition() -> None:
    """(1 + others that conform no better) / (n + 1), counted one by one."""
    draw = np.random.default_rng(0)
    own = draw.integers(0, 12, 60) / 12
    group = draw.integers(0, 3, 60)
    expected = [
        (1 + sum(own[j] <= own[i] for j in range(60) if j != i and group[j] == group[i]))
        / ((group == group[i]).sum() - 1 + 1)
        for i in range(60)
    ]
    np.testing.assert_allclose(p_values(ranking(own, group, 3), own, group), expected)


def test_p_values_under_another_label_by_definition() -> None:
    draw = np.random.default_rng(1)
    own, if_other = draw.integers(0, 12, (2, 60)) / 12
    group, other = draw.integers(0, 3, (2, 60))
    expected = [
        (1 + sum(own[j] <= if_other[i] for j in range(60) if j != i and group[j] == other[i]))
        / (1 + sum(j != i and group[j] == other[i] for j in range(60)))
        for i in range(60)
    ]
    found = p_values_if(ranking(own, group, 3), if_other, other, own, group)
    np.testing.assert_allclose(found, expected)


def test_ties_make_p_larger() -> None:
    own, group = np.array([0.5, 0.5, 0.5, 0.9]), np.zeros(4, int)
    assert p_values(ranking(own, group, 1), own, group).tolist() == [0.75, 0.75, 0.75, 1.0]


def test_rightly_declared_parcels_are_uniform_among_other_folds() -> None:
    """Exchangeable parcels: the p-values of 4,000 in two groups differ from a uniform by chance."""
    draw = np.random.default_rng(2)
    group, fold = draw.integers(0, 2, 4000), draw.integers(0, 5, 4000)
    own = draw.beta(5 - 3 * group, 1)
    found = p_values_of_others(own, group, fold)
    for number in (0, 1):
        assert stats.kstest(found[group == number], "uniform").pvalue > 0.01


def test_coverage_of_exchangeable_parcels_is_the_level() -> None:
    draw = np.random.default_rng(3)
    for count in (60, 300, 3000):
        own, fold = draw.random(count), np.arange(count) % 5
        inside = (p_values_of_others(own, np.zeros(count, int), fold) > 0.1).sum()
        low, high = stats.binom.interval(0.99, count, 0.9)
        assert low <= inside <= high


def test_an_only_fold_says_nothing() -> None:
    none = np.zeros(3, int)
    assert p_values_of_others(np.array([0.1, 0.2, 0.3]), none, none).tolist() == [1, 1, 1]


def test_small_groups_are_merged_and_large_ones_are_split() -> None:
    """Six labels with parcels of the first and second half; groups of 10 and more."""
    counts = [(10, 12), (30, 9), (3, 4), (0, 10), (5, 5), (0, 0)]
    label = np.repeat(np.arange(6), [sum(pair) for pair in counts])
    half = np.concatenate([np.repeat([0, 1], pair) for pair in counts])
    table = merged_groups(label, half, 6, 10)
    assert table.tolist() == [[0, 1], [2, 2], [5, 5], [3, 3], [4, 4], [5, 5]]


@pytest.mark.parametrize("least", [1, 10_000])
def test_all_groups_alone_or_together(least: int) -> None:
    label, half = np.arange(40) % 4, np.arange(40) % 8 // 4
    table = merged_groups(label, half, 4, least)
    assert len(np.unique(table)) == (8 if least == 1 else 1)
