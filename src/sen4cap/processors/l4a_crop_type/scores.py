"""The accuracy document: how far predictions agree with declarations, and what was left out.

Each rate stands beside the number of parcels it rests on (`…_n`) and its 95 % interval
(`…_interval`, Wilson 1927). By area the number is that of equally large parcels that would tell as
much, (Σa)² / Σa² (Kish 1965); kappa and the mean F1 have the intervals of confusion matrices that
this one leaves likely.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sen4cap.domain import Reason
from sen4cap.kernels import accuracy
from sen4cap.kernels.calibration import expected_calibration_error, log_loss, reliability
from sen4cap.processors.l4a_crop_type.decision import Decision, Light

NOTE = (
    "Agreement with the declarations, out of fold: each parcel was judged by a model that had "
    "seen no parcel of its block. Wrong declarations count as errors of the map: agreement is not "
    "truth. Intervals hold 95 % and take parcels as independent; neighbours are alike, so that "
    "true ones are somewhat wider."
)
MACRO_FROM = 30
"""Parcels of a class from which it counts in the mean F1."""
SIZES = ((0, "under 3"), (3, "3-9"), (10, "10-29"), (30, "30 and more"))
"""Least valid pixels on the clearest date, and name, of the size classes."""
UNSEEN = "not seen by Sentinel-2"
SEED = 1

Classes = Sequence[tuple[int, str]]


@dataclass(frozen=True)
class Judged:
    """The parcels that have a result."""

    declared: NDArray[np.integer]
    """Class declared, numbered from 0 in the order of the classes, shape (n,)."""
    probability: NDArray[np.floating]
    """Shape (n, classes)."""
    area: NDArray[np.floating]
    """Square metres, shape (n,)."""
    pixels: NDArray[np.floating]
    """Valid optical pixels on the clearest date, shape (n,); NaN where there is none."""

    @property
    def predicted(self) -> NDArray[np.integer]:
        """Most probable class, numbered from 0, shape (n,); the first of equal ones."""
        first: NDArray[np.integer] = self.probability.argmax(axis=1)
        return first


def agreement(judged: Judged, classes: Classes, reasons: Mapping[str, int]) -> dict[str, Any]:
    """Figures as JSON values; null where a share has no denominator.

    `classes` are codes and names. The confusion matrices have predicted classes in rows, declared
    ones in columns; `confusion_area` is in hectares. `overall_accuracy_with_rare` counts parcels
    of crops that were too rare to learn as wrong; `log_loss` compares with `log_loss_of_shares`,
    that of the class shares alone.
    """
    count = len(classes)
    matrix = accuracy.confusion_matrix(judged.predicted, judged.declared, count)
    hectares = judged.area.astype(np.float64) / 1e4
    by_area = accuracy.confusion_matrix(judged.predicted, judged.declared, count, hectares)
    return {
        "note": NOTE,
        "parcels": {"judged": int(matrix.sum()), "left_out": sum(reasons.values())},
        **overall(matrix),
        **_overall_by_area(by_area, hectares),
        **_with_rare(matrix, reasons),
        "log_loss": number(log_loss(judged.probability, judged.declared)),
        "log_loss_of_shares": number(_entropy(matrix.sum(axis=0))),
        "classes": [{"code": code, "name": name} for code, name in classes],
        "confusion": matrix.astype(int).tolist(),
        "confusion_area": by_area.round(4).tolist(),
        "per_class": _per_class(matrix, by_area, classes),
        "per_size": _per_size(judged),
        "reasons": dict(sorted(reasons.items())),
    }


def overall(matrix: NDArray[np.float64]) -> dict[str, Any]:
    """Overall accuracy, kappa and mean F1 of a confusion matrix, each with its interval."""
    counted = matrix.sum(axis=0) >= MACRO_FROM
    spread = accuracy.spread_of(matrix, counted, SEED)
    return {
        **rate("overall_accuracy", float(np.trace(matrix)), float(matrix.sum())),
        "kappa": number(accuracy.kappa(matrix)),
        "kappa_interval": interval(spread.kappa),
        "macro_f1": number(accuracy.macro_f1(matrix, counted)),
        "macro_f1_classes": int(counted.sum()),
        "macro_f1_from": MACRO_FROM,
        "macro_f1_interval": interval(spread.macro_f1),
    }


def decided(decision: Decision, judged: Judged, classes: Classes) -> dict[str, Any]:
    """What the lights say, how far probabilities can be trusted, and what groups they rest on."""
    return {
        "lights": _lights(decision, judged),
        "calibration": _calibration(decision, judged),
        "groups": [
            {
                "group": place,
                "classes": [classes[item][1] for item in group.classes],
                "size": _SIZES[group.large],
                "parcels": group.parcels,
                **rate("covered", group.covered, group.parcels),
                "least_p_value": number(group.reachable),
                "lights": _counts(decision.light[decision.group == place]),
            }
            for place, group in enumerate(decision.groups)
        ],
    }


_SIZES = {True: "large", False: "small", None: "all"}


def _lights(decision: Decision, judged: Judged) -> list[dict[str, Any]]:
    total = len(decision.light)
    return [
        {
            "light": light.value,
            "parcels": int((decision.light == light).sum()),
            "hectares": number(float(judged.area[decision.light == light].sum()) / 1e4),
            **rate("share", int((decision.light == light).sum()), total),
            "why": _counts(decision.why[decision.light == light]),
        }
        for light in Light
    ]


def _calibration(decision: Decision, judged: Judged) -> dict[str, Any]:
    said = decision.probability.max(axis=1)
    came = decision.probability.argmax(axis=1) == judged.declared
    mean, share, count = reliability(said, came)
    bounds = accuracy.wilson_interval(share, count)
    return {
        "temperature": number(decision.temperature),
        "expected_error": number(expected_calibration_error(said, came)),
        "expected_error_n": len(said),
        "bins": [
            {"said": number(said), "came": number(came), "n": int(n), "interval": interval(bound)}
            for said, came, n, bound in zip(mean, share, count, bounds, strict=True)
        ],
    }


def _counts(values: NDArray[np.str_]) -> dict[str, int]:
    found, count = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), count.tolist(), strict=True))


def _overall_by_area(by_area: NDArray[np.float64], area: NDArray[np.float64]) -> dict[str, Any]:
    share, worth = accuracy.overall_accuracy(by_area), accuracy.effective_number(area)
    return rate("overall_accuracy_by_area", share * worth, worth)


def _with_rare(matrix: NDArray[np.float64], reasons: Mapping[str, int]) -> dict[str, Any]:
    total = matrix.sum() + reasons.get(Reason.RARE_CLASS, 0)
    return rate("overall_accuracy_with_rare", float(np.trace(matrix)), float(total))


def _per_class(
    matrix: NDArray[np.float64], by_area: NDArray[np.float64], classes: Classes
) -> list[dict[str, Any]]:
    f1, bounds = accuracy.f1_score(matrix), accuracy.f1_interval(matrix)
    area_f1 = accuracy.f1_score(by_area)
    user = accuracy.user_accuracy(by_area)
    producer = accuracy.producer_accuracy(by_area)
    right, said, declared = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return [
        {
            "code": code,
            "name": name,
            **rate("user_accuracy", right[place], said[place]),
            **rate("producer_accuracy", right[place], declared[place]),
            "f1": number(f1[place]),
            "f1_interval": interval(bounds[place]),
            "support": int(declared[place]),
            "hectares": number(by_area[:, place].sum()),
            "user_accuracy_by_area": number(user[place]),
            "producer_accuracy_by_area": number(producer[place]),
            "f1_by_area": number(area_f1[place]),
        }
        for place, (code, name) in enumerate(classes)
    ]


def _per_size(judged: Judged) -> list[dict[str, Any]]:
    """Overall accuracy by valid pixels on the clearest date, of the size classes that occur."""
    right = judged.predicted == judged.declared
    least = np.array([edge for edge, _ in SIZES])
    size = np.searchsorted(least, judged.pixels, side="right") - 1
    size[np.isnan(judged.pixels)] = len(SIZES)
    names = [*(f"{name} pixels" for _, name in SIZES), UNSEEN]
    hits, count = (np.bincount(size, weight, len(names)) for weight in (right, None))
    return [
        {"size": name, **rate("overall_accuracy", hit, total)}
        for name, hit, total in zip(names, hits, count, strict=True)
        if total
    ]


def rate(name: str, hits: float, total: float) -> dict[str, Any]:
    """A share under its name, the number it is a share of, and its interval."""
    share = hits / total if total else math.nan
    return {
        name: number(share),
        f"{name}_n": int(total) if float(total).is_integer() else round(float(total), 1),
        f"{name}_interval": interval(accuracy.wilson_interval(share, total)),
    }


def interval(bounds: NDArray[np.floating]) -> list[float] | None:
    """Both bounds with 6 decimals; None where they are not defined."""
    return None if np.isnan(bounds).any() else [round(float(bound), 6) for bound in bounds]


def number(value: float) -> float | None:
    """The value with 6 decimals; None for NaN, which JSON does not know."""
    return None if math.isnan(value) else round(float(value), 6)


def _entropy(count: NDArray[np.float64]) -> float:
    share = count[count > 0] / count.sum()
    return float(-(share * np.log(share)).sum())
