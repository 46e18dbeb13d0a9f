"""The original's method: a random forest on a balanced part of the parcels.

Its sampling: of crops with many training parcels a smaller share is learnt from, of others a
larger one, and rare ones are raised to a number by SMOTE - without the parcel number among the
features, which was in the original's by mistake. Its forest: `ranger` with 300 trees, the square
root of the columns per node, bootstrap, no splits of nodes of up to 10 parcels, no class weights.
Unlike the original no parcel is judged by a forest that saw it or its surroundings.

Memory: the forest holds up to 4 bytes for each leaf and class, 300 trees of 25 classes of 1,000
parcels about 0.3 GB.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from sen4cap.kernels.forest import Growth, Tree, coded, grown, shares
from sen4cap.kernels.smote import synthetic
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.processors.l4a_crop_type.teachers import Teachers

Floats = NDArray[np.floating]
EVERY = 2**62


@dataclass(frozen=True)
class Forest:
    """A learnt model."""

    classes: int
    trees: tuple[Tree, ...]

    def probability(self, values: Floats, threads: int = 1) -> NDArray[np.float64]:
        """Mean share of each class in the leaves, shape (n, classes)."""
        return shares(self.trees, values, self.classes, threads)


def learn_original(teachers: Teachers, params: CropTypeParams, cores: int = 1) -> Forest:
    """A forest on the original's split of the teachers, which have complete features."""
    draw = np.random.default_rng(params.seed)
    values, target = balanced(teachers, params, draw)
    growth = Growth(
        columns=max(1, isqrt(values.shape[1])),
        smallest_split=params.min_node_size + 1,
        random=False,
        bootstrap=True,
        largest=EVERY,
    )
    count, weight = params.num_trees, np.ones(len(target))
    trees = grown(
        coded(values), target, teachers.classes, weight, count, growth, params.seed, cores
    )
    return Forest(teachers.classes, tuple(trees))


def balanced(
    teachers: Teachers, params: CropTypeParams, draw: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features and classes that the forest is taught by, class by class, the made-up ones last."""
    values, target = [], []
    for kind in range(teachers.classes):
        own = np.flatnonzero(teachers.target == kind)
        chosen = np.sort(draw.permutation(own)[: training_size(len(own), params)])
        taught = teachers.values[chosen].astype(np.float32)
        lacking = max(0, params.smote_target - len(taught))
        raised = [taught, synthetic(taught, lacking, params.smote_k, draw)]
        values += raised
        target += [np.full(len(part), kind) for part in raised]
    return np.concatenate(values), np.concatenate(target)


def training_size(parcels: int, params: CropTypeParams) -> int:
    """How many parcels of a class are learnt from: the original's strategies 1, 2 and 3.

    At least one, so that a class never goes under.
    """
    if parcels >= params.pa_train_h:
        wanted = round(params.sample_ratio_h * parcels)
    elif parcels >= params.pa_train_l:
        wanted = params.smote_target
    else:
        wanted = round(params.sample_ratio_l * parcels)
    return min(parcels, max(1, wanted))
