"""Workers as a service of their own, apart from the orchestrator that gives them steps."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from threading import Event
from urllib.parse import urlsplit

from sen4cap.engine.cluster import configure, start_here
from sen4cap.engine.params import ExecutorParams
from sen4cap.errors import Conflict, ServiceUnavailable

LOOK_SECONDS = 5.0
CONNECT_SECONDS = 3.0
CLOSE_SECONDS = 10.0

Ready = Callable[[str], None]


def serve_workers(params: ExecutorParams, stop: Event, ready: Ready) -> None:
    """Run workers of this machine until `stop`; `ready` is called with their scheduler's address.

    With the cluster `local` a Dask scheduler is started with them that only this machine can
    reach. With an address they join the Dask scheduler there; where none answers, it is started
    there, which is possible on its own machine only.

    Raises
    ------
    Conflict
        If Slurm starts the workers.
    ServiceUnavailable
        If no Dask scheduler answers at the address and none can be started there.
    """
    if params.cluster == "slurm":
        raise Conflict("Slurm starts the workers itself while executor.cluster is 'slurm'.")
    configure()
    if params.cluster == "local":
        _serve(params, ("127.0.0.1", 0), stop, ready)
    elif answers(params.cluster):
        asyncio.run(_join(params, stop, ready))
    else:
        parts = urlsplit(params.cluster)
        _serve(params, (parts.hostname, parts.port), stop, ready)


def _serve(
    params: ExecutorParams, listen: tuple[str | None, int | None], stop: Event, ready: Ready
) -> None:
    try:
        cluster = start_here(params, *listen)
    except (OSError, RuntimeError) as error:
        raise ServiceUnavailable(
            f"No Dask scheduler answers at {params.cluster} and none can be started there "
            f"({error}): start the workers on its machine first, or set executor.cluster."
        ) from error
    with contextlib.closing(cluster):
        ready(cluster.scheduler_address)
        while not stop.wait(LOOK_SECONDS):
            cluster.scale(params.worker_count)


async def _join(params: ExecutorParams, stop: Event, ready: Ready) -> None:
    """Workers at a scheduler that runs elsewhere; each comes back by itself when it ends."""
    from distributed import Nanny

    nannies = [
        Nanny(params.cluster, nthreads=1, memory_limit=0) for _ in range(params.worker_count)
    ]
    try:
        await asyncio.gather(*nannies)
        ready(params.cluster)
        await asyncio.to_thread(stop.wait)
    finally:
        await asyncio.gather(*(nanny.close(timeout=CLOSE_SECONDS) for nanny in nannies))


def answers(address: str) -> bool:
    """Whether something listens at the address of a Dask scheduler."""
    parts = urlsplit(address)
    with contextlib.suppress(OSError, ValueError):
        socket.create_connection((parts.hostname, parts.port), CONNECT_SECONDS).close()
        return True
    return False


def is_here(address: str) -> bool:
    """Whether this machine can listen at the address."""
    with contextlib.suppress(OSError, ValueError), socket.socket() as tried:
        tried.bind((urlsplit(address).hostname, 0))
        return True
    return False
