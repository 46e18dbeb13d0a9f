"""Running a program of others: its words go to a log, its failures become sentences."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sen4cap.errors import NotFound, ServiceUnavailable

END = 4096
"""Bytes at the end of a log among which the last line is looked for."""


def located(program: str, setting: str) -> str:
    """Absolute path of a program.

    Raises
    ------
    NotFound
        If there is no such program, with the setting that names it.
    """
    found = shutil.which(program)
    if found is None:
        raise NotFound(
            f"There is no program '{program}': install it, or give its path as '{setting}'."
        )
    return found


def run_program(arguments: Sequence[str], log: Path, folder: Path) -> None:
    """Run a program in a folder until it ends; all that it says is appended to `log`.

    Raises
    ------
    ServiceUnavailable
        If it cannot be started or does not end well, with its last line.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as told:
        told.write(f"{' '.join(arguments)}\n".encode())
        told.flush()
        try:
            # The program is the one that the user's setting names; no shell is involved.
            done = subprocess.run(  # noqa: S603
                list(arguments),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except OSError as error:
            raise ServiceUnavailable(f"'{arguments[0]}' cannot be started: {error}.") from error
    if done.returncode:
        raise ServiceUnavailable(
            f"'{Path(arguments[0]).name}' ended with code {done.returncode}: {last_line(log)} "
            f"('{log}' has all it said)"
        )


def last_line(log: Path) -> str:
    """The last line of a log that is not empty; empty where there is none."""
    with log.open("rb") as told:
        told.seek(max(0, log.stat().st_size - END))
        lines = told.read().decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def linked(folder: Path, targets: Sequence[Path]) -> None:
    """Fill a folder with links to files and folders, under their own names."""
    folder.mkdir(parents=True, exist_ok=True)
    for target in targets:
        (folder / target.name).symlink_to(target.absolute(), target_is_directory=target.is_dir())
