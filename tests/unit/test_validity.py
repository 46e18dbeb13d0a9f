"""The flags of all masks; expected values are worked out by hand from the format documents."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from sen4cap.domain import Asset, Grid, Product, ProductType, Role
from sen4cap.kernels.validity import (
    Flag,
    dilate,
    from_maccs,
    from_muscate,
    from_qa_pixel,
    from_scl,
    observed,
)
from sen4cap.processing.classification import validity_of
from sen4cap.testing.rasters import small_grid


def product(*masks: str) -> Product:
    assets = tuple(Asset(name, f"/{name}.tif", Role.MASK) for name in masks)
    now = datetime(2024, 5, 1, tzinfo=UTC)
    return Product("p", "s", ProductType.L2A, "31UDS", now, now, "0" * 32, assets)


def test_every_class_of_sen2cor() -> None:
    assert from_scl(np.arange(13)).tolist() == [255, 5, 0, 4, 0, 0, 1, 0, 4, 4, 4, 3, 255]


@pytest.mark.parametrize(
    ("geophysical", "edge", "saturation", "flag"),
    [
        (0, 0, 0, Flag.LAND),
        (1, 0, 0, Flag.WATER),
        (2, 0, 0, Flag.CLOUD),
        (4, 0, 0, Flag.SNOW),
        (8, 0, 0, Flag.CLOUD),
        (16 | 32 | 64 | 128, 0, 0, Flag.LAND),  # shade of terrain, hidden, low and tangent sun
        (1 | 2, 0, 0, Flag.CLOUD),
        (1 | 4, 0, 8, Flag.WATER),
        (4, 0, 1, Flag.SNOW),
        (0, 0, 1, Flag.SATURATED),
        (2, 1, 0, Flag.NO_DATA),
    ],
)
def test_masks_of_maja(geophysical: int, edge: int, saturation: int, flag: Flag) -> None:
    codes = (np.full((1, 1), value, np.uint8) for value in (geophysical, edge, saturation))
    assert from_muscate(*codes).item() == flag


@pytest.mark.parametrize(
    ("cloud", "surface", "saturation", "edge", "flag"),
    [
        (0, 0, 0, 0, Flag.LAND),
        (64, 1, 0, 0, Flag.CLOUD),
        (0, 1 | 32, 0, 0, Flag.WATER),
        (0, 32, 3, 0, Flag.SNOW),
        (0, 0, 3, 0, Flag.SATURATED),
        (1, 0, 0, 1, Flag.NO_DATA),
        (0, 0, 0, 2, Flag.LAND),
    ],
)
def test_masks_of_maccs(cloud: int, surface: int, saturation: int, edge: int, flag: Flag) -> None:
    codes = (np.full((1, 1), value, np.uint8) for value in (cloud, surface, saturation, edge))
    assert from_maccs(*codes).item() == flag


def test_quality_of_landsat() -> None:
    # Values of LSDS-1619, table 6-3: fill, clear, water, cloud, shadow, snow, dilated cloud,
    # cirrus; then a clear pixel with saturated band 4.
    codes = np.array([1, 21824, 21952, 22280, 23888, 30048, 21826, 54596, 21824], np.uint16)
    saturation = np.array([0] * 8 + [8], np.uint16)
    assert from_qa_pixel(codes, saturation).tolist() == [255, 0, 1, 4, 4, 3, 4, 4, 5]
    assert from_qa_pixel(codes.astype(np.int16), saturation).tolist()[7] == 4  # as it is read


def test_clouds_grow_over_all_but_no_data() -> None:
    flags = np.zeros((5, 7), np.uint8)
    flags[2, 1] = Flag.CLOUD
    flags[2, 3], flags[1, 2], flags[0] = Flag.WATER, Flag.SNOW, Flag.NO_DATA
    grown = dilate(flags, 1)
    assert grown.tolist() == [
        [255] * 7,
        [4, 4, 4, 0, 0, 0, 0],
        [4, 4, 4, 1, 0, 0, 0],
        [4, 4, 4, 0, 0, 0, 0],
        [0] * 7,
    ]
    assert dilate(flags, 0) is flags
    assert observed(grown).sum() == 4 + 4 + 4 + 7


def test_a_product_without_masks_has_no_validity() -> None:
    assert validity_of(product()) is None


def test_masks_that_are_not_there_set_nothing() -> None:
    found = validity_of(product("MG2", "EDG"))
    assert found is not None
    assert [mask.name for mask in found.masks] == ["MG2", "EDG"]
    masks = {"MG2": np.array([[0, 2]], np.uint8), "EDG": np.array([[1, 0]], np.uint8)}
    assert found.flags(masks).tolist() == [[255, 4]]


def test_dilation_is_the_same_on_the_ground_at_any_pixel() -> None:
    found = validity_of(product("SCL"), dilation=60.0)
    assert found is not None
    assert [found.margin(small_grid(pixel=pixel)) for pixel in (10.0, 20.0, 30.0)] == [6, 3, 2]
    degrees = Grid("g", "EPSG:4326", (0.0001, 0, 5, 0, -0.0001, 52), 10, 10)
    assert found.margin(degrees) == 6  # 11.1 m


def test_the_margin_is_cut_off_again() -> None:
    found = validity_of(product("SCL"), dilation=10.0)
    assert found is not None
    codes = np.full((4, 3), 4, np.uint8)
    codes[0] = 9  # a cloud in the row above the window
    assert found.flags({"SCL": codes}, 1).tolist() == [[4, 4, 4], [0, 0, 0]]
