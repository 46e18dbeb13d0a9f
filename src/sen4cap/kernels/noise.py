"""Labels that are probably wrong, by confident learning.

Northcutt et al. 2021, Journal of Artificial Intelligence Research 70: 1373-1411.

A label is doubted where another class is more likely than it usually is for those that bear it,
and than the given one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def doubtful(
    probability: NDArray[np.floating], label: NDArray[np.integer], share: float
) -> NDArray[np.bool_]:
    """The worst doubted labels, at most `share` of those of each class.

    `probability`: of each class by judges that have not seen the sample, shape (n, classes);
    `label`: class of each sample, shape (n,). The worst have the least probability of their label
    as against the best other class; ties go by place. Returns shape (n,).
    """
    rows, classes = np.arange(len(label)), probability.shape[1]
    count = np.bincount(label, minlength=classes)
    given = probability[rows, label].astype(np.float64)
    usual = np.bincount(label, given, classes) / np.maximum(count, 1)
    others = probability.astype(np.float64)
    others[rows, label] = -np.inf
    confident = np.where(others >= np.where(count > 0, usual, np.inf), others, -np.inf)
    margin = given - confident.max(axis=1, initial=-np.inf)
    order = np.lexsort((margin, label))
    rank = np.empty(len(label), np.int64)
    rank[order] = rows - np.repeat(np.cumsum(count) - count, count)
    worst: NDArray[np.bool_] = (margin < 0) & (rank < np.floor(share * count)[label])
    return worst
