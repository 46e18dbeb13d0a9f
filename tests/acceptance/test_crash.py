"""The engine, its workers and the database are killed at random moments; nothing is lost.

What must come out is what an undisturbed run in one process makes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from sen4cap.app import jobs
from sen4cap.app.system import System, session
from sen4cap.domain import ProductType, Status
from sen4cap.domain.job import ENDED
from sen4cap.errors import ServiceUnavailable
from sen4cap.settings import Settings
from sen4cap.store import open_store
from sen4cap.testing import crash, postgresql
from sen4cap.testing.crash import SEASON, SITE, Engine

pytestmark = pytest.mark.filterwarnings(
    # the process that was killed is waited for, its pipes are not ours
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
LOG_LINES = 30
EVERY = timedelta(hours=2)
"""So that the season holds 3,000 scenes."""


def settings(home: Path, url: str | None = None) -> Settings:
    return Settings(home=home, database_url=SecretStr(url) if url else None)


def environment(of: Settings) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if "SEN4CAP" not in key}
    given = {"SEN4CAP_HOME": str(of.home), "SEN4CAP_CORES": "1"}
    if of.database_url is not None:
        given["SEN4CAP_DATABASE_URL"] = of.database_url.get_secret_value()
    return {**inherited, **given}


def undisturbed(folder: Path, count: int) -> dict[str, str]:
    with session(settings(folder / "calm")) as system:
        crash.populate(system, folder / "calm scenes", count, EVERY)
        jobs.run(system, "l3b", SITE, SEASON)
        return crash.digests(system)


def tormented(
    used: Settings, folder: Path, count: int, kills: int, more: dict[str, Callable[[], None]]
) -> list[str]:
    """Run a job while everything is being killed; returns what was."""
    with session(used) as system:
        crash.populate(system, folder / "scenes", count, EVERY)
        number = jobs.submit(system, "l3b", SITE, SEASON).id or 0
        engine = Engine(environment(used), folder / "engine.log")

        def done() -> int | None:
            with suppress(ServiceUnavailable):  # the database may be on its way back
                if system.store.jobs.get(number).status in ENDED:
                    return None
                return system.store.steps.counts([number])[number].get(Status.SUCCESSFUL, 0)
            return 0

        dice = crash.dice(kills)
        blows = {"engine": engine.kill, "worker": lambda: engine.kill_worker(dice), **more}
        with crash.running(engine):
            return crash.torment(engine, done, blows, kills, seed=count)


def check(used: Settings, folder: Path, count: int) -> None:
    log = "\n".join((folder / "engine.log").read_text("utf-8").splitlines()[-LOG_LINES:])
    with session(used) as system:
        (job,) = system.store.jobs.all()
        assert job.status is Status.SUCCESSFUL, f"{job.reason}\n{log}"
        assert made_once(system, job.id or 0) == {1: count}
        assert (
            len(system.store.products.search(SITE, types=[ProductType.L3B], current=False)) == count
        )
        assert crash.digests(system) == undisturbed(folder, count)


def made_once(system: System, job: int) -> Counter[int]:
    """How many steps became successful how often."""
    return Counter(
        [status for status, _ in system.store.steps.history(step.id or 0)].count(Status.SUCCESSFUL)
        for step in system.store.steps.of(job)
    )


@pytest.mark.parametrize(
    ("count", "kills"), [(24, 2), pytest.param(3000, 200, marks=pytest.mark.soak)]
)
def test_nothing_is_lost_on_sqlite(tmp_path: Path, count: int, kills: int) -> None:
    used = settings(tmp_path / "home")
    assert len(tormented(used, tmp_path, count, kills, {})) == kills
    check(used, tmp_path, count)


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("count", "kills"), [(24, 3), pytest.param(3000, 200, marks=pytest.mark.soak)]
)
def test_nothing_is_lost_on_postgresql(tmp_path: Path, count: int, kills: int) -> None:
    with (
        postgresql.server(postgresql.DURABLE) as server,
        postgresql.database(server, "crash") as url,
    ):
        store = open_store(url)
        store.upgrade()
        store.close()
        used = settings(tmp_path / "home", url)
        more = {"database": lambda: postgresql.crash(server)}
        assert len(tormented(used, tmp_path, count, kills, more)) == kills
        check(used, tmp_path, count)
