"""The migrations build the tables that the code declares, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from sen4cap.domain import Site
from sen4cap.errors import Conflict
from sen4cap.store import SqlStore, open_store, schema
from sen4cap.store.tables import metadata


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    """A store on an empty database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'new folder' / '50%.sqlite'}"
    else:
        url = request.getfixturevalue("postgresql_url")
    store = open_store(url)
    yield store
    store.close()


# SQLite's one index on an expression cannot be reflected; the next test sees that it is there
@pytest.mark.filterwarnings(
    "ignore:autogenerate skipping metadata-specified expression-based index:UserWarning",
    "ignore:Skipped unsupported reflection of expression-based index:sqlalchemy.exc.SAWarning",
)
def test_migrated_tables_are_the_declared_ones(empty: SqlStore) -> None:
    empty.upgrade()
    with empty.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        assert set(inspect(connection).get_table_names()) >= set(metadata.tables)


def test_revisions_are_read_off_the_names_of_the_files() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.FOLDER))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    oldest_first = [script.revision for script in scripts.walk_revisions()][::-1]
    assert list(schema.known()) == oldest_first
    assert scripts.get_heads() == [schema.head()]


def test_a_global_value_stands_once_per_key(empty: SqlStore) -> None:
    empty.upgrade()
    row = "INSERT INTO config (key, value) VALUES ('a.b', '1')"
    with empty.engine.begin() as connection:
        connection.exec_driver_sql(row)
    with pytest.raises(Exception, match=r"(?i)unique"), empty.engine.begin() as connection:
        connection.exec_driver_sql(row)


def test_an_upgrade_is_repeated_without_harm(empty: SqlStore) -> None:
    assert empty.revision() is None
    with pytest.raises(Conflict, match="run 'sen4cap db upgrade'"):
        empty.check_current()
    empty.upgrade()
    empty.check_current()
    assert empty.revision() == schema.head() == "0006"
    empty.sites.add(Site("A", "a"))
    empty.upgrade()
    assert empty.sites.all() == [Site("A", "a")]


def test_a_newer_database_is_refused(empty: SqlStore) -> None:
    empty.upgrade()
    with empty.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert not empty.is_current()
    with pytest.raises(Conflict, match="newer version of sen4cap"):
        empty.upgrade()


def test_tables_of_something_else_are_left_alone(empty: SqlStore) -> None:
    with empty.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE product (id INTEGER)")
    with pytest.raises(Conflict, match="use an empty database"):
        empty.upgrade()
    with empty.engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["product"]
    assert empty.revision() is None
