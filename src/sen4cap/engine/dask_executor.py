"""The executor on Dask: the same for a laptop and a cluster.

Each task is given to one worker that is known to be idle, by a direct call: the orchestrator has
the queue and places tasks itself, so a second queue, Dask's, would only add its milliseconds. A
thread looks at all workers twice a second, through their nannies: what they use, which have come
and gone, what is over its limits. Only a nanny ends a worker, so that it works whatever the worker
is doing.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
import time
from asyncio import CancelledError
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sen4cap.domain import Ending
from sen4cap.engine.attempt import Answer, Run, attempt, scratch_folder, sweep
from sen4cap.engine.cluster import Cluster, configure
from sen4cap.engine.processes import Observed, is_running, kill_tree, observe
from sen4cap.engine.running import Running, State, with_answer, without_answer
from sen4cap.errors import Conflict, ServiceUnavailable
from sen4cap.processing import Ended, Task, Usage

PERIOD = 0.5
"""Seconds between two looks at the workers."""
COMPLETE_EVERY = 5.0
"""Seconds between two requests for workers that are missing."""
KILL_AGAIN = 3.0
"""Seconds after which a worker that is still there is ended once more."""
ABSENT = 4
"""Looks that miss a worker before its task is lost; Dask itself tells of most sooner."""
CONNECT_SECONDS = 10
TROUBLE = (Exception, CancelledError)
"""Whatever a connection that breaks may raise."""


class DaskExecutor:
    """Runs tasks on the workers of a cluster; see `sen4cap.engine.executor.Executor`."""

    def __init__(self, run: Run, cluster: Cluster) -> None:
        self._run, self._cluster = run, cluster
        self._state, self._changed = State(), threading.Condition()
        self._closing = threading.Event()
        self._helpers = ThreadPoolExecutor(4, thread_name_prefix="sen4cap-aside")
        self._client = _connect(cluster)
        self._look()
        self._watcher = threading.Thread(target=self._watch, name="sen4cap-watch", daemon=True)
        self._watcher.start()

    def free_slots(self) -> int:
        """How many tasks would start now."""
        with self._changed:
            return len(self._state.idle())

    def submit(self, lease: str, task: Task) -> None:
        """Start a task on an idle worker.

        Raises
        ------
        Conflict
            If the lease is running.
        ServiceUnavailable
            If no worker is idle any more.
        """
        with self._changed:
            if lease in self._state.running:
                raise Conflict(f"Lease '{lease}' is running: a lease is good for one run.")
            idle = self._state.idle()
            if not idle:
                raise ServiceUnavailable("No worker is free any more: try again in a moment.")
            worker = idle[0]
            entry = Running(lease, task, worker, time.monotonic(), time.time(), peak=worker.memory)
            self._state.running[lease] = entry
        follower = threading.Thread(target=self._follow, args=(entry,), daemon=True)
        follower.start()

    def _follow(self, entry: Running) -> None:
        """Have a task's worker run it, and conclude it when there is an answer, or none."""
        name = entry.worker.address
        try:
            told = self._client.run(serve, self._run, entry.task, entry.lease, workers=[name])
        except TROUBLE:
            self._give_up(entry)
        else:
            self._conclude(entry, with_answer(entry, told[name]))

    def poll(self) -> list[Ended]:
        """Tasks that ended since the last call."""
        with self._changed:
            found, self._state.ended = self._state.ended, []
            return found

    def wait(self, seconds: float) -> None:
        """Return when `poll` has something to tell, at the latest after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._state.ended), seconds)

    def end(self, lease: str) -> None:
        """End a task with all its child processes."""
        self._end(lease, Ending.KILLED)

    def usage(self) -> Mapping[str, Usage]:
        """What each running task had used at the last look."""
        with self._changed:
            return {lease: entry.usage for lease, entry in self._state.running.items()}

    def close(self) -> None:
        """End what is running and give back every worker."""
        if self._closing.is_set():
            return
        for lease in list(self._state.running):
            self._end(lease, Ending.KILLED)
        self._closing.set()
        self._helpers.shutdown(wait=True)
        self._watcher.join(CONNECT_SECONDS)
        with contextlib.suppress(*TROUBLE):  # what is half gone is closed all the same
            self._client.close(timeout=5)
        self._cluster.close()

    def _conclude(self, entry: Running, ended: Ended) -> None:
        """Tell the end of a task, once, and forget it."""
        with self._changed:
            if self._state.running.pop(entry.lease, None) is not entry:
                return
            self._state.ended.append(ended)
            self._changed.notify_all()

    def _give_up(self, entry: Running) -> None:
        """Conclude a task that will not answer: its worker gets no more, its files go."""
        with self._changed:
            self._state.condemned.add(entry.worker.address)
        self._conclude(entry, without_answer(entry))
        self._strike(entry)
        worker = entry.worker
        self._aside(sweep, entry.task.context.folder(), worker.node, worker.pid, entry.submitted)

    def _end(self, lease: str, why: Ending) -> None:
        with self._changed:
            entry = self._state.running.get(lease)
            if entry is None or entry.ending is not None:
                return
            entry.ending = why
            self._state.condemned.add(entry.worker.address)
        self._strike(entry)

    def _strike(self, entry: Running) -> None:
        """Have a worker ended by its nanny, without waiting for it."""
        entry.struck = time.monotonic()
        worker = entry.worker
        mark = (worker.address, worker.pid, entry.lease)
        self._aside(self._client.run, end_worker, *mark, nanny=True, on_error="ignore")

    def _aside(self, work: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Do something without waiting for it; what fails is tried again, or left."""

        def tried() -> None:
            with contextlib.suppress(*TROUBLE):
                work(*arguments, **options)

        with contextlib.suppress(RuntimeError):  # closing
            self._helpers.submit(tried)

    def _watch(self) -> None:
        """Look at the workers again and again, until closed."""
        completed = time.monotonic()
        while not self._closing.wait(PERIOD):
            try:
                self._look()
                if time.monotonic() - completed > COMPLETE_EVERY:
                    completed = time.monotonic()
                    self._cluster.complete()
            except TROUBLE:
                self._note({}, time.monotonic())
                self._reconnect()
            self._enforce()

    def _look(self) -> None:
        asked = time.monotonic()
        found = self._client.run(look, nanny=True, on_error="ignore")
        seen = {name: item for name, item in found.items() if isinstance(item, Observed)}
        # a nanny knows its new worker a moment later than the scheduler does
        self._note({name: item for name, item in seen.items() if item.address == name}, asked)

    def _note(self, workers: dict[str, Observed], asked: float) -> None:
        """Take over what a look found that was asked for at some moment."""
        with self._changed:
            self._state.workers = workers
            self._state.condemned &= workers.keys()
            for entry in self._state.running.values():
                if entry.began < asked:
                    entry.seen(workers.get(entry.worker.address))

    def _enforce(self) -> None:
        """End what is over a limit, again what did not end, and give up what is not there."""
        now = time.monotonic()
        with self._changed:
            entries = list(self._state.running.values())
            self._condemn_old()
        for entry in entries:
            excess = entry.excess(now)
            if entry.absent >= ABSENT:
                self._give_up(entry)
            elif entry.ending is not None and now - entry.struck > KILL_AGAIN:
                self._strike(entry)
            elif excess is not None:
                self._end(entry.lease, excess)

    def _condemn_old(self) -> None:
        """Give no more tasks to workers whose wall time is near; their nannies close them."""
        lifetime = self._cluster.lifetime
        old = [
            worker.address
            for worker in self._state.idle()
            if lifetime is not None and worker.age > lifetime
        ]
        self._state.condemned.update(old)
        if old:
            self._aside(self._client.retire_workers, old, close_workers=True)

    def _reconnect(self) -> None:
        """Connect anew where the connection was given up."""
        if self._client.status in {"running", "connecting"} or self._closing.is_set():
            return
        with contextlib.suppress(*TROUBLE):
            self._client.close(timeout=1)
        with contextlib.suppress(*TROUBLE):
            self._client = _connect(self._cluster)


def _connect(cluster: Cluster) -> Any:
    from distributed import Client

    configure()
    try:
        return Client(cluster.address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ServiceUnavailable(
            f"No Dask scheduler answers at {cluster.address}: start it, or set executor.cluster."
        ) from error


async def serve(run: Run, task: Task, lease: str, dask_worker: Any) -> Answer:
    """Run a task in a worker's own thread. Runs in the worker."""
    thread = dask_worker.executors["default"]
    return await asyncio.get_running_loop().run_in_executor(thread, attempt, run, task, lease)


def look(dask_worker: Any) -> Observed | None:
    """A nanny's worker as it is now; None while there is none. Runs in the nanny."""
    address, pid = dask_worker.worker_address, dask_worker.pid
    return observe(address, pid) if address and pid else None


def end_worker(address: str, pid: int, lease: str, dask_worker: Any) -> None:
    """End a nanny's worker if it is the one, and remove its scratch. Runs in every nanny.

    A step that is still running keeps its scratch: without it, it would fail before it is ended.
    """
    is_mine = (dask_worker.worker_address, dask_worker.pid) == (address, pid)
    if is_mine:
        kill_tree(pid)
    if is_mine or not is_running(pid):
        shutil.rmtree(scratch_folder(lease), ignore_errors=True)
