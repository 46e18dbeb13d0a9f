"""Gradient-boosted trees, and predictions by models that saw nothing of a parcel's block.

LightGBM (Ke et al. 2017, NeurIPS 30) on all classes at once. Training parcels weigh the inverse
square root of their class's frequency, half-way between the true and the equal shares. Results do
not depend on the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from sen4cap.errors import InvalidParameter, NoInput
from sen4cap.processing import Progress, no_progress
from sen4cap.processors.l4a_crop_type.params import CropTypeParams

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]

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


@dataclass(frozen=True)
class Sample:
    """Parcels to judge, and those among them to learn from."""

    values: Floats
    """Features, shape (n, k); NaN is missing."""
    target: Integers
    """Declared class, numbered from 0, shape (n,)."""
    classes: int
    teaches: NDArray[np.bool_]
    """Whether the parcel may be learnt from, shape (n,)."""
    fold: Integers
    """Fold of its block, shape (n,)."""


def out_of_fold(
    sample: Sample, params: CropTypeParams, cores: int = 1, progress: Progress = no_progress
) -> NDArray[np.float32]:
    """Probability of each class for each parcel, shape (n, classes), rows add up to 1.

    Each parcel is judged by the model that was taught by all folds but its own.

    Raises
    ------
    NoInput
        If the parcels outside a fold declare fewer than two crops.
    InvalidParameter
        If the learner diverged.
    """
    probability = np.zeros((len(sample.target), sample.classes), np.float32)
    folds = np.unique(sample.fold)
    for done, fold in enumerate(folds):
        progress(done / len(folds), f"model {done + 1} of {len(folds)}")
        inside = sample.fold == fold
        taught = replace(sample, teaches=sample.teaches & ~inside)
        probability[inside] = judge(taught, sample.values[inside], params, cores)
    return probability


def judge(
    taught: Sample, values: Floats, params: CropTypeParams, cores: int = 1
) -> NDArray[np.float32]:
    """Probability of each class for parcels that teach nothing, shape (m, classes).

    Rows add up to 1; a class that no teacher declares has 0. The model learns from those parcels
    of `taught` that teach; `values` are the features of the others, shape (m, k).

    Raises
    ------
    NoInput
        If the teachers declare fewer than two crops.
    InvalidParameter
        If the learner diverged.
    """
    known, target = np.unique(taught.target[taught.teaches], return_inverse=True)
    if len(known) < 2:
        raise NoInput(
            "The training parcels outside one fold or region declare fewer than two crops: choose "
            "a smaller block-size, a lower pa-min, or a smaller region."
        )
    probability = np.zeros((len(values), taught.classes), np.float32)
    teachers = taught.values[taught.teaches]
    probability[:, known] = _learn(teachers, target, values, params, cores)
    return probability


def class_weights(target: Integers) -> NDArray[np.float64]:
    """Weight of each training parcel, inverse square root of its class's frequency; mean 1."""
    weight = 1 / np.sqrt(np.bincount(target))[target]
    normalised: NDArray[np.float64] = weight / weight.mean()
    return normalised


def _learn(
    values: Floats, target: Integers, judged: Floats, params: CropTypeParams, cores: int
) -> Floats:
    weight = class_weights(target)
    share = np.bincount(target, weights=weight) / weight.sum()
    if params.num_trees == 0:
        return np.tile(share, (len(judged), 1))
    threads = max(1, min(cores, len(values) // ROWS_PER_THREAD))
    settings = _settings(params, len(share), threads)
    data = lgb.Dataset(values, target, weight=weight, params=settings)
    booster = lgb.train(settings, data, params.num_trees, keep_training_booster=True)
    _check_converged(booster, share)
    return np.asarray(booster.predict(judged, num_threads=threads))


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
