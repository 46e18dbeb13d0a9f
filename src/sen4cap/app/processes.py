"""Services as processes: started in the background, ended, kept up as a group.

Every service is one process that runs `sen4cap service run <name>`. It ends on SIGTERM; one that
does not end in time is killed with all its children.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from sen4cap.app.claims import ALL, Running, last_error, running, title
from sen4cap.app.logs import log_file
from sen4cap.errors import Conflict, ServiceUnavailable
from sen4cap.settings import Settings

READY_SECONDS = 90.0
"""How long a service may take until it serves."""
STOP_SECONDS = 30.0
"""How long a service may take to end by itself."""
LOOK_SECONDS = 0.1

DASK_LOGGING = {"DASK_LOGGING__VERSION": "1", "DASK_LOGGING__INCREMENTAL": "True"}
"""Leaves Dask's loggers as they are: by itself it gives them handlers that print."""


@contextmanager
def stopped_by_signals(*, with_parent: bool = False) -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and Ctrl-C set; `with_parent`, the parent's end too.

    The handler leaves setting it to a thread, because it may interrupt one that holds the event's
    own lock. The parent's end is that of the pipe on standard input; Ctrl-C is then the parent's
    to handle, and is ignored by this process and those it starts.
    """
    stop = threading.Event()

    def set_aside(*_: Any) -> None:
        threading.Thread(target=stop.set, daemon=True).start()

    handlers: dict[int, Any] = dict.fromkeys((signal.SIGTERM, signal.SIGINT), set_aside)
    if with_parent:
        handlers[signal.SIGINT] = signal.SIG_IGN
        threading.Thread(target=_set_at_end_of_input, args=(stop,), daemon=True).start()
    former = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def renew_handlers() -> None:
    """Set the handlers of signals once more, where a library may have put in its own.

    Polars does so for Ctrl-C at its first use, behind Python's back; what is not ignored here is
    not ignored by workers that are started here either.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.getsignal(number))


def _set_at_end_of_input(stop: threading.Event) -> None:
    with suppress(OSError):
        while os.read(0, 1):
            pass
    stop.set()


def command(name: str, *options: str) -> list[str]:
    """The program and arguments that run a service in the foreground."""
    return [sys.executable, "-m", "sen4cap", "service", "run", name, *options]


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a service of this installation."""
    given = {
        "SEN4CAP_HOME": str(settings.home.expanduser().absolute()),
        "SEN4CAP_ARCHIVE": str(settings.archive_root),
        "SEN4CAP_DATABASE_URL": "" if settings.is_embedded else settings.url,
        "SEN4CAP_CORES": str(settings.cores),
        "SEN4CAP_PORT": str(settings.port),
        **DASK_LOGGING,
    }
    others = {key: text for key, text in os.environ.items() if key not in given}
    return others | {key: text for key, text in given.items() if text}


def start(settings: Settings, names: Sequence[str], wait: float = READY_SECONDS) -> None:
    """Start services in the background, the first ahead of the others; return when all serve.

    Raises
    ------
    Conflict
        If one runs already.
    ServiceUnavailable
        If one ends at once, with its reason, or takes too long; those before it stay.
    """
    refuse_running(settings, (ALL, *names))
    for together in (names[:1], names[1:]):
        started = {name: _spawn(settings, name) for name in together}
        deadline = time.monotonic() + wait
        for name, pid in started.items():
            _await_ready(settings, name, pid, deadline)


def _spawn(settings: Settings, name: str) -> int:
    path = log_file(settings, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        sys.executable,
        command(name),
        environment(settings),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(path), writing, 0o640),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _await_ready(settings: Settings, name: str, pid: int, deadline: float) -> None:
    hint = f"'sen4cap logs {name}' shows more"
    while time.monotonic() < deadline:
        found = running(settings, name)
        if found is not None and found.pid == pid and found.ready:
            return
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            reason = last_error(settings, name, pid) or "it ended at once."
            raise ServiceUnavailable(f"The {name} does not start: {reason} ({hint})")
        time.sleep(LOOK_SECONDS)
    end_tree(pid, 0)
    raise ServiceUnavailable(f"The {name} was not ready in time and was ended: {hint}.")


def refuse_running(settings: Settings, names: Iterable[str]) -> None:
    """Refuse, with a `Conflict`, to start what runs already."""
    for name in names:
        found = running(settings, name)
        if found is not None:
            raise Conflict(
                f"The {title(name)} runs already (process {found.pid}): "
                "'sen4cap service status' shows it, 'sen4cap service stop' ends it."
            )


def stop(settings: Settings, names: Sequence[str], *, group: bool = False) -> list[str]:
    """End services one after another, and with `group` all that 'sen4cap up' runs.

    Returns those that ran; they are gone.

    Raises
    ------
    Conflict
        If one belongs to 'sen4cap up', which would start it again, and `group` is not given.
    """
    ran = [name for name in names if running(settings, name) is not None]
    together = running(settings, ALL)
    if together is not None and ran and not group:
        raise Conflict(
            f"The {ran[0]} belongs to 'sen4cap up' (process {together.pid}): end all with "
            "'sen4cap service stop', or restart it."
        )
    for name in [ALL, *ran] if group else ran:
        _end(settings, name)
    return ran


def _end(settings: Settings, name: str, wait: float = STOP_SECONDS) -> None:
    found = running(settings, name)
    if found is None:
        return
    if found.pid:
        end_tree(found.pid, wait)
    deadline = time.monotonic() + wait
    while running(settings, name) == found and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)


def restart(settings: Settings, names: Sequence[str]) -> None:
    """End services, if they run, and start them again; return when all serve.

    Raises
    ------
    ServiceUnavailable
        If it does not start again.
    """
    before = {name: running(settings, name) for name in names}
    for name in reversed(names):
        _end(settings, name)
    if running(settings, ALL) is None:
        start(settings, names)
        return
    for name in names:
        _await_return(settings, name, before[name])


def _await_return(settings: Settings, name: str, before: Running | None) -> None:
    """Wait until 'sen4cap up' has started a service again."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        found = running(settings, name)
        if found is not None and found.ready and found != before:
            return
        time.sleep(LOOK_SECONDS)
    raise ServiceUnavailable(f"The {name} did not come back: see 'sen4cap logs {name}'.")


def end_tree(pid: int, wait: float) -> None:
    """End a process; what is left of it and its children after `wait` seconds is killed."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
        parent.terminate()
    except psutil.NoSuchProcess:
        return
    psutil.wait_procs([parent], timeout=wait)
    _, left = psutil.wait_procs(family, timeout=LOOK_SECONDS)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=STOP_SECONDS)
