"""Networks of biophysical variables against the reference vectors of SNAP, and by hand."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sen4cap.kernels import perceptron
from sen4cap.kernels.biophysical import (
    Network,
    Unit,
    estimate,
    fold,
)
from sen4cap.kernels.variables import MISSING, VARIABLES, DomainFlag
from sen4cap.processing import networks
from sen4cap.processing.networks import Model, network_for

VECTORS = [
    ("S2A", Model.S2TOOLBOX, "sentinel-2a", {"LAI": 2000, "FAPAR": 2000, "FCOVER": 2000}),
    ("S2B", Model.S2TOOLBOX, "sentinel-2b", {"LAI": 327, "FAPAR": 150, "FCOVER": 123}),
    ("S2A_10m", Model.S2TOOLBOX_10M, "sentinel-2a", {"LAI": 122, "FAPAR": 58, "FCOVER": 66}),
    ("v2.1_S2A", Model.S2TOOLBOX_21, "sentinel-2a", {"LAI": 100, "FAPAR": 54}),
]


def reference(folder: Path, sensor: str, variable: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Inputs, each of shape (n,), and outputs of the cases that have one."""
    path = folder / "snap_biophysical_vectors" / f"{sensor}_{variable}.parquet"
    table = pl.read_parquet(path).drop_nulls().to_numpy()
    return list(table[:, :-1].T), table[:, -1]


@pytest.mark.data
@pytest.mark.parametrize(("sensor", "model", "platform", "cases"), VECTORS)
def test_as_snap(
    shared_data: Path, sensor: str, model: Model, platform: str, cases: dict[str, int]
) -> None:
    """Within 0.0005 of ESA's reference outputs, for each sensor and resolution delivered."""
    network = network_for(model, platform)
    assert network is not None
    for variable, count in cases.items():
        inputs, expected = reference(shared_data, sensor, variable)
        found = estimate(network.only([variable.lower()]), inputs)
        assert found.values.shape == (1, count)
        assert np.abs(found.values[0] - expected).max() < 5e-4


@pytest.mark.data
@pytest.mark.parametrize(
    ("sensor", "model", "platform", "within"),
    [
        ("S2A", Model.S2TOOLBOX, "sentinel-2a", 0.15),
        ("S2B", Model.S2TOOLBOX, "sentinel-2b", 0.15),
        ("v2.1_S2A", Model.S2TOOLBOX_21, None, 0.15),
    ],
)
def test_chlorophyll_as_snap(
    shared_data: Path, sensor: str, model: Model, platform: str | None, within: float
) -> None:
    """Reference outputs of 0 to 600 ug/cm² are printed with four digits."""
    network = network_for(model, platform)
    assert network is not None
    inputs, expected = reference(shared_data, sensor, "LAI_Cab")
    found = estimate(network.only(["ccc"]), inputs).values[0]
    assert np.abs(found - expected).max() < within


@pytest.mark.data
@pytest.mark.parametrize(("variable", "rmse"), [("LAI", 0.26), ("FAPAR", 0.011), ("FCOVER", 0.012)])
def test_the_original_agrees_with_snap(shared_data: Path, variable: str, rmse: float) -> None:
    """On the cases of S2A, with B08 between B07 and B8A; figures of an independent comparison."""
    path = shared_data / "snap_biophysical_vectors" / f"S2A_{variable}.parquet"
    table = pl.read_parquet(path).drop_nulls().with_columns(B08=(pl.col("B07") + pl.col("B8A")) / 2)
    network = network_for(Model.SEN4CAP, "sentinel-2a")
    assert network is not None
    columns = [*network.bands, "cos_vza", "cos_sza", "cos_raa"]
    found = estimate(network.only([variable.lower()]), [table[name].to_numpy() for name in columns])
    difference = found.values[0] - table[variable].to_numpy()
    assert np.sqrt((difference**2).mean()) == pytest.approx(rmse, rel=0.03)
    assert np.corrcoef(found.values[0], table[variable])[0, 1] > 0.99


@pytest.mark.data
def test_cases_of_version_2_1_lie_in_its_domain(shared_data: Path) -> None:
    """All reference cases of LAI have a listed combination of bands; none has with B03 doubled."""
    network = network_for(Model.S2TOOLBOX_21, None)
    assert network is not None
    inputs, _ = reference(shared_data, "v2.1_S2A", "LAI")
    assert not (estimate(network, inputs).flags[0] & DomainFlag.INPUT).any()
    doubled = [inputs[0] * 4, *inputs[1:]]
    assert (estimate(network, doubled).flags[0] & DomainFlag.INPUT).mean() > 0.9


def by_hand() -> Network:
    """One band and a network that gives 4·tanh(5·(reflectance - 0.5)) + 2, range 0 to 5."""
    inputs = np.array([[0, 1], [0.9, 1], [0.3, 0.9], [-1, 1]], float)
    weights = np.zeros((5, 4))
    weights[0, 0] = 2.5  # scaled reflectances are 2x - 1
    unit = Unit(
        inputs, weights, np.zeros(5), np.array([1.0, 0, 0, 0, 0]), 0.0,
        output=np.array([-2.0, 6.0]), limits=np.array([0.0, 5.0]), tolerance=0.5,
    )  # fmt: skip
    return fold("hand", ("B04",), {"lai": unit}, (np.zeros(1), np.ones(1), np.arange(1, 10)))


def angles(count: int, view: float = 0.95, sun: float = 0.6) -> list[np.ndarray]:
    return [np.full(count, value) for value in (view, sun, 0.0)]


def test_values_ranges_and_flags_by_hand() -> None:
    red = np.array([0.5, 0.4, 0.38, 0.35, 0.62, 0.7, 0.05, 1.2, np.nan])
    found = estimate(by_hand(), [red, *angles(9)])
    values = [2.0, 0.151531, 0.0, 0.0, 4.148198, 5.0, 0.0, 5.0, np.nan]
    np.testing.assert_allclose(found.values[0], values, atol=2e-6)
    flags = DomainFlag
    assert found.flags[0].tolist() == [
        0,
        0,
        flags.AT_MINIMUM,  # -0.148
        flags.TOO_LOW,  # -0.541
        0,
        flags.AT_MAXIMUM,  # 5.046
        flags.TOO_LOW | flags.INPUT,  # the lowest tenth is not listed
        flags.TOO_HIGH | flags.INPUT | flags.BAND,
        MISSING,
    ]


def test_what_the_original_keeps() -> None:
    """Its quirk: within tolerance of the range a value stays, beyond it is brought back."""
    network = by_hand()
    kept = network.range._replace(kept=network.range.tolerance)
    found = estimate(
        Network(**{**vars(network), "range": kept}), [np.array([0.38, 0.35]), *angles(2)]
    )
    assert found.values[0].tolist() == pytest.approx([-0.148198, 0.0], abs=2e-6)
    assert found.flags[0].tolist() == [DomainFlag.AT_MINIMUM, DomainFlag.TOO_LOW]


@pytest.mark.parametrize(
    ("view", "sun", "flag"),
    [
        (0.95, 0.6, 0),
        (1.0, 0.6, 0),
        (0.89, 0.6, DomainFlag.ANGLE),
        (0.95, 0.29, DomainFlag.ANGLE),
        (0.95, 0.91, DomainFlag.ANGLE),
    ],
)
def test_angles_beyond_the_training(view: float, sun: float, flag: int) -> None:
    assert estimate(by_hand(), [np.array([0.5]), *angles(1, view, sun)]).flags[0, 0] == flag


def test_shape_blocks_and_order_do_not_matter() -> None:
    """Pixels are judged by themselves: 3,000 at once, in rows, or one by one."""
    rng = np.random.default_rng(7)
    network = network_for(Model.S2TOOLBOX, "sentinel-2a")
    assert network is not None
    inputs = [*rng.uniform(0, 0.4, (8, 3000)), np.full(3000, 0.98), np.full(3000, 0.7)]
    inputs.append(rng.uniform(-1, 1, 3000))
    whole = estimate(network, inputs)
    rows = estimate(network, [item.reshape(60, 50) for item in inputs])
    assert rows.values.shape == (5, 60, 50)
    np.testing.assert_array_equal(rows.values.reshape(5, -1), whole.values)
    one = estimate(network.only(["cwc", "lai"]), [item[2500:2501] for item in inputs])
    assert one.values[:, 0].tolist() == whole.values[[4, 0], 2500].tolist()
    assert one.flags[:, 0].tolist() == whole.flags[[4, 0], 2500].tolist()


@pytest.mark.parametrize("name", sorted(item.name for item in files(networks).iterdir()
                                        if item.name.endswith(".json")))  # fmt: skip
def test_folded_networks_equal_the_published_ones(name: str) -> None:
    """Against the formula step by step in double precision, with numpy's hyperbolic tangent."""
    told = json.loads(files(networks).joinpath(name).read_text("utf-8"))
    network = networks._read(name.removesuffix(".json"))
    assert network.outputs == tuple(told["variables"])
    assert told["provenance"]["commit"]
    rng = np.random.default_rng(3)
    for variable, unit in told["variables"].items():
        low, high = np.array(unit["inputs"]).T
        x = rng.uniform(low[:, None], high[:, None], (len(low), 2000))
        scaled = 2 * (x - low[:, None]) / (high - low)[:, None] - 1
        hidden = np.tanh(unit["hidden_weights"] @ scaled + np.array(unit["hidden_bias"])[:, None])
        start, end = unit["output"]
        y = (unit["output_weights"] @ hidden + unit["output_bias"] + 1) / 2 * (end - start) + start
        least, most = unit["limits"]
        inside = (y > least) & (y < most)
        assert inside.sum() > 300
        found = estimate(network.only([variable]), list(x)).values[0]
        step = VARIABLES[variable].scale
        assert np.abs(found - y)[inside].max() < step / 5
        assert ((found >= least) & (found <= most))[~inside].all() or network.range.kept.any()


def test_the_tangent() -> None:
    """As numpy's, over all values that matter; 1 beyond."""
    x = np.linspace(-9, 9, 20001).astype(np.float32)
    found = np.array([perceptron._tanh.py_func(value) for value in x[::20]])
    assert np.abs(found - np.tanh(x[::20].astype(float))).max() < 1e-6


def test_angles_may_be_single_numbers() -> None:
    red = np.linspace(0, 1, 1500).reshape(30, 50)
    each = estimate(by_hand(), [red, *(np.full(red.shape, value) for value in (0.95, 0.6, 0.0))])
    one = estimate(
        by_hand(), [red, np.float32(0.95), np.float32(0.6), np.broadcast_to(0.0, red.shape)]
    )
    np.testing.assert_array_equal(one.values, each.values)
    np.testing.assert_array_equal(one.flags, each.flags)
    assert estimate(by_hand(), [np.zeros(0), *angles(0)]).values.shape == (1, 0)


def test_angles_that_are_alike_give_the_same_bits() -> None:
    """Weighed once for all pixels or for each."""
    rng = np.random.default_rng(5)
    network = network_for(Model.S2TOOLBOX, "sentinel-2a")
    assert network is not None
    bands = list(rng.uniform(0, 0.5, (8, 1700)))
    each = estimate(network, [*bands, *(np.full(1700, value) for value in (0.97, 0.71, -0.3))])
    one = estimate(network, [*bands, *(np.float32(value) for value in (0.97, 0.71, -0.3))])
    np.testing.assert_array_equal(one.values, each.values)
    np.testing.assert_array_equal(one.flags, each.flags)


def test_the_domain_is_what_was_listed() -> None:
    """Combinations of three bands one by one: those that are listed count, no other does."""
    listed = np.random.default_rng(2).choice(1000, 150, replace=False)
    inputs = np.array([[0, 1], [0, 1], [0, 1], [0.9, 1], [0.3, 0.9], [-1, 1]], float)
    unit = Unit(
        inputs, np.zeros((5, 6)), np.zeros(5), np.zeros(5), 0.0,
        output=np.array([0.0, 1.0]), limits=np.array([0.0, 5.0]), tolerance=0.5,
    )  # fmt: skip
    domain = np.zeros(3), np.ones(3), np.sort(listed)
    network = fold("three", ("B03", "B04", "B08"), {"lai": unit}, domain)
    codes = np.arange(1000)
    middles = [(codes // place % 10 + 0.5) / 10 for place in (100, 10, 1)]
    flags = estimate(network, [*middles, *angles(1000)]).flags[0]
    assert set(codes[flags & DomainFlag.INPUT == 0]) == set(listed.tolist())


def test_wrong_inputs() -> None:
    with pytest.raises(ValueError, match="hand takes 4 inputs"):
        estimate(by_hand(), [np.zeros(1)])
    with pytest.raises(ValueError, match="different shapes"):
        estimate(by_hand(), [np.zeros((3, 4)), *angles(4)])


def test_networks_of_platforms() -> None:
    ids = {
        (model, platform): None if (net := network_for(model, platform)) is None else net.id
        for model in (Model.S2TOOLBOX, Model.S2TOOLBOX_10M, Model.SEN4CAP)
        for platform in ("Sentinel-2A", "sentinel-2c", "landsat-9", None)
    }
    assert list(ids.values()) == [
        "s2toolbox_s2a", "s2toolbox_s2b", "s2toolbox_l8", "s2toolbox_s2a",
        "s2toolbox_10m_s2a", "s2toolbox_10m_s2b", None, "s2toolbox_10m_s2a",
        "sen4cap_s2", "sen4cap_s2", "sen4cap_l8", "sen4cap_s2",
    ]  # fmt: skip
