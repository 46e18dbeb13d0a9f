"""What can be made of a product, and why the rest is not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.windows import Window

from sen4cap.domain import Asset, Product, ProductType, Role
from sen4cap.errors import InputRefused, NotFound
from sen4cap.kernels.biophysical import estimate
from sen4cap.kernels.variables import MISSING
from sen4cap.processing.directions import Directions, cosines_of, directions_of
from sen4cap.processing.networks import Model, network_for
from sen4cap.processing.variables import recipe_of
from sen4cap.testing.rasters import small_grid

TIME = datetime(2018, 7, 17, 10, 50, 31, tzinfo=UTC)
ALL = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
ANGLES = {
    "view:sun_elevation": 60.0,
    "view:sun_azimuth": 150.0,
    "view:incidence_angle": 5.0,
    "view:azimuth": 100.0,
}


def product(bands: tuple[str, ...] = ALL, **properties: Any) -> Product:
    assets = tuple(Asset(band, f"/{band}.tif") for band in bands)
    mask = Asset("SCL", "/SCL.tif", Role.MASK)
    told = {**ANGLES, "platform": "sentinel-2b", **properties}
    kept = {key: value for key, value in told.items() if value is not None}
    return Product(
        "one", "s", ProductType.L2A, "31UDS", TIME, TIME, "0" * 32, (*assets, mask), properties=kept
    )


def test_all_is_possible() -> None:
    recipe = recipe_of(product(), ["fcover", "lai", "ndvi"])
    assert [item.id for item in recipe.variables] == ["ndvi", "lai", "fcover"]
    assert recipe.network is not None
    assert recipe.network.id == "s2toolbox_s2b"
    assert recipe.bands == ("B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12", "B8A")
    assert recipe.left_out == {}


def test_what_is_left_out_has_a_reason() -> None:
    recipe = recipe_of(product(("B05", "B06", "B07", "B8A", "B11", "B12")), ["ndvi", "lai", "ndii"])
    assert [item.id for item in recipe.variables] == ["ndii"]
    assert recipe.left_out == {"ndvi": "it lacks B08, B04", "lai": "it lacks B03, B04"}
    dark = recipe_of(product(**{"view:sun_azimuth": None}), ["ndvi", "lai"])
    assert dark.left_out == {"lai": "it tells no angles of the sun"}
    fine = recipe_of(product(), ["lai", "ccc"], Model.SEN4CAP)
    assert fine.left_out == {"ccc": "'sen4cap_s2' has no network for it"}
    landsat = recipe_of(product(platform="landsat-8"), ["lai"], Model.S2TOOLBOX_21)
    assert landsat.left_out == {"lai": "there is no network 's2toolbox-2.1' for its platform"}
    assert landsat.variables == ()


def test_three_bands_where_there_are_no_more() -> None:
    fine = recipe_of(product(("B02", "B03", "B04", "B08")), ["lai", "ccc"])
    assert fine.network is not None
    assert fine.network.id == "s2toolbox_10m_s2b"
    assert fine.left_out == {"ccc": "'s2toolbox_10m_s2b' has no network for it"}
    part = recipe_of(product(("B03", "B04", "B08", "B11")), ["lai"])
    assert part.left_out == {"lai": "it lacks B05, B06, B07, B8A, B12"}


def test_landsat() -> None:
    recipe = recipe_of(
        product(("B03", "B04", "B08", "B11", "B12"), platform="landsat-9"), ["lai", "fapar"]
    )
    assert recipe.network is not None
    assert (recipe.network.id, recipe.left_out) == ("s2toolbox_l8", {})


def test_unknown_variable() -> None:
    with pytest.raises(NotFound, match=r"no variable .gai.; there are: ndvi, .*cwc"):
        recipe_of(product(), ["gai"])


def test_values_on_any_shape() -> None:
    """Rasters and flat pixels go the same way: equal to the kernels called by hand."""
    recipe = recipe_of(product(), ["ndvi", "fapar", "lai"])
    rng = np.random.default_rng(5)
    bands = {name: rng.uniform(0.02, 0.4, (4, 6)).astype(np.float32) for name in recipe.bands}
    bands["B05"][1, 2] = np.nan
    angles = cosines_of(product()).at(small_grid(6, 4), Window(0, 0, 6, 4))
    found = recipe.compute(bands, angles)
    assert list(found.values) == ["ndvi", "lai", "fapar"]
    assert found.flags.keys() == {"lai", "fapar"}
    flat = recipe.compute(
        {name: values.ravel() for name, values in bands.items()}, [item.ravel() for item in angles]
    )
    for name, values in found.values.items():
        np.testing.assert_array_equal(flat.values[name], values.ravel())
    assert np.isnan(found.values["lai"][1, 2])
    assert found.flags["lai"][1, 2] == MISSING
    assert not np.isnan(found.values["ndvi"]).any()
    network = network_for(Model.S2TOOLBOX, "sentinel-2b")
    assert network is not None
    one = [bands[name][0, 0] for name in network.bands]
    cosine = np.cos(np.radians([5.0, 30.0, 50.0]))
    by_hand = estimate(network.only(["lai"]), [np.array([value]) for value in (*one, *cosine)])
    assert found.values["lai"][0, 0] == pytest.approx(by_hand.values[0, 0], abs=1e-6)


def test_how_well_directions_are_known() -> None:
    assert directions_of(product()) is Directions.MEAN
    sun = product(**{"view:azimuth": None})
    assert directions_of(sun) is Directions.SUN
    assert cosines_of(sun).nodes.ravel().tolist() == pytest.approx([1.0, np.cos(np.pi / 6), 0.0])
    none = product(**{"view:sun_elevation": None})
    assert directions_of(none) is None
    with pytest.raises(InputRefused, match="'one' tells no angles of the sun: ingest it again"):
        cosines_of(none)


def test_directions_of_metadata(fixture_metadata: Path) -> None:
    with_file = product()
    angles = Asset("angles", str(fixture_metadata), Role.METADATA)
    with_file = Product(**{**vars(with_file), "assets": (*with_file.assets, angles)})
    assert directions_of(with_file) is Directions.GRID
    view, sun, azimuth = cosines_of(with_file).at(small_grid(6, 4), Window(0, 0, 6, 4))
    assert view[2, 3] == pytest.approx(np.cos(np.radians(7)), abs=1e-6)
    assert sun[2, 3] == pytest.approx(np.cos(np.radians(35)), abs=1e-6)
    assert azimuth[2, 3] == pytest.approx(np.cos(np.radians(40)), abs=1e-6)


@pytest.fixture
def fixture_metadata(tmp_path: Path) -> Path:
    from sen4cap.testing.scenes import Scene, write_safe

    scene = Scene({"B04": np.ones((64, 64), np.uint16)}, sun=(35.0, 140.0), view=(7.0, 100.0))
    safe = write_safe(tmp_path, scene, driver="GTiff")
    return next(safe.rglob("MTD_TL.xml"))
