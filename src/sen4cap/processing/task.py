"""What travels to a worker process and back: all that a step needs, and how it ended.

    orchestrator ─Task→ executor ─Task→ worker ─Product→ executor ─Ended→ orchestrator

A worker opens no database: a task holds every value, and can be pickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sen4cap.domain import Ending, Product
from sen4cap.processing.context import Context
from sen4cap.processing.processor import Step

MB = 1024 * 1024


@dataclass(frozen=True)
class Usage:
    """What a step's process tree has used."""

    cpu_seconds: float = 0.0
    peak_memory: int = 0
    """Bytes."""


@dataclass(frozen=True)
class Task:
    """One step, ready to run anywhere that sees the archive."""

    processor: str
    """Short name."""
    parameters: Mapping[str, Any]
    """Every parameter by key, JSON values."""
    step: Step
    """Without inputs and slot where `finish` is set."""
    context: Context
    """Its `progress` is called as well as the log, so that it must be picklable elsewhere."""
    log: Path | None = None
    """File that progress and log lines are appended to; None: nowhere."""
    memory: int | None = None
    """Limit in bytes, for the process tree."""
    time: float | None = None
    """Limit in seconds."""
    finish: bool = False
    """Whether to call `Processor.finish`, and return no product."""


@dataclass(frozen=True)
class Ended:
    """How the run of a lease ended."""

    lease: str
    kind: Ending
    product: Product | None = None
    error: str = ""
    """Why it is not done, in one sentence."""
    usage: Usage = field(default_factory=Usage)
    node: str = ""
    exit_code: int | None = None


@cache
def _contexts() -> TypeAdapter[Context]:
    return TypeAdapter(Context)


def as_json(context: Context) -> dict[str, Any]:
    """The context as JSON values, without its progress."""
    found = _contexts().dump_python(context, mode="json", exclude={"progress"})
    assert isinstance(found, dict)
    return found


def context_of(values: Mapping[str, Any]) -> Context:
    """The context of JSON values; it tells its progress to nobody."""
    return _contexts().validate_python(dict(values))
