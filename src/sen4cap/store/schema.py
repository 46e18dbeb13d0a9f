"""The schema's revision, and its upgrade by the migrations that ship with the package."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from sen4cap.errors import Conflict
from sen4cap.store.engine import reading, writing


def head() -> str:
    """Newest revision that this version knows."""
    newest = _scripts().get_current_head()
    assert newest is not None
    return newest


def revision(engine: Engine) -> str | None:
    """Revision of a database; None where it is empty."""
    with reading(engine) as connection:
        return _revision(connection)


def upgrade(engine: Engine, name: str) -> None:
    """Run the missing migrations in one transaction.

    Raises
    ------
    Conflict
        If the database is of a newer version, or holds tables of something else.
    """
    config = _config()
    with writing(engine) as connection:
        before = _revision(connection)
        if before is not None and before not in _known():
            raise Conflict(
                f"The {name} was made by a newer version of sen4cap (revision {before}): "
                "install that version."
            )
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except DBAPIError as error:
            raise Conflict(
                f"The {name} cannot be upgraded from revision {before or 'none'}, it holds tables "
                "of something else or lacks some: use an empty database."
            ) from error


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _known() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
