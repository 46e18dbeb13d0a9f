"""Forests, against scikit-learn's and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from sen4cap.kernels.forest import MISSING, Growth, Tree, coded, grown, shares

ALL = 2**62
NAN = np.nan


def overlapping(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Four classes in twelve columns, a fifth of the values missing."""
    draw = np.random.default_rng(seed)
    target = draw.choice(4, count, p=[0.5, 0.3, 0.15, 0.05])
    centres = np.random.default_rng(99).normal(0, 0.8, (4, 12))
    values = (centres[target] + draw.normal(size=(count, 12))).astype(np.float32)
    values[draw.random(values.shape) < 0.2] = NAN
    return values, target


def forest(
    values: NDArray[np.float32], target: NDArray[np.int64], growth: Growth, threads: int = 1
) -> list[Tree]:
    weight = np.ones(len(target))
    classes = int(target.max()) + 1
    return list(grown(coded(values), target, classes, weight, 60, growth, 7, threads))


@pytest.mark.parametrize("random", [False, True])
def test_as_good_as_scikit_learn(random: bool) -> None:
    """Accuracy on 3,000 new samples differs by less than 1.5 points, log loss by 5 %."""
    values, target = overlapping(1500, 0)
    new, truth = overlapping(3000, 1)
    kind = ExtraTreesClassifier if random else RandomForestClassifier
    peer = kind(60, min_samples_split=11, max_features=3, random_state=0).fit(values, target)
    growth = Growth(3, 11, random, not random, ALL)
    found = shares(forest(values, target, growth), new, 4)
    expected = peer.predict_proba(new)
    right = [np.mean(item.argmax(axis=1) == truth) for item in (found, expected)]
    assert right[1] > 0.6
    assert right[0] == pytest.approx(right[1], abs=0.015)
    loss = [-np.log(item[np.arange(3000), truth] + 1e-3).mean() for item in (found, expected)]
    assert loss[0] == pytest.approx(loss[1], rel=0.05)


@pytest.mark.parametrize("random", [False, True])
def test_threads_change_nothing(random: bool) -> None:
    values, target = overlapping(800, 2)
    growth = Growth(3, 2, random, not random, 500)
    one, three = (forest(values, target, growth, threads) for threads in (1, 3))
    for first, second in zip(one, three, strict=True):
        assert all(
            getattr(first, name).tobytes() == getattr(second, name).tobytes()
            for name in ("column", "threshold", "missing_left", "left", "share")
        )
    assert shares(one, values, 4, 1).tobytes() == shares(three, values, 4, 3).tobytes()


def test_a_tree_by_hand() -> None:
    """0 and 1 below 5.5, 2 above, and the missing value is of the class above."""
    values = np.array([[1.0], [2.0], [9.0], [10.0], [NAN]], np.float32)
    target = np.array([0, 0, 1, 1, 1])
    growth = Growth(columns=1, smallest_split=2, random=False, bootstrap=False, largest=ALL)
    (tree,) = grown(coded(values), target, 2, np.ones(5), 1, growth, 0)
    assert tree.column.tolist() == [0, -1, -1]
    assert tree.threshold[0] == 5.5
    assert not tree.missing_left[0]
    assert tree.share.tolist() == [[1, 0], [0, 1]]
    judged = shares([tree], np.array([[5.5], [5.6], [NAN]], np.float32), 2)
    assert judged.tolist() == [[1, 0], [0, 1], [0, 1]]


def test_missing_values_alone_can_part_a_node() -> None:
    values = np.array([[3.0, NAN], [3.0, NAN], [3.0, 1.0], [3.0, 2.0]], np.float32)
    target = np.array([0, 0, 1, 1])
    growth = Growth(2, 2, random=False, bootstrap=False, largest=ALL)
    trees = list(grown(coded(values), target, 2, np.ones(4), 20, growth, 0))
    judged = shares(trees, values, 2)
    assert (judged.argmax(axis=1) == target).all()


def test_columns_without_a_difference_make_a_leaf() -> None:
    values = np.array([[NAN, 1.0]] * 6, np.float32)
    growth = Growth(2, 2, random=False, bootstrap=False, largest=ALL)
    (tree,) = grown(coded(values), np.array([0, 1] * 3), 2, np.ones(6), 1, growth, 0)
    assert tree.share.tolist() == [[0.5, 0.5]]


def test_small_nodes_are_leaves_and_shares_are_weighted() -> None:
    values = np.arange(6, dtype=np.float32)[:, None]
    growth = Growth(1, 7, random=True, bootstrap=False, largest=ALL)
    weight = np.array([3.0, 1, 1, 1, 1, 1])
    (tree,) = grown(coded(values), np.array([0, 1, 1, 1, 1, 1]), 2, weight, 1, growth, 0)
    np.testing.assert_allclose(tree.share, [[3 / 8, 5 / 8]])


def test_codes_tell_how_many_thresholds_are_below() -> None:
    codes = coded(np.array([[0.0], [1.0], [1.0], [4.0], [NAN]], np.float32))
    assert codes.edges[0, :3].tolist() == [0.5, 2.5, np.inf]
    assert codes.code[0].tolist() == [0, 1, 1, 2, MISSING]
    many = np.random.default_rng(0).normal(size=(5000, 1)).astype(np.float32)
    count = np.bincount(coded(many).code[0])
    assert len(count) == 255
    assert count.max() <= 2 * 5000 / 255
