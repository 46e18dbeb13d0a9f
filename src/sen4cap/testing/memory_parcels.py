"""The parcels of the store in memory: rows with intervals of versions, as in SQL."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import polars as pl

from sen4cap.domain import ParcelSet, Site
from sen4cap.store import Identities, ParcelVersion, rules
from sen4cap.store import rows as parcel_rows


class _Sites(Protocol):
    def get(self, short_name: str) -> Site: ...


@dataclass
class _Year:
    """The parcels of one site and year; `rows` has the columns of the table `parcel`."""

    versions: list[ParcelVersion] = field(default_factory=list)
    rows: pl.DataFrame | None = None
    parcels: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"ori_id": pl.String, "new_id": pl.Int64})
    )
    holdings: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"ori_hold": pl.String, "hold_id": pl.Int64})
    )
    lut: pl.DataFrame | None = None

    @property
    def standing(self) -> list[int]:
        return [item.parcel_set.version for item in self.versions if not item.rolled_back]

    def make_current(self, version: int | None) -> None:
        self.versions = [
            replace(item, is_current=item.parcel_set.version == version) for item in self.versions
        ]


@dataclass(frozen=True)
class MemoryParcels:
    """Parcels by site and year."""

    sites: _Sites
    kept: dict[tuple[str, int], _Year] = field(default_factory=lambda: defaultdict(_Year))

    def _year(self, site: str, year: int) -> _Year:
        self.sites.get(site)
        return self.kept[site, year]

    def identities(self, site: str, year: int) -> Identities:
        """Every number that was given to a parcel or holding."""
        known = self._year(site, year)
        return Identities(
            known.parcels.sort("new_id").rename({"new_id": "NewID"}),
            known.holdings.sort("hold_id").rename({"hold_id": "HoldID"}),
        )

    def next_version(self, site: str, year: int) -> int:
        """Number of the next import."""
        return len(self._year(site, year).versions) + 1

    def write(
        self,
        parcel_set: ParcelSet,
        frame: Any,
        report: Mapping[str, Any],
        lut: pl.DataFrame | None = None,
    ) -> None:
        """Make an import the current version."""
        rows = parcel_rows.parcel_rows(frame)
        crops = None if lut is None else parcel_rows.lut_rows(lut)
        known = self._year(parcel_set.site, parcel_set.year)
        if parcel_set.version != len(known.versions) + 1:
            raise rules.not_next(parcel_set)
        parcels = parcel_rows.new_identities(known.parcels, rows, "ori_id", "new_id")
        holdings = parcel_rows.new_identities(known.holdings, rows, "ori_hold", "hold_id")
        entry = ParcelVersion(
            parcel_set,
            datetime.now(UTC),
            json.loads(rules.as_json(dict(report))),
            is_current=True,
            rolled_back=False,
        )
        known.parcels = pl.concat([known.parcels, parcels])
        known.holdings = pl.concat([known.holdings, holdings])
        known.rows = _changed(known.rows, rows, parcel_set.version)
        known.versions.append(entry)
        known.make_current(parcel_set.version)
        known.lut = known.lut if crops is None else crops

    def current(self, site: str, year: int) -> ParcelSet | None:
        """The current version."""
        found = [item.parcel_set for item in self.versions(site, year) if item.is_current]
        return found[0] if found else None

    def versions(self, site: str, year: int) -> list[ParcelVersion]:
        """All imports of a year, oldest first."""
        return list(self._year(site, year).versions)

    def report(self, site: str, year: int, version: int) -> Mapping[str, Any]:
        """The report of an import."""
        found = {item.parcel_set.version: item.report for item in self.versions(site, year)}
        if version not in found:
            raise rules.no_version(site, year, version, found)
        return found[version]

    def rollback(self, site: str, year: int, version: int) -> ParcelSet | None:
        """Undo an import and all after it; returns what is current then."""
        known = self._year(site, year)
        if version not in known.standing or known.rows is None:
            raise rules.no_version(site, year, version, known.standing)
        reopened = pl.when(pl.col("version_to") < version).then("version_to")
        known.rows = known.rows.filter(pl.col("version_from") < version).with_columns(
            reopened.alias("version_to")
        )
        known.versions = [
            replace(item, rolled_back=item.rolled_back or item.parcel_set.version >= version)
            for item in known.versions
        ]
        known.make_current(max(known.standing, default=None))
        return self.current(site, year)

    def place(self, site: str, year: int, frame: pl.DataFrame) -> None:
        """Write what depends on grids into the current rows, by new_id."""
        known = self._year(site, year)
        if known.rows is None:
            return
        new = frame.select(
            "new_id", *(pl.col(name).cast(kind) for name, kind in parcel_rows.PLACE.items())
        )
        is_open = pl.col("version_to").is_null()
        placed = known.rows.filter(is_open).update(new, on="new_id", how="left", include_nulls=True)
        known.rows = pl.concat([known.rows.filter(~is_open), placed])

    def table(self, site: str, year: int, version: int | None = None) -> pl.DataFrame:
        """Attributes of every parcel of a version, by default the current one."""
        known = self._year(site, year)
        chosen = max(known.standing, default=0) if version is None else version
        if chosen not in known.standing or known.rows is None:
            raise rules.no_version(site, year, chosen, known.standing)
        to = pl.col("version_to")
        found = known.rows.filter(pl.col("version_from") <= chosen, to.is_null() | (to > chosen))
        columns = [*parcel_rows.DECLARED, *parcel_rows.PLACE]
        return found.select(columns).sort("new_id").rename(parcel_rows.OPERATOR_NAMES)

    def write_lut(self, site: str, year: int, frame: pl.DataFrame) -> None:
        """Replace the crop look-up table of a site and year."""
        self._year(site, year).lut = parcel_rows.lut_rows(frame)

    def lut(self, site: str, year: int) -> pl.DataFrame | None:
        """The crop look-up table."""
        found = self._year(site, year).lut
        return found if found is not None and found.height else None


def _changed(before: pl.DataFrame | None, rows: pl.DataFrame, version: int) -> pl.DataFrame:
    """The rows of a year after an import."""
    none = [pl.lit(None, kind).alias(name) for name, kind in parcel_rows.PLACE.items()]
    started = rows.drop("wkb_geometry", "srid", "attributes").with_columns(
        *none,
        pl.lit(version).alias("version_from"),
        pl.lit(None, pl.Int32).alias("version_to"),
    )
    if before is None:
        return started
    is_open = pl.col("version_to").is_null()
    opened, closed = parcel_rows.changes(before.filter(is_open), started)
    ends = pl.when(is_open & pl.col("new_id").is_in(closed)).then(version).otherwise("version_to")
    return pl.concat([before.with_columns(ends.cast(pl.Int32).alias("version_to")), opened])
