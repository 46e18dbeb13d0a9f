"""Steps that behave badly, for tests of whoever runs steps; workers import them by name."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sen4cap.domain import Product, ProductType, Season, Site
from sen4cap.errors import NoInput
from sen4cap.processing import Context, Step, Task, part

LONG = 600
MORSEL = 32 * 2**20
"""Bytes that a greedy step takes at a time."""


def task(what: str, archive: Path, **limits: Any) -> Task:
    """A task that does what a function of this module is named after."""
    season = Season("here", "2020", date(2020, 1, 1), date(2020, 12, 31))
    context = Context(Site("Here", "here"), season, archive)
    return Task(what, {}, Step((), f"here/l3b/-/{what}"), context, **limits)


def run(given: Task) -> Product | None:
    """Do what the task's processor names."""
    BEHAVIOURS[given.processor](given)
    instant = datetime(2020, 5, 17, tzinfo=UTC)
    name = f"{given.processor}_{given.step.revision[:8]}"
    return Product(name, "here", ProductType.L3B, "-", instant, instant, given.step.revision)


def rest(_given: Task) -> None:
    """Do nothing, and make nothing."""


def _nothing(_given: Task) -> None:
    """Be done."""


def _refuse(_given: Task) -> None:
    raise NoInput("There is nothing to work on: ingest something first.")


def _stumble(_given: Task) -> None:
    raise ValueError("two\nlines")


def _ask_too_much(_given: Task) -> None:
    raise MemoryError


def _leave(_given: Task) -> None:
    sys.exit(3)


def _say(_given: Task) -> None:
    sys.stdout.write("from Python\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)


def _mark(given: Task) -> None:
    """Tell in the archive under which number it runs."""
    folder = given.context.folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f".{given.processor}{part(socket.gethostname(), os.getpid())}.tif").touch()
    Path(tempfile.gettempdir(), "left").touch()
    (folder / f"{given.processor}.pid").write_text(str(os.getpid()), "ascii")


def _sleep(given: Task) -> None:
    _mark(given)
    time.sleep(LONG)


def _compute(given: Task) -> None:
    """Hold the interpreter's lock and never look up."""
    import numba

    @numba.njit
    def forever() -> Any:
        number = 1
        while number:
            number = number % 7 + 1
        return number

    _mark(given)
    endless: Callable[[], Any] = forever
    endless()


def _read(given: Task) -> None:
    """Let GDAL resample a large raster, without end."""
    import numpy as np
    import rasterio
    from rasterio.enums import Resampling

    path = Path(tempfile.gettempdir()) / "large.tif"
    profile = {"driver": "GTiff", "width": 4000, "height": 4000, "count": 1, "dtype": "uint8"}
    crs, transform = "EPSG:32631", rasterio.Affine(10, 0, 0, 0, -10, 0)
    with rasterio.open(path, "w", **profile, crs=crs, transform=transform) as dataset:
        dataset.write(np.zeros((1, 4000, 4000), "uint8"))
    _mark(given)
    with rasterio.open(path) as dataset:
        while True:
            dataset.read(out_shape=(1, 3900, 3900), resampling=Resampling.lanczos)


def _wait_for_child(given: Task) -> None:
    """Wait for a program that has left a program running that nobody waits for."""
    _mark(given)
    orphan = given.context.folder() / "orphan.pid"
    script = f"(sleep {LONG} & echo $! > '{orphan}'); sleep {LONG}"
    subprocess.run(["/bin/sh", "-c", script], check=True)  # noqa: S603 - ours


def _grow(_given: Task) -> None:
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1)) * MORSEL)
        time.sleep(0.1)


def _die(_given: Task) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


BEHAVIOURS: dict[str, Callable[[Task], None]] = {
    "nothing": _nothing,
    "refuse": _refuse,
    "stumble": _stumble,
    "ask_too_much": _ask_too_much,
    "leave": _leave,
    "say": _say,
    "sleep": _sleep,
    "compute": _compute,
    "read": _read,
    "wait_for_child": _wait_for_child,
    "grow": _grow,
    "die": _die,
}
