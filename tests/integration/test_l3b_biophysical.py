"""LAI, FAPAR and FCOVER as rasters: values of SNAP's reference vectors, flags, and refusals."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import rasterio

from sen4cap.catalog import to_dict
from sen4cap.domain import Asset, Grid, Product, ProductType, Role, Season, Site
from sen4cap.errors import InputRefused, RadiometryRefused
from sen4cap.kernels.variables import MISSING, DomainFlag
from sen4cap.processing import Context, Scope, Step, validate
from sen4cap.processing.networks import Model
from sen4cap.processors.l3b import L3bParams, Resolution, Storage, processor, refusal, select
from sen4cap.testing.rasters import small_grid, write_raster

TIME = datetime(2022, 7, 17, 10, 50, 31, tzinfo=UTC)
SCOPE = Scope("s", "2022", datetime(2022, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC))
BANDS = ("B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12")
N = -10000
# A green crop, typical Sentinel-2 reflectances; the baseline of processing adds 0.1 when stored.
CROP = dict(zip(BANDS, (0.06, 0.04, 0.10, 0.30, 0.38, 0.42, 0.18, 0.09), strict=True))
ANGLES = {
    "view:sun_elevation": 55.0,
    "view:sun_azimuth": 150.0,
    "view:incidence_angle": 5.0,
    "view:azimuth": 100.0,
}


def band(folder: Path, name: str, reflectance: np.ndarray, grid: Grid, offset: float) -> Asset:
    folder.mkdir(exist_ok=True)
    stored = np.nan_to_num((reflectance - offset) * 10000, nan=0.0).round().astype(np.uint16)
    path = write_raster(folder / f"{name}.tif", grid, stored)
    return Asset(name, str(path), scale=0.0001, offset=offset, nodata=0)


def scene(
    folder: Path,
    bands: dict[str, np.ndarray],
    *,
    classes: np.ndarray | None = None,
    offset: float = -0.1,
    **properties: Any,
) -> Product:
    """An acquisition; images of half as many rows have twice the pixel."""
    height, width = next(iter(bands.values())).shape
    grid = small_grid(width, height, name="31UDS")
    own = {name: grid.at(10 * height / len(image)) for name, image in bands.items()}
    assets = [band(folder, name, image, own[name], offset) for name, image in bands.items()]
    if classes is not None:
        coarse = grid.at(10 * height / len(classes))
        path = write_raster(folder / "SCL.tif", coarse, classes.astype(np.uint8))
        assets.append(Asset("SCL", str(path), Role.MASK))
    told = {"platform": "sentinel-2a", **ANGLES, **properties}
    kept = {key: value for key, value in told.items() if value is not None}
    return Product(
        folder.name, "s", ProductType.L2A, "31UDS", TIME, TIME, "0" * 32, tuple(assets),
        properties=kept,
    )  # fmt: skip


def crop(rows: int = 4, columns: int = 6, **other: float) -> dict[str, np.ndarray]:
    return {name: np.full((rows, columns), value) for name, value in (CROP | other).items()}


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    season = Season("s", "2022", date(2022, 1, 1), date(2022, 12, 31))
    return Context(Site("S", "s"), season, tmp_path / "archive", cores=2)


def run(ctx: Context, source: Product, **params: Any) -> Product:
    chosen = L3bParams(**params)
    (step,) = select(chosen, SCOPE, [source])
    return processor.run(ctx, chosen, replace(step, revision="1a2b3c4d" + "0" * 24))


def stored(product: Product, name: str) -> np.ndarray:
    with rasterio.open(product.asset(name).href) as dataset:
        return np.asarray(dataset.read(1))


@pytest.mark.data
def test_the_reference_vectors_as_an_image(ctx: Context, tmp_path: Path, shared_data: Path) -> None:
    """One image per case of SNAP; LAI within what the steps of stored reflectances leave."""
    path = shared_data / "snap_biophysical_vectors" / "S2A_LAI.parquet"
    table = pl.read_parquet(path).head(40)
    for number, case in enumerate(table.iter_rows(named=True)):
        if not -0.99 < case["cos_raa"] < 0.99:
            continue
        images = {name: np.full((1, 2), case[name]) for name in BANDS}
        source = scene(
            tmp_path / f"case{number}", images, offset=-0.1,
            **{
                "view:sun_elevation": float(np.degrees(np.arcsin(case["cos_sza"]))),
                "view:sun_azimuth": float(np.degrees(np.arccos(case["cos_raa"]))),
                "view:incidence_angle": float(np.degrees(np.arccos(case["cos_vza"]))),
                "view:azimuth": 0.0,
            },
        )  # fmt: skip
        lai = stored(run(ctx, source, produce_ndvi=False), "lai")
        # reflectances are held in steps of 0.0001, LAI in steps of 0.001
        assert np.abs(lai / 1000 - case["LAI"]).max() < 0.02


def test_files_values_and_provenance(ctx: Context, tmp_path: Path) -> None:
    classes = np.array([[4, 6, 9], [4, 4, 0]])
    images = crop() | {"B08": np.full((4, 6), 0.4)}
    product = run(ctx, scene(tmp_path / "l2a", images, classes=classes))
    tag = "A20220717T105031_T31UDS_r1a2b3c4d"
    names = [Path(asset.href).name.removesuffix(f"_{tag}.TIF") for asset in product.assets]
    assert names[:-1] == [
        f"S2AGRI_L3B_{name}"
        for name in ("SNDVI", "SLAIMONO", "SFAPARMONO", "SFCOVERMONO", "MMONODFLG", "MINDOMFLG")
    ]
    lai = stored(product, "lai")
    assert lai[0, 0] == lai[0, 2] == lai[3, 3]  # crop, and where water is told
    assert 2800 < lai[0, 0] < 4200
    assert (lai[:2, 4:] == N).all()
    assert (lai[2:, 4:] == N).all()
    assert stored(product, "domain")[0, 4] == MISSING
    assert stored(product, "status")[:, ::2].tolist() == [
        [0, 1, 4],
        [0, 1, 4],
        [0, 0, 255],
        [0, 0, 255],
    ]
    assert product.properties["sen4cap:network"] == "s2toolbox_s2a"
    assert product.properties["sen4cap:angles"] == "mean"
    assert product.properties["valid_share"] == 0.8
    item = to_dict(product)
    assert item["properties"]["processing:software"] == {"sen4cap l3b": "4"}
    assert "LAI" not in item["properties"]
    assert item["assets"]["lai"]["raster:bands"] == [
        {"scale": 0.001, "offset": 0.0, "nodata": -10000.0}
    ]
    with rasterio.open(product.asset("lai").href) as dataset:
        assert dataset.tags()["network"] == "s2toolbox_s2a"


def test_floats_and_flags_per_variable(ctx: Context, tmp_path: Path) -> None:
    images = crop()
    images["B11"][0, 0] = 0.7  # beyond every band of the domain
    images["B8A"][0, 1] = np.nan
    product = run(
        ctx, scene(tmp_path / "l2a", images), storage="float32", produce_in_domain_flags=True,
        produce_ccc=True, produce_cwc=True, produce_ndvi=False,
    )  # fmt: skip
    assert [asset.name for asset in product.assets] == [
        *("lai", "fapar", "fcover", "ccc", "cwc", "status", "domain"),
        *("lai_domain", "fapar_domain", "fcover_domain", "ccc_domain", "cwc_domain", "quicklook"),
    ]
    lai = stored(product, "lai")
    assert lai.dtype == np.float32
    assert np.isnan(lai[0, 1])
    flags = stored(product, "lai_domain")
    assert flags[0, 0] & DomainFlag.BAND
    assert flags[0, 1] == MISSING
    assert stored(product, "domain")[0, 0] & DomainFlag.BAND
    assert "MLAIDOMFLG" in product.asset("lai_domain").href
    assert np.isnan(product.asset("lai").nodata or 0.0)
    assert 100 < stored(product, "ccc")[2, 2] < 300
    assert 0.01 < stored(product, "cwc")[2, 2] < 0.2


def test_nothing_outside_the_range_is_unflagged(ctx: Context, tmp_path: Path) -> None:
    """Random spectra, most of them nonsense: all values in range, clipped ones flagged."""
    rng = np.random.default_rng(11)
    images = {name: rng.uniform(0, 0.8, (60, 60)) for name in BANDS}
    flagged = {"produce_in_domain_flags": True, "storage": "float32", "produce_ndvi": False}
    product = run(ctx, scene(tmp_path / "l2a", images), **flagged)
    for name, top in (("lai", 8.0), ("fapar", np.float32(0.94)), ("fcover", 1.0)):
        values, flags = stored(product, name), stored(product, f"{name}_domain")
        assert (values.min(), values.max()) == (0.0, top)
        low = flags & (DomainFlag.AT_MINIMUM | DomainFlag.TOO_LOW) != 0
        high = flags & (DomainFlag.AT_MAXIMUM | DomainFlag.TOO_HIGH) != 0
        np.testing.assert_array_equal(low, values == 0)
        np.testing.assert_array_equal(high, values == top)
        assert (stored(product, "domain") & flags == flags).all()
    assert product.properties["doubtful_share"] > 0.9


def test_resolutions(ctx: Context, tmp_path: Path) -> None:
    """At 20 m the 10 m bands are averaged; at 10 m the 20 m bands are taken as they are."""
    fine = np.full((4, 6), CROP["B04"])
    fine[0, 0] += 0.02
    images = {"B03": np.full((4, 6), CROP["B03"]), "B04": fine}
    images |= {name: np.full((2, 3), CROP[name]) for name in BANDS[2:]}
    source = scene(tmp_path / "l2a", images)
    coarse = run(ctx, source, resolution="20", produce_ndvi=False)
    with rasterio.open(coarse.asset("lai").href) as dataset:
        assert (dataset.shape, dataset.res) == ((2, 3), (20.0, 20.0))
    same = crop(2, 3)
    same["B04"][0, 0] += 0.005
    expected = stored(run(ctx, scene(tmp_path / "same", same), produce_ndvi=False), "lai")
    np.testing.assert_array_equal(stored(coarse, "lai"), expected)
    full = stored(run(ctx, replace(source, name="b"), produce_ndvi=False), "lai")
    assert full.shape == (4, 6)
    assert full[0, 0] != full[0, 1]
    assert full[0, 1] == expected[1, 1]


def test_the_original_networks_and_three_bands(ctx: Context, tmp_path: Path) -> None:
    source = scene(tmp_path / "l2a", crop() | {"B08": np.full((4, 6), 0.4)})
    lai = {
        model: stored(run(ctx, replace(source, name=model), model=model), "lai")[0, 0]
        for model in Model
    }
    assert len(set(lai.values())) == 5
    values = np.array(list(lai.values()))
    assert np.abs(values - np.median(values)).max() < 800  # networks agree within 0.8
    few = replace(
        source, assets=tuple(item for item in source.assets if item.name in ("B03", "B04", "B08"))
    )
    fine = run(ctx, replace(few, name="few"))
    assert fine.properties["sen4cap:network"] == "s2toolbox_10m_s2a"
    assert stored(fine, "lai")[0, 0] == lai[Model.S2TOOLBOX_10M]


def test_landsat(ctx: Context, tmp_path: Path) -> None:
    images = {"B03": 0.06, "B04": 0.04, "B08": 0.4, "B11": 0.18, "B12": 0.09}
    source = scene(
        tmp_path / "l2a", {name: np.full((4, 6), value) for name, value in images.items()},
        platform="landsat-9", offset=-0.2, **{"view:incidence_angle": None},
    )  # fmt: skip
    product = run(ctx, source)
    assert product.properties["sen4cap:network"] == "s2toolbox_l8"
    assert product.properties["sen4cap:angles"] == "sun"
    assert 2500 < stored(product, "lai")[0, 0] < 4500


def test_a_missing_band_is_named(ctx: Context, tmp_path: Path) -> None:
    images = crop()
    del images["B03"], images["B04"]
    source = scene(tmp_path / "l2a", images)
    told = refusal(L3bParams(), SCOPE, [source])
    assert "it lacks B08, B04 for ndvi; it lacks B03, B04 for lai, fapar, fcover. Ingest" in told
    with pytest.raises(InputRefused, match="it lacks B03, B04 for lai"):
        processor.run(ctx, L3bParams(), Step((source,), "slot", revision="0" * 32))
    nothing = {f"produce_{name}": False for name in ("ndvi", "lai", "fapar", "fcover")}
    assert refusal(L3bParams(**nothing), SCOPE, [source]).startswith("No variable is switched on:")


def test_missing_angles_leave_out_what_needs_them(ctx: Context, tmp_path: Path) -> None:
    images = crop() | {"B08": np.full((4, 6), 0.4)}
    source = scene(tmp_path / "l2a", images, **{"view:sun_elevation": None})
    product = run(ctx, source)
    why = "it tells no angles of the sun"
    assert product.properties["sen4cap:left_out"] == dict.fromkeys(("lai", "fapar", "fcover"), why)
    assert [asset.name for asset in product.assets] == ["ndvi", "status", "quicklook"]
    params = L3bParams(produce_ndvi=False)
    assert select(params, SCOPE, [source]) == ()
    assert "it tells no angles of the sun for lai, fapar, fcover" in refusal(
        params, SCOPE, [source]
    )


def test_a_wrong_scale_is_refused(ctx: Context, tmp_path: Path) -> None:
    source = scene(tmp_path / "l2a", crop())
    unscaled = tuple(replace(asset, scale=1.0, offset=0.0) for asset in source.assets)
    with pytest.raises(RadiometryRefused, match=r"above 2 in most of its pixels.*ingest it again"):
        run(ctx, replace(source, assets=unscaled))
    assert [path for path in ctx.archive.rglob("*") if path.is_file()] == []


def test_an_all_cloud_scene_is_a_product_without_values(ctx: Context, tmp_path: Path) -> None:
    product = run(ctx, scene(tmp_path / "l2a", crop(), classes=np.full((2, 3), 9)))
    assert (stored(product, "lai") == N).all()
    assert (stored(product, "status") == 4).all()
    assert (stored(product, "domain") == MISSING).all()
    assert (product.properties["valid_share"], product.properties["doubtful_share"]) == (0.0, 0.0)


def test_mixed_baselines_give_the_same(ctx: Context, tmp_path: Path) -> None:
    """Before baseline 04.00 nothing is added to stored values, since then 1000."""
    old = run(ctx, scene(tmp_path / "old", crop(), offset=0.0))
    new = run(ctx, scene(tmp_path / "new", crop(), offset=-0.1))
    for name in ("lai", "fapar", "fcover", "domain"):
        np.testing.assert_array_equal(stored(old, name), stored(new, name))


def test_winter_sun_is_flagged(ctx: Context, tmp_path: Path) -> None:
    product = run(ctx, scene(tmp_path / "l2a", crop(), **{"view:sun_elevation": 14.0}))
    assert (stored(product, "domain") & DomainFlag.ANGLE).all()


def test_threads_do_not_matter(ctx: Context, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    images = {name: rng.uniform(0.02, 0.4, (1200, 30)) for name in BANDS}
    source = scene(tmp_path / "l2a", images)
    one = run(replace(ctx, cores=1, archive=tmp_path / "one"), source)
    many = run(replace(ctx, cores=3, archive=tmp_path / "many"), source)
    for first, second in zip(one.assets, many.assets, strict=True):
        assert Path(first.href).read_bytes() == Path(second.href).read_bytes()


def test_parameters_as_text() -> None:
    given = {"lai.model": "sen4cap", "resolution": "20", "storage": "float32"}
    params = validate("l3b", L3bParams, given)
    assert (params.model, params.resolution) == (Model.SEN4CAP, Resolution.COARSE)
    assert params.storage is Storage.FLOAT32
    with pytest.raises(InputRefused, match="resolution = '15' is refused: give one of 10, 20"):
        validate("l3b", L3bParams, {"resolution": "15"})
