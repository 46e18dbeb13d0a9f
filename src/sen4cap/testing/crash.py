"""An engine to be killed: an installation with many small real steps, and the process that runs it.

`python -m sen4cap.testing.crash` serves the installation of the environment until it is killed.
"""

from __future__ import annotations

import hashlib
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import psutil

from sen4cap.app.jobs import orchestrator
from sen4cap.app.running import executor_params
from sen4cap.app.system import System, session
from sen4cap.app.worker import run_task
from sen4cap.domain import Asset, Product, ProductType, Role, Season, Site
from sen4cap.engine.cluster import open_cluster
from sen4cap.engine.dask_executor import DaskExecutor
from sen4cap.testing.rasters import small_grid, write_raster

SITE, SEASON = "crash", "2019"
FIRST = datetime(2019, 1, 1, 10, 50, tzinfo=UTC)
HALF_A_DAY = timedelta(hours=12)
SIZE = 8
"""Rows and columns of a scene."""
LOOK_SECONDS = 0.1
PAUSE_SECONDS = 0.5
"""At most so long after something was done the next blow falls."""
PATIENCE = 60.0
"""Seconds without anything done after which the next blow falls all the same."""


def populate(system: System, folder: Path, count: int, every: timedelta = HALF_A_DAY) -> None:
    """A site with `count` scenes, of the same small files, one `every` so often from New Year."""
    grid = small_grid(SIZE, SIZE, name="31UDS")
    system.store.sites.add(Site("Crash", SITE))
    system.store.seasons.add(Season(SITE, SEASON, date(2019, 1, 1), date(2019, 12, 31)))
    system.store.grids.add(SITE, grid)
    folder.mkdir(parents=True)
    values = np.arange(SIZE * SIZE, dtype=np.uint16).reshape(SIZE, SIZE)
    bands = {"B04": values + 500, "B08": 3000 - values}
    assets = [
        Asset(name, str(write_raster(folder / f"{name}.tif", grid, image)), scale=1e-4, nodata=0)
        for name, image in bands.items()
    ]
    classes = np.full((SIZE, SIZE), 4, np.uint8)
    path = write_raster(folder / "SCL.tif", grid, classes)
    assets.append(Asset("SCL", str(path), Role.MASK))
    scenes = [_scene(number, FIRST + number * every, tuple(assets)) for number in range(count)]
    system.store.products.commit(scenes)


def _scene(number: int, when: datetime, assets: tuple[Asset, ...]) -> Product:
    name = f"L2A_{number:04d}"
    footprint = "POLYGON ((3 51, 4 51, 4 52, 3 51))"
    return Product(
        name, SITE, ProductType.L2A, "31UDS", when, when, f"{number:032d}", assets, "", footprint
    )


def digests(system: System) -> dict[str, str]:
    """What stands in the slots of the indices: name, revision and parents with digests of files."""
    return {
        product.slot: "|".join(
            [
                product.name,
                product.revision,
                *product.parents,
                *(_digest(Path(asset.href)) for asset in product.assets),
            ]
        )
        for product in system.store.products.search(SITE, types=(ProductType.L3B,))
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@dataclass
class Engine:
    """The engine as a process of its own, which may be killed and started again."""

    environment: Mapping[str, str]
    log: Path
    process: psutil.Popen | None = field(default=None)

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.process is not None and self.process.poll() is None:
            return
        with self.log.open("a", encoding="utf-8") as log:
            command = [sys.executable, "-m", "sen4cap.testing.crash"]
            self.process = psutil.Popen(command, env=self.environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """Kill it (-9), but not what it has started."""
        if self.process is not None:
            with suppress(psutil.NoSuchProcess):
                self.process.kill()
            self.process.wait(10)
            self.process = None

    def kill_worker(self, chance: random.Random) -> None:
        """Kill one of its children (-9), workers mostly."""
        with suppress(psutil.NoSuchProcess, AttributeError):
            children = self.process.children(recursive=True) if self.process else []
            if children:
                chance.choice(children).kill()


@contextmanager
def running(engine: Engine) -> Iterator[Engine]:
    """Yield the engine, started; killed at the end."""
    engine.start()
    try:
        yield engine
    finally:
        engine.kill()


def dice(seed: int) -> random.Random:
    """What decides who dies."""
    return random.Random(seed)  # noqa: S311 - nothing secret hangs on it


def torment(
    engine: Engine,
    done: Callable[[], int | None],
    blows: Mapping[str, Callable[[], None]],
    kills: int,
    seed: int,
) -> list[str]:
    """Strike `kills` times at random moments, then let it finish; returns the blows.

    Every kind of blow falls equally often, soon after the engine has done something since the
    last one, or after a while without. `done` counts what the engine has done, and is None when
    all is over.
    """
    chance, fallen, deck = dice(seed), list[str](), list[str]()
    before, since = 0, time.monotonic()
    while (now := done()) is not None:
        if len(fallen) < kills and (now > before or time.monotonic() - since > PATIENCE):
            time.sleep(chance.uniform(0, PAUSE_SECONDS))
            deck = deck or chance.sample(sorted(blows), len(blows))
            fallen.append(deck.pop())
            blows[fallen[-1]]()
            before, since = now, time.monotonic()
        engine.start()
        time.sleep(LOOK_SECONDS)
    return fallen


def serve() -> None:
    """Run the engine of the environment's installation with two workers, until killed."""
    with session() as system:
        params = executor_params(system).model_copy(update={"workers": 2})
        cluster = open_cluster(params, system.settings.home / "cluster")
        executor = DaskExecutor(run_task, cluster)
        orchestrator(system, executor).run(threading.Event())


if __name__ == "__main__":
    serve()
