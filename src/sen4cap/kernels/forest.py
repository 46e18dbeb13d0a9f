"""Forests of classification trees: of best splits (Breiman 2001), or of random ones (Geurts 2006).

Values are told apart by at most 254 thresholds per column, the quantiles of the training values; a
missing value goes to one side of each split, which is learnt with it. A split of a node is the one
of least Gini impurity among those of some columns, drawn anew for each node: of a column all
thresholds are tried (random forest), or one, drawn between its extremes in the node (extremely
randomised trees). Nodes smaller than a bound are leaves, as in ranger.

Each tree has its own stream of random numbers and the trees are added in their order: results do
not depend on the number of threads.

Breiman 2001, Machine Learning 45: 5-32. Geurts, Ernst & Wehenkel 2006, Machine Learning 63: 3-42.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]

THRESHOLDS = 254
"""Per column, at most."""
MISSING = np.uint8(255)
BLOCK = 10_000
"""Rows that a thread judges at a time."""
COUNTED = 96
"""From so many samples on counting sorts faster than insertion."""
NONE, ZERO = np.int64(-1), np.int64(0)
TINY = 1e-9
"""Share of a node's weight below which a side is empty but for rounding."""


@dataclass(frozen=True)
class Growth:
    """How trees grow."""

    columns: int
    """Drawn per node."""
    smallest_split: int
    """Nodes with fewer samples are leaves."""
    random: bool
    """One random threshold per column, instead of all."""
    bootstrap: bool
    """Each tree sees as many samples as there are, drawn with replacement; else each one once."""
    largest: int
    """Samples that a tree sees, at most."""


@dataclass(frozen=True)
class Tree:
    """Nodes in order of creation, the root first."""

    column: NDArray[np.int32]
    """Column of the split; -1 of a leaf, shape (nodes,)."""
    threshold: NDArray[np.float32]
    """Values up to it go left, shape (nodes,)."""
    missing_left: NDArray[np.bool_]
    """Where missing values go, shape (nodes,)."""
    left: NDArray[np.int32]
    """The left child; the right one follows it. Of a leaf its row of `share`; shape (nodes,)."""
    share: NDArray[np.float32]
    """Of each class in each leaf, shape (leaves, classes); rows add up to 1."""


@dataclass(frozen=True)
class Codes:
    """Training values as numbers of their thresholds."""

    code: NDArray[np.uint8]
    """Thresholds below each value, shape (k, n); 255 is missing."""
    edges: NDArray[np.float32]
    """Thresholds of each column, ascending, shape (k, 255); infinite behind the last one."""


def coded(values: Floats) -> Codes:
    """Thresholds that part the values of each column into equal shares, and the values by them.

    `values`: shape (n, k); NaN is missing. Columns of up to 255 values are resolved in full.
    """
    samples, columns = values.shape
    edges = np.full((columns, THRESHOLDS + 1), np.inf, np.float32)
    code = np.empty((columns, samples), np.uint8)
    for index in range(columns):
        column = np.ascontiguousarray(values[:, index], np.float32)
        known = ~np.isnan(column)
        found = _edges(column[known])
        edges[index, : len(found)] = found
        code[index] = np.where(known, np.searchsorted(found, column), MISSING)
    return Codes(code, edges)


def _edges(known: NDArray[np.float32]) -> NDArray[np.float32]:
    ordered = np.unique(known)
    if len(ordered) > THRESHOLDS + 1:
        ranks = np.linspace(0, 1, THRESHOLDS + 2)[1:-1]
        return np.unique(np.quantile(known, ranks, method="lower")).astype(np.float32)
    return ((ordered[:-1] + ordered[1:]) / 2).astype(np.float32)


def grown(
    codes: Codes,
    target: Integers,
    classes: int,
    weight: Floats,
    trees: int,
    growth: Growth,
    seed: int,
    threads: int = 1,
) -> Iterator[Tree]:
    """The trees in order, as they are asked for.

    `target`: class of each sample, numbered from 0; `weight`: of each sample; shape (n,) each.
    Memory: the trees that nobody has taken yet, at most two per thread; a tree holds up to
    `classes` values of 4 bytes for each sample that it sees.
    """
    kinds, weights = target.astype(np.int64), weight.astype(np.float64)
    states = np.random.SeedSequence(seed).generate_state(trees, np.uint64)

    def grow(state: np.uint64) -> Tree:
        draw = np.array([state], np.uint64)
        samples = _samples(len(kinds), growth.bootstrap, growth.largest, draw)
        members = _Members(samples, kinds[samples], weights[samples])
        size = growth.columns, growth.smallest_split, growth.random
        return Tree(*_grow(codes.code, codes.edges, members, classes, *size, draw))

    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, trees, 2 * threads):
            yield from pool.map(grow, states[start : start + 2 * threads])


def shares(
    trees: Sequence[Tree], values: Floats, classes: int, threads: int = 1
) -> NDArray[np.float64]:
    """Share of each class in the leaves that each row falls into, mean over the trees.

    `values`: shape (n, k), NaN is missing. Returns shape (n, classes), rows add up to 1.
    """
    total = np.zeros((len(values), classes))

    def add(block: slice) -> None:
        rows = np.ascontiguousarray(values[block], np.float32)
        for tree in trees:
            fields = tree.column, tree.threshold, tree.missing_left, tree.left, tree.share
            _add(*fields, rows, total[block])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(add, [slice(at, at + BLOCK) for at in range(0, len(values), BLOCK)]))
    return total / max(len(trees), 1)


@njit(nogil=True, cache=True)
def _draw(state: NDArray[np.uint64], below: int) -> int:
    """A number from 0 to `below` - 1 (SplitMix64)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    mixed = state[0]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return int((mixed >> np.uint64(11)) * (below / 9007199254740992.0))


class _Members(NamedTuple):
    """Samples of a tree, those of a node beside each other, shape (n,) each."""

    sample: NDArray[np.int32]
    kind: NDArray[np.int64]
    weight: NDArray[np.float64]


class _Room(NamedTuple):
    """What a node works with."""

    node: NDArray[np.float64]
    """Weight of each class in the node."""
    left: NDArray[np.float64]
    """The same on the left of a split; 0 between two splits."""
    order: NDArray[np.int32]
    """Places of the node's samples in order of their codes."""
    candidates: NDArray[np.int64]
    """All columns; the drawn ones first."""


class _Split(NamedTuple):
    purity: float
    """Sum of squared class weights over weight, of both sides; the higher the less impure."""
    column: np.int64
    """`NONE` where nothing parts the node."""
    code: np.int64
    missing_left: bool


@njit(nogil=True, cache=True)
def _samples(
    count: int, bootstrap: bool, largest: int, state: NDArray[np.uint64]
) -> NDArray[np.int32]:
    """Samples that a tree sees, as often as it does."""
    order = np.arange(count, dtype=np.int32)
    size = min(count, largest)
    if bootstrap:
        for place in range(size):
            order[place] = _draw(state, count)
        return order[:size]
    for place in range(size):
        other = place + _draw(state, count - place)
        order[place], order[other] = order[other], order[place]
    return order[:size]


@njit(nogil=True, cache=True)
def _grow(
    codes: NDArray[np.uint8],
    edges: NDArray[np.float32],
    members: _Members,
    classes: int,
    columns: int,
    smallest_split: int,
    random: bool,
    state: NDArray[np.uint64],
) -> tuple[
    NDArray[np.int32],
    NDArray[np.float32],
    NDArray[np.bool_],
    NDArray[np.int32],
    NDArray[np.float32],
]:
    """The fields of a tree; nodes are dealt with in order of creation."""
    count = len(members.sample)
    column, child = np.full(2 * count, NONE, np.int32), np.zeros(2 * count, np.int32)
    threshold, missing_left = np.zeros(2 * count, np.float32), np.zeros(2 * count, np.bool_)
    begin, end = np.zeros(2 * count, np.int32), np.zeros(2 * count, np.int32)
    share = np.zeros((count, classes), np.float32)
    room = _Room(
        np.zeros(classes), np.zeros(classes), np.zeros(count, np.int32), np.arange(len(codes))
    )
    end[0] = count
    nodes, leaves, at = 1, 0, 0
    while at < nodes:
        inside = _Members(
            members.sample[begin[at] : end[at]],
            members.kind[begin[at] : end[at]],
            members.weight[begin[at] : end[at]],
        )
        room.node[:] = 0
        for place in range(len(inside.kind)):
            room.node[inside.kind[place]] += inside.weight[place]
        split = _Split(-1.0, NONE, ZERO, False)
        if len(inside.kind) >= smallest_split and room.node.max() < room.node.sum():
            split = _split(codes, inside, room, columns, random, state)
        if split.column == NONE:
            share[leaves] = room.node / room.node.sum()
            child[at] = leaves
            leaves += 1
        else:
            column[at], missing_left[at] = split.column, split.missing_left
            threshold[at] = edges[split.column, split.code]
            middle = begin[at] + _part(codes[split.column], split, inside)
            begin[nodes], end[nodes] = begin[at], middle
            begin[nodes + 1], end[nodes + 1] = middle, end[at]
            child[at] = nodes
            nodes += 2
        at += 1
    return column[:nodes], threshold[:nodes], missing_left[:nodes], child[:nodes], share[:leaves]


@njit(nogil=True, cache=True)
def _split(
    codes: NDArray[np.uint8],
    inside: _Members,
    room: _Room,
    columns: int,
    random: bool,
    state: NDArray[np.uint64],
) -> _Split:
    """The best split by so many columns that part the node, or by all where there are fewer."""
    best, drawn, parting = _Split(-1.0, NONE, ZERO, False), 0, 0
    total, squares = room.node.sum(), (room.node * room.node).sum()
    while drawn < len(codes) and parting < columns:
        other = drawn + _draw(state, len(codes) - drawn)
        column = room.candidates[other]
        room.candidates[other] = room.candidates[drawn]
        room.candidates[drawn] = column
        drawn += 1
        if random:
            found = _at_random(codes[column], inside, room, total, squares, column, state)
        else:
            found = _of_all(codes[column], inside, room, total, squares, column)
        parting += found.column != NONE
        if found.purity > best.purity:
            best = found
    return best


@njit(nogil=True, cache=True)
def _at_random(
    code: NDArray[np.uint8],
    inside: _Members,
    room: _Room,
    total: float,
    squares: float,
    column: np.int64,
    state: NDArray[np.uint64],
) -> _Split:
    """A split at the value of a sample drawn from the node, missing values to either side."""
    at = code[inside.sample[_draw(state, len(inside.sample))]]
    missing_left = _draw(state, 2) == 1
    if at == MISSING:
        return _Split(-1.0, NONE, ZERO, False)
    on_left, squares_left, common = 0.0, 0.0, 0.0
    for place in range(len(inside.sample)):
        value = code[inside.sample[place]]
        if value <= at or (missing_left and value == MISSING):
            kind, weight = inside.kind[place], inside.weight[place]
            squares_left += weight * (2 * room.left[kind] + weight)
            common += weight * room.node[kind]
            room.left[kind] += weight
            on_left += weight
    for kind in inside.kind:
        room.left[kind] = 0.0
    on_right = total - on_left
    if on_right <= TINY * total:
        return _Split(-1.0, NONE, ZERO, False)
    squares_right = squares - 2 * common + squares_left
    purity = squares_left / on_left + squares_right / on_right
    return _Split(purity, column, np.int64(at), missing_left)


@njit(nogil=True, cache=True)
def _of_all(
    code: NDArray[np.uint8],
    inside: _Members,
    room: _Room,
    total: float,
    squares: float,
    column: np.int64,
) -> _Split:
    """The best split among all thresholds, missing values on the right or on the left."""
    order = room.order[: len(inside.sample)]
    if len(order) < COUNTED:
        known = _insert(code, inside.sample, order)
    else:
        known = _count(code, inside.sample, order)
    gaps = known < len(order)
    best = _sweep(code, inside, room, order[:known], order[:0], (total, squares, gaps), column)
    if gaps:
        missing = order[known:]
        whole = total, squares, False
        found = _sweep(code, inside, room, order[:known], missing, whole, column)
        if found.purity > best.purity:
            best = found
    return best


@njit(nogil=True, cache=True)
def _sweep(
    code: NDArray[np.uint8],
    inside: _Members,
    room: _Room,
    known: NDArray[np.int32],
    missing: NDArray[np.int32],
    whole: tuple[float, float, bool],
    column: np.int64,
) -> _Split:
    """The best threshold when the samples go to the left one by one, the missing ones first.

    `whole`: weight and squared class weights of the node, and whether samples stay on the right
    when all known ones are on the left.
    """
    total, squares, others = whole
    last = len(missing) + len(known) - 1
    purity, at = -1.0, np.int64(NONE)
    on_left, squares_left, common = 0.0, 0.0, 0.0
    for index in range(len(missing) + len(known)):
        first = index < len(missing)
        place = missing[index] if first else known[index - len(missing)]
        kind, weight = inside.kind[place], inside.weight[place]
        squares_left += weight * (2 * room.left[kind] + weight)
        common += weight * room.node[kind]
        room.left[kind] += weight
        on_left += weight
        if first or (index == last and not others):
            continue
        value = code[inside.sample[place]]
        if index == last or value != code[inside.sample[known[index - len(missing) + 1]]]:
            on_right = total - on_left
            squares_right = squares - 2 * common + squares_left
            found = squares_left / on_left + squares_right / on_right
            if found > purity:
                purity, at = found, np.int64(value)
    for kind in inside.kind:
        room.left[kind] = 0.0
    if at == NONE:
        return _Split(-1.0, NONE, ZERO, False)
    return _Split(purity, column, at, len(missing) > 0)


@njit(nogil=True, cache=True)
def _count(code: NDArray[np.uint8], samples: NDArray[np.int32], order: NDArray[np.int32]) -> int:
    """Put the places of samples in the order of their codes; how many are not missing."""
    start = np.zeros(257, np.int64)
    for sample in samples:
        start[int(code[sample]) + 1] += 1
    missing: int = start[256]
    for value in range(256):
        start[value + 1] += start[value]
    for place in range(len(samples)):
        value = int(code[samples[place]])
        order[start[value]] = place
        start[value] += 1
    return len(samples) - missing


@njit(nogil=True, cache=True)
def _insert(code: NDArray[np.uint8], samples: NDArray[np.int32], order: NDArray[np.int32]) -> int:
    """As `_count`, by insertion."""
    known = 0
    for place in range(len(samples)):
        value = code[samples[place]]
        known += value != MISSING
        at = place
        while at > 0 and code[samples[order[at - 1]]] > value:
            order[at] = order[at - 1]
            at -= 1
        order[at] = place
    return known


@njit(nogil=True, cache=True)
def _part(code: NDArray[np.uint8], split: _Split, inside: _Members) -> int:
    """Put the members of the left side first, each side in its order; how many there are."""
    count, low, high = len(inside.sample), 0, 0
    sample, kind = np.empty(count, np.int32), np.empty(count, np.int64)
    weight = np.empty(count)
    for place in range(count):
        value = code[inside.sample[place]]
        if value <= split.code or (split.missing_left and value == MISSING):
            inside.sample[low] = inside.sample[place]
            inside.kind[low] = inside.kind[place]
            inside.weight[low] = inside.weight[place]
            low += 1
        else:
            sample[high], kind[high] = inside.sample[place], inside.kind[place]
            weight[high] = inside.weight[place]
            high += 1
    inside.sample[low:], inside.kind[low:] = sample[:high], kind[:high]
    inside.weight[low:] = weight[:high]
    return low


@njit(nogil=True, cache=True)
def _add(
    column: NDArray[np.int32],
    threshold: NDArray[np.float32],
    missing_left: NDArray[np.bool_],
    left: NDArray[np.int32],
    share: NDArray[np.float32],
    values: NDArray[np.float32],
    total: NDArray[np.float64],
) -> None:
    for row in range(len(values)):
        at = 0
        while column[at] >= 0:
            value = values[row, column[at]]
            goes_left = missing_left[at] if np.isnan(value) else value <= threshold[at]
            at = left[at] if goes_left else left[at] + 1
        for kind in range(share.shape[1]):
            total[row, kind] += share[left[at], kind]
