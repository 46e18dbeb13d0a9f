"""Configuration in SQL: rows that an operator may change with `update config …` as well.

The global row of a key holds its declared default until a user changes it; a row that differs
from `config_metadata.default_value` is the user's and survives every upgrade.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from sen4cap.domain import ConfigEntry, ConfigMetadata, DataType
from sen4cap.store import tables
from sen4cap.store.bulk import insert_many, upsert
from sen4cap.store.engine import reading, site_id, writing
from sen4cap.store.rules import missing, only_global

_CONFIG = tables.config
_METADATA = tables.config_metadata
_ALL_METADATA = select(_METADATA, tables.config_category.c.name.label("category")).join(
    tables.config_category
)


@dataclass(frozen=True)
class SqlConfig:
    """Declared keys and their values, for all sites and for one."""

    engine: Engine

    def sync(self, declared: Iterable[ConfigMetadata]) -> None:
        """Make metadata equal the declarations; users' values stay, defaults follow."""
        wanted = {item.key: item for item in declared}
        if self._is_in_step(wanted):
            return
        with writing(self.engine) as connection:
            before = {item.key: item for item in _metadata(connection, "")}
            _remove(connection, [item for key, item in before.items() if key not in wanted])
            _declare(connection, list(wanted.values()))
            _follow(connection, [(before[key], wanted[key]) for key in wanted if key in before])
            _fill(connection, list(wanted.values()))

    def _is_in_step(self, wanted: Mapping[str, ConfigMetadata]) -> bool:
        """Whether there is nothing to write, so that nobody has to wait for a writer."""
        with reading(self.engine) as connection:
            before = {item.key: item for item in _metadata(connection, "")}
            return before == wanted and _filled(connection) >= wanted.keys()

    def metadata(self, prefix: str = "") -> list[ConfigMetadata]:
        """Declarations whose key starts with `prefix`, literally; sorted by key."""
        with reading(self.engine) as connection:
            return _metadata(connection, prefix)

    def entries(self, site: str | None = None, prefix: str = "") -> list[ConfigEntry]:
        """The value that counts for each key, a site's own before the global one; by key."""
        with reading(self.engine) as connection:
            number = None if site is None else site_id(connection, site)
            rows = connection.execute(_effective(number, prefix)).all()
        found = {row.key: _entry(row, site) for row in rows}
        return [found[key] for key in sorted(found)]

    def values(self, site: str | None = None, prefix: str = "") -> dict[str, str]:
        """As `entries`, values by key."""
        return {entry.key: entry.value for entry in self.entries(site, prefix)}

    def set(self, key: str, value: str, site: str | None = None) -> None:
        """Set a value; `NotFound` for an undeclared key."""
        with writing(self.engine) as connection:
            _check_settable(connection, key, site)
            number = None if site is None else site_id(connection, site)
            connection.execute(delete(_CONFIG).where(_row_of(key, number)))
            row = {"key": key, "site_id": number, "value": value}
            connection.execute(insert(_CONFIG), row)

    def unset(self, key: str, site: str | None = None) -> None:
        """Return to what counts without the value: the global one, or the declared default."""
        with writing(self.engine) as connection:
            declared = _declaration(connection, key)
            number = None if site is None else site_id(connection, site)
            connection.execute(delete(_CONFIG).where(_row_of(key, number)))
            _fill(connection, [declared])


def _starts(column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    return func.substr(column, 1, len(prefix)) == prefix


def _row_of(key: str, site: int | None) -> ColumnElement[bool]:
    owner = _CONFIG.c.site_id.is_(None) if site is None else _CONFIG.c.site_id == site
    return and_(_CONFIG.c.key == key, owner)


def _metadata(connection: Connection, prefix: str) -> list[ConfigMetadata]:
    rows = connection.execute(_ALL_METADATA.where(_starts(_METADATA.c.key, prefix))).mappings()
    return sorted((_declared(row) for row in rows), key=lambda item: item.key)


def _declared(row: Mapping[Any, Any]) -> ConfigMetadata:
    return ConfigMetadata(
        key=row["key"],
        friendly_name=row["friendly_name"],
        type=DataType(row["type"]),
        default_value=row["default_value"],
        description=row["label"],
        unit=row["unit"],
        category=row["category"],
        is_advanced=row["is_advanced"],
        is_site_visible=row["is_site_visible"],
        values=row["values"],
    )


def _declaration(connection: Connection, key: str) -> ConfigMetadata:
    found = connection.execute(_ALL_METADATA.where(_METADATA.c.key == key)).mappings().one_or_none()
    if found is None:
        family = key.rpartition(".")[0]
        known = [item.key for item in _metadata(connection, family)] if family else []
        raise missing("configuration key", key, known)
    return _declared(found)


def _check_settable(connection: Connection, key: str, site: str | None) -> None:
    if site is not None and not _declaration(connection, key).is_site_visible:
        raise only_global(key)
    _declaration(connection, key)


def _effective(site: int | None, prefix: str) -> Any:
    """Global rows first, so that a site's row of the same key comes after and replaces it."""
    owner = or_(_CONFIG.c.site_id.is_(None), _CONFIG.c.site_id == site)
    return (
        select(_CONFIG.c.key, _CONFIG.c.value, _CONFIG.c.site_id, _METADATA.c.default_value)
        .outerjoin(_METADATA, _METADATA.c.key == _CONFIG.c.key)
        .where(owner, _starts(_CONFIG.c.key, prefix))
        .order_by(_CONFIG.c.site_id.is_not(None))
    )


def _entry(row: Row[Any], site: str | None) -> ConfigEntry:
    if row.site_id is not None:
        return ConfigEntry(row.key, row.value, site, is_default=False)
    return ConfigEntry(row.key, row.value, None, is_default=row.value == row.default_value)


def _remove(connection: Connection, gone: Iterable[ConfigMetadata]) -> None:
    for item in gone:
        unchanged = and_(_row_of(item.key, None), _CONFIG.c.value == item.default_value)
        connection.execute(delete(_CONFIG).where(unchanged))
        connection.execute(delete(_METADATA).where(_METADATA.c.key == item.key))


def _declare(connection: Connection, declared: list[ConfigMetadata]) -> None:
    names = dict.fromkeys(item.category for item in declared)
    order = [{"name": name, "display_order": place} for place, name in enumerate(names, start=1)]
    upsert(connection, tables.config_category, order, "name")
    category = tables.config_category.c
    ids = dict(connection.execute(select(category.name, category.id)).all())
    upsert(connection, _METADATA, [_metadata_row(item, ids) for item in declared], "key")


def _metadata_row(item: ConfigMetadata, categories: Mapping[str, int]) -> dict[str, Any]:
    return {
        "key": item.key,
        "friendly_name": item.friendly_name,
        "type": str(item.type),
        "is_advanced": item.is_advanced,
        "config_category_id": categories[item.category],
        "is_site_visible": item.is_site_visible,
        "label": item.description,
        "unit": item.unit,
        "default_value": item.default_value,
        "values": None if item.values is None else dict(item.values),
    }


def _follow(connection: Connection, pairs: list[tuple[ConfigMetadata, ConfigMetadata]]) -> None:
    """Let rows that hold the former default take the new one."""
    moved = [
        {"of_key": new.key, "old": old.default_value, "new": new.default_value}
        for old, new in pairs
        if old.default_value != new.default_value
    ]
    if moved:
        follows = update(_CONFIG).where(
            _CONFIG.c.key == bindparam("of_key"),
            _CONFIG.c.site_id.is_(None),
            _CONFIG.c.value == bindparam("old"),
        )
        connection.execute(follows.values(value=bindparam("new"), last_updated=func.now()), moved)


def _fill(connection: Connection, declared: list[ConfigMetadata]) -> None:
    """Give every declared key its global row."""
    there = _filled(connection)
    rows = [
        {"key": item.key, "site_id": None, "value": item.default_value}
        for item in declared
        if item.key not in there
    ]
    insert_many(connection, _CONFIG, rows)


def _filled(connection: Connection) -> set[str]:
    """Keys that have a global row."""
    return set(connection.scalars(select(_CONFIG.c.key).where(_CONFIG.c.site_id.is_(None))))
