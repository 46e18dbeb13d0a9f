"""What runs steps: an executor takes a task where a slot is free and tells how each one ended.

An executor knows nothing of jobs and never sees the database. A task goes by its lease: the token
under which its step was claimed, new for every attempt, so that a late answer is told from the
right one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sen4cap.processing import Ended, Task, Usage


class Executor(Protocol):
    """Slots that run tasks. Only `wait` and `close` wait; the others return at once."""

    def free_slots(self) -> int:
        """How many tasks would start now; 0 while no worker can be reached."""

    def submit(self, lease: str, task: Task) -> None:
        """Start a task.

        Raises
        ------
        Conflict
            If the lease is running.
        ServiceUnavailable
            If no slot is free any more.
        """

    def poll(self) -> list[Ended]:
        """Tasks that ended since the last call, each told once, in the order they ended."""

    def wait(self, seconds: float) -> None:
        """Return when `poll` has something to tell, at the latest after so many seconds."""

    def end(self, lease: str) -> None:
        """End a task with all its child processes; nothing where it is not running.

        It is told by `poll` as `killed`, unless it ended by itself before.
        """

    def usage(self) -> Mapping[str, Usage]:
        """What each running task has used so far, by lease; none for one just started."""

    def close(self) -> None:
        """End what is running and give back every worker; done twice, nothing happens."""
