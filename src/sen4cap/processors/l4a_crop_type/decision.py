"""What is said of each declaration: calibrated probabilities, a p-value, and a traffic light.

A parcel *conforms* where its declared crop is the most probable one and it is not unusual among
those declared so; it *conforms not* where it is so unusual that hardly any rightly declared one
is, and would conform had another crop been declared. Of the rest nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from string import Formatter

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.kernels.calibration import Scaling, choose_scaling, cross_calibrated
from sen4cap.kernels.conformal import (
    Ranking,
    merged_groups,
    p_values,
    p_values_if,
    p_values_of_others,
    ranking,
)
from sen4cap.processors.l4a_crop_type.params import CropTypeParams

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]
Flags = NDArray[np.bool_]

CLEAR = 0.5
"""Probability above which a crop is likelier than all others together."""


class Light(StrEnum):
    """What a declaration looks like from above."""

    GREEN = "conform"
    YELLOW = "not decided"
    RED = "not conform"


class Why(StrEnum):
    """What a light rests on."""

    AS_DECLARED = "as_declared"
    """Green: the declared crop is the most probable one."""
    UNUSUAL = "unusual"
    """Yellow: it is, but few that declare it look so little like it."""
    OTHER_LIKELIER = "other_likelier"
    """Yellow: another crop is more probable, but some that declare this one look so."""
    NO_CROP_CLEAR = "no_crop_clear"
    """Yellow: it does not look like the declared crop, nor clearly like another."""
    TOO_FEW = "too_few"
    """Yellow: it looks like another crop, but there are too few to compare it with."""
    OTHER_CROP = "other_crop"
    """Red: it looks like another crop, and hardly any that declare this one look so."""

    @property
    def light(self) -> Light:
        """The light that it leads to."""
        return _LIGHTS.get(self, Light.YELLOW)


_LIGHTS = {Why.AS_DECLARED: Light.GREEN, Why.OTHER_CROP: Light.RED}


@dataclass(frozen=True)
class Evidence:
    """What is known of the judged parcels."""

    probability: Floats
    """Out of fold, not calibrated, shape (n, classes); rows add up to 1."""
    declared: Integers
    """Class declared, numbered from 0, shape (n,)."""
    fold: Integers
    """Fold that the parcel was judged in, shape (n,)."""
    teaches: Flags
    """Whether the parcel is large enough to learn from, shape (n,)."""


@dataclass(frozen=True)
class Group:
    """Parcels whose declarations are compared with each other."""

    classes: tuple[int, ...]
    large: bool | None
    """Whether they are large enough to learn from; None where both sorts are in it."""
    parcels: int
    """Declarations that the p-values of the group rest on."""
    reachable: float
    """Least p-value that a parcel of the group can get; above the false-red rate none is red."""
    covered: int
    """Parcels whose p-value among those of other folds is above the green rate: of rightly
    declared ones a share of 1 - green rate is to be expected."""


@dataclass(frozen=True)
class Decision:
    """What is said of the judged parcels, in their order."""

    probability: Floats
    """That the class is declared, calibrated, shape (n, classes); rows add up to 1."""
    p_declared: Floats
    """Conformal p-value of the declared class, shape (n,)."""
    rank: Integers
    """Place by probability of the declared class, 1 the least probable, shape (n,)."""
    light: NDArray[np.str_]
    """`Light` of each parcel, shape (n,)."""
    why: NDArray[np.str_]
    """`Why` of each parcel, shape (n,)."""
    group: Integers
    """Position of its group, shape (n,)."""
    groups: tuple[Group, ...]
    scaling: Scaling
    """Fitted to all parcels; each parcel's own correction was fitted to the other folds."""

    @property
    def temperature(self) -> float:
        """By which the surprises were divided."""
        return self.scaling.temperature


def decide(evidence: Evidence, params: CropTypeParams) -> Decision:
    """Calibrate, compare each declaration with the others of its group, and show a light.

    What is told of a parcel is calibrated without it. Parcels are compared by one yardstick: a
    scaling that was fitted to all of them, and that treats all alike.
    """
    declared, fold = evidence.declared, evidence.fold
    probability = cross_calibrated(evidence.probability, declared, fold)
    scaling = choose_scaling(evidence.probability, declared, fold)
    compared = _compared(evidence, scaling, params.group_min)
    other = probability.argmax(axis=1)
    p_declared, p_other = compared.p_declared(), compared.p_if(other)
    unlike = _Unlike(
        other=other != declared,
        unusual=p_declared <= params.green_rate,
        excluded=p_declared <= params.red_rate,
        clear=(p_other > params.green_rate) & (probability.max(axis=1) > CLEAR),
        few=(_reachable(compared.ranked.size) > params.red_rate)[compared.group],
    )
    why = unlike.why()
    return Decision(
        probability=probability,
        p_declared=p_declared,
        rank=_places(compared.own),
        light=_lights(why),
        why=why,
        group=compared.group,
        groups=_groups(compared, compared.p_of_others(fold) > params.green_rate),
        scaling=scaling,
    )


@dataclass(frozen=True)
class _Compared:
    """Parcels among those that are declared alike."""

    probability: Floats
    """By one scaling for all, shape (n, classes)."""
    own: Floats
    """Of the declared class, shape (n,)."""
    size: Integers
    """1 where the parcel is large enough to learn from, else 0; shape (n,)."""
    table: Integers
    """Group of each class and size, shape (classes, 2)."""
    group: Integers
    """Shape (n,)."""
    ranked: Ranking

    def p_declared(self) -> Floats:
        """p-value of the declared class."""
        return p_values(self.ranked, self.own, self.group)

    def p_if(self, other: Integers) -> Floats:
        """p-value if another class had been declared."""
        conformity = self.probability[np.arange(len(other)), other]
        return p_values_if(
            self.ranked, conformity, self.table[other, self.size], self.own, self.group
        )

    def p_of_others(self, fold: Integers) -> Floats:
        """p-value of the declared class among the parcels of other folds."""
        return p_values_of_others(self.own, self.group, fold)


def _compared(evidence: Evidence, scaling: Scaling, least: int) -> _Compared:
    declared, size = evidence.declared, evidence.teaches.astype(np.int64)
    probability = scaling.apply(evidence.probability)
    own = probability[np.arange(len(declared)), declared]
    table = merged_groups(declared, size, probability.shape[1], least)
    group = table[declared, size]
    ranked = ranking(own, group, int(table.max()) + 1)
    return _Compared(probability, own, size, table, group, ranked)


@dataclass(frozen=True)
class _Unlike:
    """In what respects parcels do not look as declared; shape (n,) each."""

    other: Flags
    """Another crop is more probable."""
    unusual: Flags
    excluded: Flags
    clear: Flags
    """The most probable crop is clear: it would conform."""
    few: Flags
    """Its group is too small for the false-red rate."""

    def why(self) -> NDArray[np.str_]:
        """`Why` of each parcel; the first that applies."""
        cases = {
            Why.AS_DECLARED: ~self.other & ~self.unusual,
            Why.UNUSUAL: ~self.other,
            Why.OTHER_CROP: self.excluded & self.clear,
            Why.NO_CROP_CLEAR: self.excluded,
            Why.TOO_FEW: self.few & self.clear,
        }
        return np.select(
            list(cases.values()), [str(code) for code in cases], str(Why.OTHER_LIKELIER)
        )


def _lights(why: NDArray[np.str_]) -> NDArray[np.str_]:
    cases = {code: why == code for code in Why}
    return np.select(list(cases.values()), [str(code.light) for code in cases], "")


def _places(own: Floats) -> Integers:
    """Place of each parcel from 1, the least first; equals in their order."""
    place = np.empty(len(own), np.int64)
    place[np.argsort(own, kind="stable")] = np.arange(1, len(own) + 1)
    return place


def _groups(compared: _Compared, inside: Flags) -> tuple[Group, ...]:
    """The groups, with the number of parcels that are `inside`."""
    size = compared.ranked.size
    covered = np.bincount(compared.group[inside], minlength=len(size))
    return tuple(
        Group(
            classes=tuple(np.unique(np.nonzero(compared.table == number)[0]).tolist()),
            large=_large(compared.table, number),
            parcels=int(size[number]),
            reachable=float(_reachable(size)[number]),
            covered=int(covered[number]),
        )
        for number in range(len(size))
    )


def _reachable(size: Integers) -> Floats:
    """Least p-value in groups of a size; 1 where nobody declares the classes of a group."""
    least: Floats = 1 / np.maximum(size, 1)
    return least


def _large(table: Integers, number: int) -> bool | None:
    sizes = np.unique(np.nonzero(table == number)[1])
    return bool(sizes[0]) if len(sizes) == 1 else None


def sentence_of(code: str) -> str:
    """What a code of `Why` stands for, in words."""
    return _MEANINGS[Why(code)]


def sentences(decision: Decision, declared: Integers, names: Sequence[str]) -> NDArray[np.object_]:
    """What is said of each parcel, for who inspects it and who declared it; shape (n,).

    `declared`: class declared, numbered from 0, shape (n,); `names`: of the classes.
    """
    crop, rows = np.array(names, object), np.arange(len(declared))
    other = decision.probability.argmax(axis=1)
    groups = [_name_of(group, names) for group in decision.groups]
    told = pl.DataFrame(
        {
            "why": decision.why,
            "declared": crop[declared],
            "predicted": crop[other],
            "own": _percent(decision.probability[rows, declared]),
            "most": _percent(decision.probability[rows, other]),
            "share": decision.p_declared,
            "group": np.array(groups, object)[decision.group],
            "parcels": np.array([group.parcels for group in decision.groups])[decision.group],
        }
    ).with_columns(alike=_of_100(pl.col("share")))
    cases = [pl.when(pl.col("why") == code).then(_filled(_SENTENCES[code])) for code in Why]
    found: NDArray[np.object_] = told.select(pl.coalesce(cases)).to_series().to_numpy()
    return found


_MEANINGS = {
    Why.AS_DECLARED: "It looks like the declared crop.",
    Why.UNUSUAL: "It looks most like the declared crop, but few that declare it look so little "
    "like it.",
    Why.OTHER_LIKELIER: "It looks more like another crop, but some that declare this one do so.",
    Why.NO_CROP_CLEAR: "It looks neither like the declared crop nor clearly like another.",
    Why.TOO_FEW: "It looks like another crop, but too few declare this one to compare it with.",
    Why.OTHER_CROP: "It looks like another crop, and hardly any that declare this one do so.",
}

_SENTENCES = {
    Why.AS_DECLARED: "Looks like {declared}, as declared ({own} %).",
    Why.UNUSUAL: "Looks most like {declared}, as declared ({own} %); but of 100 parcels rightly "
    "declared as {group}, {alike} so little like it.",
    Why.OTHER_LIKELIER: "Looks more like {predicted} ({most} %) than {declared} ({own} %); but of "
    "100 parcels rightly declared as {group}, {alike} so little like it.",
    Why.NO_CROP_CLEAR: "Does not look like {declared} ({own} %), nor clearly like another crop; "
    "most like {predicted} ({most} %).",
    Why.TOO_FEW: "Looks like {predicted} ({most} %), not like {declared} ({own} %); but {parcels} "
    "parcels declared as {group} are too few to compare it with.",
    Why.OTHER_CROP: "Looks like {predicted} ({most} %); of 100 parcels rightly declared as "
    "{group}, {alike} so little like it.",
}


def _filled(template: str) -> pl.Expr:
    """The template with each column in the place of its name."""
    names = [name for _, name, _, _ in Formatter().parse(template) if name]
    return pl.format(template.format(**dict.fromkeys(names, "{}")), *names)


def _name_of(group: Group, names: Sequence[str]) -> str:
    if len(group.classes) == 1:
        return names[group.classes[0]]
    return f"one of the {len(group.classes)} rare crops"


def _percent(share: Floats) -> Integers:
    """Whole percent, 1-99: a model is never sure."""
    return np.clip(np.round(100 * share), 1, 99).astype(np.int64)


def _of_100(share: pl.Expr) -> pl.Expr:
    count = (100 * share).round().cast(pl.Int64)
    return (
        pl.when(share < 0.01)
        .then(pl.lit("fewer than 1 looks"))
        .when(count == 1)
        .then(pl.lit("about 1 looks"))
        .otherwise(pl.format("about {} look", count))
    )
