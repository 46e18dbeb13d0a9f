"""The generated season: physics by meaning, layout, and what is wrong on purpose."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import shapely
from rasterio.warp import transform_bounds

from sen4cap.domain import Grid
from sen4cap.errors import InvalidParameter
from sen4cap.simulate import write_season
from sen4cap.simulate.crops import CROPS, LUT_COLUMNS, lut_rows
from sen4cap.simulate.declarations import declarations, declared_crops, grown_crops
from sen4cap.simulate.landscape import landscape
from sen4cap.simulate.phenology import CANOPY, SOIL, Growth, bloom, canopy_share, ndvi_curves
from sen4cap.simulate.scenes import Ground, burn, digital_numbers, halve, item_name, scene
from sen4cap.simulate.weather import Pass, classify, clouds, covers, passes

GRID = Grid("31UFT", "EPSG:32631", (10.0, 0.0, 655_200.0, 0.0, -10.0, 5_746_020.0), 128, 128)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def mean_growth(crops: list[int]) -> Growth:
    zero = np.zeros(len(crops))
    return Growth(np.array(crops), zero, zero, zero, np.ones(len(crops)))


def crop_index(name: str) -> int:
    return next(index for index, crop in enumerate(CROPS) if crop.name == name)


def test_double_logistic_is_half_way_at_greening() -> None:
    """By hand: at t = s the rise is 1/2 and the fall of maize, 99 days later, is nothing."""
    maize = CROPS[crop_index("Maize")]
    curve = ndvi_curves(mean_growth([crop_index("Maize")]), [maize.greening])
    half = maize.base + (maize.peak - maize.base) * 0.5
    assert curve[0, 0] == pytest.approx(half, abs=1e-3)


def test_mowing_takes_the_stated_share_and_grows_back() -> None:
    """By hand: NDVI(cut) − base falls to 5 % or 1 − 2·0.55, and after 14 days by e⁻¹ of it."""
    grass = crop_index("Permanent grassland")
    before, cut, later = ndvi_curves(mean_growth([grass]), [144.9, 145.0, 159.0])[0]
    assert before > 0.8
    assert (cut - 0.60) / (before - 0.60) == pytest.approx(0.05, abs=0.01)
    assert (later - 0.60) / (before - 0.60) == pytest.approx(1 - 1.1 * np.exp(-1), abs=0.02)


def test_crops_peak_when_they_should() -> None:
    days = list(range(60, 305))
    curves = ndvi_curves(mean_growth(list(range(len(CROPS)))), days)
    peak = {crop.name: days[int(np.argmax(curves[i]))] for i, crop in enumerate(CROPS)}
    assert 190 <= peak["Maize"] <= 240
    assert 100 <= peak["Winter barley"] < peak["Winter wheat"] <= 160
    assert curves.min() >= 0.19
    assert curves.max() <= 0.88


def test_canopy_share_gives_back_the_ndvi() -> None:
    """Forward check of the inverted mixing with the NDVI formula itself."""
    ndvi = np.linspace(0.20, 0.88, 50, dtype=np.float32)
    share = canopy_share(ndvi)
    red, near = (share * CANOPY[i] + (1 - share) * SOIL[i] for i in (2, 3))
    np.testing.assert_allclose((near - red) / (near + red), ndvi, atol=1e-6)


def test_only_rapeseed_blooms() -> None:
    strength = bloom(mean_growth(list(range(len(CROPS)))), 125.0)
    assert strength[crop_index("Winter rapeseed")] == 1.0
    assert strength.sum() == 1.0


def test_landscape_is_a_mosaic_of_valid_fields_that_do_not_meet() -> None:
    land = landscape(655_200.0, 5_746_020.0, 5120.0, 440, rng(1))
    fields = land.fields
    assert 400 <= fields.size <= 460
    assert shapely.is_valid(fields).all()
    assert shapely.union_all(fields).area == pytest.approx(shapely.area(fields).sum(), rel=1e-9)
    assert shapely.get_num_interior_rings(shapely.get_parts(fields)).sum() >= 3
    assert (shapely.get_num_geometries(fields) == 2).sum() >= 3
    assert shapely.intersection(fields, land.river).tolist()[0].is_empty
    assert shapely.area(shapely.intersection(fields, land.river)).sum() == 0.0
    assert 0.7 < shapely.area(fields).sum() / 5120.0**2 < 0.9


def test_burnt_labels_are_the_fields_at_pixel_centres() -> None:
    """Against shapely's own point-in-polygon test."""
    land = landscape(655_200.0, 5_746_020.0, 1280.0, 60, rng(2))
    labels = burn(land, GRID)
    rows, columns = rng(3).integers(0, 128, (2, 400))
    x, y = 655_200.0 + 10 * (columns + 0.5), 5_746_020.0 - 10 * (rows + 0.5)
    inside = shapely.contains_xy(land.fields[:, None], x, y)
    expected = np.where(inside.any(axis=0), inside.argmax(axis=0), -1)
    found = labels[rows, columns]
    np.testing.assert_array_equal(np.where(found < land.fields.size, found, -1), expected)


def test_orbits_follow_the_real_cycle() -> None:
    """Real acquisition of tile 31UDS: S2A, orbit 51, 2017-07-17 10:50:31; 206 cycles later."""
    found = passes(date(2023, 3, 1), date(2023, 3, 31), 99)
    assert [item.start.day for item in found] == [3, 5, 8, 10, 13, 15, 18, 20, 23, 25, 28, 30]
    assert Pass("sentinel-2a", 51, found[2].start) == found[2]
    assert (found[2].start - found[0].start).days == 5
    assert len(passes(date(2023, 3, 1), date(2023, 10, 31), 14)) == 14


def test_cloud_cover_is_a_quarter_on_average_and_as_asked_for() -> None:
    assert covers(14, rng(5)).mean() == pytest.approx(0.25, abs=0.04)
    opacity, shadow = clouds(0.4, 256, rng(6))
    assert (opacity > 0).mean() == pytest.approx(0.4, abs=0.15)
    assert (opacity * shadow <= 0.25).all()
    clear, unshaded = clouds(0.0, 64, rng(7))
    assert clear.max() == unshaded.max() == 0.0


def test_shadows_fall_to_the_north_and_a_little_west() -> None:
    opacity, shadow = clouds(0.05, 256, rng(8))
    best = max(
        ((rows, columns) for rows in range(-40, 41, 2) for columns in range(-20, 21, 2)),
        key=lambda step: float((np.roll(opacity, step, (0, 1)) * shadow).sum()),
    )
    assert best == (-34, -12)


def test_scene_classes_in_order_of_what_hides() -> None:
    one = np.ones((1, 6), dtype=np.float32)
    ndvi = one * [0.8, 0.8, 0.8, 0.0, 0.8, 0.2]
    water = one * [0, 0, 0, 1, 0, 0]
    opacity = one * [0.9, 0.3, 0.05, 0, 0, 0]
    shadow = one * [0, 0.9, 0.5, 0, 0, 0]
    assert classify(ndvi, water, opacity, shadow).tolist() == [[9, 8, 3, 6, 4, 5]]


def test_clear_pixels_show_the_curve() -> None:
    """NDVI from the bands of a scene without clouds equals the NDVI that was put in."""
    labels = np.zeros((64, 64), dtype=np.int32)
    labels[:, 32:] = 1
    flat = Ground(labels, np.zeros((64, 64), dtype=np.float32), np.ones(3))
    made = scene(flat, np.array([0.3, 0.8, 0.2]), np.zeros(3), 0.0, rng(9))
    red, near = made.reflectance["B04"].astype(float), made.reflectance["B08"].astype(float)
    ndvi = (near - red) / (near + red)
    assert ndvi[:, :28].mean() == pytest.approx(0.3, abs=0.03)
    assert ndvi[:, 36:].mean() == pytest.approx(0.8, abs=0.03)
    assert made.reflectance["B11"].shape == made.classes.shape == (32, 32)
    assert set(made.classes[:, :14].ravel()) == {5}
    assert set(made.classes[:, 18:].ravel()) == {4}


def test_stored_values_carry_the_offset_and_never_say_no_data() -> None:
    """By hand: 0.25 → 2500 + 1000; −0.05 → 500; −0.2 would be below 1."""
    stored = digital_numbers(np.array([0.25, 0.0, -0.05, -0.2], dtype=np.float32))
    assert stored.tolist() == [3500, 1000, 500, 1]
    assert halve(np.array([[1, 3], [5, 7]], dtype=np.float32)).tolist() == [[4.0]]


def test_item_name_is_built_like_a_product_name() -> None:
    seen = passes(date(2023, 3, 8), date(2023, 3, 8), 1)[0]
    assert item_name(seen, GRID) == "S2A_MSIL2A_20230308T105031_N0510_R051_T31UFT"


def test_crops_have_their_shares_and_some_are_declared_wrongly() -> None:
    grown = grown_crops(500, rng(1))
    counts = np.bincount(grown, minlength=len(CROPS))
    np.testing.assert_allclose(counts / 500, [crop.share for crop in CROPS], atol=0.002)
    declared = declared_crops(grown, 0.04, rng(2))
    groups = np.array([crop.group for crop in CROPS])
    common = np.isin(grown, [i for i, crop in enumerate(CROPS) if crop.share >= 0.05])
    changed = declared != grown
    assert changed.sum() == round(0.04 * common.sum())
    assert (groups[declared[changed]] != groups[grown[changed]]).all()
    assert common[changed].all()


def test_defects_are_there_once_each() -> None:
    land = landscape(655_200.0, 5_746_020.0, 5120.0, 440, rng(1))
    grown = grown_crops(land.fields.size, rng(1))
    frame, truth = declarations(land.fields, grown, 0.04, "EPSG:32631", rng(2))
    assert len(frame) == len(truth) == land.fields.size + 2
    assert frame["PARCEL_ID"].tolist() == truth["PARCEL_ID"].tolist()
    assert frame["PARCEL_ID"].is_unique
    shapes = frame.geometry
    assert shapes.isna().sum() == 1
    assert (~shapes.dropna().is_valid).sum() == 1
    assert frame["CROP_CODE"].isna().sum() == 2
    assert (frame["CROP_CODE"] == "9999").sum() == 2
    assert shapes.dropna().to_wkb().duplicated().sum() == 1
    sound = shapes[shapes.is_valid & ~shapes.isna()].to_numpy()[:-2]
    one, other = shapely.STRtree(sound).query(sound, predicate="intersects")
    covered = np.zeros(sound.size)
    np.add.at(covered, one, shapely.area(shapely.intersection(sound[one], sound[other])))
    overlapped = covered / shapely.area(sound) - 1
    assert 1 <= (overlapped > 0.10).sum() <= 3, "the outline, perhaps a small neighbour too"
    assert shapes.iloc[-1].area == pytest.approx(1.5 * 70, rel=0.02)
    liable = np.isin(grown, [i for i, crop in enumerate(CROPS) if crop.share >= 0.05]).sum()
    assert truth["is_wrong"].sum() == round(0.04 * liable)


def test_look_up_table_has_the_originals_columns() -> None:
    rows = [dict(zip(LUT_COLUMNS, row, strict=True)) for row in lut_rows()]
    assert [row["CTnum"] for row in rows] == [str(n) for n in range(1, len(CROPS) + 1)]
    assert len({row["Ori_crop"] for row in rows}) == len(CROPS)
    flags = {row["CT"]: row["EAA"] + row["AL"] + row["PGrass"] + row["TGrass"] for row in rows}
    assert flags["Permanent grassland"] == "1010"
    assert flags["Temporary grassland"] == "1101"
    assert flags["Maize"] == "1100"
    assert flags["Nature, not agricultural"] == "0000"


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    small = {"parcels": 60, "dates": 2, "size": 160}
    one = write_season(tmp_path / "one", **small)
    write_season(tmp_path / "two", **small)
    other = write_season(tmp_path / "other", seed=2, **small)
    files = sorted(path.relative_to(one.folder) for path in one.folder.rglob("*") if path.is_file())
    assert len(files) == 3 + 2 * 7
    for path in files:
        assert (tmp_path / "two" / path).read_bytes() == (one.folder / path).read_bytes(), path
    assert other.declarations.read_bytes() != one.declarations.read_bytes()
    assert replace(one, folder=other.folder).start == date(2023, 3, 1)
    with one.truth.open() as file:
        assert next(csv.reader(file))[-1] == "is_wrong"


def test_scenes_are_stac_items_with_cloud_optimised_assets(tmp_path: Path) -> None:
    made = write_season(tmp_path, parcels=60, dates=1, size=160)
    item = pystac.Item.from_file(str(made.items[0]))
    assert item.properties["s2:processing_baseline"] == "05.10"
    assert item.datetime == datetime(2023, 3, 3, 10, 50, 29, tzinfo=UTC)
    assert sorted(item.assets) == ["B02", "B03", "B04", "B08", "B11", "SCL"]
    outline = transform_bounds("EPSG:32631", "EPSG:4326", *made.grids[0].bounds)
    assert item.bbox == pytest.approx(outline, abs=1e-6)
    for name, asset in item.assets.items():
        with rasterio.open(made.items[0].parent / asset.href) as dataset:
            pixel = 20.0 if name in {"B11", "SCL"} else 10.0
            assert dataset.res == (pixel, pixel)
            assert (dataset.bounds.left, dataset.bounds.top) == (655_200.0, 5_746_020.0)
            assert list(dataset.transform)[:6] == asset.extra_fields["proj:transform"]
            assert list(dataset.shape) == asset.extra_fields["proj:shape"]
            assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert dataset.read(1).min() >= 1
    stored = item.assets["B04"].extra_fields["raster:bands"][0]
    assert (stored["scale"], stored["offset"], stored["nodata"]) == (0.0001, -0.1, 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 161}, "odd or below 160"),
        ({"parcels": 5000}, "give 60 to 873"),
        ({"dates": 0}, "at least one"),
    ],
)
def test_impossible_seasons_are_refused(
    tmp_path: Path, given: dict[str, int], message: str
) -> None:
    with pytest.raises(InvalidParameter, match=message):
        write_season(tmp_path / "season", **given)
    assert not (tmp_path / "season").exists()
