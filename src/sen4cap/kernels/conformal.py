"""How unusual an element is among those that are said to be like it.

Mondrian conformal prediction (Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random
World, 4.5), cross-conformal over folds (Vovk 2015, Annals of Mathematics and Artificial
Intelligence 74: 9-28): the *conformity* of an element is the probability that a model, which has
not seen it, gives to its label. Among the n others of its group

    p = (1 + number of others that conform no better) / (n + 1)

If an element and its group are exchangeable, p ≤ a has at most the probability a, whatever the
model. Elements that conform equally count against each other, so that ties make p larger.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]


def merged_groups(label: Integers, half: Integers, labels: int, least: int) -> NDArray[np.int64]:
    """Group of each label and half, shape (labels, 2), so that groups have `least` elements.

    `label`: numbers from 0 below `labels`; `half`: 0 or 1; shape (n,). A label is split where each
    half has `least` elements. Labels with fewer than `least` in all share one group, which may stay
    smaller; it is the last. Groups are numbered in the order of labels and halves.
    """
    count = np.zeros((labels, 2), np.int64)
    np.add.at(count, (label, half), 1)
    large = count[:, 0] + count[:, 1] >= least
    split = np.minimum(count[:, 0], count[:, 1]) >= least
    width = np.where(split, 2, 1) * large
    first = np.cumsum(width) - width
    first[~large] = width.sum()
    inside: NDArray[np.int64] = first[:, None] + split[:, None] * np.arange(2)
    return inside


@dataclass(frozen=True)
class Ranking:
    """Conformities of the elements of each group, the least first."""

    ordered: NDArray[np.float64]
    """Group after group, shape (n,)."""
    start: NDArray[np.int64]
    """Those of group g are `ordered[start[g]:start[g + 1]]`; shape (groups + 1,)."""

    @property
    def size(self) -> NDArray[np.int64]:
        """Elements of each group, shape (groups,)."""
        return np.diff(self.start)

    def no_better(self, conformity: Floats, group: Integers) -> NDArray[np.int64]:
        """Elements of the group that conform no better; `conformity`, `group`: shape (k,)."""
        count = np.zeros(len(group), np.int64)
        for number in np.unique(group):
            here = group == number
            members = self.ordered[self.start[number] : self.start[number + 1]]
            count[here] = np.searchsorted(members, conformity[here], side="right")
        return count


def ranking(conformity: Floats, group: Integers, groups: int) -> Ranking:
    """Order the elements of `groups` groups; `conformity`, `group`: shape (n,)."""
    start = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=groups))])
    return Ranking(conformity[np.lexsort((conformity, group))].astype(np.float64), start)


def p_values(ranked: Ranking, conformity: Floats, group: Integers) -> NDArray[np.float64]:
    """p-value of each of the ranked elements among the others of its group, shape (n,).

    `conformity`, `group`: those that were ranked. The least possible one is 1 / size of the group.
    """
    p: NDArray[np.float64] = ranked.no_better(conformity, group) / ranked.size[group]
    return p


def p_values_if(
    ranked: Ranking, conformity: Floats, group: Integers, own: Floats, own_group: Integers
) -> NDArray[np.float64]:
    """p-value that each of the ranked elements would have under another label, shape (n,).

    `conformity`, `group`: under that label; `own`, `own_group`: those that were ranked. An element
    that is in the group already is not compared with itself.
    """
    inside = group == own_group
    others = ranked.size[group] - inside
    count = ranked.no_better(conformity, group) - (inside & (own <= conformity))
    p: NDArray[np.float64] = (1 + count) / (others + 1)
    return p


def p_values_of_others(conformity: Floats, group: Integers, fold: Integers) -> NDArray[np.float64]:
    """p-value of each element among those of its group in the other folds, shape (n,).

    What a new element would get; the share above 1 − level is the coverage at that level.
    """
    found = np.empty(len(group))
    groups = int(group.max(initial=-1)) + 1
    for number in np.unique(fold):
        here = fold == number
        others = ranking(conformity[~here], group[~here], groups)
        count = others.no_better(conformity[here], group[here])
        found[here] = (1 + count) / (others.size[group[here]] + 1)
    return found
