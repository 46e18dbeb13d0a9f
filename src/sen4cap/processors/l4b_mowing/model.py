"""The model of the default method: trees, calibration, thresholds; read and written as text.

`model/trees.txt` and `model/grazing.txt` are LightGBM's text format, `model/model.json` the rest
and what it was trained on. Nothing in them is code. The digests of the trees are checked.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from sen4cap.errors import NoInput
from sen4cap.kernels.mowing_features import FEATURES

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

TREES, GRAZING, DOCUMENT = "trees.txt", "grazing.txt", "model.json"


class Decision(NamedTuple):
    """How probabilities of candidates become events."""

    offset: float
    """With `slope`: log-odds of pooled probabilities to those of true ones (Platt 1999)."""
    slope: float
    threshold: float
    """Calibrated probability from which an event is a mowing."""
    certainty: float
    """Least probability of a number of mowings that is believed, where parcels may be undecided."""


class Decided(NamedTuple):
    """What the decision says of each candidate, shape (k,) each."""

    probability: Doubles
    """Calibrated, 0.001 … 0.999."""
    threshold: Doubles
    certainty: Doubles


@dataclass(frozen=True)
class Model:
    """What the detector needs to judge candidates."""

    trees: lgb.Booster
    """Probability that a mowing lies in the interval of a candidate."""
    grazing: lgb.Booster
    """Probability that a grazing meets the interval of a candidate."""
    optical: Decision
    """Of candidates that clear dates enclose."""
    radar: Decision
    """Of those that radar alone saw."""
    grazing_threshold: float
    """Probability from which what is no mowing is called grazing."""
    trained: dict[str, Any] = field(default_factory=dict)
    """What it was trained on."""

    def mowing(self, values: Floats) -> Doubles:
        """Probability of each row of features, shape (k,); on one thread."""
        return _predicted(self.trees, values)

    def grazed(self, values: Floats) -> Doubles:
        """Probability of grazing of each row of features, shape (k,); on one thread."""
        return _predicted(self.grazing, values)

    def decided(self, pooled: Doubles, optical: Flags) -> Decided:
        """What pooled probabilities are worth; `optical`: candidates that clear dates enclose."""
        offset, slope, threshold, certainty = (
            np.where(optical, of_optical, of_radar)
            for of_optical, of_radar in zip(self.optical, self.radar, strict=True)
        )
        odds = offset + slope * log_odds(pooled)
        probability = np.clip(1 / (1 + np.exp(-odds)), 0.001, 0.999)
        return Decided(probability, threshold, certainty)


def log_odds(probability: Doubles) -> Doubles:
    """Finite log-odds of probabilities."""
    inside = np.clip(probability, 1e-4, 1 - 1e-4)
    odds: Doubles = np.log(inside / (1 - inside))
    return odds


def _predicted(booster: lgb.Booster, values: Floats) -> Doubles:
    if not len(values):
        return np.empty(0)
    return np.asarray(booster.predict(values, num_threads=1), np.float64)


@cache
def shipped() -> Model:
    """The model that comes with the package."""
    return read_model(Path(str(files("sen4cap.processors.l4b_mowing") / "model")))


def read_model(folder: Path) -> Model:
    """The model of a folder.

    Raises
    ------
    NoInput
        If it is missing, is not what its document says, or was made for other features.
    """
    try:
        document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        texts = {name: (folder / name).read_text(encoding="utf-8") for name in (TREES, GRAZING)}
    except FileNotFoundError as error:
        raise NoInput(
            f"{folder} holds no mowing model: choose processor.s4c_l4b.method 'sen4cap'."
        ) from error
    for name, text in texts.items():
        if document["digests"].get(name) != digest(text):
            raise NoInput(f"{folder / name} is not the file {DOCUMENT} speaks of: install it anew.")
    if tuple(document["features"]) != FEATURES:
        raise NoInput(f"The mowing model in {folder} was made for other features: train it anew.")
    return Model(
        lgb.Booster(model_str=texts[TREES]),
        lgb.Booster(model_str=texts[GRAZING]),
        Decision(**document["optical"]),
        Decision(**document["radar"]),
        document["grazing_threshold"],
        document["trained"],
    )


def write_model(folder: Path, model: Model) -> None:
    """Write a model; the same model gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {TREES: model.trees.model_to_string(), GRAZING: model.grazing.model_to_string()}
    document = {
        "features": FEATURES,
        "optical": model.optical._asdict(),
        "radar": model.radar._asdict(),
        "grazing_threshold": model.grazing_threshold,
        "digests": {name: digest(text) for name, text in texts.items()},
        "trained": model.trained,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / DOCUMENT).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def digest(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
