"""Products, their slots and where they come from, in SQL."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, delete, select

from sen4cap.domain import Asset, Grid, Product, ProductType, Role
from sen4cap.store import tables
from sen4cap.store.bulk import insert_many, upsert
from sen4cap.store.engine import reading, site_id, writing
from sen4cap.store.places import add_grid
from sen4cap.store.rules import check_same, grid_of, no_product

_PRODUCTS = select(tables.product, tables.site.c.short_name.label("site")).join(tables.site)
NAMES_AT_ONCE = 1000
"""Names in one query: databases bound the number of its parameters."""


@dataclass(frozen=True)
class SqlProducts:
    """Products by name, and the one that is current in each slot."""

    engine: Engine

    def commit(
        self,
        products: Sequence[Product],
        job_id: int | None = None,
        grids: Iterable[tuple[str, Grid]] = (),
    ) -> None:
        """Add products and grids and let the slots point to the products, all or none.

        A product that is there already with the same revision is left as it is. One that tells
        the grid of an image brings that grid with it.
        """
        with writing(self.engine) as connection:
            for site, grid in grids:
                add_grid(connection, site, grid)
            commit_products(connection, products, job_id)

    def get(self, name: str) -> Product:
        """The product of a name; `NotFound` where there is none."""
        with reading(self.engine) as connection:
            found = _named(connection, [name])
        if not found:
            raise no_product(name)
        return found[0]

    def named(self, names: Sequence[str]) -> list[Product]:
        """The products of some names, in their order; `NotFound` where one is missing."""
        if not names:
            return []
        with reading(self.engine) as connection:
            found = {product.name: product for product in _named(connection, names)}
        for name in names:
            if name not in found:
                raise no_product(name)
        return [found[name] for name in names]

    def current(self, slot: str) -> Product | None:
        """The product that stands in a slot; None where none does."""
        query = _current(_PRODUCTS).where(tables.product_slot.c.slot == slot)
        with reading(self.engine) as connection:
            found = _read(connection, query)
        return found[0] if found else None

    def search(
        self,
        site: str,
        *,
        types: Iterable[ProductType] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        grid: str | None = None,
        current: bool = True,
    ) -> list[Product]:
        """Products of a site with start <= product start < end, by start, grid and name."""
        query = _current(_PRODUCTS) if current else _PRODUCTS
        conditions = _conditions(tuple(types), start, end, grid)
        with reading(self.engine) as connection:
            number = site_id(connection, site)
            found = _read(connection, query.where(tables.product.c.site_id == number, *conditions))
        return sorted(found, key=lambda product: (product.start, product.grid, product.name))

    def remove(self, names: Sequence[str]) -> None:
        """Forget products; slots that point to them are empty then. `NotFound` for an unknown."""
        with writing(self.engine) as connection:
            ids = _ids(connection, names)
            for name in names:
                if name not in ids:
                    raise no_product(name)
            gone = list(ids.values())
            slots, products = tables.product_slot, tables.product
            connection.execute(delete(slots).where(slots.c.product_id.in_(gone)))
            connection.execute(delete(products).where(products.c.id.in_(gone)))


@dataclass(frozen=True)
class SqlArrivals:
    """New products that nobody has looked at yet."""

    engine: Engine

    def all(self, limit: int = NAMES_AT_ONCE) -> list[Product]:
        """The oldest of them, in the order they came."""
        arrived = tables.arrival.c.product_id
        some = select(arrived).order_by(arrived).limit(limit)
        query = _PRODUCTS.where(tables.product.c.id.in_(some)).order_by(tables.product.c.id)
        with reading(self.engine) as connection:
            return _read(connection, query)

    def settle(self, names: Sequence[str]) -> None:
        """Products that have been looked at; unknown ones are passed over."""
        if not names:
            return
        with writing(self.engine) as connection:
            ids = list(_ids(connection, names).values())
            gone = tables.arrival.c.product_id.in_(ids)
            connection.execute(delete(tables.arrival).where(gone))


def commit_products(
    connection: Connection, products: Sequence[Product], job_id: int | None
) -> None:
    """Add products and let their slots point to them, in the transaction of the caller."""
    known = {item.name: item for item in _named(connection, [p.name for p in products])}
    new: dict[str, Product] = {}
    for product in products:
        before = known.setdefault(product.name, product)
        check_same(before, product)
        if before is product:
            new[product.name] = product
    for product in new.values():
        if (grid := grid_of(product)) is not None:
            add_grid(connection, product.site, grid)
    _insert(connection, list(new.values()), job_id)
    _point(connection, products)


def _current(query: Select[Any]) -> Select[Any]:
    return query.join(tables.product_slot, tables.product_slot.c.product_id == tables.product.c.id)


def _conditions(
    types: Sequence[ProductType], start: datetime | None, end: datetime | None, grid: str | None
) -> list[ColumnElement[bool]]:
    column = tables.product.c
    given = {
        "types": column.product_type.in_([str(kind) for kind in types]) if types else None,
        "start": None if start is None else column.start_time >= start,
        "end": None if end is None else column.start_time < end,
        "grid": None if grid is None else column.grid == grid,
    }
    return [condition for condition in given.values() if condition is not None]


def _named(connection: Connection, names: Sequence[str]) -> list[Product]:
    return [
        product
        for first in range(0, len(names), NAMES_AT_ONCE)
        for product in _read(
            connection,
            _PRODUCTS.where(tables.product.c.name.in_(names[first : first + NAMES_AT_ONCE])),
        )
    ]


def _read(connection: Connection, query: Select[Any]) -> list[Product]:
    rows = connection.execute(query).mappings().all()
    parents = _parents(connection, query) if rows else {}
    return [_product(row, parents.get(row["id"], [])) for row in rows]


def _parents(connection: Connection, query: Select[Any]) -> Mapping[int, list[str]]:
    wanted = query.with_only_columns(tables.product.c.id)
    table = tables.product_provenance
    rows = connection.execute(
        select(table.c.product_id, table.c.parent_name)
        .where(table.c.product_id.in_(wanted))
        .order_by(table.c.product_id, table.c.position)
    )
    found: dict[int, list[str]] = defaultdict(list)
    for product_id, parent in rows:
        found[product_id].append(parent)
    return found


def _insert(connection: Connection, products: Sequence[Product], job_id: int | None) -> None:
    sites = {name: site_id(connection, name) for name in {product.site for product in products}}
    rows = [
        {**_product_row(product), "site_id": sites[product.site], "job_id": job_id}
        for product in products
    ]
    insert_many(connection, tables.product, rows)
    ids = _ids(connection, [product.name for product in products])
    parents = [
        {"product_id": ids[product.name], "position": position, "parent_name": parent}
        for product in products
        for position, parent in enumerate(product.parents)
    ]
    insert_many(connection, tables.product_provenance, parents)
    insert_many(connection, tables.arrival, [{"product_id": number} for number in ids.values()])


def _point(connection: Connection, products: Sequence[Product]) -> None:
    newest = {product.slot: product.name for product in products}
    ids = _ids(connection, list(newest.values()))
    rows = [{"slot": slot, "product_id": ids[name]} for slot, name in sorted(newest.items())]
    upsert(connection, tables.product_slot, rows, "slot")


def _ids(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    column = tables.product.c
    return {
        name: number
        for first in range(0, len(names), NAMES_AT_ONCE)
        for name, number in connection.execute(
            select(column.name, column.id).where(
                column.name.in_(names[first : first + NAMES_AT_ONCE])
            )
        )
    }


def _product_row(product: Product) -> dict[str, Any]:
    return {
        "product_type": str(product.type),
        "processor": product.processor,
        "name": product.name,
        "grid": product.grid,
        "season": product.season,
        "start_time": product.start,
        "end_time": product.end,
        "revision": product.revision,
        "slot": product.slot,
        "footprint": product.footprint,
        "assets": [_asset_json(asset) for asset in product.assets],
        "properties": dict(product.properties),
    }


def _product(row: Mapping[Any, Any], parents: Sequence[str]) -> Product:
    return Product(
        name=row["name"],
        site=row["site"],
        type=ProductType(row["product_type"]),
        grid=row["grid"],
        season=row["season"],
        start=row["start_time"],
        end=row["end_time"],
        revision=row["revision"],
        assets=tuple(_asset(asset) for asset in row["assets"]),
        footprint=row["footprint"],
        processor=row["processor"],
        parents=tuple(parents),
        properties=row["properties"],
    )


def _asset_json(asset: Asset) -> dict[str, Any]:
    return asdict(asset) | {"nodata": _json_number(asset.nodata)}


def _json_number(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)


def _asset(fields: Mapping[str, Any]) -> Asset:
    nodata = fields["nodata"]
    return Asset(
        **{
            **fields,
            "role": Role(fields["role"]),
            "nodata": float(nodata) if isinstance(nodata, str) else nodata,
        }
    )
