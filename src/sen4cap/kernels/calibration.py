"""Probabilities that mean what they say, and how far they are from it.

A learner that was taught by weighted samples with wrong labels ranks well and is wrong about its
own certainty. Four numbers mend it: with surprises u = −ln p and shares s of the classes,

    q_c = (1 − e) · r_c + e · s_c        r_c ∝ exp(−u_c^k / T) · s_c^g

The *temperature* T spreads or sharpens (Guo et al. 2017, ICML 70: 1321-1330; k = 1, g = e = 0). The
*bend* k does so differently for what is likely and what is not: many trees agree about the second
sooner. The *prior* g gives back to common classes what weights or resampling took from them
(Saerens et al. 2002, Neural Computation 14: 21-41, with a strength that is measured); it is used
only where it lowers the loss of folds that it was not fitted to. The *stray* share e is that of
labels that say nothing of the element: some declarations are wrong whatever the field looks like,
and no temperature can say so without making all others less certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]
Doubles = NDArray[np.float64]

FLOOR = 1e-7
"""Least probability that has a logarithm; learners say 0 of classes that they were not taught."""
MOST = 10_000
"""Elements that a scaling is fitted to, four numbers; of more, every so many-th of each class."""
BINS = 15
SHARPNESS, BEND, PRIOR, STRAY = (0.05, 20.0), (0.5, 2.0), (-1.0, 2.0), (0.0, 0.5)
"""Bounds of 1 / T, k, g and e."""


@dataclass(frozen=True)
class Scaling:
    """How probabilities are corrected."""

    temperature: float
    """Above 1 where the learner was too sure."""
    bend: float
    """1 where likely and unlikely classes need the same."""
    prior: float
    """0 where it had the shares right; 1 where it took all classes for equally frequent."""
    stray: float
    """Share of labels that say nothing, 0-0.5."""
    share: Doubles
    """Of each class among the labels, shape (classes,)."""

    def apply(self, probability: Floats) -> Doubles:
        """Corrected probabilities, shape (n, classes) as given; rows add up to 1."""
        bent = _surprise(probability) ** self.bend / self.temperature
        certain = _softmax(self.prior * np.log(self.share) - bent)
        return (1 - self.stray) * certain + self.stray * self.share


def fit_scaling(probability: Floats, target: Integers, *, prior: bool = False) -> Scaling:
    """The scaling with the least log loss; the prior is 0 unless it is asked for.

    `probability`: shape (n, classes), of models that have not seen the elements. `target`: label,
    numbered from 0, shape (n,). Without elements nothing is corrected.
    """
    classes = probability.shape[1]
    share = (np.bincount(target, minlength=classes) + 1) / (len(target) + classes)
    if not len(target):
        return Scaling(1.0, 1.0, 0.0, 0.0, share)
    some = _spaced(target)
    found = minimize(
        _loss,
        [1.0, 1.0, 0.0, 0.01],
        (np.log(_surprise(probability[some])), np.log(share), target[some]),
        method="SLSQP",
        jac=True,
        bounds=[SHARPNESS, BEND, PRIOR if prior else (0.0, 0.0), STRAY],
        options={"ftol": 1e-9},
    )
    sharpness, bend, strength, stray = (float(value) for value in found.x)
    return Scaling(1 / sharpness, bend, strength, stray, share)


def choose_scaling(probability: Floats, target: Integers, fold: Integers) -> Scaling:
    """The scaling of `fit_scaling`, with a prior where that pays in folds left out of the fit.

    `fold`: shape (n,); with fewer than two there is no prior.
    """
    some = _spaced(target)
    left_out = partial(_left_out_loss, probability[some], target[some], fold[some])
    pays = left_out(prior=True) < left_out(prior=False)
    return fit_scaling(probability, target, prior=pays)


def cross_calibrated(probability: Floats, target: Integers, fold: Integers) -> Doubles:
    """Probabilities corrected by the scaling of the other folds, shape (n, classes).

    No element has a part in its own correction. `probability`: shape (n, classes), of models that
    have not seen the element; `target`, `fold`: shape (n,).
    """
    corrected = np.empty(probability.shape)
    for number in np.unique(fold):
        here = fold == number
        scaling = choose_scaling(probability[~here], target[~here], fold[~here])
        corrected[here] = scaling.apply(probability[here])
    return corrected


def log_loss(probability: Floats, target: Integers) -> float:
    """Mean negative logarithm of the probability of the label; NaN of nothing.

    `probability`: shape (n, classes); less than `FLOOR` counts as `FLOOR`.
    """
    if not len(target):
        return float("nan")
    given = probability[np.arange(len(target)), target]
    return float(-np.log(np.clip(given, FLOOR, 1)).mean(dtype=np.float64))


class Reliability(NamedTuple):
    """What was said and what came of it, by bins of equally many elements, the least sure first."""

    said: Doubles
    """Mean probability of each bin, shape (bins,)."""
    came: Doubles
    """Share that came true, shape (bins,)."""
    number: NDArray[np.int64]
    """Elements, shape (bins,)."""


def reliability(said: Floats, came: NDArray[np.bool_], bins: int = BINS) -> Reliability:
    """Bins of a probability `said` and whether it `came` true; shape (n,) each.

    There are fewer bins where there are fewer elements. Equal probabilities may fall into two bins.
    """
    order = np.argsort(said, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return Reliability(
        np.array([said[part].mean(dtype=np.float64) for part in parts]),
        np.array([came[part].mean() for part in parts]),
        np.array([len(part) for part in parts], np.int64),
    )


def expected_calibration_error(said: Floats, came: NDArray[np.bool_], bins: int = BINS) -> float:
    """Mean distance of what was said from what came true, over elements; NaN of nothing.

    Naeini et al. 2015 (AAAI: 2901-2907), with bins of equally many elements. Of few elements it
    is large even where all is well: a bin of m elements scatters by √(p (1 − p) / m).
    """
    if not len(said):
        return float("nan")
    found = reliability(said, came, bins)
    return float(np.abs(found.said - found.came) @ found.number / found.number.sum())


def _left_out_loss(probability: Floats, target: Integers, fold: Integers, *, prior: bool) -> float:
    """Sum of the log losses of folds, each corrected by the scaling of the others."""
    total, numbers = 0.0, np.unique(fold)
    if len(numbers) < 2:
        return total
    for number in numbers:
        here = fold == number
        scaling = fit_scaling(probability[~here], target[~here], prior=prior)
        total += here.sum() * log_loss(scaling.apply(probability[here]), target[here])
    return total


def _surprise(probability: Floats) -> Doubles:
    """Negative logarithms, kept off 0 and infinity."""
    surprise: Doubles = -np.log(np.clip(probability.astype(np.float64), FLOOR, 1 - FLOOR))
    return surprise


def _softmax(logs: Doubles) -> Doubles:
    grown: Doubles = np.exp(logs - logs.max(axis=1, keepdims=True))
    grown /= grown.sum(axis=1, keepdims=True)
    return grown


def _spaced(target: Integers) -> Integers:
    """At most `MOST` elements, of each class its share."""
    order = np.argsort(target, kind="stable")
    return order[:: max(1, -(-len(order) // MOST))]


def _loss(
    x: Doubles, log_surprise: Doubles, log_share: Doubles, target: Integers
) -> tuple[float, Doubles]:
    """Log loss at 1 / T, k, g and e, and its gradient."""
    sharpness, bend, prior, stray = x
    rows, bent = np.arange(len(target)), np.exp(bend * log_surprise)
    certain = _softmax(prior * log_share - sharpness * bent)
    right, by_chance = certain[rows, target], np.exp(log_share[target])
    given = np.maximum((1 - stray) * right + stray * by_chance, FLOOR)

    def lead(score: Doubles) -> Doubles:
        """How far the label's score is above the mean of all, by their probability."""
        mean: Doubles = (certain * score).sum(axis=1)
        return np.broadcast_to(score, certain.shape)[rows, target] - mean

    scores = (-bent, -sharpness * bent * log_surprise, log_share)
    pull = (1 - stray) * right / given
    rises = [*(pull * lead(score) for score in scores), (by_chance - right) / given]
    return float(-np.log(given).mean()), -np.mean(rises, axis=1)
