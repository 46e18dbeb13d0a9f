"""An executor that runs a step here and now, in the thread that asks: no services are needed.

While a step runs nothing else happens in this thread, so another one keeps its lease alive, and
interrupts the step when the lease is gone.
"""

from __future__ import annotations

import _thread
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from sen4cap.domain import Ending, Product
from sen4cap.engine.attempt import outcome
from sen4cap.errors import Sen4capError
from sen4cap.processing import Ended, Task, Usage

BEAT_SECONDS = 5.0


class InlineExecutor:
    """One slot, in this thread."""

    def __init__(
        self,
        run: Callable[[Task], Product | None],
        is_good: Callable[[str], bool],
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        """`is_good` keeps a lease alive, from another thread, and tells whether it still holds."""
        self.run, self.is_good, self.beat_seconds = run, is_good, beat_seconds
        self.ended: list[Ended] = []
        self.error: Exception | None = None
        """What the first step that failed had raised."""

    def free_slots(self) -> int:
        """One: whoever asks is not busy."""
        return 1

    def submit(self, lease: str, task: Task) -> None:
        """Run a task to its end.

        Whatever a step whose lease is gone raises, it was killed: a library may make another error
        of the interrupt.
        """
        gone = threading.Event()
        kind, product, error = Ending.KILLED, None, ""
        try:
            with self._kept(lease, gone):
                kind, product, error = outcome(self._remembering, task)
        except KeyboardInterrupt:
            if not gone.is_set():
                raise
        if gone.is_set():
            kind, product, error = Ending.KILLED, None, ""
        self.ended.append(Ended(lease, kind, product, error, node=socket.gethostname()))

    def poll(self) -> list[Ended]:
        """Tasks that ended since the last call."""
        found, self.ended = self.ended, []
        return found

    def wait(self, seconds: float) -> None:
        """Sleep where there is nothing to tell."""
        if not self.ended:
            time.sleep(seconds)

    def end(self, lease: str) -> None:
        """Nothing runs while somebody can call this."""

    def usage(self) -> Mapping[str, Usage]:
        """Nothing runs while somebody can call this."""
        return {}

    def close(self) -> None:
        """Nothing is held."""

    def _remembering(self, task: Task) -> Product | None:
        try:
            return self.run(task)
        except Exception as error:
            self.error = self.error or error
            raise

    @contextmanager
    def _kept(self, lease: str, gone: threading.Event) -> Iterator[None]:
        over = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(lease, over, gone), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()

    def _keep(self, lease: str, over: threading.Event, gone: threading.Event) -> None:
        while not over.wait(self.beat_seconds):
            try:
                good = self.is_good(lease)
            except Sen4capError:
                continue
            if not good and not over.is_set():
                gone.set()
                _thread.interrupt_main()
                return
