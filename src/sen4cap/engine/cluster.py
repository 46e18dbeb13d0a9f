"""Where workers come from: this machine, Slurm, or a Dask scheduler that runs already.

Every worker is a process of its own with one thread, below a nanny that starts a fresh one when it
ends. Limits of memory and time are the executor's, so Dask's own are off.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sen4cap.engine.params import MB, ExecutorParams
from sen4cap.errors import ServiceUnavailable

CONFIG: dict[str, Any] = {
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.tick.limit": "1 h",  # a step may hold the interpreter's lock
    "distributed.comm.timeouts.connect": "10s",
    "distributed.deploy.lost-worker-timeout": "60s",  # a fresh worker needs seconds to come up
    "distributed.diagnostics.nvml": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.http.routes": [],
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": None,  # nor does it then send heartbeats
    "distributed.worker.daemon": False,  # a step may start processes
    "distributed.worker.http.routes": [],
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.profile.enabled": False,
}
NO_PAGES = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
"""A scheduler's pages are not served; asked for nothing, it would take port 8787."""
FOREVER = "3650 days"
NANNY_MEMORY = 512 * MB
"""What a worker's job asks of Slurm beside the memory of its step."""


@dataclass(frozen=True)
class Cluster:
    """A Dask scheduler, and who looks after its workers."""

    address: str
    complete: Callable[[], None]
    """Asks for workers in place of those that are gone for good."""
    close: Callable[[], None]
    lifetime: float | None = None
    """Seconds after which a worker gets no more steps, because it would not live to end them."""


def configure() -> None:
    """Set Dask up as steps need it, in this process and the workers it starts."""
    import dask

    dask.config.set(CONFIG)


def open_cluster(params: ExecutorParams, folder: Path) -> Cluster:
    """The cluster that `params` name, its workers on their way; `folder` is for their logs.

    Raises
    ------
    ServiceUnavailable
        If Slurm is not installed here or refuses the first job.
    """
    configure()
    if params.cluster == "local":
        return _local(params)
    if params.cluster == "slurm":
        return _slurm(params, folder)
    return Cluster(params.cluster, _nothing, _nothing)


def _nothing() -> None:
    """Workers of others are theirs to look after."""


def _local(params: ExecutorParams) -> Cluster:
    return _kept(start_here(params), params.worker_count)


def start_here(params: ExecutorParams, host: str | None = "127.0.0.1", port: int | None = 0) -> Any:
    """A Dask scheduler of this machine with its workers, one process for each step at a time."""
    import logging

    from distributed import LocalCluster

    return LocalCluster(
        n_workers=params.worker_count,
        threads_per_worker=1,
        processes=True,
        host=host,
        scheduler_port=port,
        memory_limit=0,
        silence_logs=logging.CRITICAL,
        scheduler_kwargs=NO_PAGES,
    )


def _slurm(params: ExecutorParams, folder: Path) -> Cluster:
    import shutil

    import dask

    if shutil.which("sbatch") is None:
        raise ServiceUnavailable(
            "Slurm is not installed here: set executor.cluster to 'local', or install its client."
        )
    folder.mkdir(parents=True, exist_ok=True)
    dask.config.set({"distributed.deploy.lost-worker-timeout": FOREVER})
    cluster = _slurm_cluster()(**slurm_arguments(params, folder), silence_logs="critical")
    cluster.scale(params.worker_count)
    kept = _kept(cluster, params.worker_count)

    def complete() -> None:
        _forget_ended(cluster)
        kept.complete()

    return replace(kept, complete=complete, lifetime=slurm_lifetime(params))


def _slurm_cluster() -> Any:
    """The class of dask-jobqueue, whose import would take over the interrupt of the process.

    It is for the program to decide what an interrupt does, and outside the main thread the import
    would fail (dask-jobqueue 0.9, runner.py).
    """
    kept = signal.signal
    signal.signal = lambda *_: None
    try:
        from dask_jobqueue.slurm import SLURMCluster
    finally:
        signal.signal = kept
    return SLURMCluster


def _forget_ended(cluster: Any) -> None:
    """Let Dask know of jobs that are no longer in Slurm's queue, so that it starts others.

    By itself it would take a job for alive that was cancelled while it waited, and would end one
    that has just replaced another.
    """
    known = {name: job.job_id for name, job in dict(cluster.workers).items() if job.job_id}
    words = ["squeue", "--noheader", "--format=%A", "--states=PD,CF,R,S"]
    done = subprocess.run(  # noqa: S603 - a program of Slurm, arguments of ours
        words, capture_output=True, text=True, timeout=30, check=True
    )
    gone = {name for name, number in known.items() if number not in done.stdout.split()}

    async def forget() -> None:
        for name in gone:
            cluster.workers.pop(name, None)

    if gone:
        cluster.sync(forget)


def slurm_lifetime(params: ExecutorParams) -> float:
    """Seconds for which a worker gets steps: the last may take its time, or half the wall time."""
    walltime = params.slurm_walltime * 60.0
    return max(walltime - (params.step_time or walltime), walltime / 2)


def slurm_arguments(params: ExecutorParams, folder: Path) -> dict[str, Any]:
    """Arguments of `dask_jobqueue.SLURMCluster`: one worker of one step per job."""
    host = {"interface": params.slurm_interface} if params.slurm_interface else {}
    directives = [f"--qos={params.slurm_qos}"] if params.slurm_qos else []
    memory = params.step_memory + NANNY_MEMORY
    return {
        "cores": 1,
        "processes": 1,
        "memory": f"{memory} B",
        "job_cpu": params.cores,
        "walltime": _clock(params.slurm_walltime),
        "queue": params.slurm_partition or None,
        "account": params.slurm_account or None,
        "job_name": "sen4cap",
        "job_extra_directives": directives,
        "worker_extra_args": ["--memory-limit", "0", "--no-dashboard"],
        "python": sys.executable,
        "log_directory": str(folder),
        "death_timeout": 60,
        "scheduler_options": {**NO_PAGES, **host},
        **host,
    }


def _clock(minutes: int) -> str:
    """Minutes as Slurm writes them: `1-02:30:00`."""
    days, rest = divmod(minutes, 24 * 60)
    return f"{days}-{rest // 60:02d}:{rest % 60:02d}:00"


def _kept(cluster: Any, workers: int) -> Cluster:
    """A cluster of ours, kept at its number of workers.

    Dask starts what is missing when it is told the number again.
    """

    def complete() -> None:
        cluster.scale(workers)

    def close() -> None:
        with contextlib.suppress(TimeoutError, OSError):
            cluster.close(timeout=30)

    return Cluster(cluster.scheduler_address, complete, close)
