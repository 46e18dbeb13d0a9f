"""The learner, the selection of its parcels, the parameters and the step."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sen4cap.domain import Product, ProductType
from sen4cap.errors import InvalidParameter, NoInput
from sen4cap.processing import Scope, parameters_of, validate
from sen4cap.processors.l4a_crop_type import boosted, processor
from sen4cap.processors.l4a_crop_type.features import Features
from sen4cap.processors.l4a_crop_type.model import Sample, out_of_fold
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.processors.l4a_crop_type.selection import choose
from sen4cap.processors.l4a_crop_type.teachers import class_weights

FAST = CropTypeParams(num_trees=45, min_node_size=5)


def sample(count: int = 400, seed: int = 0) -> Sample:
    """Two overlapping classes and a rare third one, a tenth of the values missing."""
    draw = np.random.default_rng(seed)
    target = draw.choice(3, count, p=[0.6, 0.37, 0.03])
    values = draw.normal(target[:, None] * [1.0, 0.5, 0.0, -1.0], 1.0).astype(np.float32)
    values[draw.random(values.shape) < 0.1] = np.nan
    return Sample(values, target, 3, np.ones(count, bool), np.arange(count) % 5)


def test_a_parcel_never_teaches_its_own_judge() -> None:
    """Labels and features of a fold change nothing about what is said of its parcels."""
    given = sample()
    held_out = given.fold == 2
    flipped = np.where(held_out, (given.target + 1) % 3, given.target)
    before = out_of_fold(given, FAST)
    after = out_of_fold(replace(given, target=flipped), FAST)
    np.testing.assert_array_equal(before[held_out], after[held_out])
    assert (before[~held_out] != after[~held_out]).any()


def test_parcels_that_do_not_teach_are_judged_all_the_same() -> None:
    given = sample()
    small = np.arange(len(given.target)) % 7 == 0
    flipped = np.where(small, 0, given.target)
    first = out_of_fold(replace(given, teaches=~small), FAST)
    second = out_of_fold(replace(given, teaches=~small, target=flipped), FAST)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first.sum(axis=1), 1, atol=1e-5)


def test_any_number_of_threads_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosted, "ROWS_PER_THREAD", 100)
    given = sample(3000)
    one, four = out_of_fold(given, FAST, cores=1), out_of_fold(given, FAST, cores=4)
    assert one.tobytes() == four.tobytes()


def test_a_class_that_a_fold_alone_holds_has_no_probability_there() -> None:
    given = sample()
    target = np.where((given.target == 2) & (given.fold != 1), 0, given.target)
    probability = out_of_fold(replace(given, target=target), FAST)
    assert (probability[given.fold == 1, 2] == 0).all()
    assert (probability[given.fold != 1, 2] > 0).all()


def test_weights_are_the_inverse_root_of_frequency() -> None:
    weight = class_weights(np.array([0] * 16 + [1] * 4 + [2]))
    assert weight.mean() == pytest.approx(1)
    assert weight[-1] / weight[0] == pytest.approx(4)
    assert weight[16] / weight[0] == pytest.approx(2)


def test_too_little_to_learn_is_refused() -> None:
    given = sample()
    with pytest.raises(NoInput, match="block-size"):
        out_of_fold(replace(given, target=np.where(given.fold == 1, 1, 0)), FAST)


def test_a_model_that_diverges_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many classes, steps far too large, and nothing that shrinks the leaves."""
    monkeypatch.setitem(boosted.FIXED, "lambda_l2", 0.0)
    draw = np.random.default_rng(0)
    share = 1 / np.arange(1, 26) ** 1.5
    target = draw.choice(25, 3000, p=share / share.sum())
    values = draw.normal(size=(3000, 8))
    given = Sample(values, target, 25, np.ones(3000, bool), np.arange(3000) % 2)
    wild = CropTypeParams(num_trees=100, learning_rate=1, min_node_size=0)
    with pytest.raises(
        InvalidParameter, match=r"diverged .*lower processor\.s4c_l4a\.learning-rate"
    ):
        out_of_fold(given, wild)


def test_who_is_judged_and_who_teaches() -> None:
    features = Features(
        names=("x",),
        values=np.zeros((8, 1), np.float32),
        pixels=np.array([50, 2, np.nan, 5, 50, 50, 50, np.nan], np.float32),
        radar_pixels=np.full(8, np.nan, np.float32),
        seen=np.array([1, 1, 0, 1, 1, 1, 1, 1], bool),
        stale=0,
    )
    declared = np.array([1, 1, 1, 1, 2, 3, 3, 1])
    chosen = choose(declared, features, CropTypeParams(pa_min=2))
    assert chosen.reason.tolist() == ["", "too_small", "no_data", "", "rare_class", "", "", ""]
    # The fourth is too small to teach, the last was seen by radar alone and teaches.
    assert chosen.teaches.tolist() == [True, False, False, False, False, True, True, True]


@pytest.mark.data
def test_keys_defaults_and_bounds_are_the_originals(shared_data: Path) -> None:
    path = shared_data.parent / "reference" / "config_keys.csv"
    if not path.is_file():
        pytest.skip("the original's configuration keys are not there")
    prefix = "processor.s4c_l4a."
    with path.open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["key"].startswith(prefix)]
    declared = {item.key: item for item in parameters_of(CropTypeParams)}
    original = {row["key"].removeprefix(prefix): (row["default"], row["allowed"]) for row in rows}
    shared = {key: original[key] for key in declared if key in original}
    assert len(shared) == 14
    for key, (default, bounds) in shared.items():
        item = declared[key]
        assert str(getattr(item.default, "value", item.default)) == default
        if item.minimum is not None:
            assert f"{item.minimum:g}..{item.maximum:g}" == bounds


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("num-trees", 1001, "processor.s4c_l4a.num-trees = 1001"),
        ("lc", "15", "processor.s4c_l4a.lc = '15'"),
        ("lc", "", "processor.s4c_l4a.lc = ''"),
        ("mode", "s3-only", "processor.s4c_l4a.mode = 's3-only'"),
        ("smote-x", 5, "processor.s4c_l4a.smote-x is no parameter"),
    ],
)
def test_bad_values_are_refused_with_their_key(key: str, value: object, said: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        validate("s4c_l4a", CropTypeParams, {key: value})
    assert str(caught.value).startswith(said)


def product(name: str, start: datetime, site: str = "a") -> Product:
    kind = ProductType.MARKERS
    return Product(name, site, kind, "31UFT", start, start, "0" * 32, season="2017")


def test_one_step_over_the_markers_of_the_season() -> None:
    scope = Scope("a", "2017", datetime(2017, 1, 1, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC))
    products = [
        product("z", datetime(2017, 1, 1, tzinfo=UTC)),
        product("b", datetime(2017, 12, 31, 23, tzinfo=UTC)),
        product("late", datetime(2018, 1, 1, tzinfo=UTC)),
        product("elsewhere", datetime(2017, 5, 1, tzinfo=UTC), "b"),
    ]
    (step,) = processor.select(CropTypeParams(), scope, products)
    assert [item.name for item in step.inputs] == ["b", "z"]
    assert step.slot == "a/s4c_l4a/-/20170101T000000_20171231T235959/2017"
    assert processor.select(CropTypeParams(), scope, products[2:]) == ()
