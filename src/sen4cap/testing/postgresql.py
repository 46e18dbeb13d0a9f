"""A throw-away PostgreSQL server for tests: a unix socket, no network, nothing kept.

PostgreSQL refuses to run as root; started by root, the server runs as its own user.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sen4cap.errors import ServiceUnavailable

FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=50"
DURABLE = "-c max_connections=50"
"""For tests that kill the server: what it has committed is there when it is back."""
USERS = ("postgres", "nobody")
"""Who may run the server when root starts it, in this order."""


def binaries() -> Path:
    """Folder of the newest PostgreSQL server programs.

    Raises
    ------
    ServiceUnavailable
        If none is installed.
    """
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = sorted(installed, key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise ServiceUnavailable(
            "PostgreSQL is not installed: install it (Debian: apt-get install postgresql)."
        )
    return (found[-1] if found else Path(str(on_path)).resolve()).parent


@contextmanager
def server(tuning: str = FAST) -> Iterator[str]:
    """Run a server; yields the SQLAlchemy URL of its maintenance database.

    Its files lie directly below /tmp, because the path of a socket must be short.

    Raises
    ------
    ServiceUnavailable
        If PostgreSQL is not installed or does not start.
    """
    programs, identity = binaries(), _identity()
    with tempfile.TemporaryDirectory(prefix="sen4cap-pg-", dir="/tmp") as folder:
        if identity:
            os.chown(folder, identity["user"], identity["group"])
        options = f"-k {folder} -c listen_addresses='' {tuning}"
        data = f"{folder}/data"
        run = _Runner(programs, identity, folder)
        run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        run("pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


def crash(server_url: str) -> None:
    """Kill a server with all its processes (-9) and start it again, as it was started.

    It recovers from its log; whoever was connected has to connect again.
    """
    import psutil

    folder = server_url.rpartition("host=")[2]
    data = Path(folder, "data")
    options = Path(data, "postmaster.opts").read_text("utf-8")
    postmaster = psutil.Process(int(Path(data, "postmaster.pid").read_text("utf-8").split()[0]))
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=10)
    arguments = shlex.split(options)[1:]
    given = shlex.join(arguments[arguments.index("-k") :])
    _Runner(binaries(), _identity(), folder)(
        "pg_ctl", "-D", str(data), "-w", "-l", f"{folder}/log", "-o", given, "start"
    )


@contextmanager
def database(server_url: str, name: str, template: str = "template0") -> Iterator[str]:
    """Create a database of a server; yields its URL, drops it at the end."""
    _execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield server_url.replace("/postgres?", f"/{name}?")
    finally:
        _execute(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _execute(url: str, statement: str) -> None:
    import psycopg

    address = url.replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement.encode())


def _identity() -> dict[str, Any]:
    """User and group of the server's process; none where we are not root."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for user in USERS:
        if user in known:
            entry = known[user]
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise ServiceUnavailable("PostgreSQL cannot run as root: add a user 'postgres'.")


class _Runner:
    def __init__(self, programs: Path, identity: dict[str, Any], folder: str) -> None:
        self.programs, self.identity, self.folder = programs, identity, folder

    def __call__(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        done = subprocess.run(  # noqa: S603  programs of the system, arguments of ours
            command, cwd=self.folder, capture_output=True, text=True, check=False, **self.identity
        )
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise ServiceUnavailable(f"PostgreSQL does not start, {program}: {reason[-1]}")
