"""Running jobs: the orchestrator of an installation, and one job run here and now."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import psutil

from sen4cap.app.system import System
from sen4cap.domain import Job, Product, Service, Status
from sen4cap.domain.job import ENDED
from sen4cap.domain.operations import cancelled, failed
from sen4cap.domain.service import ORCHESTRATOR
from sen4cap.engine.executor import Executor
from sen4cap.engine.inline import InlineExecutor
from sen4cap.engine.orchestrator import LEASE, Orchestrator, Rules
from sen4cap.engine.params import PREFIX, ExecutorParams
from sen4cap.errors import Conflict, Sen4capError
from sen4cap.processing import (
    Progress,
    Task,
    config_key,
    parameters_of,
    processors,
    validate,
)
from sen4cap.processing.params import ENGINE

GUEST = "run"
"""Service name of a process that runs one job of its own."""
POOL = "pool."
WAIT_SECONDS = 0.2


def executor_params(system: System) -> ExecutorParams:
    """Settings of step execution, from the configuration."""
    stored = system.store.config.values(prefix=PREFIX)
    keys = {item.key: config_key(ENGINE, item.key) for item in parameters_of(ExecutorParams)}
    given = {key: stored[full] for key, full in keys.items() if full in stored}
    return validate(ENGINE, ExecutorParams, given)


def rules_of(system: System) -> Rules:
    """Limits of steps, from the configuration."""
    used = executor_params(system)
    values = used.model_dump(by_alias=True)
    return Rules(
        memory=used.step_memory,
        time=used.step_time,
        cores=used.cores,
        pools={item.id: item.pool for item in processors().values() if item.pool},
        limits={
            key.removeprefix(POOL): value for key, value in values.items() if key.startswith(POOL)
        },
    )


def this_service(name: str) -> Service:
    """A service that this process starts now."""
    now = _now()
    return Service(name, uuid4().hex, socket.gethostname(), os.getpid(), now, now)


def orchestrator(system: System, executor: Executor) -> Orchestrator:
    """The orchestrator of an installation; SQLite has one at a time.

    It triggers work for what it commits, and for whatever else came in.
    """
    from sen4cap.app.triggers import Triggers

    forget_dead(system)
    return Orchestrator(
        system.store,
        executor,
        this_service(ORCHESTRATOR),
        _now,
        partial(rules_of, system),
        alone=system.settings.url.startswith("sqlite"),
        every_beat=Triggers(system).pull,
    )


def forget_dead(system: System) -> None:
    """Remove services of this machine whose process is gone, so that nobody waits for them."""
    here = socket.gethostname()
    for item in system.store.services.all():
        if item.host == here and not psutil.pid_exists(item.pid):
            system.store.services.leave(item.token)


def drive(system: System, job: Job, progress: Progress) -> Job:
    """Run a job in this process until it has ended; returns it.

    Raises
    ------
    Sen4capError
        What ended a step.
    """
    if job.status in ENDED:
        return job
    assert job.id is not None
    forget_dead(system)
    service, rules = this_service(GUEST), Rules(only=job.id)
    executor = InlineExecutor(
        partial(_run, system, job, progress), partial(_is_good, system, service)
    )
    guest = Orchestrator(system.store, executor, service, _now, lambda: rules)
    guest.start()
    try:
        ended = _until_ended(system, job.id, guest)
    except BaseException as error:
        _give_up(system, job.id, error)
        raise
    finally:
        guest.stop()
    if ended.status is not Status.SUCCESSFUL:
        raise _told(ended, executor.error)
    progress(1.0, f"{_title(job)}: done")
    return ended


def _told(job: Job, error: BaseException | None) -> BaseException:
    """What the first failed step raised, in the words of the job, which count the others."""
    if isinstance(error, Sen4capError):
        return type(error)(job.reason) if job.reason != str(error) else error
    return error or Conflict(job.reason or f"Job {job.id} is {job.status}.")


def _until_ended(system: System, number: int, guest: Orchestrator) -> Job:
    """Work on a job until it has ended, or nobody will go on with it."""
    while True:
        worked = guest.tick()
        job = system.store.jobs.get(number)
        if job.status in ENDED or job.status is Status.PAUSED:
            return job
        if not worked:
            time.sleep(WAIT_SECONDS)


def _run(system: System, job: Job, progress: Progress, task: Task) -> Product | None:
    """Run a task of a job as a worker would, and tell how far the job is."""
    from sen4cap.app.worker import run_task

    assert job.id is not None
    counts = system.store.steps.counts([job.id])[job.id]
    steps, done = sum(counts.values()), counts.get(Status.SUCCESSFUL, 0)
    share = done / steps
    progress(share, f"{_title(job)}: {done + 1} of {steps}")

    def part(inside: float, message: str) -> None:
        progress(share + inside / steps, message)

    return run_task(replace(task, context=replace(task.context, progress=part)))


def _title(job: Job) -> str:
    return processors()[job.processor].title


def _is_good(system: System, service: Service, lease: str) -> bool:
    """Keep a lease for longer, and tell whether it still holds."""
    now = _now()
    system.store.services.beat(service.token, now)
    system.store.steps.renew([lease], now + LEASE)
    return lease in system.store.steps.leases(service.token)


def _give_up(system: System, number: int, error: BaseException) -> None:
    """Record what becomes of a job that this process goes on with no more."""
    if isinstance(error, KeyboardInterrupt):
        change = partial(cancelled, reason="It was interrupted; what was made stays.", at=_now())
    else:
        told = str(error) if isinstance(error, Sen4capError) else f"{type(error).__name__}: {error}"
        change = partial(failed, reason=told, at=_now())
    with suppress(Conflict):
        system.store.jobs.change(number, change)


def _now() -> datetime:
    return datetime.now(UTC)
