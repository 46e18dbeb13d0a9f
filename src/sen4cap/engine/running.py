"""Tasks on their workers: what is known of each while it runs, and how it ended."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field, replace

from sen4cap.domain import Ending
from sen4cap.engine.attempt import Answer, node_out_of_memory, out_of_memory, out_of_time
from sen4cap.engine.processes import Observed, oom_kills
from sen4cap.processing import Ended, Task, Usage

FULL = 0.9
"""Part of its memory limit above which a task that is lost is taken to have run out of it."""
KILLED_CODE = -9


@dataclass
class Running:
    """A task on its worker."""

    lease: str
    task: Task
    worker: Observed
    began: float
    """Of the monotonic clock."""
    submitted: float
    """Of the clock of files."""
    latest: Observed | None = None
    peak: int = 0
    absent: int = 0
    ending: Ending | None = None
    """Why it is being ended, if it is."""
    struck: float = 0.0
    """When it was last told to end."""

    @property
    def usage(self) -> Usage:
        """From the last look."""
        latest = self.latest or self.worker
        return Usage(max(0.0, latest.cpu_seconds - self.worker.cpu_seconds), self.peak)

    def seen(self, worker: Observed | None) -> None:
        """Note its worker as it was found, or that it was not."""
        if worker is None or worker.pid != self.worker.pid:
            self.absent += 1
            return
        self.absent, self.latest = 0, worker
        self.peak = max(self.peak, worker.memory)

    def excess(self, now: float) -> Ending | None:
        """The limit that it is over, if any."""
        latest, task = self.latest or self.worker, self.task
        if task.memory is not None and latest.memory > task.memory:
            return Ending.MEMORY
        if task.time is not None and now - self.began > task.time:
            return Ending.TIME
        return None


@dataclass
class State:
    """All that changes while an executor is open; it keeps a lock over it."""

    workers: dict[str, Observed] = field(default_factory=dict)
    """Those that were there at the last look, by address."""
    running: dict[str, Running] = field(default_factory=dict)
    """By lease."""
    ended: list[Ended] = field(default_factory=list)
    condemned: set[str] = field(default_factory=set)
    """Addresses of workers that are being ended: they get no more tasks."""

    def idle(self) -> list[Observed]:
        """Workers that may be given a task, by address."""
        busy = {entry.worker.address for entry in self.running.values()} | self.condemned
        return [self.workers[name] for name in sorted(self.workers) if name not in busy]


def with_answer(entry: Running, answer: Answer) -> Ended:
    """How a task ended, as its worker told; one that fails while it is being ended was ended."""
    usage = replace(answer.usage, peak_memory=max(answer.usage.peak_memory, entry.peak))
    kind, error = answer.kind, answer.error
    if kind is Ending.FAILED and entry.ending is not None:
        kind, error = _cause(entry)
    return Ended(
        entry.lease,
        kind,
        answer.product,
        error,
        usage,
        answer.node,
        answer.exit_code,
    )


def without_answer(entry: Running) -> Ended:
    """How a task ended whose worker is gone."""
    kind, error = _cause(entry)
    return Ended(entry.lease, kind, None, error, entry.usage, entry.worker.node, KILLED_CODE)


def _cause(entry: Running) -> tuple[Ending, str]:
    """Why a worker is gone, and in one sentence."""
    task, node = entry.task, entry.worker.node
    used = (entry.latest or entry.worker).memory
    if entry.ending is Ending.KILLED:
        return Ending.KILLED, "It was ended."
    if entry.ending is Ending.TIME:
        return Ending.TIME, out_of_time(task)
    if entry.ending is Ending.MEMORY or (task.memory and used > FULL * task.memory):
        return Ending.MEMORY, out_of_memory(task)
    if _oom_kills_of(entry) > entry.worker.oom_kills:
        return Ending.MEMORY, node_out_of_memory(node)
    return Ending.LOST, f"Its worker on node '{node}' is gone."


def _oom_kills_of(entry: Running) -> int:
    """Newest known count of processes ended on a task's node for lack of memory."""
    if entry.worker.node == socket.gethostname():
        return oom_kills()
    return (entry.latest or entry.worker).oom_kills
