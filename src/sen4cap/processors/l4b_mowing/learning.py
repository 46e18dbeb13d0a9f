"""How the model is learnt: from parcels with known events, observed and simulated.

All that is chosen - calibration, thresholds, certainty - is chosen on candidates judged by trees
that saw nothing of their place (cross-fitting). The same lessons and seed give the same model.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from zlib import crc32

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from sen4cap.kernels.event_matching import match_events
from sen4cap.kernels.mowing import Kind
from sen4cap.kernels.mowing_decoding import chosen, peaks, pooled
from sen4cap.kernels.mowing_features import FEATURES
from sen4cap.kernels.mowing_labels import Truth, labels
from sen4cap.kernels.series import Series
from sen4cap.processors.l4b_mowing.judging import Judged, events_of, judged, surest
from sen4cap.processors.l4b_mowing.model import Decision, Model, log_odds

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

SETTINGS = {
    "objective": "binary",
    "learning_rate": 0.035,
    "num_leaves": 8,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.6,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
TREES = 240
FOLDS = 5
TOLERANCE = 10
"""Days by which an interval may miss the true day."""
THRESHOLDS = np.arange(0.25, 0.66, 0.025)
CERTAINTIES = np.arange(0.3, 0.96, 0.02)
WANTED = 0.9
"""Share of the decided parcels whose number of mowings shall be right."""


class Lesson(NamedTuple):
    """Parcels of one year or several with known events."""

    name: str
    optical: Series | None
    radar: Series | None
    first: NDArray[np.int64]
    """First day of each parcel's season, shape (n,)."""
    last: NDArray[np.int64]
    truth: Truth
    place: NDArray[np.str_]
    """What is kept together when folds are made: neighbours share weather and mower; shape (n,)."""
    weight: float
    """Of each of its candidates."""
    judges: str
    """Which decision is made on it: `optical`, `radar` or none."""


class _Desk(NamedTuple):
    """A lesson's candidates."""

    lesson: Lesson
    seen: Judged
    mowing: Flags
    grazing: Flags
    fold: NDArray[np.int64]
    """Of each candidate, shape (k,)."""


def learn(lessons: list[Lesson], seed: int, trained: dict[str, Any] | None = None) -> Model:
    """A model of what the lessons show; at least one judges for either sensor."""
    desks = [_desk(lesson) for lesson in lessons]
    mowing = _out_of_fold(desks, [desk.mowing for desk in desks], seed)
    trials = {
        judge: [_trial(desk, out) for desk, out in zip(desks, mowing, strict=True)
                if desk.lesson.judges == judge]
        for judge in ("optical", "radar")
    }  # fmt: skip
    grazing = _fit(desks, [desk.grazing for desk in desks], seed)
    return Model(
        _fit(desks, [desk.mowing for desk in desks], seed),
        grazing,
        _decision(trials["optical"]),
        _decision(trials["radar"]),
        _grazing_threshold(desks, seed),
        trained or {},
    )


def _decision(trials: list[_Trial]) -> Decision:
    """Calibration, then the thresholds of calibrated probabilities."""
    offset, slope = platt(
        np.concatenate([trial.pooled[trial.peak] for trial in trials]),
        np.concatenate([_true(trial, trial.peak)[trial.peak] for trial in trials]),
    )
    calibrated = [trial.calibrated(offset, slope) for trial in trials]
    threshold = _threshold(trials, calibrated)
    certainty = _certainty(trials, calibrated, threshold)
    return Decision(offset, slope, round(threshold, 4), round(certainty, 4))


def _desk(lesson: Lesson) -> _Desk:
    seen = judged(lesson.optical, lesson.radar, lesson.first, lesson.last)
    folds = np.array([crc32(place.encode()) % FOLDS for place in lesson.place.tolist()], np.int64)
    return _Desk(
        lesson,
        seen,
        labels(seen.found, lesson.truth.of(Kind.MOWING)),
        labels(seen.found, lesson.truth.of(Kind.GRAZING)),
        folds[seen.found.parcel],
    )


def _fit(
    desks: list[_Desk], targets: list[Flags], seed: int, fold: int | None = None
) -> lgb.Booster:
    """Trees from all candidates but those of one fold."""
    kept = [desk.fold != fold if fold is not None else desk.fold >= 0 for desk in desks]
    weight = [
        np.full(int(keep.sum()), desk.lesson.weight) for desk, keep in zip(desks, kept, strict=True)
    ]
    values = np.concatenate(
        [desk.seen.values[keep] for desk, keep in zip(desks, kept, strict=True)]
    )
    target = np.concatenate([item[keep] for item, keep in zip(targets, kept, strict=True)])
    data = lgb.Dataset(
        values, target.astype(np.float64), weight=np.concatenate(weight),
        feature_name=list(FEATURES),
    )  # fmt: skip
    return lgb.train({**SETTINGS, "seed": seed}, data, TREES)


def _out_of_fold(desks: list[_Desk], targets: list[Flags], seed: int) -> list[Doubles]:
    """Probability of each candidate by trees that saw nothing of its fold."""
    out = [np.zeros(len(desk.fold)) for desk in desks]
    for fold in range(FOLDS):
        trees = _fit(desks, targets, seed, fold)
        for desk, probability in zip(desks, out, strict=True):
            mine = desk.fold == fold
            if mine.any():
                probability[mine] = trees.predict(desk.seen.values[mine], num_threads=1)
    return out


class _Trial(NamedTuple):
    """Cross-fitted candidates of a lesson that judges."""

    desk: _Desk
    pooled: Doubles
    peak: Flags

    def calibrated(self, offset: float, slope: float) -> Doubles:
        """Probabilities on the scale of true ones."""
        odds = offset + slope * log_odds(self.pooled)
        probability: Doubles = np.clip(1 / (1 + np.exp(-odds)), 0.001, 0.999)
        return probability

    def taken(self, probability: Doubles, threshold: float) -> Flags:
        """Candidates that are events at a threshold."""
        return chosen(self.desk.seen.found, probability, np.full(len(probability), threshold))


def _trial(desk: _Desk, probability: Doubles) -> _Trial:
    together = pooled(desk.seen.found, probability)
    return _Trial(desk, together, peaks(desk.seen.found, together, np.zeros(len(together), bool)))


def _true(trial: _Trial, taken: Flags) -> Flags:
    """Which of the candidates taken answer a known mowing, one to one, shape (k,)."""
    rows = np.flatnonzero(taken)
    events = events_of(trial.desk.seen, rows, trial.pooled[rows], Kind.MOWING)
    known = trial.desk.lesson.truth.of(Kind.MOWING)
    answer = match_events(known.parcel, known.first, events, TOLERANCE)
    out = np.zeros(len(taken), np.bool_)
    out[rows[answer[answer >= 0]]] = True
    return out


def platt(probability: Doubles, true: Flags) -> tuple[float, float]:
    """Offset and slope of the log-odds that make probabilities most likely.

    Targets are a little less than sure, as Platt 1999 has them.
    """
    odds = log_odds(probability)
    yes, no = int(true.sum()), int((~true).sum())
    target = np.where(true, (yes + 1) / (yes + 2), 1 / (no + 2))

    def loss(line: Doubles) -> float:
        guess = line[0] + line[1] * odds
        return float(np.sum(np.logaddexp(0, guess) - target * guess))

    best = minimize(loss, np.array([0.0, 1.0]), method="Nelder-Mead", options={"xatol": 1e-6})
    return round(float(best.x[0]), 6), round(float(best.x[1]), 6)


def _threshold(trials: list[_Trial], calibrated: list[Doubles]) -> float:
    """Half of the best F1 over all lessons that judge.

    Of true probabilities that is the threshold with the best F1 (Z. Lipton et al., ECML PKDD
    2014); it varies less with the few parcels at hand than the threshold that scores best on them.
    """
    known = sum(len(trial.desk.lesson.truth.of(Kind.MOWING).parcel) for trial in trials)
    best = 0.0
    for threshold in THRESHOLDS:
        right = found = 0
        for trial, probability in zip(trials, calibrated, strict=True):
            taken = trial.taken(probability, threshold)
            right += int(_true(trial, taken).sum())
            found += int(taken.sum())
        best = max(best, 2 * right / max(found + known, 1))
    return best / 2


def _grazing_threshold(desks: list[_Desk], seed: int) -> float:
    """The probability at which as many candidates are called grazing as are, cross-fitted."""
    grazing = _out_of_fold(desks, [desk.grazing for desk in desks], seed)
    judges = [number for number, desk in enumerate(desks) if desk.lesson.judges == "optical"]
    rest = [~desks[number].mowing for number in judges]
    guessed = np.concatenate(
        [grazing[number][use] for number, use in zip(judges, rest, strict=True)]
    )
    known = sum(
        int(desks[number].grazing[use].sum()) for number, use in zip(judges, rest, strict=True)
    )
    wrong = [abs(int((guessed >= threshold).sum()) - known) for threshold in THRESHOLDS]
    return round(float(THRESHOLDS[int(np.argmin(wrong))]), 4)


def _certainty(trials: list[_Trial], calibrated: list[Doubles], threshold: float) -> float:
    """The least certainty at which the wanted share of decided numbers is right."""
    sure, right = [], []
    for trial, probability in zip(trials, calibrated, strict=True):
        parcels, parcel = len(trial.desk.lesson.first), trial.desk.seen.found.parcel
        taken = trial.taken(probability, threshold)
        every = taken | peaks(trial.desk.seen.found, probability, taken)
        sure.append(surest(parcel[every], probability[every], parcels))
        known = trial.desk.lesson.truth.of(Kind.MOWING).parcel
        numbers = (np.bincount(item, minlength=parcels) for item in (parcel[taken], known))
        right.append(np.equal(*numbers))
    certain, correct = np.concatenate(sure), np.concatenate(right)
    for least in CERTAINTIES:
        decided = certain >= least
        if decided.any() and correct[decided].mean() >= WANTED:
            return float(least)
    return float(CERTAINTIES[-1])
