"""The services of an installation: which there are, what each does, which of them run.

The names of the original's services are accepted and answered with what does that work now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sen4cap.app.claims import Running, running
from sen4cap.app.logs import log_file
from sen4cap.domain.service import ORCHESTRATOR, SCHEDULER, WEB, WORKER
from sen4cap.errors import NotFound
from sen4cap.settings import Settings

SERVICES: Mapping[str, str] = {
    WORKER: "runs the steps of jobs",
    ORCHESTRATOR: "hands steps to workers and records what came of them",
    SCHEDULER: "submits the jobs of schedules that are due",
    WEB: "serves the console",
}
"""What each service does, in the order in which they start."""


@dataclass(frozen=True)
class Former:
    """What does the work of a service of the original now."""

    services: tuple[str, ...]
    """Ours; empty where the work needs none."""
    sentence: str


FORMER: Mapping[str, Former] = {
    "sen2agri-scheduler": Former((SCHEDULER,), "'scheduler' submits the jobs that are due."),
    "sen2agri-orchestrator": Former(
        (ORCHESTRATOR,), "'orchestrator' hands steps to workers and records what came of them."
    ),
    "sen2agri-executor": Former(
        (ORCHESTRATOR, WORKER), "'orchestrator' starts and ends steps, 'worker' runs them."
    ),
    "sen2agri-demmaccs": Former(
        (WORKER,),
        "'worker' runs every step on images; what a folder holds comes in with "
        "'sen4cap product ingest'.",
    ),
    "sen2agri-fmask": Former((WORKER,), "'worker' runs every step on images."),
    "sen2agri-services": Former(
        (WORKER, WEB),
        "'worker' runs preparation as steps, 'web' answers requests; products come in with "
        "'sen4cap product ingest'.",
    ),
    "sen2agri-http-listener": Former((WEB,), "'web' answers requests."),
    "sen2agri-monitor-agent": Former(
        (), "each step records what it used ('sen4cap job steps'); see also 'sen4cap health'."
    ),
    "sen2agri-config": Former((), "'sen4cap config' shows and sets parameters."),
}
"""By the name of the original's unit, without `.service`."""


def resolve(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Services that words name, each once, and a sentence for each name of the original.

    Raises
    ------
    NotFound
        If a word names no service.
    """
    found: list[str] = []
    sentences: list[str] = []
    for word in words:
        name = word.removesuffix(".service").lower()
        former = FORMER.get(name)
        if former is not None:
            sentences.append(f"{name} is a service of the original: {former.sentence}")
        elif name not in SERVICES:
            raise NotFound(f"There is no service '{word}': give one of {', '.join(SERVICES)}.")
        found += former.services if former else (name,)
    return list(dict.fromkeys(found)), sentences


@dataclass(frozen=True)
class Seen:
    """A service as `sen4cap service status` shows it."""

    service: str
    state: str
    """`running`, `starting` or `stopped`."""
    process: int | None
    since: datetime | None
    address: str
    does: str


def overview(settings: Settings, names: Iterable[str]) -> list[Seen]:
    """What runs of some services in this home."""
    return [_seen(name, running(settings, name)) for name in names]


def _seen(name: str, found: Running | None) -> Seen:
    if found is None:
        return Seen(name, "stopped", None, None, "", SERVICES[name])
    state = "running" if found.ready else "starting"
    return Seen(name, state, found.pid, found.started, found.address, SERVICES[name])


def log_files(settings: Settings, names: Iterable[str]) -> list[Path]:
    """Logs of services; of all where none is named."""
    return [log_file(settings, name) for name in names or SERVICES]
