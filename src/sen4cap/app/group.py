"""Keeping services up: what fails is tried again, with longer and longer pauses."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from sen4cap.app.claims import last_error, running
from sen4cap.app.logs import log_file
from sen4cap.app.processes import LOOK_SECONDS, STOP_SECONDS, command, end_tree, environment
from sen4cap.errors import Conflict
from sen4cap.settings import Settings

STEADY_SECONDS = 60.0
"""What ran for so long did start well: its next failure is a first one."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before what failed is tried again; doubled with each failure."""

Serve = Callable[[threading.Event, Callable[[str], None]], None]
"""Serves until the event is set; calls the function, with its address, once it does."""
Say = Callable[[str], None]


@dataclass
class Patience:
    """How long to wait before the next try."""

    pause: float = FIRST_PAUSE

    def after(self, ran: float) -> float:
        """Seconds to wait after something failed that had run for `ran` seconds."""
        now = FIRST_PAUSE if ran >= STEADY_SECONDS else self.pause
        self.pause = min(2 * now, LONGEST_PAUSE)
        return now


def keep_serving(serve: Serve, stop: threading.Event, ready: Callable[[str], None]) -> None:
    """Serve until `stop`; a failure after the first success is logged and served through.

    What fails before it was ready once is raised: whoever started the service is still there to
    read why. So is a `Conflict`, because another one serves then.
    """
    patience, was_ready = Patience(), threading.Event()

    def told(address: str = "") -> None:
        was_ready.set()
        ready(address)

    while not stop.is_set():
        began = time.monotonic()
        try:
            serve(stop, told)
        except Exception as error:
            if isinstance(error, Conflict) or not was_ready.is_set():
                raise
            pause = patience.after(time.monotonic() - began)
            log = structlog.get_logger("sen4cap.services")
            log.exception("failed, will be tried again", reason=str(error), seconds=pause)
            stop.wait(pause)


def keep_up(settings: Settings, names: Sequence[str], stop: threading.Event, say: Say) -> None:
    """Run services as children, in this process group, until `stop`; restart what ends.

    The first goes ahead of the others. They end by themselves should this process die.
    """
    children = [_Child(settings, name, say) for name in names]
    try:
        while not stop.is_set():
            for child in children if children[0].was_tried else children[:1]:
                child.look()
            stop.wait(LOOK_SECONDS)
    finally:
        for child in children:
            child.tell_to_end()
        deadline = time.monotonic() + STOP_SECONDS
        for child in children:
            child.end(deadline)


class _Child:
    """A service that is started again whenever it ended."""

    def __init__(self, settings: Settings, name: str, say: Say) -> None:
        self.settings, self.name, self.say = settings, name, say
        self.process: subprocess.Popen[bytes] | None = None
        self.patience, self.began, self.not_before = Patience(), 0.0, 0.0
        self.was_ready = self.was_tried = False

    def look(self) -> None:
        """Start it if it is due, tell that it serves, take note that it ended."""
        if self.process is None:
            if time.monotonic() >= self.not_before:
                self._start()
        elif self.process.poll() is not None:
            self._note_end(self.process)
        elif not self.was_ready:
            self._note_ready(self.process.pid)

    def _start(self) -> None:
        path = log_file(self.settings, self.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - this program itself
                command(self.name, "--together"),
                env=environment(self.settings),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        self.began, self.was_ready = time.monotonic(), False

    def _note_ready(self, pid: int) -> None:
        found = running(self.settings, self.name)
        if found is not None and found.pid == pid and found.ready:
            self.was_ready = self.was_tried = True
            self.say(f"{self.name} runs" + (f" at {found.address}" if found.address else ""))

    def _note_end(self, process: subprocess.Popen[bytes]) -> None:
        pause, self.was_tried = 0.0, True
        if process.returncode:
            pause = self.patience.after(time.monotonic() - self.began)
            reason = last_error(self.settings, self.name, process.pid)
            ended = reason or f"it ended with code {process.returncode}."
            self.say(f"{self.name} failed: {ended} It is started again in {pause:.0f} s.")
        self.not_before = time.monotonic() + pause
        self._forget(process)

    def tell_to_end(self) -> None:
        """Ask it to end; it is not waited for."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def end(self, deadline: float) -> None:
        """Wait until it is gone; kill it, with its children, at the deadline."""
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(max(deadline - time.monotonic(), 0))
            if self.process.poll() is None:
                end_tree(self.process.pid, 0)
            self.process.wait()
            self._forget(self.process)

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        process.stdin.close()
        self.process = None
