"""Parcels with features and declarations from several places, and declarations made wrong.

Read into `Sample` as the crop type learner takes it. Folds are of blocks where places are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sen4cap.kernels.blocks import balanced_folds, square_blocks
from sen4cap.kernels.features import season_statistics
from sen4cap.processors.l4a_crop_type.model import Sample
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.processors.l4a_crop_type.run import prepare
from sen4cap.simulate.crops import CROPS, OTHER_LAND
from sen4cap.simulate.declarations import grown_crops
from sen4cap.simulate.phenology import growth, ndvi_curves
from sen4cap.testing.crop_type import crop_step
from sen4cap.testing.demarke import SMALLEST, demarke_context

FOLDS = 5
GRASS = {265: "permanent grass", 266: "temporary grass"}
"""Crop codes of De Marke that only a cut or a plough tells apart."""
NOISE, CLOUDED = 0.04, 0.4
"""Of generated NDVI: standard deviation, share of dates that are missing."""

Place = Callable[[Path, int], "Declared"]


@dataclass(frozen=True)
class Declared:
    """Parcels of a place."""

    sample: Sample
    names: tuple[str, ...]
    """Of the classes."""
    alike: tuple[tuple[str, ...], ...] = ()
    """Families of classes that look alike."""


def demarke(data: Path, seed: int) -> Declared:
    """Crop groups of De Marke, five folds of 1 km blocks; no families."""
    params = CropTypeParams(block_size=1000, pa_min=1, min_s2_pix=0, seed=seed)
    with TemporaryDirectory() as archive:
        ctx = demarke_context(data / "nl_demarke_brp2017_ndvi", Path(archive))
        prepared = prepare(ctx, params, crop_step(ctx).inputs)
    return Declared(prepared.sample, tuple(name for _, name in prepared.classes))


def demarke_grass(data: Path, seed: int) -> Declared:
    """The same parcels with permanent and temporary grass apart."""
    groups = demarke(data, seed)
    parcels = gpd.read_file(data / "nl_demarke_brp2017_ndvi" / "parcels.gpkg")
    parcels = parcels[parcels["area_m2"] >= SMALLEST]
    table = pd.read_csv(data / "nl_demarke_brp2017_ndvi" / "crop_groups.csv")
    group = parcels["crop_code"].map(table.set_index("crop_code")["group"])
    codes = parcels["crop_code"][group != "margin"]
    name = codes.map(GRASS).fillna(
        pd.Series(groups.names)[groups.sample.target].set_axis(codes.index)
    )
    return _declared(
        groups.sample.values, name.to_numpy(str), groups.sample.fold, [tuple(GRASS.values())]
    )


def cawa(data: Path, seed: int) -> Declared:
    """Fields of Central Asia, crops of 30 fields and more, five folds of 10 km blocks."""
    table = gpd.read_parquet(data / "uz_tj_cawa_croptype_ndvi" / "parcels_ndvi.parquet")
    count = table["label_1"].map(table["label_1"].value_counts())
    table = table[count >= 30]
    places = table.geometry.representative_point().to_crs("EPSG:6933")
    block = square_blocks(places.x.to_numpy(), places.y.to_numpy(), 10_000)
    wheats = ("wheat", "wheat-other", "wheat-rice", "wheat-maize")
    return _declared(
        _with_statistics(table.filter(regex="^doy_").to_numpy(np.float32)),
        table["label_1"].to_numpy(str),
        balanced_folds(block, FOLDS, seed),
        [wheats],
    )


def toulouse(data: Path, seed: int) -> Declared:
    """Pixels of 24 classes; places are not known, so that folds are drawn at random."""
    table = pd.read_parquet(data / "fr_toulouse_formosat2006_crop24" / "crop_ndvi46.parquet")
    return _declared(
        _with_statistics(table.filter(regex="^t[0-9]").to_numpy(np.float32)),
        table["class_name"].to_numpy(str),
        np.random.default_rng(seed).permutation(len(table)) % FOLDS,
        [
            ("wheat", "barley"),
            ("maize", "silage_maize", "sorghum"),
            ("temporary_meadow", "pre(permanent meadow)"),
        ],
    )


def generated(_data: Path, seed: int, count: int = 3000) -> Declared:
    """Fields of the generated season by its curves; NDVI every ten days, noisy and with gaps."""
    draw = np.random.default_rng(seed)
    crop = grown_crops(count, draw)
    crop = crop[np.array([item.land_cover != OTHER_LAND for item in CROPS])[crop]]
    ndvi = ndvi_curves(growth(crop, draw), range(45, 320, 10)).astype(np.float32)
    ndvi += draw.normal(0, NOISE, ndvi.shape)
    ndvi[draw.random(ndvi.shape) < CLOUDED] = np.nan
    return _declared(
        _with_statistics(ndvi),
        np.array([item.group_name for item in CROPS])[crop],
        draw.permutation(len(crop)) % FOLDS,
        [("Winter wheat", "Winter barley")],
    )


def swapped(
    declared: Declared, share: float, seed: int, *, alike: bool = False
) -> tuple[Sample, NDArray[np.bool_]]:
    """The sample with a share of its declarations made wrong, and which.

    The new class is drawn by the frequency of all others, or with `alike` of those of its family;
    then only parcels of a family are swapped, the same share of them.
    """
    sample, draw = declared.sample, np.random.default_rng(seed)
    odds = np.tile(np.bincount(sample.target, minlength=sample.classes), (sample.classes, 1))
    odds = odds * (_family(declared) if alike else ~np.eye(sample.classes, dtype=bool))
    liable = np.flatnonzero(odds[sample.target].any(axis=1))
    chosen = draw.choice(liable, round(share * len(liable)), replace=False)
    target, wrong = sample.target.copy(), np.zeros(len(sample.target), bool)
    chance = odds[target[chosen]].cumsum(axis=1) / odds[target[chosen]].sum(axis=1, keepdims=True)
    target[chosen] = (draw.random((len(chosen), 1)) > chance).sum(axis=1)
    wrong[chosen] = True
    return replace(sample, target=target), wrong


def _family(declared: Declared) -> NDArray[np.bool_]:
    """Whether two classes are of one family and not the same, shape (classes, classes)."""
    number = {name: place for place, family in enumerate(declared.alike) for name in family}
    of = np.array([number.get(name, -1) for name in declared.names])
    same: NDArray[np.bool_] = (of[:, None] == of) & (of >= 0)
    return same & ~np.eye(len(of), dtype=bool)


def _declared(
    values: NDArray[np.float32],
    names: NDArray[np.str_],
    fold: NDArray[np.integer],
    alike: Sequence[Sequence[str]],
) -> Declared:
    known, target = np.unique(names, return_inverse=True)
    sample = Sample(values, target, len(known), np.ones(len(target), bool), fold)
    return Declared(sample, tuple(known.tolist()), tuple(tuple(family) for family in alike))


def _with_statistics(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([values, season_statistics(values)], axis=1)
