"""How long 5,000 trivial steps take, from the queue through worker processes and back.

Limit: 60 s on 2 cores. The whole way is measured: claimed, sent, run, committed, in SQLite.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

from sen4cap.app.running import this_service
from sen4cap.app.sites import create_season, create_site
from sen4cap.app.system import session
from sen4cap.domain import Job, Season, Site, Status, StepRecord
from sen4cap.engine.cluster import open_cluster
from sen4cap.engine.dask_executor import DaskExecutor
from sen4cap.engine.orchestrator import Orchestrator
from sen4cap.engine.params import ExecutorParams
from sen4cap.processing import Context
from sen4cap.processing.task import as_json
from sen4cap.settings import Settings
from sen4cap.testing import steps

STEPS = 5000
WORKERS = 2
LIMIT = 60.0


def job(archive: Path) -> Job:
    season = Season("here", "2020", date(2020, 1, 1), date(2020, 12, 31))
    context = as_json(Context(Site("Here", "here"), season, archive))
    return Job("nothing", "here", "2020", submitted=datetime.now(UTC), context=context)


def records() -> list[StepRecord]:
    return [StepRecord(0, number, f"step {number}", f"here/{number}") for number in range(STEPS)]


def main() -> None:
    with tempfile.TemporaryDirectory() as name, session(Settings(home=Path(name))) as system:
        create_site(system, "Here")
        create_season(system, "here", "2020", date(2020, 1, 1), date(2020, 12, 31))
        added = system.store.jobs.add(job(Path(name)), records())
        cluster = open_cluster(ExecutorParams(workers=WORKERS), Path(name))
        executor = DaskExecutor(steps.rest, cluster)
        now = lambda: datetime.now(UTC)  # noqa: E731 - short
        work = Orchestrator(system.store, executor, this_service("orchestrator"), now)
        while executor.free_slots() < WORKERS:
            time.sleep(0.1)
        work.start()
        began = time.monotonic()
        while system.store.jobs.get(added.id or 0).status is not Status.SUCCESSFUL:
            for _ in range(50):
                if not work.tick():
                    executor.wait(0.1)
        seconds = time.monotonic() - began
        work.stop()
        executor.close()
    verdict = "within" if seconds <= LIMIT else "OVER"
    rate = STEPS / seconds
    print(
        f"{STEPS} steps on {WORKERS} workers: {seconds:.1f} s, {rate:.0f}/s, {verdict} {LIMIT:g} s"
    )


if __name__ == "__main__":
    main()
