"""Swiss winter wheat: green LAI measured in the field beside Sentinel-2 acquisitions.

Data of Graf et al. 2023 (Remote Sensing of Environment 113860), see the README of the data set. It
tells no view angles; those of its two orbits are assumed as there.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

DAYS = 2
VIEWS = {"108": (5.9, 284.0), "065": (9.5, 104.0)}
"""Zenith and azimuth of the view, degrees, by relative orbit."""
CLEAR = (2, 4, 5, 6, 7)
"""Classes of pixels whose ground was seen."""


def matchups(path: Path) -> pl.DataFrame:
    """Clear pairs within two days, one per measurement and acquisition, with all the angles.

    An acquisition that is there by two tiles, or processed twice, counts once: by the scene of the
    last name, which is the newest.
    """
    zenith, azimuth = ({orbit: view[part] for orbit, view in VIEWS.items()} for part in (0, 1))
    mission = pl.col("scene").str.slice(2, 1).str.to_lowercase()
    return (
        pl.read_parquet(path)
        .filter(pl.col("dt_days").abs() <= DAYS, pl.col("SCL").is_in(CLEAR))
        .sort("scene", descending=True)
        .unique(
            ["location", "parcel", "point_id", "date_insitu", "date_s2"],
            keep="first",
            maintain_order=True,
        )
        .sort("date_insitu", "scene", "point_id")
        .with_columns(
            date=pl.col("date_insitu"),
            platform=pl.lit("sentinel-2") + mission,
            sun_zenith=pl.col("sun_zenith_calc"),
            sun_azimuth=pl.col("sun_azimuth_calc"),
            view_zenith=pl.col("rel_orbit").replace_strict(zenith),
            view_azimuth=pl.col("rel_orbit").replace_strict(azimuth),
        )
    )
