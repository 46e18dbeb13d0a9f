"""One run of a task in a worker process, from which an answer always comes back.

What a step raises may not travel to another process; its sentence does.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil

from sen4cap.domain import Ending, Product
from sen4cap.engine.processes import Meter, bind_tree, output_to
from sen4cap.errors import Sen4capError
from sen4cap.processing import Task, Usage

SCRATCH = "sen4cap-run-"
OWNER = ".pid"
"""File in a scratch folder that names the process it belongs to."""

Run = Callable[[Task], Product | None]
"""What makes the product of a task; importable by name, so that it can be sent."""


@dataclass(frozen=True)
class Answer:
    """What a worker process tells of a task."""

    kind: Ending
    product: Product | None = None
    error: str = ""
    usage: Usage = field(default_factory=Usage)
    node: str = ""
    exit_code: int = 0


def attempt(run: Run, task: Task, lease: str) -> Answer:
    """Run a task in this process, what it prints going to its log; raises nothing."""
    _prepare()
    meter = Meter()
    with output_to(task.log), scratch(lease):
        kind, product, error = outcome(run, task)
    code = 0 if kind is Ending.DONE else 1
    return Answer(kind, product, error, meter.read(), socket.gethostname(), code)


def outcome(run: Run, task: Task) -> tuple[Ending, Product | None, str]:
    """How the run of a task ended in this process, its product, and why it is not done."""
    try:
        return Ending.DONE, run(task), ""
    except MemoryError:
        return Ending.MEMORY, None, out_of_memory(task)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a step raises is its answer
        return Ending.FAILED, None, sentence(error)


def sentence(error: BaseException) -> str:
    """What happened, in one line."""
    if isinstance(error, Sen4capError):
        return str(error)
    told = " ".join(str(error).split())
    return f"{type(error).__name__}: {told}" if told else f"{type(error).__name__}."


def out_of_memory(task: Task) -> str:
    """Sentence for a step that needs more memory than it may use."""
    if task.memory is None:
        return "Out of memory: the machine has no more; run fewer steps at once (executor.workers)."
    limit = task.memory // 1024**2
    return (
        f"Out of memory: the step needs more than its {limit} MB; raise executor.memory "
        f"('sen4cap config set executor.memory {2 * limit}')."
    )


def node_out_of_memory(node: str) -> str:
    """Sentence for a step that the operating system ended."""
    return (
        f"Out of memory: node '{node}' had none left; raise executor.memory, so that fewer steps "
        "share it, or lower executor.workers."
    )


def out_of_time(task: Task) -> str:
    """Sentence for a step that takes longer than it may."""
    limit = (task.time or 0) / 60
    return (
        f"Out of time: the step takes longer than its {limit:g} minutes; raise executor.time "
        f"('sen4cap config set executor.time {max(1, round(2 * limit))}')."
    )


def scratch_folder(lease: str) -> Path:
    """Folder of a run's temporary files on its node."""
    return Path(tempfile.gettempdir()) / f"{SCRATCH}{lease}"


@contextmanager
def scratch(lease: str) -> Iterator[None]:
    """Let temporary files of this process go to a folder of the run's own, removed at the end."""
    folder, before = scratch_folder(lease), tempfile.tempdir
    variable = os.environ.get("TMPDIR")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / OWNER).write_text(str(os.getpid()), "ascii")
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        os.environ.pop("TMPDIR")
        if variable is not None:
            os.environ["TMPDIR"] = variable
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _prepare() -> None:
    """What a worker process does before its first task."""
    bind_tree()
    for owner in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*/{OWNER}"):
        with suppress(OSError, ValueError):
            if not psutil.pid_exists(int(owner.read_text("ascii"))):
                shutil.rmtree(owner.parent, ignore_errors=True)


def sweep(folder: Path, node: str, pid: int, since: float) -> None:
    """Remove the incomplete files below a folder that a process left which is gone.

    Older ones than `since`, seconds since 1970, are of another process of that number.
    """
    for path, owner in _incomplete(folder, node):
        with suppress(OSError):
            if owner == pid and path.stat().st_mtime >= since - 1:
                _remove(path)


def sweep_orphans(folder: Path, node: str) -> list[Path]:
    """Remove, and return, the incomplete files below a folder of a node's processes now gone.

    The node is this one: nobody else knows what runs there.
    """
    removed = []
    for path, owner in _incomplete(folder, node):
        with suppress(OSError):
            if _is_gone(owner, path.stat().st_mtime):
                _remove(path)
                removed.append(path)
    return removed


def _incomplete(folder: Path, node: str) -> Iterator[tuple[Path, int]]:
    """Incomplete files and folders of a node, and the numbers of their processes.

    They are hidden and carry both in their names.
    """
    mark = re.compile(rf"\.{re.escape(node)}\.(\d+)\.part")  # see `sen4cap.processing.part`
    for parent, folders, files in os.walk(folder):
        for name in sorted([*folders, *files]):
            found = mark.search(name)
            if found and name.startswith("."):
                yield Path(parent, name), int(found[1])


def _is_gone(pid: int, wrote: float) -> bool:
    """Whether the process that wrote something at an instant is gone; its number may be reused."""
    try:
        return bool(psutil.Process(pid).create_time() > wrote + 1)
    except psutil.NoSuchProcess:
        return True


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
