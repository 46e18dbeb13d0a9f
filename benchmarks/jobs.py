"""How long `job list` and its queries take on a database with 200,000 steps.

The bounds are 50 ms for the queries and 1.5 s for the command.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from sen4cap.app.system import System, session
from sen4cap.domain import Job, Site, Status, StepRecord
from sen4cap.domain.operations import Claim
from sen4cap.settings import Settings

JOBS, STEPS = 200, 1000
ROUNDS = 20
RUNS = 5


def fill(system: System) -> None:
    system.store.sites.add(Site("Bench", "bench"))
    done = [
        StepRecord(
            *(0, place, f"31UDS {place}", f"bench/l3b/31UDS/{place}", f"{place:032d}"),
            inputs=(f"S2A_MSIL2A_{place}",),
            status=Status.SUCCESSFUL,
        )
        for place in range(STEPS)
    ]
    for number in range(JOBS):
        is_open = number % 10 == 0
        steps = [replace(step, status=Status.ACCEPTED) for step in done] if is_open else done
        status = Status.ACCEPTED if is_open else Status.SUCCESSFUL
        system.store.jobs.add(Job("l3b", "bench", "2019", {"a": 1}, status=status), steps)


def listed(system: System) -> None:
    found = system.store.jobs.all(limit=20)
    system.store.steps.counts([job.id or 0 for job in found])


def claimed(system: System) -> None:
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    assert len(system.store.steps.claim(Claim("us", 2, now, now + timedelta(minutes=1)))) == 2


def best(what: object, system: System) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        what(system)  # type: ignore[operator]  # one of the two above
        times.append(time.perf_counter() - began)
    return 1000 * sorted(times)[ROUNDS // 2]


def command(home: Path) -> float:
    """Seconds of the whole command, from an empty process to its last line."""
    words = [sys.executable, "-m", "sen4cap", "job", "list"]
    environment = {**os.environ, "SEN4CAP_HOME": str(home)}
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(words, env=environment, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with session(Settings(home=home)) as system:
            fill(system)
            print(f"queries of job list: {best(listed, system):.1f} ms (median, bound 50)")
            print(f"claim of two steps: {best(claimed, system):.1f} ms (median)")
        print(f"sen4cap job list: {command(home):.2f} s (median of {RUNS}, bound 1.5)")


if __name__ == "__main__":
    main()
