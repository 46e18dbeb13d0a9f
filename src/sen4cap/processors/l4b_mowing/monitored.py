"""The parcels that are monitored: grassland, as the crop table and the parameters say."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.domain import Reason
from sen4cap.domain.parcel import GEOMETRY_REASONS
from sen4cap.errors import NoInput
from sen4cap.geo.vector import read_parcels
from sen4cap.processors.l4b_mowing.params import MowingParams, listed

COLUMNS = ("NewID", "ori_id", "ori_hold", "ori_crop", "Area_meters", "geom_hash", "reason")
GRASSLAND = 3
"""Land cover of the crop table."""
ANY = "*"
"""Crop code that stands for all."""


def monitored_parcels(parcels: Path, lut: Path, params: MowingParams) -> gpd.GeoDataFrame:
    """The monitored parcels that are not deleted, sorted by `NewID`, index from 0.

    Columns `COLUMNS`, `CTnum` (number of the land use, missing where the crop is not in the table)
    and the geometry. `reason` is that of the import where it speaks of the geometry, else empty.

    Raises
    ------
    NoInput
        If there is none.
    """
    frame = read_parcels(parcels, [*COLUMNS, "is_deleted"])
    frame = frame[~frame["is_deleted"].astype(bool)].drop(columns="is_deleted")
    crops = pl.read_parquet(lut, columns=["ori_crop", "ctnum", "lc", "pgrass", "tgrass"])
    numbers = dict(zip(crops["ori_crop"].cast(pl.String), crops["ctnum"], strict=True))
    frame["ori_crop"] = frame["ori_crop"].astype("str").fillna("")
    frame["CTnum"] = frame["ori_crop"].map(numbers).astype("Int32")
    frame = frame[frame["ori_crop"].isin(_codes(crops, params)) | (params.monitored_crops == ANY)]
    if frame.empty:
        raise NoInput(
            "No declared crop is monitored: mark grassland in the crop table (lc 3, pgrass or "
            "tgrass), or name codes with processor.s4c_l4b.monitored-crops."
        )
    shapeless = frame["reason"].isin([reason.value for reason in GEOMETRY_REASONS])
    frame["reason"] = frame["reason"].where(shapeless, "")
    return frame.sort_values("NewID", kind="stable").reset_index(drop=True)


def _codes(crops: pl.DataFrame, params: MowingParams) -> list[str]:
    """Crop codes that are monitored."""
    if named := listed(params.monitored_crops):
        return list(named)
    numbers = [int(number) for number in listed(params.ctnum_filter)]
    grass = (pl.col("lc") == GRASSLAND) | (pl.col("pgrass") == 1) | (pl.col("tgrass") == 1)
    chosen = crops.filter(pl.col("ctnum").is_in(numbers) if numbers else grass)
    return chosen["ori_crop"].cast(pl.String).to_list()


def why_not(
    given: NDArray[np.str_],
    homeless: NDArray[np.bool_],
    seen: NDArray[np.integer],
    judged: NDArray[np.bool_],
) -> NDArray[np.str_]:
    """Reason of each parcel that could not be judged, '' of the others; shapes (n,).

    `given` are reasons of the import, `homeless` parcels lie on no grid, `seen` counts what was
    seen of each.
    """
    unseen = np.where(homeless, Reason.OUTSIDE_GRID.value, Reason.NO_DATA.value)
    unseen = np.where(given != "", given, unseen)
    reason = np.where(seen > 0, Reason.FEW_DATES.value, unseen)
    return np.where(judged, "", reason)
