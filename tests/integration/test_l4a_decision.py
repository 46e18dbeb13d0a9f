"""Declarations made wrong: what the decision finds, and how far its words can be trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sen4cap.kernels.calibration import expected_calibration_error, log_loss
from sen4cap.processors.l4a_crop_type.decision import Decision, Evidence, Light, decide
from sen4cap.processors.l4a_crop_type.model import Sample, out_of_fold
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.testing.declarations import Declared, demarke, generated, swapped

FEW_TREES = CropTypeParams(pa_min=1, num_trees=60, learning_rate=0.1, group_min=100)
PARAMS = CropTypeParams(pa_min=1)


def judged(sample: Sample, params: CropTypeParams) -> tuple[np.ndarray, Decision]:
    probability = out_of_fold(sample, params)
    given = Evidence(probability, sample.target, sample.fold, sample.teaches)
    return probability, decide(given, params)


def assert_trusted(sample: Sample, raw: np.ndarray, found: Decision, most: float) -> None:
    """Calibration of all and of each common class, and coverage of each large group."""
    said, target = found.probability, sample.target
    right = said.argmax(axis=1) == target
    assert log_loss(said, target) <= log_loss(raw, target) + 0.001
    assert expected_calibration_error(said.max(axis=1), right) <= most
    for number in np.flatnonzero(np.bincount(target) >= 100):
        assert expected_calibration_error(said[:, number], target == number) <= 0.03
    for group in found.groups:
        if group.parcels >= 300:
            assert group.covered / group.parcels == pytest.approx(0.95, abs=0.02)


def assert_found(
    given: Declared, params: CropTypeParams, seed: int, *, first: float, alike: bool = False
) -> None:
    """False reds, decided parcels, and swapped ones among the 5 % least conform."""
    sample, wrong = swapped(given, 0.02, seed, alike=alike)
    _, found = judged(sample, params)
    red, green = found.light == Light.RED, found.light == Light.GREEN
    assert red[~wrong].mean() <= params.red_rate
    assert (red | green).mean() >= 0.85
    assert (found.rank <= np.ceil(0.05 * len(wrong)))[wrong].mean() >= first


def test_a_generated_season() -> None:
    given = generated(Path(), 0, count=1500)
    assert_trusted(given.sample, *judged(given.sample, FEW_TREES), most=0.03)
    assert_found(given, FEW_TREES, 1, first=0.9)
    assert_found(given, FEW_TREES, 2, first=0.9, alike=True)


def test_swaps_are_drawn_by_frequency_and_look_alikes_stay_in_their_family() -> None:
    given = generated(Path(), 0, count=1500)
    sample, wrong = swapped(given, 0.5, 0)
    assert (sample.target != given.sample.target).tolist() == wrong.tolist()
    assert wrong.sum() == round(0.5 * len(wrong))
    names = np.array(given.names)
    became = names[sample.target[wrong & (names[given.sample.target] == "Maize")]]
    shares = {name: (became == name).mean() for name in names}
    assert shares["Maize"] == 0
    assert shares["Grassland"] == pytest.approx(0.28 / (0.972 - 0.16), abs=0.1)
    alike, wrong = swapped(given, 0.5, 0, alike=True)
    cereals = {"Winter wheat", "Winter barley"}
    assert set(names[alike.target[wrong]]) == set(names[given.sample.target[wrong]]) == cereals


@pytest.mark.data
def test_de_marke(shared_data: Path) -> None:
    """One seed; more of them, and more places, in `benchmarks/crop_type_decision.py`."""
    given = demarke(shared_data, 1)
    assert_trusted(given.sample, *judged(given.sample, PARAMS), most=0.03)
    assert_found(given, PARAMS, 1001, first=0.8)
