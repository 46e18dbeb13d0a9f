"""The default: gradient-boosted trees and random trees, half each.

Boosting (LightGBM; Ke et al. 2017) is sharp and errs where it is sure; extremely randomised trees
(Geurts et al. 2006) are dull and err elsewhere: the mean of their probabilities is nearer to the
truth than either. Both take missing values as they are.

The random trees grow first. Each leaves out one fold of the teachers, so that every teacher is
judged by trees that have not seen it or its surroundings. Declarations that these judgements doubt
most, a few in a hundred of each crop, weigh half as much in the boosting (Northcutt et al. 2021).
Which parcels are judged and reported is not touched by that.

Training parcels weigh the inverse square root of their class's frequency, half-way between the true
and the equal shares. Results do not depend on the number of threads.

Memory: the features once more in single bytes for each of the two, and about 100 random trees of at
most 10,000 parcels, up to 4 bytes for each of their leaves and classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from sen4cap.errors import InvalidParameter
from sen4cap.kernels.forest import Codes, Growth, Tree, coded, grown, shares
from sen4cap.kernels.noise import doubtful
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.processors.l4a_crop_type.teachers import Teachers, class_weights

Floats = NDArray[np.floating]

FIXED = {
    "objective": "multiclass",
    "metric": "multi_logloss",
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "min_sum_hessian_in_leaf": 1.0,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
"""Settings that are not the user's. The penalty on leaves and their least weight keep the loss of
many classes from diverging without a word; 63 bins resolve a marker to less than its noise."""

ROWS_PER_THREAD = 10_000
"""Training parcels per thread, at least: with fewer, threads wait longer than they work."""
LARGEST = 10_000
"""Parcels that a random tree sees, at most: what it lacks in depth the others make up for."""


@dataclass(frozen=True)
class Boosted:
    """A learnt model."""

    classes: int
    booster: lgb.Booster
    trees: tuple[Tree, ...]

    def probability(self, values: Floats, threads: int = 1) -> NDArray[np.float64]:
        """Mean of the two, shape (n, classes)."""
        boosted = np.asarray(self.booster.predict(values, num_threads=threads))
        return (boosted + shares(self.trees, values, self.classes, threads)) / 2


@dataclass(frozen=True)
class ClassShares:
    """A model without trees: the weighted shares of the classes."""

    share: NDArray[np.float64]

    def probability(self, values: Floats, threads: int = 1) -> NDArray[np.float64]:  # noqa: ARG002 - nothing to do
        """The same of every row, shape (n, classes)."""
        return np.tile(self.share, (len(values), 1))


def learn_boosted(
    teachers: Teachers, params: CropTypeParams, cores: int = 1
) -> Boosted | ClassShares:
    """A model of at least two classes.

    Raises
    ------
    InvalidParameter
        If the boosting diverged.
    """
    weight = class_weights(teachers.target)
    share = np.bincount(teachers.target, weights=weight) / weight.sum()
    if params.num_trees == 0:
        return ClassShares(share)
    trees, doubted = _random_trees(teachers, weight, params, cores)
    booster = _boosting(teachers, np.where(doubted, weight / 2, weight), params, cores)
    return Boosted(teachers.classes, booster, trees)


def _rounds(params: CropTypeParams) -> int:
    """Rounds of boosting, and number of random trees: a third of the trees of a plain forest."""
    return -(-params.num_trees // 3)


def _random_trees(
    teachers: Teachers, weight: Floats, params: CropTypeParams, cores: int
) -> tuple[tuple[Tree, ...], NDArray[np.bool_]]:
    """Trees that leave one fold out each, in turn; and which teachers they doubt."""
    codes = coded(teachers.values)
    folds = np.unique(teachers.fold)
    trees: list[Tree] = []
    judged = np.zeros((len(teachers), teachers.classes))
    for place, fold in enumerate(folds):
        left_out = (teachers.fold == fold) & (len(folds) > 1)
        count = len(range(place, _rounds(params), len(folds)))
        found = _trees_of(codes, teachers, weight, ~left_out, count, params, place, cores)
        judged[left_out] = shares(found, teachers.values[left_out], teachers.classes, cores)
        trees += found
    if len(folds) == 1:
        return tuple(trees), np.zeros(len(teachers), bool)
    return tuple(trees), doubtful(judged, teachers.target, params.noise_share)


def _trees_of(
    codes: Codes,
    teachers: Teachers,
    weight: Floats,
    seen: NDArray[np.bool_],
    count: int,
    params: CropTypeParams,
    stream: int,
    cores: int,
) -> list[Tree]:
    growth = Growth(
        columns=max(1, int(params.feature_fraction * len(codes.code))),
        smallest_split=max(2, params.min_node_size),
        random=True,
        bootstrap=False,
        largest=LARGEST,
    )
    part = Codes(np.ascontiguousarray(codes.code[:, seen]), codes.edges)
    seed = params.seed + 1000 * stream
    target, classes = teachers.target[seen], teachers.classes
    return list(grown(part, target, classes, weight[seen], count, growth, seed, cores))


def _boosting(
    teachers: Teachers, weight: Floats, params: CropTypeParams, cores: int
) -> lgb.Booster:
    share = np.bincount(teachers.target, weights=weight) / weight.sum()
    threads = max(1, min(cores, len(teachers) // ROWS_PER_THREAD))
    settings = _settings(params, teachers.classes, threads)
    data = lgb.Dataset(teachers.values, teachers.target, weight=weight, params=settings)
    booster = lgb.train(settings, data, _rounds(params), keep_training_booster=True)
    _check_converged(booster, share)
    return booster


def _check_converged(booster: lgb.Booster, share: Floats) -> None:
    """Refuse a model that fits its own teachers worse than the class shares alone would."""
    loss = float(booster.eval_train()[0][2])
    by_shares = float(-(share * np.log(share)).sum())
    if not loss <= by_shares:
        raise InvalidParameter(
            f"The model diverged (training loss {loss:.3g}, class shares alone {by_shares:.3g}): "
            "lower processor.s4c_l4a.learning-rate or num-leaves."
        )


def _settings(params: CropTypeParams, classes: int, threads: int) -> dict[str, object]:
    return {
        **FIXED,
        "num_class": classes,
        "learning_rate": params.learning_rate,
        "num_leaves": params.num_leaves,
        "min_data_in_leaf": params.min_node_size,
        "feature_fraction": params.feature_fraction,
        "bagging_fraction": params.bagging_fraction,
        "seed": params.seed,
        "num_threads": threads,
    }
