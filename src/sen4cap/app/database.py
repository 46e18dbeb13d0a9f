"""The database: bring it up to date, open a shell on it."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from urllib.parse import unquote, urlsplit

from sen4cap.app.system import sync_config
from sen4cap.errors import ServiceUnavailable
from sen4cap.processing import Progress, no_progress
from sen4cap.settings import Settings


def upgrade(settings: Settings, *, progress: Progress = no_progress) -> str:
    """Bring tables and declared parameters up to date; returns the schema revision."""
    from sen4cap.app.system import System
    from sen4cap.store import open_store

    with closing(open_store(settings.url)) as store:
        progress(0.1, "upgrading tables")
        store.upgrade()
        progress(0.6, "declaring parameters")
        sync_config(System(settings, store))
        return str(store.revision())


def shell_command(settings: Settings) -> tuple[list[str], dict[str, str]]:
    """Program, arguments and environment that open a shell on the database.

    The password travels in the environment, where other users cannot read it.

    Raises
    ------
    ServiceUnavailable
        If the client program is not installed.
    """
    parts = urlsplit(settings.url)
    program = "sqlite3" if parts.scheme.startswith("sqlite") else "psql"
    path = shutil.which(program)
    if path is None:
        raise ServiceUnavailable(
            f"'{program}' is not installed: install it (Debian: apt-get install "
            f"{'sqlite3' if program == 'sqlite3' else 'postgresql-client'}) and run this again."
        )
    if program == "sqlite3":
        return [path, settings.url.removeprefix("sqlite:///")], dict(os.environ)
    environment = dict(os.environ)
    if parts.password:
        environment["PGPASSWORD"] = unquote(parts.password)
    user = f"{parts.username}@" if parts.username else ""
    host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    query = f"?{parts.query}" if parts.query else ""
    return [path, f"postgresql://{user}{host}{parts.path}{query}"], environment
