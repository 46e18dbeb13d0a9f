"""The schema's revision, and its upgrade by the migrations that ship with the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, inspect, select
from sqlalchemy.exc import DBAPIError

from sen4cap.errors import Conflict
from sen4cap.store.engine import reading, writing

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).with_name("migrations")
_VERSION = Table("alembic_version", MetaData(), Column("version_num", String))
"""Where Alembic keeps the revision."""


def head() -> str:
    """Newest revision that this version knows."""
    return known()[-1]


@cache
def known() -> tuple[str, ...]:
    """Revisions that this version knows, oldest first.

    A migration's file begins with its revision, `r0003_`, so that none has to be read for this.
    """
    files = (FOLDER / "versions").glob("r*_*.py")
    return tuple(sorted(path.stem[1:].partition("_")[0] for path in files))


def revision(engine: Engine) -> str | None:
    """Revision of a database; None where it is empty."""
    with reading(engine) as connection:
        return _revision(connection)


def upgrade(engine: Engine, name: str) -> None:
    """Run the missing migrations, if any, in one transaction.

    Raises
    ------
    Conflict
        If the database is of a newer version, or holds tables of something else.
    """
    if revision(engine) == head():
        return
    from alembic import command

    with writing(engine) as connection:
        before = _revision(connection)
        if before is not None and before not in known():
            raise Conflict(
                f"The {name} was made by a newer version of sen4cap (revision {before}): "
                "install that version."
            )
        try:
            command.upgrade(_config(connection), "head")
        except DBAPIError as error:
            raise Conflict(
                f"The {name} cannot be upgraded from revision {before or 'none'}, it holds tables "
                "of something else or lacks some: use an empty database."
            ) from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION.name):
        return None
    found: str | None = connection.scalar(select(_VERSION.c.version_num))
    return found


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
