"""The shipped mowing model on meadows it learnt nothing of, and one model of one country."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sen4cap.processors.l4b_mowing.learning import learn
from sen4cap.processors.l4b_mowing.model import shipped
from sen4cap.testing import mowing
from sen4cap.testing.meadows import Field, cameras, points

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def plots(shared_data: Path) -> Field:
    return cameras(shared_data / "ch_sk_grassland_mowing")


def test_the_shipped_model_where_it_learnt_nothing(plots: Field) -> None:
    held = plots.take(mowing.held_out(plots))
    found = mowing.score(held, mowing.events_of_field(held, shipped()))
    assert found.known == 94
    assert found.f1 >= 0.75  # measured 0.79; two standard errors are about 0.06
    assert np.median(found.error) <= 4


def test_it_says_of_each_event_whether_it_learnt_from_it(plots: Field) -> None:
    rows = shipped().trained["events"]["cameras"]
    assert len(rows) == 507
    held = plots.take(mowing.held_out(plots))
    names = {(row[1], row[2]) for row in rows if row[6] == "held out"}
    known = held.truth.parcel
    assert names == {(held.plot[row], int(held.year[row])) for row in known}


def test_slovak_meadows_teach_what_swiss_ones_show(plots: Field, shared_data: Path) -> None:
    dots = points(shared_data / "ch_sk_grassland_mowing")
    slovak, swiss = (mowing.by_region(plots, region) for region in ("SK", "CH"))
    model = learn(mowing.lessons(slovak, dots), 0)
    found = mowing.score(swiss, mowing.events_of_field(swiss, model))
    assert found.f1 >= 0.77
    assert np.median(found.error) <= 4
    likely = (found.probability >= 0.8) & (found.probability < 0.95)
    assert found.true[likely].mean() >= 0.75
