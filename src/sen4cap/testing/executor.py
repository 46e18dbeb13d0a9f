"""The executor's twin for fast tests: threads instead of worker processes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping

from sen4cap.domain import Ending
from sen4cap.engine.attempt import Run, outcome
from sen4cap.errors import Conflict, ServiceUnavailable
from sen4cap.processing import Ended, Task, Usage


class ThreadExecutor:
    """Runs tasks in threads of this process; see `sen4cap.engine.executor.Executor`.

    A thread cannot be ended: what it comes to after `end` or `lose` is told to nobody.
    """

    def __init__(self, run: Run, slots: int = 2) -> None:
        self._run, self._slots = run, slots
        self._changed = threading.Condition()
        self._running: dict[str, Task] = {}
        self._ended: list[Ended] = []
        self._closed = False

    def free_slots(self) -> int:
        """How many tasks would start now."""
        with self._changed:
            return 0 if self._closed else self._slots - len(self._running)

    def submit(self, lease: str, task: Task) -> None:
        """Start a task in a thread of its own."""
        with self._changed:
            if lease in self._running:
                raise Conflict(f"Lease '{lease}' is running: a lease is good for one run.")
            if self._closed or len(self._running) >= self._slots:
                raise ServiceUnavailable("No worker is free any more: try again in a moment.")
            self._running[lease] = task
        threading.Thread(target=self._work, args=(lease, task), daemon=True).start()

    def poll(self) -> list[Ended]:
        """Tasks that ended since the last call."""
        with self._changed:
            found, self._ended = self._ended, []
            return found

    def wait(self, seconds: float) -> None:
        """Return when `poll` has something to tell, at the latest after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._ended), seconds)

    def end(self, lease: str) -> None:
        """Tell that a task was ended."""
        self._conclude(lease, Ending.KILLED, "It was ended.")

    def lose(self, lease: str) -> None:
        """Behave as if the worker of a task were gone."""
        self._conclude(lease, Ending.LOST, "Its worker is gone.")

    def usage(self) -> Mapping[str, Usage]:
        """The running tasks; of threads it is not known what they use."""
        with self._changed:
            return {lease: Usage() for lease in self._running}

    def close(self) -> None:
        """End what is running; no slot is left."""
        for lease in list(self._running):
            self.end(lease)
        self._closed = True

    def _work(self, lease: str, task: Task) -> None:
        kind, product, error = outcome(self._run, task)
        code = 0 if kind is Ending.DONE else 1
        node = socket.gethostname()
        self._tell(Ended(lease, kind, product, error, Usage(), node, code))

    def _conclude(self, lease: str, kind: Ending, error: str) -> None:
        self._tell(Ended(lease, kind, None, error, Usage(), socket.gethostname(), -9))

    def _tell(self, ended: Ended) -> None:
        with self._changed:
            if self._running.pop(ended.lease, None) is not None:
                self._ended.append(ended)
                self._changed.notify_all()
