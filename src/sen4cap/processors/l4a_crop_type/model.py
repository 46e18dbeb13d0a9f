"""What is learnt from, and predictions by models that saw nothing of a parcel's surroundings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sen4cap.errors import NoInput
from sen4cap.processing import Progress, no_progress
from sen4cap.processors.l4a_crop_type.boosted import learn_boosted
from sen4cap.processors.l4a_crop_type.original_forest import learn_original
from sen4cap.processors.l4a_crop_type.params import CropTypeParams, Method
from sen4cap.processors.l4a_crop_type.teachers import Teachers

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]


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
    """Fold of its block and holding, shape (n,)."""


class Model(Protocol):
    """What has been learnt."""

    def probability(self, values: Floats, threads: int = 1) -> NDArray[np.float64]:
        """Probability of each class that it was taught, for each row of (n, k) features."""
        ...


Learner = Callable[[Teachers, CropTypeParams, int], Model]

LEARNERS: Mapping[Method, Learner] = {
    Method.BOOSTED: learn_boosted,
    Method.SEN4CAP: learn_original,
}


@dataclass(frozen=True)
class Learnt:
    """A model and the classes it was taught."""

    model: Model
    known: Integers
    """Classes in the order of its probabilities, numbered as in the sample."""

    def probability(self, values: Floats, classes: int, cores: int = 1) -> NDArray[np.float32]:
        """Of all classes, shape (n, classes), rows add up to 1; 0 for those it was not taught."""
        probability = np.zeros((len(values), classes), np.float32)
        probability[:, self.known] = self.model.probability(values, cores)
        return probability


def learn(sample: Sample, params: CropTypeParams, cores: int = 1) -> Learnt:
    """A model of the parcels of a sample that teach.

    Raises
    ------
    NoInput
        If they declare fewer than two crops.
    InvalidParameter
        If the learner diverged.
    """
    taught = sample.teaches
    known, target = np.unique(sample.target[taught], return_inverse=True)
    if len(known) < 2:
        raise NoInput(
            "The training parcels outside one fold or region declare fewer than two crops: choose "
            "a smaller block-size, a lower pa-min, or a smaller region."
        )
    teachers = Teachers(sample.values[taught], target, len(known), sample.fold[taught])
    return Learnt(LEARNERS[params.method](teachers, params, cores), known)


def judge(
    taught: Sample, values: Floats, params: CropTypeParams, cores: int = 1
) -> NDArray[np.float32]:
    """Probability of each class for parcels that teach nothing, shape (m, classes).

    The model learns from those parcels of `taught` that teach; `values` are the features of the
    others, shape (m, k). Errors as in `learn`.
    """
    return learn(taught, params, cores).probability(values, taught.classes, cores)


def out_of_fold(
    sample: Sample, params: CropTypeParams, cores: int = 1, progress: Progress = no_progress
) -> NDArray[np.float32]:
    """Probability of each class for each parcel, shape (n, classes), rows add up to 1.

    Each parcel is judged by the model that was taught by all folds but its own; errors as in
    `learn`.
    """
    probability = np.zeros((len(sample.target), sample.classes), np.float32)
    folds = np.unique(sample.fold)
    for done, fold in enumerate(folds):
        progress(done / len(folds), f"model {done + 1} of {len(folds)}")
        inside = sample.fold == fold
        taught = replace(sample, teaches=sample.teaches & ~inside)
        probability[inside] = judge(taught, sample.values[inside], params, cores)
    return probability
