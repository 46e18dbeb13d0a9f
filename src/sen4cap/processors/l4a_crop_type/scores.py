"""The accuracy document: how far predictions agree with declarations, and what was left out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sen4cap.domain import Reason
from sen4cap.kernels import accuracy

NOTE = (
    "Agreement with the declarations, out of fold: each parcel was judged by a model that had "
    "seen no parcel of its block. Wrong declarations count as errors of the map."
)


@dataclass(frozen=True)
class Judged:
    """The parcels that have a result."""

    declared: NDArray[np.integer]
    """Class declared, numbered from 0 in the order of the classes, shape (n,)."""
    probability: NDArray[np.floating]
    """Shape (n, classes)."""
    area: NDArray[np.floating]
    """Square metres, shape (n,)."""

    @property
    def predicted(self) -> NDArray[np.integer]:
        """Most probable class, numbered from 0, shape (n,); the first of equal ones."""
        first: NDArray[np.integer] = self.probability.argmax(axis=1)
        return first


def agreement(
    judged: Judged, classes: Sequence[tuple[int, str]], reasons: Mapping[str, int]
) -> dict[str, Any]:
    """Figures as JSON values; null where a share has no denominator.

    `classes` are codes and names. The confusion matrix has predicted classes in rows, declared
    ones in columns. `overall_accuracy_with_rare` counts parcels of crops that were too rare to
    learn as wrong; `log_loss` compares with `log_loss_of_shares`, that of the class shares alone.
    """
    count = len(classes)
    matrix = accuracy.confusion_matrix(judged.predicted, judged.declared, count)
    by_area = accuracy.confusion_matrix(judged.predicted, judged.declared, count, judged.area)
    total = matrix.sum() + reasons.get(Reason.RARE_CLASS, 0)
    return {
        "note": NOTE,
        "parcels": {"judged": int(matrix.sum()), "left_out": sum(reasons.values())},
        "overall_accuracy": number(accuracy.overall_accuracy(matrix)),
        "overall_accuracy_by_area": number(accuracy.overall_accuracy(by_area)),
        "overall_accuracy_with_rare": number(np.trace(matrix) / total),
        "kappa": number(accuracy.kappa(matrix)),
        "log_loss": number(_log_loss(judged)),
        "log_loss_of_shares": number(_entropy(matrix.sum(axis=0))),
        "classes": [{"code": code, "name": name} for code, name in classes],
        "confusion": matrix.astype(int).tolist(),
        "per_class": _per_class(matrix, classes),
        "reasons": dict(sorted(reasons.items())),
    }


def _per_class(
    matrix: NDArray[np.float64], classes: Sequence[tuple[int, str]]
) -> list[dict[str, Any]]:
    columns = zip(
        classes,
        accuracy.user_accuracy(matrix),
        accuracy.producer_accuracy(matrix),
        accuracy.f1_score(matrix),
        matrix.sum(axis=0),
        strict=True,
    )
    return [
        {
            "code": code,
            "name": name,
            "user_accuracy": number(user),
            "producer_accuracy": number(producer),
            "f1": number(f1),
            "support": int(support),
        }
        for (code, name), user, producer, f1, support in columns
    ]


def number(value: float) -> float | None:
    """The value with 6 decimals; None for NaN, which JSON does not know."""
    return None if math.isnan(value) else round(float(value), 6)


def _log_loss(judged: Judged) -> float:
    given = judged.probability[np.arange(len(judged.declared)), judged.declared]
    return float(-np.log(np.clip(given, 1e-7, 1)).mean(dtype=np.float64))


def _entropy(count: NDArray[np.float64]) -> float:
    share = count[count > 0] / count.sum()
    return float(-(share * np.log(share)).sum())
