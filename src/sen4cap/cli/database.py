"""`sen4cap db`: the database behind the system."""

from __future__ import annotations

import os

import typer

from sen4cap.cli.output import AsJson, emit, progress_bar

app = typer.Typer(help="The database behind the system.", no_args_is_help=True)


@app.command("upgrade")
def upgrade(as_json: AsJson = False) -> None:
    """Make or update the tables and the declared parameters; values that were set stay."""
    from sen4cap.app import database
    from sen4cap.settings import Settings

    with progress_bar() as progress:
        revision = database.upgrade(Settings(), progress=progress)
    emit({"revision": revision}, as_json, f"The database is at schema {revision}.")


@app.command("shell")
def shell() -> None:
    """Open psql or sqlite3 on the database."""
    from sen4cap.app import database
    from sen4cap.settings import Settings

    command, environment = database.shell_command(Settings())
    os.execve(command[0], command, environment)  # noqa: S606 - the user asked for this program
