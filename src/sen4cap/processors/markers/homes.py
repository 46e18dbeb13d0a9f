"""Which parcels are counted on which grid, and the pixels that they cover there.

Both follow from the parcel set and the grids alone, are worked out once and kept in the archive
under a name that says what they were made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyproj
import shapely

from sen4cap.domain import Grid, PixelRule, Sensor, revision_of
from sen4cap.domain.parcel import GEOMETRY_REASONS
from sen4cap.errors import InputRefused, NoInput, UnreadableFile
from sen4cap.geo.coverage import CoverageIndex, build_coverage
from sen4cap.geo.crs import reproject
from sen4cap.geo.vector import read_parcels
from sen4cap.processing import Context
from sen4cap.processing.homes import parcel_homes

COLUMNS = ("NewID", "geom_hash", "is_deleted", "reason")


@dataclass(frozen=True)
class Homes:
    """The parcels of the context's parcel set that are at home on one grid."""

    ctx: Context
    grid: str
    """Name of the grid."""
    is_radar: bool = False
    """Whether it is that of radar: the two have grids of the same names."""

    @property
    def key(self) -> str:
        """16 hex digits for the parcel set and the grids among which homes are chosen."""
        grids = [(item.name, item.key) for item in self._candidates]
        return revision_of("home", self.ctx.parcels.digest, grids)[:16]

    @cached_property
    def current(self) -> pl.DataFrame:
        """Columns `parcel` and `geom_hash`, sorted by parcel."""
        path = self._path(self.key)
        if not path.exists():
            with self.ctx.write(path) as temporary:
                chosen = parcel_homes(self._parcels, self._candidates)
                chosen.write_parquet(temporary, compression="zstd", compression_level=1)
        return self._read(path)

    def earlier(self, key: str) -> pl.DataFrame | None:
        """`current` as it was under another key; None where it is not kept any more."""
        path = self._path(key)
        return self._read(path) if path.exists() else None

    def coverage(
        self, raster: Grid, buffer: float, rule: PixelRule = PixelRule.EXACT
    ) -> CoverageIndex:
        """Pixels of a raster's grid that the parcels cover, less a rim of `buffer` metres.

        It is kept; where one of other parcels is there, only those that differ are worked out.

        Raises
        ------
        InputRefused
            If there is a rim to leave out and the grid is not in units of length.
        """
        how = revision_of("coverage", self.grid, raster.key, buffer, rule)[:16]
        folder = self.ctx.folder("index")
        path = folder / f"coverage-{how}-{self.key}.arrays"
        with suppress(UnreadableFile):  # it is not there, or damaged, or just being replaced
            return CoverageIndex.load(path)
        others = sorted({*folder.glob(f"coverage-{how}-*.arrays")} - {path})
        index = self._renewed(_first_whole(others), raster, buffer, rule)
        with self.ctx.write(path) as temporary:
            index.save(temporary)
        for old in others:
            old.unlink(missing_ok=True)
        return CoverageIndex.load(path)

    @property
    def _candidates(self) -> tuple[Grid, ...]:
        own = [
            item
            for item in self.ctx.grids
            if item.name == self.grid and (item.sensor is Sensor.S1) == self.is_radar
        ]
        if not own:
            raise NoInput(
                f"Site '{self.ctx.site.short_name}' has no grid '{self.grid}': "
                "ingest the products of that grid again."
            )
        return self.ctx.sensor_grids(own[0].sensor)

    def _path(self, key: str) -> Path:
        return self.ctx.folder("index", f"home-{key}.parquet")

    def _read(self, path: Path) -> pl.DataFrame:
        at_home = pl.scan_parquet(path).filter(pl.col("grid") == self.grid)
        return at_home.select("parcel", "geom_hash").collect()

    @cached_property
    def _parcels(self) -> Any:
        frame = read_parcels(self.ctx.parcels.path, COLUMNS)
        return frame[~(frame["is_deleted"] | frame["reason"].isin(GEOMETRY_REASONS))]

    def _renewed(
        self, before: CoverageIndex | None, raster: Grid, buffer: float, rule: PixelRule
    ) -> CoverageIndex:
        """The index of the parcels that are at home here, with what holds of an earlier one."""
        if before is None:
            return self._cover(self.current, raster, buffer, rule)
        known = pl.DataFrame({"parcel": before.parcels, "geom_hash": before.hashes.tolist()})
        key = ["parcel", "geom_hash"]
        new = self.current.join(known, on=key, how="anti")
        stays = known.join(self.current, on=key, how="semi")["parcel"].to_numpy()
        kept = before.take(np.isin(before.parcels, stays))
        return kept.joined(self._cover(new, raster, buffer, rule)) if new.height else kept

    def _cover(
        self, chosen: pl.DataFrame, raster: Grid, buffer: float, rule: PixelRule
    ) -> CoverageIndex:
        frame = self._parcels[self._parcels["NewID"].isin(chosen["parcel"].to_list())]
        geometries = reproject(frame.geometry.to_numpy(), frame.crs.to_string(), raster.crs)
        if buffer:
            geometries = shapely.buffer(geometries, -buffer / _metres_per_unit(raster))
        hashes = frame["geom_hash"].to_numpy(str)
        return build_coverage(frame["NewID"].to_numpy(np.int64), hashes, geometries, raster, rule)


def _first_whole(paths: Sequence[Path]) -> CoverageIndex | None:
    for path in paths:
        with suppress(UnreadableFile):
            return CoverageIndex.load(path)
    return None


def _metres_per_unit(grid: Grid) -> float:
    crs = pyproj.CRS.from_user_input(grid.crs)
    if not crs.is_projected:
        raise InputRefused(f"Grid '{grid.name}' is in degrees: set the inner buffer to 0 for it.")
    return float(crs.axis_info[0].unit_conversion_factor)
