"""Parcel sets in SQL: versions, identities, the attributes of every parcel, look-up tables.

One import is one transaction. The rows of an import are described in `sen4cap.store.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from sen4cap.domain import ParcelSet
from sen4cap.store import rows as parcel_rows
from sen4cap.store import tables
from sen4cap.store.bulk import CHUNK, insert_frame
from sen4cap.store.engine import reading, site_id, writing
from sen4cap.store.rules import no_version, not_next
from sen4cap.store.values import Identities, ParcelVersion
from sen4cap.store.views import show_declarations, show_lut

_PARCEL = tables.parcel
_SET = tables.parcel_set


@dataclass(frozen=True)
class SqlParcels:
    """Parcels by site and year."""

    engine: Engine

    def identities(self, site: str, year: int) -> Identities:
        """Every number that was given to a parcel or holding, rolled-back imports included."""
        with reading(self.engine) as connection:
            number = site_id(connection, site)
            parcels = _pairs(connection, tables.parcel_identity, number, year)
            holdings = _pairs(connection, tables.holding_identity, number, year)
        return Identities(
            parcels.rename({"new_id": "NewID"}), holdings.rename({"hold_id": "HoldID"})
        )

    def next_version(self, site: str, year: int) -> int:
        """Number of the next import: one more than any before, rolled-back ones included."""
        with reading(self.engine) as connection:
            return _last_version(connection, site_id(connection, site), year) + 1

    def write(
        self,
        parcel_set: ParcelSet,
        frame: Any,
        report: Mapping[str, Any],
        lut: pl.DataFrame | None = None,
    ) -> None:
        """Make an import the current version, all or nothing; `Conflict` if it is not the next."""
        rows = parcel_rows.parcel_rows(frame)
        crops = None if lut is None else parcel_rows.lut_rows(lut)
        year, version = parcel_set.year, parcel_set.version
        with writing(self.engine) as connection:
            number = site_id(connection, parcel_set.site, lock=True)
            if version != _last_version(connection, number, year) + 1:
                raise not_next(parcel_set)
            _identify(connection, tables.parcel_identity, number, year, rows)
            _identify(connection, tables.holding_identity, number, year, rows)
            _change_rows(connection, number, year, version, rows)
            connection.execute(insert(_SET), _set_row(number, parcel_set, report))
            _make_current(connection, number, year, version)
            show_declarations(connection, parcel_set.site, number, year)
            if crops is not None:
                _write_lut(connection, parcel_set.site, number, year, crops)

    def current(self, site: str, year: int) -> ParcelSet | None:
        """The current version; None where nothing was imported or all was rolled back."""
        found = [item.parcel_set for item in self.versions(site, year) if item.is_current]
        return found[0] if found else None

    def versions(self, site: str, year: int) -> list[ParcelVersion]:
        """All imports of a year, oldest first, rolled-back ones included."""
        with reading(self.engine) as connection:
            query = select(_SET).where(_of(_SET, site_id(connection, site), year))
            rows = connection.execute(query.order_by(_SET.c.version)).mappings().all()
        return [_version(row, site) for row in rows]

    def report(self, site: str, year: int, version: int) -> Mapping[str, Any]:
        """The report of an import; `NotFound` where there is no such version."""
        found = {item.parcel_set.version: item.report for item in self.versions(site, year)}
        if version not in found:
            raise no_version(site, year, version, found)
        return found[version]

    def rollback(self, site: str, year: int, version: int) -> ParcelSet | None:
        """Undo an import and all after it; returns what is current then.

        Numbers of parcels, holdings and versions stay taken. `NotFound` where there is no such
        version or it was rolled back before.
        """
        with writing(self.engine) as connection:
            number = site_id(connection, site, lock=True)
            standing = _standing(connection, number, year)
            if version not in standing:
                raise no_version(site, year, version, standing)
            _restore_rows(connection, number, year, version)
            undone = update(_SET).where(_of(_SET, number, year), _SET.c.version >= version)
            connection.execute(undone.values(rolled_back=True))
            before = [item for item in standing if item < version]
            _make_current(connection, number, year, max(before, default=None))
        return self.current(site, year)

    def place(self, site: str, year: int, frame: pl.DataFrame) -> None:
        """Write what depends on grids into the current rows, by new_id; others are left.

        Columns: new_id, s1_pix, s2_pix, home_s1, home_s2. A row of a later import starts without.
        """
        wanted = frame.select(
            pl.col("new_id").alias("of_new_id"),
            *(
                pl.col(name).cast(kind).alias(f"to_{name}")
                for name, kind in parcel_rows.PLACE.items()
            ),
        )
        with writing(self.engine) as connection:
            change = update(_PARCEL).where(
                _current(site_id(connection, site), year),
                _PARCEL.c.new_id == bindparam("of_new_id"),
            )
            values: dict[str, Any] = {name: bindparam(f"to_{name}") for name in parcel_rows.PLACE}
            for part in wanted.iter_slices(CHUNK):
                connection.execute(change.values(values), part.to_dicts())

    def table(self, site: str, year: int, version: int | None = None) -> pl.DataFrame:
        """Attributes of every parcel of a version, by default the current one; sorted by NewID.

        The columns of `sen4cap.domain.parcel.COLUMNS`, then S1Pix, S2Pix, home_s1 and home_s2;
        deleted parcels included, geometry and further declared columns are in the set's file.
        """
        with reading(self.engine) as connection:
            number = site_id(connection, site)
            standing = _standing(connection, number, year)
            chosen = max(standing, default=0) if version is None else version
            if chosen not in standing:
                raise no_version(site, year, chosen, standing)
            schema = parcel_rows.DECLARED | parcel_rows.PLACE
            query = select(*(_PARCEL.c[name] for name in schema)).order_by(_PARCEL.c.new_id)
            found = _frame(connection, query.where(_as_of(number, year, chosen)), schema)
        return found.rename(parcel_rows.OPERATOR_NAMES)

    def write_lut(self, site: str, year: int, frame: pl.DataFrame) -> None:
        """Replace the crop look-up table of a site and year."""
        rows = parcel_rows.lut_rows(frame)
        with writing(self.engine) as connection:
            number = site_id(connection, site, lock=True)
            _write_lut(connection, site, number, year, rows)

    def lut(self, site: str, year: int) -> pl.DataFrame | None:
        """The crop look-up table, sorted by ori_crop; None where there is none."""
        columns = [tables.crop_lut.c[name] for name in parcel_rows.LUT]
        with reading(self.engine) as connection:
            owner = _of(tables.crop_lut, site_id(connection, site), year)
            found = _frame(connection, select(*columns).where(owner), parcel_rows.LUT)
        return found.sort("ori_crop") if found.height else None


def _of(table: Table, site: int, year: int) -> ColumnElement[bool]:
    return and_(table.c.site_id == site, table.c.year == year)


def _current(site: int, year: int) -> ColumnElement[bool]:
    return and_(_of(_PARCEL, site, year), _PARCEL.c.version_to.is_(None))


def _as_of(site: int, year: int, version: int) -> ColumnElement[bool]:
    open_then = or_(_PARCEL.c.version_to.is_(None), _PARCEL.c.version_to > version)
    return and_(_of(_PARCEL, site, year), _PARCEL.c.version_from <= version, open_then)


def _frame(connection: Connection, query: Any, schema: Mapping[str, Any]) -> pl.DataFrame:
    rows = [tuple(row) for row in connection.execute(query)]
    return pl.DataFrame(rows, schema=dict(schema), orient="row")


def _insert_frame(
    connection: Connection, table: Table, site: int, year: int, rows: pl.DataFrame, **more: Any
) -> None:
    fixed = {"site_id": site, "year": year, **more}
    insert_frame(connection, table, rows.with_columns(pl.lit(v).alias(n) for n, v in fixed.items()))


def _pairs(connection: Connection, table: Table, site: int, year: int) -> pl.DataFrame:
    """(name, number) of an identity table, sorted by number."""
    _, _, number, name = table.c
    query = select(name, number).where(_of(table, site, year)).order_by(number)
    return _frame(connection, query, {name.name: pl.String, number.name: pl.Int64})


def _identify(
    connection: Connection, table: Table, site: int, year: int, rows: pl.DataFrame
) -> None:
    known = _pairs(connection, table, site, year)
    new = parcel_rows.new_identities(known, rows, *known.columns)
    _insert_frame(connection, table, site, year, new)


def _write_lut(
    connection: Connection, site: str, number: int, year: int, rows: pl.DataFrame
) -> None:
    connection.execute(delete(tables.crop_lut).where(_of(tables.crop_lut, number, year)))
    _insert_frame(connection, tables.crop_lut, number, year, rows)
    show_lut(connection, site, number, year)


def _last_version(connection: Connection, site: int, year: int) -> int:
    last = connection.scalar(select(func.max(_SET.c.version)).where(_of(_SET, site, year)))
    return int(last or 0)


def _standing(connection: Connection, site: int, year: int) -> list[int]:
    """Versions that were not rolled back."""
    query = select(_SET.c.version).where(_of(_SET, site, year), _SET.c.rolled_back.is_(False))
    return list(connection.scalars(query))


def _make_current(connection: Connection, site: int, year: int, version: int | None) -> None:
    is_it = False if version is None else _SET.c.version == version
    connection.execute(update(_SET).where(_of(_SET, site, year)).values(is_current=is_it))


def _change_rows(
    connection: Connection, site: int, year: int, version: int, rows: pl.DataFrame
) -> None:
    query = select(_PARCEL.c.new_id, _PARCEL.c.content_hash).where(_current(site, year))
    before = _frame(connection, query, {"new_id": pl.Int64, "content_hash": pl.Int64})
    opened, closed = parcel_rows.changes(before, rows)
    if closed:
        close = update(_PARCEL).where(
            _current(site, year), _PARCEL.c.new_id == bindparam("of_new_id")
        )
        numbers = [{"of_new_id": number} for number in closed]
        connection.execute(close.values(version_to=version), numbers)
    _insert_frame(connection, _PARCEL, site, year, opened, version_from=version)


def _restore_rows(connection: Connection, site: int, year: int, version: int) -> None:
    """Remove the rows that an import and those after it opened; reopen what they closed."""
    mine = _of(_PARCEL, site, year)
    connection.execute(delete(_PARCEL).where(mine, _PARCEL.c.version_from >= version))
    closed = update(_PARCEL).where(mine, _PARCEL.c.version_to >= version)
    connection.execute(closed.values(version_to=None))


def _set_row(site: int, parcel_set: ParcelSet, report: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "site_id": site,
        "year": parcel_set.year,
        "version": parcel_set.version,
        "path": str(parcel_set.path),
        "digest": parcel_set.digest,
        "count": parcel_set.count,
        "report": dict(report),
    }


def _version(row: Mapping[Any, Any], site: str) -> ParcelVersion:
    return ParcelVersion(
        ParcelSet(
            site, row["year"], row["version"], Path(row["path"]), row["digest"], row["count"]
        ),
        imported=row["imported_timestamp"],
        report=row["report"],
        is_current=row["is_current"],
        rolled_back=row["rolled_back"],
    )
