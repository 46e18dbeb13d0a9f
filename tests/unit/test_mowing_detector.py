"""The default method on simulated meadows: what changes nothing, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sen4cap.errors import NoInput
from sen4cap.kernels.mowing import Events, Kind
from sen4cap.kernels.series import Series
from sen4cap.processors.l4b_mowing import detector
from sen4cap.processors.l4b_mowing.detector import detect, joined, part
from sen4cap.processors.l4b_mowing.learning import platt
from sen4cap.processors.l4b_mowing.model import DOCUMENT, read_model, shipped, write_model
from sen4cap.simulate.meadows import Meadows, meadows

PERIOD = 18628 + 90, 18628 + 303
"""April to October 2021."""
COUNT = 60


@pytest.fixture(scope="module")
def season() -> Meadows:
    return meadows(COUNT, 2021, 11)


def _same(one: Events, other: Events) -> None:
    for mine, its in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_blocks_threads_and_company_change_nothing(
    season: Meadows, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = detect(season.optical, season.radar, PERIOD, shipped())
    monkeypatch.setattr(detector, "BLOCK", 7)
    _same(whole, detect(season.optical, season.radar, PERIOD, shipped(), threads=2))
    parts = []
    for begin in range(0, COUNT, 20):
        pair = (part(item, begin, begin + 20) for item in season[:2])
        found = detect(*pair, PERIOD, shipped())
        parts.append(found._replace(parcel=found.parcel + begin))
    _same(whole, joined(parts))


def test_events_are_within_the_period_and_their_intervals(season: Meadows) -> None:
    events = detect(season.optical, season.radar, PERIOD, shipped())
    assert len(events.parcel) > COUNT / 2
    assert ((events.first <= events.day) & (events.day <= events.last)).all()
    assert events.day.min() >= PERIOD[0]
    assert events.day.max() <= PERIOD[1]
    order = np.lexsort((events.day, events.parcel))
    np.testing.assert_array_equal(order, np.arange(len(order)))
    mown = events.take(events.kind == Kind.MOWING)
    same = np.diff(mown.parcel) == 0
    assert (np.diff(mown.day)[same] >= 19).all()


@pytest.mark.parametrize("sensors", [(True, False), (False, True), (True, True)])
def test_any_sensor_may_be_absent(season: Meadows, sensors: tuple[bool, bool]) -> None:
    used = [item if use else None for item, use in zip(season[:2], sensors, strict=True)]
    assert len(detect(*used, PERIOD, shipped()).parcel)


def test_one_sensor_is_needed() -> None:
    with pytest.raises(ValueError, match="needed"):
        detect(None, None, PERIOD, shipped())


def test_a_parcel_in_doubt_is_left_open(season: Meadows) -> None:
    sure = detect(season.optical, None, PERIOD, shipped())
    events = detect(season.optical, None, PERIOD, shipped(), undecided=True)
    open_ = np.unique(events.parcel[events.kind == Kind.UNDECIDED])
    assert 0 < len(open_) < COUNT
    decided = events.take(~np.isin(events.parcel, open_))
    _same(decided, sure.take(~np.isin(sure.parcel, open_)))


def test_parcels_without_observations_have_no_events() -> None:
    none = np.empty(0, np.int16)
    empty = Series(np.zeros(4, np.int64), none.astype(np.int32), np.empty((3, 0), np.float32),
                   none, none)  # fmt: skip
    assert len(detect(empty, None, PERIOD, shipped()).parcel) == 0


def test_a_model_is_read_as_it_was_written(season: Meadows, tmp_path: Path) -> None:
    write_model(tmp_path, shipped())
    again = read_model(tmp_path)
    _same(*(detect(season.optical, None, PERIOD, model) for model in (shipped(), again)))


def test_a_model_that_was_changed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoInput, match="sen4cap"):
        read_model(tmp_path)
    write_model(tmp_path, shipped())
    trees = tmp_path / "trees.txt"
    trees.write_text(trees.read_text() + "\n")
    with pytest.raises(NoInput, match=DOCUMENT):
        read_model(tmp_path)


def test_platt_brings_overconfidence_down() -> None:
    random = np.random.default_rng(0)
    true = random.uniform(0.02, 0.98, 20_000)
    happened = random.random(20_000) < true
    odds = 2 * np.log(true / (1 - true)) + 1
    offset, slope = platt(1 / (1 + np.exp(-np.clip(odds, -9, 9))), happened)
    assert (offset, slope) == pytest.approx((-0.5, 0.5), abs=0.06)


def test_meadows_are_the_same_for_a_seed() -> None:
    one, other = (meadows(5, 2021, 3) for _ in range(2))
    for mine, its in zip((*one.optical, *one.radar, *one.truth),
                         (*other.optical, *other.radar, *other.truth), strict=True):  # fmt: skip
        np.testing.assert_array_equal(mine, its)
