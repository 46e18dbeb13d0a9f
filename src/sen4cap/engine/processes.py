"""Process trees: what a worker and its children use, and how they are ended.

All of this works from outside, in the worker's nanny, because a worker may be in code that holds
the interpreter's lock.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from sen4cap.processing import Usage

GONE = (psutil.NoSuchProcess, psutil.AccessDenied)
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Observed:
    """A worker process at one moment."""

    address: str
    pid: int
    node: str
    cpu_seconds: float
    """Since the process started, with its children."""
    memory: int
    """Bytes, with its children."""
    oom_kills: int
    """See `oom_kills`."""
    age: float
    """Seconds since the observing process, the nanny, was started."""


def observe(address: str, pid: int) -> Observed | None:
    """What the process tree below `pid` uses now; None where it is gone."""
    with suppress(*GONE):
        root = psutil.Process(pid)
        times = root.cpu_times()
        cpu = times.user + times.system + times.children_user + times.children_system
        memory = root.memory_info().rss
        for child in root.children(recursive=True):
            with suppress(*GONE):
                spent = child.cpu_times()
                cpu += spent.user + spent.system
                memory += child.memory_info().rss
        age = time.time() - psutil.Process().create_time()
        return Observed(address, pid, socket.gethostname(), cpu, memory, oom_kills(), age)
    return None


def oom_kills() -> int:
    """Processes that this node's operating system ended for lack of memory since it started."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text("ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    with suppress(*GONE):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def kill_tree(pid: int) -> None:
    """End a process and all below it, at once and without asking; nothing where it is gone.

    It is stopped first, so that it starts no further child meanwhile.
    """
    with suppress(*GONE):
        root = psutil.Process(pid)
        root.suspend()
        for child in root.children(recursive=True):
            with suppress(*GONE):
                child.kill()
        root.kill()


def bind_tree() -> None:
    """Tie this process to its tree: it ends with its parent, and orphans below it stay below it.

    Without the second, a child that a child left running would escape `kill_tree`. Linux only; on
    other systems nothing happens. See prctl(2).
    """
    if sys.platform == "linux":
        library = ctypes.CDLL(None, use_errno=True)
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        library.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Meter:
    """What this process and its ended children use from here on."""

    def __init__(self) -> None:
        self._before = _cpu_seconds()
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", "ascii")  # resets the peak: proc(5)

    def read(self) -> Usage:
        """Use since the meter was made; the peak is of this process alone."""
        return Usage(_cpu_seconds() - self._before, _peak_memory())


def _cpu_seconds() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    found = [resource.getrusage(kind) for kind in kinds]
    return sum(item.ru_utime + item.ru_stime for item in found)


def _peak_memory() -> int:
    """Highest resident size of this process, bytes."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


@contextmanager
def output_to(path: Path | None) -> Iterator[None]:
    """Send what this process and its children print to the end of a file, by the line."""
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [os.dup(number) for number in (1, 2)]
    with path.open("ab") as file:
        _point(file.fileno(), file.fileno())
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # they are text
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            _point(*kept)
            for number in kept:
                os.close(number)


def _point(output: int, errors: int) -> None:
    """Let standard output and errors of the process go to other open files."""
    os.dup2(output, 1)
    os.dup2(errors, 2)
