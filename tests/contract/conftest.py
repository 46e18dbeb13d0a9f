"""Every store that the contract suite runs against."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from sen4cap.app.ports import Store
from sen4cap.store import SqlStore, open_store
from sen4cap.testing import postgresql
from sen4cap.testing.memory import memory_store

STORES = (
    "memory",
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.postgresql),
)


@pytest.fixture(scope="session")
def postgresql_store(postgresql_server: str) -> Iterator[SqlStore]:
    """One PostgreSQL store; tests empty it instead of making their own, which takes longer."""
    with postgresql.database(postgresql_server, f"contract_{uuid4().hex[:12]}") as url:
        store = open_store(url)
        store.upgrade()
        yield store
        store.close()


def _emptied(store: SqlStore) -> SqlStore:
    with store.engine.begin() as connection:
        roots = "site, config_metadata, config_category, processor, service"
        connection.exec_driver_sql(f"TRUNCATE {roots} RESTART IDENTITY CASCADE")
    return store


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with all tables, to be copied."""
    path = tmp_path_factory.mktemp("store") / "migrated.sqlite"
    store = open_store(f"sqlite:///{path}")
    store.upgrade()
    store.close()
    return path


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    if request.param == "memory":
        yield memory_store()
    elif request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path)
        opened = open_store(f"sqlite:///{path}")
        yield opened
        opened.close()
    else:
        yield _emptied(request.getfixturevalue("postgresql_store"))
