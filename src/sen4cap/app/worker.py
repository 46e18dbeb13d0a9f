"""What a worker process does: it runs one step, and writes down what happens.

The same function runs in a worker, in the command that is shown for a step, and in tests. It is
given everything as values and opens no database; whoever asked keeps the product.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import structlog

from sen4cap.app.items import write_item
from sen4cap.app.logs import cleaned
from sen4cap.app.reports import with_report
from sen4cap.domain import Product
from sen4cap.engine.attempt import sentence
from sen4cap.errors import Sen4capError
from sen4cap.processing import Context, Progress, Task, processor, validate

FIRST_KEYS = ("time", "level", "event")


def run_task(task: Task) -> Product | None:
    """Run one step; returns its product, or None for a job's finishing step.

    The task's log gets one JSON event per line, each written at once: its start, progress, what
    libraries log, and its end.

    Raises
    ------
    Sen4capError
        Whatever ended the step.
    """
    with _log(task.log) as log:
        began = time.monotonic()
        log.info("started", processor=task.processor, slot=task.step.slot, **_revision(task))
        try:
            product = _work(task, log)
        except BaseException as error:
            _failed(log, error)
            raise
        made = {"product": product.name} if product is not None else {}
        log.info("done", seconds=round(time.monotonic() - began, 3), **made)
        return product


def _revision(task: Task) -> dict[str, Any]:
    inputs = [item.name for item in task.step.inputs]
    return {"revision": task.step.revision, "inputs": inputs, "parameters": dict(task.parameters)}


def _failed(log: Any, error: BaseException) -> None:
    """Write why a step failed; where the step is not to blame for it, with the traceback."""
    known = isinstance(error, Sen4capError)
    log.error(sentence(error), error=type(error).__name__, exc_info=None if known else error)


def _work(task: Task, log: Any) -> Product | None:
    chosen = processor(task.processor)
    params = validate(chosen.id, chosen.params, task.parameters)
    context = replace(task.context, progress=_telling(log, task.context))
    if not task.finish:
        made = with_report(context, task.step, chosen.run(context, params, task.step))
        write_item(context.archive, made)
        return made
    if chosen.finish is not None:
        chosen.finish(context, params)
    return None


def _telling(log: Any, context: Context) -> Progress:
    """Progress that goes to the log as well."""

    def tell(share: float, message: str) -> None:
        log.info(message, share=round(share, 3))
        context.progress(share, message)

    return tell


@contextmanager
def _log(path: Path | None) -> Iterator[Any]:
    """A logger to the end of a file, which takes what libraries log, too; None: to nowhere."""
    path = path or Path(os.devnull)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        log = _logger(file)
        handler = _Forward(log)
        logging.getLogger().addHandler(handler)
        try:
            yield log
        finally:
            logging.getLogger().removeHandler(handler)


def _logger(file: TextIO) -> Any:
    return structlog.wrap_logger(
        structlog.WriteLogger(file),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            _first,
            _without_secrets,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )


def _first(_logger: Any, _name: str, event: structlog.typing.EventDict) -> Any:
    """The event with what is read first in front."""
    return {**{key: event[key] for key in FIRST_KEYS}, **event}


def _without_secrets(_logger: Any, _name: str, event: structlog.typing.EventDict) -> Any:
    return {key: cleaned(key, value) for key, value in event.items()}


class _Forward(logging.Handler):
    """Gives warnings and errors of libraries to a step's log."""

    def __init__(self, log: Any) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self._log.log(record.levelno, record.getMessage(), logger=record.name)
