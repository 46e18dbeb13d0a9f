"""Connections and transactions, with the database's errors in our words.

A password appears in no message: databases are named by kind, name and host.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, create_engine, event, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    IntegrityError,
    OperationalError,
    StatementError,
)

from sen4cap.errors import (
    Conflict,
    InputRefused,
    InvalidParameter,
    Sen4capError,
    ServiceUnavailable,
    UnreadableFile,
)
from sen4cap.store import tables
from sen4cap.store.rules import as_json, missing

BUSY_SECONDS = 30
"""How long SQLite waits for another writer."""


def parse_url(url: str) -> URL:
    """The parts of a database address.

    Raises
    ------
    InvalidParameter
        If it is no address of an SQLite or PostgreSQL database.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise InvalidParameter(
            "The database address cannot be used: give sqlite:///<file> or "
            "postgresql+psycopg://<user>:<password>@<host>/<database>."
        )
    return parsed


def describe(url: URL) -> str:
    """The database in words, without user and password."""
    if url.get_backend_name() == "sqlite":
        return f"SQLite database '{url.database}'"
    host = url.host or url.query.get("host") or "localhost"
    return f"PostgreSQL database '{url.database}' on '{host}'"


def connectable(url: URL) -> Engine:
    """An engine for the database; nothing is opened yet, but SQLite's folder is made."""
    options: dict[str, Any] = {
        "hide_parameters": True,
        "json_serializer": as_json,
    }
    if url.get_backend_name() == "postgresql":
        return create_engine(url, pool_pre_ping=True, **options)
    if url.database and url.database != ":memory:":
        _make_folder(Path(url.database).parent)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceUnavailable(
            f"The folder '{folder}' of the database cannot be made: {error.strerror}. "
            "Give another address."
        ) from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver opens no transaction; `_begin_sqlite` does
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads one state of the database."""
    with _in_our_words(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is committed when the block ends well, and leaves nothing when not."""
    with _in_our_words(engine), engine.connect() as connection:
        connection.execution_options(writes=True)
        with connection.begin():
            yield connection


@contextmanager
def _in_our_words(engine: Engine) -> Iterator[None]:
    name = describe(engine.url)
    try:
        yield
    except IntegrityError as error:
        raise Conflict(
            f"The {name} refuses the change, another one came first: {_first_line(error, engine)}. "
            "Try again."
        ) from error
    except DataError as error:
        raise InputRefused(
            f"The {name} cannot hold a value: {_first_line(error, engine)}. Correct the input."
        ) from error
    except OperationalError as error:
        raise ServiceUnavailable(
            f"The {name} cannot be used: {_first_line(error, engine)}. "
            "Check that it runs and that its address, user and password are right."
        ) from error
    except DatabaseError as error:
        if "not a database" not in str(error.orig):
            raise
        raise UnreadableFile(
            f"'{engine.url.database}' is no SQLite database: give another address."
        ) from error
    except StatementError as error:
        if isinstance(error.orig, Sen4capError):
            raise error.orig from None
        raise


def _first_line(error: IntegrityError | DataError | OperationalError, engine: Engine) -> str:
    lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
    for secret in (engine.url.password, engine.url.query.get("password")):
        lines[0] = lines[0].replace(str(secret), "***") if secret else lines[0]
    return lines[0].rstrip(".")


def site_id(connection: Connection, short_name: str, *, lock: bool = False) -> int:
    """Id of a site; with `lock`, other writers of the site wait.

    Raises
    ------
    NotFound
        If there is no such site; the known ones are listed.
    """
    query: Select[int] = select(tables.site.c.id).where(tables.site.c.short_name == short_name)
    found = connection.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise missing("site", short_name, connection.scalars(select(tables.site.c.short_name)))
    return int(found)
