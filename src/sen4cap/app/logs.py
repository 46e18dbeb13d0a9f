"""Logs of services: one JSON event per line, in a file that is turned over before it grows too big.

Whatever logs - our rooms through structlog, libraries through `logging`, Python by a warning or a
traceback - comes out in the same form: time (UTC), level, service, event, then what belongs to
the event. No secret gets in: a value whose name says that it is one, a password in an address and
the passwords of the settings are replaced by `***`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from sen4cap.settings import Settings

MAX_BYTES = 16 * 2**20
"""Size at which a log is turned over."""
KEPT = 5
"""Former files that are kept: `<service>.log.1` is the newest."""
HIDDEN = "***"
FIRST_KEYS = ("time", "level", "service", "event")

SECRET_NAME = re.compile(
    r"passw(or)?d|secret|token|credential|authorization|cookie|api_?key|access_?key", re.IGNORECASE
)
SECRET_TEXT = (
    (re.compile(r"(\w://[^/\s:@\"']*):[^/\s\"']+@"), rf"\1:{HIDDEN}@"),
    (
        re.compile(
            r"((?:passw(?:or)?d|secret|token|api_?key|access_?key|\bsig|\bx-amz-[a-z-]+)\\?[\"']?\s*[=:]\s*\\?[\"']?)"
            r"[^\s&;,\"'\\]+",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(bearer|basic) [\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
)
"""What looks like a secret inside a text, and what stands there instead."""
SHORTEST_SECRET = 4
"""Shorter ones are hidden in addresses only: replaced everywhere they would garble words."""


def log_folder(settings: Settings) -> Path:
    """Folder of the logs of the services."""
    return settings.home.expanduser().absolute() / "logs"


def log_file(settings: Settings, service: str) -> Path:
    """The log of a service; it may not be there yet."""
    return log_folder(settings) / f"{service}.log"


def configure(service: str, handlers: Iterable[logging.Handler], secrets: Iterable[str]) -> None:
    """Send every event of this process to the handlers, as JSON without the secrets."""
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _Line(service, tuple(secrets)),
        ],
        foreign_pre_chain=common,
    )
    _install(list(handlers), formatter)


def _install(handlers: list[logging.Handler], formatter: logging.Formatter) -> None:
    root = logging.getLogger()
    for handler in handlers:
        handler.setFormatter(formatter)
    root.handlers[:] = handlers
    root.setLevel(logging.WARNING)
    logging.getLogger("sen4cap").setLevel(logging.INFO)
    logging.captureWarnings(True)


def open_log(settings: Settings, service: str, *, to_stderr: bool = False) -> None:
    """Log as a service of this installation, for the rest of the process.

    What libraries print on their own goes to the same file, tracebacks included. With
    `to_stderr`, events are written there as well, for a service manager that collects them.
    """
    path = log_file(settings, service)
    handlers: list[logging.Handler] = [_ServiceFile(path, captures=not to_stderr)]
    if to_stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
    configure(service, handlers, secrets_of(settings))
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda failed: _log_uncaught(
        failed.exc_type, failed.exc_value, failed.exc_traceback
    )


def open_terminal() -> None:
    """Tell warnings on stderr, for the rest of the process: stdout is for answers."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            _in_words,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
    )


def _in_words(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    level, told = event.pop("level"), event.pop("event")
    details = ", ".join(f"{key} {value}" for key, value in event.items())
    return hidden(f"{level}: {told}" + (f" ({details})" if details else ""))


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """The passwords among the settings, as they are written and as they are meant; and sources'."""
    from sen4cap.app.secrets import known_secrets

    written = urlsplit(settings.url).password
    found = {written, unquote(written)} if written else set()
    found.update(known_secrets(settings))
    return tuple(sorted(text for text in found if len(text) >= SHORTEST_SECRET))


def hidden(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with `***` in place of each secret."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    for pattern, instead in SECRET_TEXT:
        text = pattern.sub(instead, text)
    return text


def cleaned(key: str, value: Any, secrets: Iterable[str] = ()) -> Any:
    """The value of a key as JSON can hold it, with `***` in place of each secret."""
    if SECRET_NAME.search(key):
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(name): cleaned(str(name), item, secrets) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [cleaned(key, item, secrets) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return hidden(str(value), secrets)


class _Line:
    """Renders an event as one line of JSON."""

    def __init__(self, service: str, secrets: tuple[str, ...]) -> None:
        self.service, self.secrets = service, secrets

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        known = {"service": self.service, **event}
        ordered = {key: known.pop(key, "") for key in FIRST_KEYS} | known
        clean = {key: cleaned(key, value, self.secrets) for key, value in ordered.items()}
        return json.dumps(clean, ensure_ascii=False)


class _ServiceFile(RotatingFileHandler):
    """The log of a service; takes over the output streams of the process where it `captures`."""

    def __init__(self, path: Path, *, captures: bool = False) -> None:
        self.captures = captures
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8")

    def _open(self) -> Any:
        stream: TextIO = super()._open()
        if self.captures:
            for taken in (1, 2):
                os.dup2(stream.fileno(), taken)
        return stream


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: Any) -> None:
    if error is not None:
        logging.getLogger("sen4cap").critical("uncaught", exc_info=(kind, error, trace))
