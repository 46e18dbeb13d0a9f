"""What farmers declare: mostly what they grow, sometimes not, and now and then a spoilt outline."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from sen4cap.simulate.crops import CROPS, OTHER_LAND

Ints = npt.NDArray[np.int64]
Geometries = npt.NDArray[Any]

RARE = 0.05
"""Crops with a smaller share are never declared by mistake."""
UNKNOWN_CODE = "9999"
"""A crop code that is not in the look-up table."""


def grown_crops(count: int, rng: np.random.Generator) -> Ints:
    """Index into `CROPS` per field: each crop its share of the fields, in random places."""
    shares = np.array([crop.share for crop in CROPS])
    bounds = np.round(np.cumsum(shares / shares.sum()) * count).astype(int)
    counts = np.diff(bounds, prepend=0)
    return rng.permutation(np.repeat(np.arange(len(CROPS)), counts))


def declared_crops(grown: Ints, share: float, rng: np.random.Generator) -> Ints:
    """Crops as declared: `share` of the common ones are declared as one of another group."""
    common = np.array([i for i, crop in enumerate(CROPS) if crop.share >= RARE])
    groups = np.array([crop.group for crop in CROPS])
    liable = np.flatnonzero(np.isin(grown, common))
    wrong = np.sort(rng.choice(liable, round(share * liable.size), replace=False))
    step = rng.integers(1, common.size, wrong.size)
    declared = grown.copy()
    declared[wrong] = common[(np.searchsorted(common, grown[wrong]) + step) % common.size]
    same = wrong[groups[declared[wrong]] == groups[grown[wrong]]]
    declared[same] = common[-1]
    return declared


def holdings(fields: Geometries, rng: np.random.Generator) -> npt.NDArray[np.str_]:
    """Number of the holding per field: about nine fields around a farm, and some further off."""
    x, y = shapely.get_x(shapely.centroid(fields)), shapely.get_y(shapely.centroid(fields))
    farms = rng.choice(fields.size, max(fields.size // 9, 1), replace=False)
    distance = np.hypot(x[:, None] - x[farms], y[:, None] - y[farms])
    nearest = np.argmin(distance * rng.lognormal(0.0, 0.35, distance.shape), axis=1)
    return np.array([f"NL-{20_000 + 37 * farm}" for farm in nearest])


def declarations(
    fields: Geometries, grown: Ints, share_wrong: float, crs: str, rng: np.random.Generator
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """The declarations, and the truth about each of them.

    Declarations: `PARCEL_ID, FARM_ID, CROP_CODE, CROP_NAME, AREA_HA`, geometry. Truth:
    `PARCEL_ID, CROP_CODE, CROP_NAME, CTnumL4A, is_wrong`. A few rows are spoilt on purpose, see
    `spoil`; their truth is what grows there.
    """
    declared = declared_crops(grown, share_wrong, rng)
    codes, names = (np.array([getattr(crop, key) for crop in CROPS]) for key in ("code", "name"))
    groups = np.array([crop.group for crop in CROPS])
    numbers = 1_000_000 + 7 * np.arange(fields.size)
    frame = gpd.GeoDataFrame(
        {
            "PARCEL_ID": numbers.astype(str),
            "FARM_ID": holdings(fields, rng),
            "CROP_CODE": codes[declared],
            "CROP_NAME": names[declared],
            "AREA_HA": np.round(shapely.area(fields) / 1e4, 2),
        },
        geometry=fields,
        crs=crs,
    )
    truth = pd.DataFrame(
        {
            "PARCEL_ID": frame["PARCEL_ID"],
            "CROP_CODE": codes[grown],
            "CROP_NAME": names[grown],
            "CTnumL4A": groups[grown],
            "is_wrong": (groups[declared] != groups[grown]).astype(int),
        }
    )
    return spoil(frame, truth, grown)


def spoil(
    frame: gpd.GeoDataFrame, truth: pd.DataFrame, grown: Ints
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Declarations with the usual defects.

    A bow-tie, an outline that lies over its neighbours, two without crop, two with an unknown
    code, one without geometry; and two more rows: a second declaration of the same field, and a
    sliver of 1.5 m beside one.
    """
    outlines = frame.geometry.to_numpy()
    tie, *others = _sound_fields(outlines, truth, grown)
    over, bare1, bare2, odd1, odd2, nowhere, twice, beside = others
    geometries = outlines.copy()
    geometries[tie] = _bow_tie(geometries[tie])
    geometries[over] = shapely.buffer(geometries[over], 22.0, join_style="mitre")
    geometries[nowhere] = None
    spoilt = frame.set_geometry(gpd.GeoSeries(geometries, index=frame.index, crs=frame.crs))
    spoilt.loc[[bare1, bare2], ["CROP_CODE", "CROP_NAME"]] = None
    spoilt.loc[[odd1, odd2], "CROP_CODE"] = UNKNOWN_CODE
    extra = frame.loc[[twice, beside]].assign(PARCEL_ID=["2000001", "2000002"])
    added = [geometries[twice], _sliver(geometries[beside])]
    extra = extra.set_geometry(gpd.GeoSeries(added, index=extra.index, crs=frame.crs))
    also = truth.loc[[twice, beside]].assign(PARCEL_ID=["2000001", "2000002"])
    return (
        pd.concat([spoilt, extra], ignore_index=True),
        pd.concat([truth, also], ignore_index=True),
    )


def _sound_fields(outlines: Geometries, truth: pd.DataFrame, grown: Ints) -> Ints:
    """Nine rightly declared farm fields of one part.

    The first is the most rectangular one, the second the smallest among four neighbours or more.
    """
    land = np.array([crop.land_cover for crop in CROPS])[grown]
    simple = shapely.get_type_id(outlines) == shapely.GeometryType.POLYGON
    sound = np.flatnonzero(simple & (land != OTHER_LAND) & (truth["is_wrong"].to_numpy() == 0))
    filled = shapely.area(outlines) / shapely.area(shapely.oriented_envelope(outlines))
    _, near = shapely.STRtree(outlines).query(outlines, predicate="dwithin", distance=12.0)
    crowded = np.bincount(near, minlength=outlines.size) > 4
    first = sound[np.argmax(filled[sound])]
    rest = sound[sound != first]
    second = rest[np.argmin(np.where(crowded[rest], shapely.area(outlines[rest]), np.inf))]
    rest = rest[rest != second]
    return np.concatenate([[first, second], rest[:: rest.size // 7][:7]])


def _bow_tie(field: shapely.Polygon) -> shapely.Polygon:
    """Four corners of a field's envelope, two of them in the wrong order."""
    corners = shapely.get_coordinates(shapely.oriented_envelope(field))
    return shapely.Polygon(corners[[0, 2, 1, 3]])


def _sliver(field: shapely.Polygon) -> shapely.Polygon:
    """A strip of 1.5 m by 70 m along one edge of a field, on the bank of its ditch."""
    first, second = shapely.get_coordinates(field)[:2]
    bank = shapely.difference(shapely.buffer(field, 3.5), shapely.buffer(field, 2.0))
    strip = shapely.intersection(bank, shapely.buffer(shapely.Point((first + second) / 2), 35.0))
    parts = shapely.get_parts(strip)
    return parts[np.argmax(shapely.area(parts))]
