"""Serving: what each service does while it runs. The console's stands above this room."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from sen4cap.app.claims import running
from sen4cap.app.logs import log_folder
from sen4cap.app.processes import renew_handlers
from sen4cap.app.running import executor_params, forget_dead, orchestrator, this_service
from sen4cap.app.services import SERVICES
from sen4cap.app.system import System, session
from sen4cap.domain import Service
from sen4cap.domain.service import ORCHESTRATOR, SCHEDULER, WORKER
from sen4cap.errors import NotFound, Sen4capError
from sen4cap.settings import Settings

if TYPE_CHECKING:
    from sen4cap.engine.executor import Executor

BEAT_SECONDS = 5.0
"""How often a service says that it is alive."""

LOOK_SECONDS = 2.0
"""How often an orchestrator looks whether steps are to run elsewhere."""

Ready = Callable[[str], None]


def needed(settings: Settings) -> list[str]:
    """Services that this machine is to run, in the order to start; brings the database up to date.

    Without workers where Slurm or another machine has them.
    """
    from sen4cap.engine.workers import is_here

    with session(settings) as system:
        cluster = executor_params(system).cluster
    elsewhere = cluster == "slurm" or (cluster != "local" and not is_here(cluster))
    return [name for name in SERVICES if name != WORKER or not elsewhere]


def serve_scheduler(settings: Settings, stop: threading.Event, ready: Ready) -> None:
    """Submit the jobs of schedules and scenes that are due, until `stop`."""
    from sen4cap.app.schedules import scheduler

    with session(settings) as system, beating(system, SCHEDULER), acquiring(system):
        made = scheduler(system)
        ready("")
        made.run(stop)


@contextmanager
def acquiring(system: System) -> Iterator[None]:
    """Ask sources and hand in what is due, from a thread of its own: sources may be slow."""
    from sen4cap.app.acquiring import Acquirer
    from sen4cap.app.acquisition import opened_by

    ended = threading.Event()
    acquirer = Acquirer(system, opened_by(system))
    thread = threading.Thread(target=acquirer.run, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(LOOK_SECONDS)


def serve_worker(settings: Settings, stop: threading.Event, ready: Ready) -> None:
    """Run workers of this machine until `stop`; `ready` is called with their address."""
    from sen4cap.engine.workers import serve_workers

    with session(settings) as system, beating(system, WORKER):
        renew_handlers()
        serve_workers(executor_params(system), stop, ready)


def serve_orchestrator(settings: Settings, stop: threading.Event, ready: Ready) -> None:
    """Hand steps to workers until `stop`, or until other workers are to be taken.

    What a former engine left incomplete is removed meanwhile: a large archive takes its time.

    Raises
    ------
    Conflict
        If there may be one orchestrator only, and there is another.
    """
    with session(settings) as system:
        _refuse_second(system)
        threading.Thread(target=_sweep, args=(system.archive,), daemon=True).start()
        renew_handlers()
        where = _where(system)
        with _executor(system, where) as executor, _until_moved(system, where, stop) as end:
            made = orchestrator(system, executor)
            ready("")
            made.run(end)


SERVING: Mapping[str, Callable[[Settings, threading.Event, Ready], None]] = {
    WORKER: serve_worker,
    ORCHESTRATOR: serve_orchestrator,
    SCHEDULER: serve_scheduler,
}
"""How each service is served; the console stands above this room."""


def _refuse_second(system: System) -> None:
    """Refuse, for the store's reason, before workers are started and anybody is told of it."""
    trial = this_service(ORCHESTRATOR)
    forget_dead(system)
    system.store.services.register(trial, alone=system.settings.url.startswith("sqlite"))
    system.store.services.leave(trial.token)


def _sweep(archive: Path) -> None:
    """Remove what processes of this machine left incomplete in the archive before they died."""
    from sen4cap.engine.attempt import sweep_orphans

    removed = sweep_orphans(archive, socket.gethostname())
    if removed:
        log = structlog.get_logger(__name__)
        log.info("incomplete files removed", count=len(removed), first=str(removed[0]))


@dataclass(frozen=True)
class Where:
    """Where steps run."""

    cluster: str
    """As configured."""
    workers: str = ""
    """Address of the worker service of this home, where the configuration means it."""

    def is_left_for(self, now: Where) -> bool:
        """Whether to go there; a worker service that ended is waited for."""
        return now.cluster != self.cluster or now.workers not in ("", self.workers)


def _where(system: System) -> Where:
    cluster = executor_params(system).cluster
    found = running(system.settings, WORKER) if cluster == "local" else None
    return Where(cluster, found.address if found is not None and found.ready else "")


@contextmanager
def _executor(system: System, where: Where) -> Iterator[Executor]:
    from sen4cap.app.worker import run_task
    from sen4cap.engine.cluster import open_cluster
    from sen4cap.engine.dask_executor import DaskExecutor

    cluster = where.workers or where.cluster
    params = executor_params(system).model_copy(update={"cluster": cluster})
    executor = DaskExecutor(run_task, open_cluster(params, log_folder(system.settings) / "slurm"))
    try:
        yield executor
    finally:
        executor.close()


@contextmanager
def _until_moved(system: System, where: Where, stop: threading.Event) -> Iterator[threading.Event]:
    """Yield an event that is set with `stop`, and when steps are to run elsewhere."""
    end = threading.Event()

    def watch() -> None:
        while not end.is_set():
            with _telling("cluster not looked up"):
                if stop.wait(LOOK_SECONDS):
                    end.set()
                elif where.is_left_for(now := _where(system)):
                    structlog.get_logger(__name__).info("steps move", to=now.workers or now.cluster)
                    end.set()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield end
    finally:
        end.set()
        thread.join()


@contextmanager
def beating(system: System, name: str) -> Iterator[None]:
    """Say in the store, every few seconds from a thread of its own, that a service is alive.

    A beat that fails is logged and the next one tried: whoever looks sees the silence.
    """
    service = this_service(name)
    forget_dead(system)
    system.store.services.register(service)
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(system, service, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with _telling("still registered"):
            system.store.services.leave(service.token)


def _beat(system: System, service: Service, ended: threading.Event) -> None:
    while not ended.wait(BEAT_SECONDS):
        with _telling("no heartbeat"):
            now = datetime.now(UTC)
            if not system.store.services.beat(service.token, now):
                system.store.services.register(replace(service, heartbeat=now))


@contextmanager
def _telling(event: str) -> Iterator[None]:
    """Log what goes wrong in the block and go on."""
    try:
        yield
    except Sen4capError as error:
        structlog.get_logger(__name__).warning(event, reason=str(error))


def step_logs(system: System, which: str) -> list[Path]:
    """Logs of the steps of a job, `12`, or of one of them by its position, `12.0`.

    Raises
    ------
    NotFound
        If there is no such job or step.
    """
    job, _, position = which.partition(".")
    number = int(job)
    system.store.jobs.get(number)
    steps = system.store.steps.of(number)
    wanted = [step for step in steps if position in ("", str(step.position))]
    if not wanted:
        raise NotFound(f"Job {job} has no step {position}: 'sen4cap job steps {job}' lists them.")
    return [system.archive / step.log for step in wanted if step.log]
