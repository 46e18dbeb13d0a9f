"""The main job on real parcels through a real Slurm, whose jobs are cancelled half-way."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sen4cap.app import jobs
from sen4cap.app.running import executor_params
from sen4cap.app.running import orchestrator as orchestrator_of
from sen4cap.app.system import session
from sen4cap.app.worker import run_task
from sen4cap.domain import Job, Status
from sen4cap.domain.job import ENDED
from sen4cap.engine.cluster import open_cluster
from sen4cap.engine.dask_executor import DaskExecutor
from sen4cap.errors import ServiceUnavailable
from sen4cap.settings import Settings
from sen4cap.testing import slurm
from tests.conftest import unavailable

from .demarke import classify, prepare, write_lut

pytestmark = [pytest.mark.data, pytest.mark.long]

PATIENCE = 900.0
SLOW = 60.0
"""Seconds for a command of Slurm."""
CLASSIFIED = {"seed": 0, "folds": 5, "block-size": 1000, "pa-min": 1, "min-s2-pix": 0}
"""As `demarke.classify` does it."""


@pytest.fixture
def real_slurm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    try:
        with slurm.cluster() as environment:
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            yield
    except ServiceUnavailable as error:
        unavailable(str(error))


@pytest.fixture
def orchestrator(terminal: Any, real_slurm: None) -> Iterator[Settings]:
    """An installation whose steps go to Slurm, with its orchestrator at work."""
    for key, value in (
        ("cluster", "slurm"),
        ("workers", 2),
        ("memory", 3000),
        ("slurm.interface", "lo"),
    ):
        terminal("config", "set", f"executor.{key}", value)
    settings = Settings(home=terminal.home)
    stop = threading.Event()
    work = threading.Thread(target=_serve, args=(settings, stop))
    work.start()
    yield settings
    stop.set()
    work.join(60)
    assert not work.is_alive()
    assert _queued() == []


def _serve(settings: Settings, stop: threading.Event) -> None:
    with session(settings) as system:
        cluster = open_cluster(executor_params(system), settings.home / "logs")
        with closing(DaskExecutor(run_task, cluster)) as executor:
            orchestrator_of(system, executor).run(stop)


def test_de_marke_through_slurm(
    orchestrator: Settings, open_terminal: Callable[..., Any], shared_data: Path, tmp_path: Path
) -> None:
    """Byte for byte what one process without Slurm makes."""
    data = shared_data / "nl_demarke_brp2017_ndvi"
    lut = write_lut(data, tmp_path / "lut.csv")
    here = open_terminal("home")
    prepare(here, data, lut, markers=False)
    with session(orchestrator) as system:
        markers = jobs.submit(system, "s4c_mdb1", "demarke", "2017")
        assert markers.id is not None
        _until(lambda: len(_queued()) == 2)
        cancelled = _queued()
        _until(lambda: _done(system, markers.id) >= 1)
        subprocess.run(["scancel", *cancelled], check=True, timeout=SLOW)
        assert _ended(system, markers).status is Status.SUCCESSFUL
        assert sum(step.losses for step in system.store.steps.of(markers.id)) >= 1
        assert _done(system, markers.id) == 13 + 1
        crops = jobs.submit(system, "s4c_l4a", "demarke", "2017", CLASSIFIED)
        assert _ended(system, crops).status is Status.SUCCESSFUL
        assert len(_queued()) == 2
        assert not set(cancelled) & set(_queued())
    alone = open_terminal("alone")
    prepare(alone, data, lut)
    expected = classify(alone, seed=0)
    found = expected["CropType.parquet"].relative_to(alone.home)
    for name in ("CropType.parquet", "CropType.csv", "accuracy.json"):
        path = (here.home / found).parent / expected[name].name
        assert path.read_bytes() == expected[name].read_bytes(), name
    assert json.loads(expected["accuracy.json"].read_text("utf-8"))["overall_accuracy"] >= 0.85


def _queued() -> list[str]:
    words = ["squeue", "--noheader", "--format=%A", "--states=PD,R"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=SLOW)
    return done.stdout.split()


def _done(system: Any, number: int) -> int:
    return int(system.store.steps.counts([number])[number].get(Status.SUCCESSFUL, 0))


def _ended(system: Any, job: Job) -> Job:
    _until(lambda: system.store.jobs.get(job.id).status in ENDED)
    found = system.store.jobs.get(job.id)
    assert not found.reason
    return found  # type: ignore[no-any-return]  # of a system of any kind


def _until(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.1)
