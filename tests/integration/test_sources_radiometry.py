"""From files to reflectance: one scene, however it is stored, has one NDVI."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rasterio.windows import Window

from sen4cap.acquisition import dark_pixels, decide, radiometry_of, to_product
from sen4cap.acquisition.radiometry import Evidence
from sen4cap.catalog import from_dict, to_dict
from sen4cap.domain import Product, Role
from sen4cap.domain.found import Found, Scaling
from sen4cap.errors import RadiometryRefused
from sen4cap.geo.raster import open_asset, read_physical
from sen4cap.sources import discover
from sen4cap.testing.rasters import small_grid
from sen4cap.testing.scenes import Scene, digital_numbers, write_item, write_safe, write_series

GRID = small_grid(64, 64, name="31UDS")
Array = npt.NDArray[Any]


def reflectance() -> dict[str, Array]:
    """Vegetation with a missing corner, in whole digital numbers."""
    rng = np.random.default_rng(7)
    red, nir = (
        np.round(rng.uniform(low, high, (64, 64)), 4) for low, high in ((0.02, 0.08), (0.3, 0.5))
    )
    red[:8, :8] = nir[:8, :8] = np.nan
    return {"B04": red, "B08": nir}


def scene(baseline: str, *, shifted: bool) -> Scene:
    bands = {k: digital_numbers(v, shifted=shifted) for k, v in reflectance().items()}
    return Scene({**bands, "SCL": np.full((32, 32), 4, np.uint8)}, GRID, baseline=baseline)


def product_of(folder: Path, **declared: float) -> Product:
    (found,) = discover(folder)
    assert isinstance(found, Found)
    return to_product(found, "site", radiometry_of(found, dark_pixels(found), **declared))


def ndvi(product: Product) -> Array:
    values = {}
    for name in ("B04", "B08"):
        asset = product.asset(name)
        with open_asset(asset) as dataset:
            values[name] = read_physical(dataset, asset, GRID, Window(0, 0, 64, 64))
    return (values["B08"] - values["B04"]) / (values["B08"] + values["B04"])


def expected() -> Array:
    truth = reflectance()
    return (truth["B08"] - truth["B04"]) / (truth["B08"] + truth["B04"])


def item(offset: float | None, **properties: Any) -> Any:
    told = {"scale": 1e-4, "nodata": 0.0} | ({} if offset is None else {"offset": offset})

    def write(folder: Path, made: Scene) -> Path:
        return write_item(folder, made, raster_bands=told, properties=properties)

    return write


def tagged(folder: Path, made: Scene) -> Path:
    """Offset told by baseline, item and file: still one offset."""
    told = {"scale": 1e-4, "offset": -0.1}
    return write_item(folder, made, raster_bands=told, tags=told)


def safe(add_offset: int | None) -> Any:
    def write(folder: Path, made: Scene) -> Path:
        return write_safe(folder, made, add_offset=add_offset)

    return write


@pytest.mark.parametrize(
    ("write", "baseline", "shifted", "decision"),
    [
        (safe(None), "02.14", False, "none"),
        (safe(-1000), "05.10", True, "to_apply"),
        (safe(0), "05.10", False, "already_applied"),
        (item(None), "02.14", False, "none"),
        (item(None), "05.10", True, "to_apply"),
        (item(-0.1), "05.10", True, "to_apply"),
        (tagged, "05.10", True, "to_apply"),
        (item(0.0), "05.10", False, "already_applied"),
        (
            item(None, **{"earthsearch:boa_offset_applied": True}),
            "05.10",
            False,
            "already_applied",
        ),
    ],
)
def test_one_scene_has_one_ndvi(
    tmp_path: Path, write: Any, baseline: str, shifted: bool, decision: str
) -> None:
    write(tmp_path, scene(baseline, shifted=shifted))
    product = product_of(tmp_path)

    np.testing.assert_allclose(ndvi(product), expected(), atol=1e-5)
    assert product.properties["sen4cap:radiometry"]["decision"] == decision
    assert from_dict(to_dict(product)) == product


def test_three_baselines_agree_to_a_ten_thousandth(tmp_path: Path) -> None:
    safe(None)(tmp_path / "old", scene("02.14", shifted=False))
    safe(-1000)(tmp_path / "new", scene("05.10", shifted=True))
    item(0.0)(tmp_path / "removed", scene("05.10", shifted=False))
    old, new, removed = (ndvi(product_of(tmp_path / n)) for n in ("old", "new", "removed"))

    np.testing.assert_allclose(new, old, atol=1e-4)
    np.testing.assert_allclose(removed, old, atol=1e-4)
    assert np.isnan(old).sum() == 64  # DN 0 is masked before the offset


@pytest.mark.parametrize(
    ("write", "baseline", "shifted"),
    [
        (safe(-1000), "05.10", False),
        (safe(None), "02.14", True),
        (item(None), "05.10", False),
        (item(0.0), "05.10", True),
        (item(-0.1, **{"earthsearch:boa_offset_applied": True}), "05.10", True),
    ],
)
def test_contradiction_is_refused_by_name_and_the_user_ends_it(
    tmp_path: Path, write: Any, baseline: str, shifted: bool
) -> None:
    path = write(tmp_path, scene(baseline, shifted=shifted))

    with pytest.raises(RadiometryRefused, match=path.name):
        product_of(tmp_path)
    declared = product_of(tmp_path, offset=-0.1 if shifted else 0.0, scale=1e-4)
    np.testing.assert_allclose(ndvi(declared), expected(), atol=1e-5)
    assert "user" in str(declared.properties["sen4cap:radiometry"]["because"])


def test_a_clouded_scene_is_believed(tmp_path: Path) -> None:
    made = scene("02.14", shifted=False)
    bands = {**made.bands, "B04": np.full((64, 64), 5000, np.uint16)}
    cloud = replace(made, bands={**bands, "SCL": np.full((32, 32), 9, np.uint8)})
    safe(None)(tmp_path, cloud)

    assert product_of(tmp_path).asset("B04").offset == 0.0


def test_reflectances_that_nothing_describes_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path, GRID, {"B04_20180717.tif": np.full((64, 64), 1500, np.uint16)})

    with pytest.raises(RadiometryRefused, match="Nothing tells"):
        product_of(tmp_path)
    assert product_of(tmp_path, offset=-0.1).asset("B04").offset == -0.1


def test_revision_follows_pixels_and_decision_and_not_the_place(tmp_path: Path) -> None:
    for place in ("a", "b"):
        safe(-1000)(tmp_path / place, scene("05.10", shifted=True))
    first, elsewhere = product_of(tmp_path / "a"), product_of(tmp_path / "b")

    assert first.revision == elsewhere.revision
    assert first.revision != product_of(tmp_path / "a", offset=-0.1, scale=2e-4).revision
    assert [asset.role for asset in first.assets] == [Role.DATA, Role.DATA, Role.MASK]
    assert (first.asset("SCL").scale, first.asset("SCL").offset) == (1.0, 0.0)


@pytest.mark.data
def test_de_marke_is_scaled_once(shared_data: Path) -> None:
    folder = shared_data / "nl_demarke_brp2017_ndvi" / "ndvi"
    found = discover(folder, pattern="NDVI_{date}.tif")[5]
    assert isinstance(found, Found)
    product = to_product(found, "demarke", radiometry_of(found, dark_pixels(found)))

    asset = product.asset("ndvi")
    assert "20170717" in product.name
    assert (asset.scale, asset.offset, asset.nodata) == (0.004, 0.0, 0.0)
    assert product.properties["sen4cap:radiometry"]["decision"] == "none"


@pytest.fixture(scope="module")
def flanders(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """Every fifth of 118 real scenes; their baselines are before 04.00, see the README there."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "acceptance"))
    from flanders import write_flanders_items

    chip = shared_data / "be_flanders_s1s2_chips" / "00002806639B424A_2018"
    folder = tmp_path_factory.mktemp("flanders")
    write_flanders_items(chip, folder, every=5)
    return [item for item in discover(folder) if isinstance(item, Found)]


@pytest.mark.data
def test_no_real_scene_is_refused_and_half_of_the_wrong_words_are_caught(
    flanders: list[Found],
) -> None:
    """The truth is that there is no offset; scenes are clear, hazy and clouded."""
    caught = {"declared and absent": 0, "present and not declared": 0}
    silent = (Scaling("the asset metadata", 1e-4, 0.0),)
    for found in flanders:
        dark = dark_pixels(found)
        assert dark is not None
        shifted = replace(dark, p1=dark.p1 + 1000, target_p1=dark.target_p1 + 1000)
        assert radiometry_of(found, dark)["B04"].offset == 0.0
        assert decide(Evidence("05.10", dark=shifted)).offset == pytest.approx(-0.1)
        caught["declared and absent"] += _refused(Evidence("05.10", dark=dark))
        caught["present and not declared"] += _refused(
            Evidence("05.10", declared=silent, dark=shifted)
        )

    assert len(flanders) == 24
    assert min(caught.values()) >= 10, caught


def _refused(evidence: Evidence) -> bool:
    try:
        decide(evidence)
    except RadiometryRefused:
        return True
    return False
