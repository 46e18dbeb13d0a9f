"""Many rows at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    import polars as pl

CHUNK = 10_000
"""Rows sent at once."""
NULL = "\\N"


def insert_many(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], size: int = CHUNK
) -> None:
    """Insert rows in chunks; nothing happens where there are none."""
    for first in range(0, len(rows), size):
        connection.execute(table.insert(), list(rows[first : first + size]))


def upsert(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *keys: str
) -> None:
    """Insert rows, or replace the other columns of the row that has the same `keys`."""
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    others = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    update = statement.on_conflict_do_update(index_elements=keys, set_=others)
    connection.execute(update, list(rows))


def insert_frame(connection: Connection, table: Table, frame: pl.DataFrame) -> None:
    """Insert the rows of a frame whose columns are some of the table's; structs become JSON.

    PostgreSQL takes them by COPY, several times faster than row by row.
    """
    for part in frame.iter_slices(CHUNK):
        if connection.dialect.name == "postgresql":
            _copy(connection, table, part)
        else:
            connection.execute(table.insert(), part.to_dicts())


def _copy(connection: Connection, table: Table, frame: pl.DataFrame) -> None:
    import polars as pl
    import psycopg
    from polars import selectors

    columns = ", ".join(f'"{name}"' for name in frame.columns)
    command = f"COPY \"{table.name}\" ({columns}) FROM STDIN (FORMAT csv, NULL '{NULL}')"
    text = frame.with_columns(
        selectors.struct().struct.json_encode(),
        (pl.lit("\\x") + selectors.binary().bin.encode("hex")).name.keep(),
    )
    # missing values are not quoted and texts are: a text that reads \N stays a text
    lines = text.write_csv(include_header=False, quote_style="non_numeric", null_value=NULL)
    raw: Any = connection.connection
    try:
        with raw.cursor() as cursor, cursor.copy(command) as copy:
            copy.write(lines)
    except psycopg.Error as error:
        raise DBAPIError.instance(command, None, error, psycopg.Error) from error
