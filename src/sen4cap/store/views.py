"""Views per site and year, under the names that operators know.

`decl_<site>_<year>` shows the current parcels, `lut_<site>_<year>` the crop look-up table. In
PostGIS `ST_GeomFromWKB(wkb_geometry, srid)` is the geometry.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Select, Table, select, text

from sen4cap.domain import short_name
from sen4cap.errors import InvalidParameter
from sen4cap.store import tables
from sen4cap.store.rows import LUT, OPERATOR_NAMES

_DECLARATIONS = (
    "new_id", "hold_id", "ori_id", "ori_hold", "ori_crop", "geom_valid", "duplic", "overlap",
    "area_meters", "shape_ind", "s1_pix", "s2_pix", "is_deleted", "geom_change_ratio", "reason",
    "wkb_geometry", "srid", "attributes",
)  # fmt: skip


def show_declarations(connection: Connection, site: str, site_id: int, year: int) -> None:
    """Create the view of the current parcels of a site and year, or renew it."""
    names = {name: OPERATOR_NAMES.get(name, name) for name in _DECLARATIONS}
    query = _rows(tables.parcel, names, site_id, year)
    _create(connection, "decl", site, year, query.where(tables.parcel.c.version_to.is_(None)))


def show_lut(connection: Connection, site: str, site_id: int, year: int) -> None:
    """Create the view of the crop look-up table of a site and year, or renew it."""
    query = _rows(tables.crop_lut, {name: name for name in LUT}, site_id, year)
    _create(connection, "lut", site, year, query)


def _rows(table: Table, names: Mapping[str, str], site_id: int, year: int) -> Select[tuple[object]]:
    columns = [table.c[name].label(label) for name, label in names.items()]
    return select(*columns).where(table.c.site_id == site_id, table.c.year == year)


def _create(
    connection: Connection, kind: str, site: str, year: int, query: Select[tuple[object]]
) -> None:
    if site != short_name(site) or not site or not 1900 <= year <= 2200:
        raise InvalidParameter(f"Site '{site}' and year {year} cannot name a view.")
    dialect = connection.dialect
    name = dialect.identifier_preparer.quote_identifier(f"{kind}_{site}_{year}")
    body = query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    create = "CREATE OR REPLACE VIEW"
    if dialect.name == "sqlite":
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
        create = "CREATE VIEW"
    connection.execute(text(f"{create} {name} AS {body}"))
