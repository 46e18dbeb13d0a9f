"""L3B end to end on a small scene whose indices are known by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio

from sen4cap.domain import Asset, Grid, Product, ProductType, Role, Season, Site
from sen4cap.errors import UnreadableFile
from sen4cap.kernels.validity import OBSERVED_CLASSES, from_scl
from sen4cap.processing import Context, Scope, Step, config_metadata, validate
from sen4cap.processors.l3b import L3bParams, processor, refusal, select
from sen4cap.testing.rasters import small_grid, write_raster

TIME = datetime(2017, 7, 17, 10, 50, 31, tzinfo=UTC)
GRID = small_grid(6, 4, name="31UDS")
SCOPE = Scope("s", "2017", datetime(2017, 1, 1, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC))

# Reflectances; stored as (reflectance + 0.1) * 10000, as from baseline 04.00 on. Columns of two
# pixels are one SCL pixel: crop, water, cloud / snow, dark area, unclassified.
RED = np.array([[0.05, 0.05, 0.06, 0.06, 0.3, 0.3]] * 2 + [[0.5, 0.5, 0.02, 0.02, 0.1, 0.1]] * 2)
NIR = np.array([[0.40, 0.40, 0.02, 0.02, 0.3, 0.3]] * 2 + [[0.5, 0.5, 0.06, 0.06, 0.3, 0.3]] * 2)
NIR[0, 1] = np.nan
SCL = np.array([[4, 6, 9], [11, 2, 7]], np.uint8)
N = -10000
NDVI = [
    [778, N, -500, -500, N, N],
    [778, 778, -500, -500, N, N],
    [N, N, 500, 500, 500, 500],
    [N, N, 500, 500, 500, 500],
]
STATUS = [[0, 0, 1, 1, 4, 4], [0, 0, 1, 1, 4, 4], [3, 3, 0, 0, 0, 0], [3, 3, 0, 0, 0, 0]]


def band(folder: Path, name: str, reflectance: np.ndarray, grid: Grid = GRID) -> Asset:
    stored = np.nan_to_num((reflectance + 0.1) * 10000, nan=0.0).round().astype(np.uint16)
    path = write_raster(folder / f"{name}.tif", grid, stored)
    return Asset(name, str(path), scale=0.0001, offset=-0.1, nodata=0)


@pytest.fixture
def scene(tmp_path: Path) -> Product:
    folder = tmp_path / "l2a"
    folder.mkdir()
    coarse = GRID.at(20)
    assets = (
        band(folder, "B04", RED),
        band(folder, "B08", NIR),
        band(folder, "B11", np.array([[0.2, 0.1, 0.1], [0.1, 0.06, 0.1]]), coarse),
        Asset("SCL", str(write_raster(folder / "SCL.tif", coarse, SCL)), Role.MASK),
    )
    return Product(
        "L2A_1", "s", ProductType.L2A, "31UDS", TIME, TIME, "0" * 32, assets,
        footprint="POLYGON ((3 51, 4 51, 4 52, 3 51))",
        properties={"sat:relative_orbit": 51, "source": "folder"},
    )  # fmt: skip


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    season = Season("s", "2017", date(2017, 1, 1), date(2017, 12, 31))
    return Context(Site("S", "s"), season, tmp_path / "archive", grids=(GRID,))


def run(ctx: Context, params: L3bParams, scene: Product) -> Product:
    (step,) = select(params, SCOPE, [scene])
    return processor.run(ctx, params, replace(step, revision="1a2b3c4d" + "0" * 24))


def stored(product: Product, name: str) -> np.ndarray:
    with rasterio.open(product.asset(name).href) as dataset:
        return np.asarray(dataset.read(1))


def test_ndvi_status_and_names(ctx: Context, scene: Product) -> None:
    product = run(ctx, L3bParams(), scene)
    tag = "A20170717T105031_T31UDS_r1a2b3c4d"
    assert product.name == f"S2AGRI_L3B_PRD_Ss_{tag}"
    assert product.slot == "s/l3b/31UDS/20170717T105031"
    folder = ctx.archive / "s" / "l3b" / product.name
    assert sorted(path.name for path in folder.iterdir()) == [
        f"S2AGRI_L3B_MMONODFLG_{tag}.TIF",
        f"S2AGRI_L3B_PVI_{tag}.png",
        f"S2AGRI_L3B_SNDVI_{tag}.TIF",
    ]
    np.testing.assert_array_equal(stored(product, "ndvi"), NDVI)
    np.testing.assert_array_equal(stored(product, "status"), STATUS)
    why = "it lacks B03, B05, B06, B07, B8A, B12"
    assert product.properties == {
        "sat:relative_orbit": 51,
        "valid_share": round(16 / 24, 6),
        "sen4cap:left_out": {"lai": why, "fapar": why, "fcover": why},
    }
    assert product.parents == ("L2A_1",)
    assert product.processor == "l3b/4"
    assert product.footprint == scene.footprint
    ndvi = product.asset("ndvi")
    assert (ndvi.scale, ndvi.offset, ndvi.nodata) == (0.001, 0.0, -10000)
    with rasterio.open(ndvi.href) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (dataset.nodata, dataset.scales, dataset.crs.to_epsg()) == (-10000, (0.001,), 32631)


def test_20_m_bands_are_taken_by_nearest_neighbour(ctx: Context, scene: Product) -> None:
    product = run(ctx, L3bParams(produce_ndvi=False, produce_ndwi=True), scene)
    assert [asset.name for asset in product.assets] == ["ndwi", "status", "quicklook"]
    ndwi = stored(product, "ndwi")
    assert ndwi.shape == (4, 6)
    assert ndwi[0, 0] == 333  # 0.2 / 0.6
    assert ndwi[0, 2] == ndwi[1, 3] == -667  # -0.08 / 0.12
    assert ndwi[3, 3] == 0  # a true zero is a value


def test_without_a_classification_only_missing_data_are_masked(
    ctx: Context, scene: Product
) -> None:
    bare = replace(scene, assets=scene.assets[:2])
    product = run(ctx, L3bParams(), bare)
    assert stored(product, "ndvi")[0].tolist() == [778, N, -500, -500, 0, 0]
    assert set(np.unique(stored(product, "status"))) == {0}
    assert product.properties["valid_share"] == 1.0


def test_masks_of_maja_and_grown_clouds(ctx: Context, scene: Product, tmp_path: Path) -> None:
    codes = np.zeros((4, 6), np.uint8)
    codes[0, 0], codes[3, 5], codes[1, 3] = 8, 1, 4  # shadow of a cloud, water, snow
    path = write_raster(tmp_path / "MG2.tif", GRID, codes)
    optical = tuple(asset for asset in scene.assets if asset.role is Role.DATA)
    maja = replace(scene, assets=(*optical, Asset("MG2", str(path), Role.MASK)))
    plain = stored(run(ctx, L3bParams(), maja), "status")
    assert plain[0].tolist() == [4, 0, 0, 0, 0, 0]
    assert (plain[3, 5], plain[1, 3]) == (1, 3)

    grown = stored(run(ctx, L3bParams(cloud_dilation=15), replace(maja, name="L2A_2")), "status")
    assert grown[:3].tolist() == [[4, 4, 4, 0, 0, 0], [4, 4, 4, 3, 0, 0], [4, 4, 4, 0, 0, 0]]
    assert grown[3].tolist() == [0, 0, 0, 0, 0, 1]  # 15 m are two pixels


def test_no_data_and_large_values(ctx: Context, scene: Product, tmp_path: Path) -> None:
    red, nir = RED.copy(), NIR.copy()
    red[:, 0] = nir[:, 0] = np.nan
    red[0, 1], nir[0, 1] = 0.001, 0.8
    (tmp_path / "other").mkdir()
    assets = (band(tmp_path / "other", "B04", red), band(tmp_path / "other", "B08", nir))
    product = run(ctx, L3bParams(produce_rvi=True), replace(scene, assets=assets))
    assert stored(product, "status")[:, 0].tolist() == [255] * 4
    assert stored(product, "rvi")[0, :2].tolist() == [N, 32767]  # 800 does not fit
    assert product.properties["valid_share"] == 1.0


def test_the_same_input_gives_the_same_bytes(ctx: Context, scene: Product, tmp_path: Path) -> None:
    params = L3bParams(produce_ndwi=True)
    first = run(ctx, params, scene)
    second = run(replace(ctx, archive=tmp_path / "again"), params, scene)
    for one, two in zip(first.assets, second.assets, strict=True):
        assert Path(one.href).read_bytes() == Path(two.href).read_bytes()


def test_a_failing_step_leaves_no_file(ctx: Context, scene: Product) -> None:
    broken = scene.asset("B08")
    Path(broken.href).write_bytes(Path(broken.href).read_bytes()[:40])
    with pytest.raises(UnreadableFile, match="B08"):
        run(ctx, L3bParams(), scene)
    assert [path for path in ctx.archive.rglob("*") if path.is_file()] == []


def test_selection(scene: Product) -> None:
    late = replace(scene, name="late", start=SCOPE.end, end=SCOPE.end)
    bare = replace(scene, name="bare", assets=scene.assets[:1])
    products = [late, scene, bare]
    (step,) = select(L3bParams(), SCOPE, products)
    assert step == Step((scene,), "s/l3b/31UDS/20170717T105031")
    assert select(L3bParams(produce_ndvi=False), SCOPE, products) == ()
    told = refusal(L3bParams(produce_ndvi=False), SCOPE, [scene])
    assert told.startswith("Nothing that is switched on can be made of 'L2A_1': it lacks B03, B05")
    assert refusal(L3bParams(), SCOPE, [late]) == ""
    assert len(select(L3bParams(tiles_filter="T31UDS, demarke"), SCOPE, products)) == 1
    assert select(L3bParams(tiles_filter="31UES"), SCOPE, products) == ()


def test_configuration_has_the_original_keys() -> None:
    rows = {row.key: row for row in config_metadata("l3b", "L3B", L3bParams)}
    assert rows["processor.l3b.filter.produce_ndvi"].default_value == "true"
    assert rows["processor.l3b.filter.produce_brightness2"].default_value == "false"
    assert rows["processor.l3b.lai.tiles_filter"].default_value == ""
    assert len(rows) == 31
    assert rows["processor.l3b.filter.produce_lai"].default_value == "true"
    assert rows["processor.l3b.filter.produce_in_domain_flags"].default_value == "false"
    assert rows["processor.l3b.resolution"].values == {"allowed_values": ["10", "20"]}
    assert validate("l3b", L3bParams, {"filter.produce_savi": "1"}).produce_savi


def test_status_of_all_classes() -> None:
    """SCL codes 0-11 and one that SCL does not have."""
    assert from_scl(np.arange(13)).tolist() == [255, 5, 0, 4, 0, 0, 1, 0, 4, 4, 4, 3, 255]
    assert sorted(OBSERVED_CLASSES) == [2, 4, 5, 6, 7]


def test_what_a_killed_step_left_is_swept(ctx: Context, scene: Product) -> None:
    first = run(ctx, L3bParams(), scene)
    folder = Path(first.asset("ndvi").href).parent
    (folder / ".S2AGRI_L3B_SNDVI.1234.part.TIF").write_bytes(b"half")
    (folder / ".l3b-abc").mkdir()
    (folder / ".l3b-abc" / "ndvi").write_bytes(b"half")
    run(ctx, L3bParams(), scene)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
