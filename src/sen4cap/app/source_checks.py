"""Whether sources are well: one small question to each, and a record of the exchange."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from sen4cap.app import secrets
from sen4cap.app.logs import cleaned, hidden
from sen4cap.app.sources import definition
from sen4cap.domain.scene import Request
from sen4cap.errors import Sen4capError, SourceRefused
from sen4cap.processing import write_whole
from sen4cap.settings import Settings
from sen4cap.sources.archive import ArchiveSource
from sen4cap.sources.catalogue import AnySource, Definition
from sen4cap.sources.catalogue import open_source as open_defined
from sen4cap.sources.http import CLOCK_ERROR, Policy

SOMEWHERE = "POLYGON ((5.75 52.1, 5.77 52.1, 5.77 52.12, 5.75 52.12, 5.75 52.1))"
"""Where a source is asked for a test: two kilometres of the Netherlands."""
BACK, SPAN = timedelta(days=60), timedelta(days=10)
"""How long ago, and how long a time, it is asked for."""
IMPATIENT = 2
"""Attempts of a test."""
UNTOLD = frozenset({"authorization", "cookie", "set-cookie", "x-api-key", "proxy-authorization"})
"""Headers that a record leaves out."""


@dataclass(frozen=True)
class Check:
    """What a test found."""

    name: str
    is_well: bool
    told: str
    """One sentence."""


def check(
    settings: Settings, name: str, *, now: datetime | None = None, policy: Policy | None = None
) -> Check:
    """Ask a source one small question, and say in one sentence what is wrong.

    Raises
    ------
    NotFound
        If there is none of that name.
    """
    made = definition(settings, name)
    try:
        source = _opened(settings, made, policy)
        count = sum(1 for _scene in source.query(_question(made, now or datetime.now(UTC))))
        if not isinstance(source, ArchiveSource):
            source.remote.session.authority.check()
    except Sen4capError as error:
        return Check(name, is_well=False, told=str(error))
    if wrong := _wrong_clock(source):
        return Check(name, is_well=False, told=wrong)
    return Check(name, is_well=True, told=f"Source '{name}' answers: {count} scenes in the test.")


def _opened(settings: Settings, made: Definition, policy: Policy | None) -> AnySource:
    told = secrets.credentials(settings, made.name) if made.about.fields else None
    patience = policy or replace(Policy(), attempts=IMPATIENT, timeout=made.timeout)
    return open_defined(made, told, policy=patience)


def _question(made: Definition, now: datetime) -> Request:
    first = made.about.collections[0]
    start = (now - BACK).replace(hour=0, minute=0, second=0, microsecond=0)
    return Request(first.kind, (first.platform,), SOMEWHERE, start, start + SPAN)


def _wrong_clock(source: AnySource) -> str:
    if isinstance(source, ArchiveSource):
        return ""
    error = source.remote.session.clock_error
    if abs(error) <= CLOCK_ERROR:
        return ""
    side = "ahead of" if error > 0 else "behind"
    return (
        f"The clock of this machine is {abs(error) / 60:.0f} min {side} that of source "
        f"'{source.name}': set it right, or tokens and signatures will be refused."
    )


def record(
    settings: Settings, name: str, path: Path, *, now: datetime | None = None
) -> tuple[int, Check]:
    """Ask as `check` does and keep question and answer as JSON, without secrets; how many.

    Raises
    ------
    NotFound
        If there is none of that name.
    SourceRefused
        If the source is a folder: nothing goes over a network.
    """
    made = definition(settings, name)
    told = secrets.credentials(settings, name)
    source = open_defined(made, told, policy=Policy(attempts=IMPATIENT, timeout=made.timeout))
    if isinstance(source, ArchiveSource):
        raise SourceRefused(f"Source '{name}' is a folder: there is no exchange to record.")
    heard: list[requests.Response] = []
    with closing(source.remote.session) as session:
        session.heard = heard.append
        outcome = _asked(source, made, now or datetime.now(UTC))
    hide = tuple(value for value in (*told.secrets, told.user) if value)
    exchanges = [_exchange(response, hide) for response in heard]
    with write_whole(path) as temporary:
        temporary.write_text(json.dumps(exchanges, indent=1, sort_keys=True), encoding="utf-8")
    return len(exchanges), outcome


def _asked(source: AnySource, made: Definition, now: datetime) -> Check:
    try:
        found = sum(1 for _scene in source.query(_question(made, now)))
    except Sen4capError as error:
        return Check(made.name, is_well=False, told=str(error))
    return Check(made.name, is_well=True, told=f"{found} scenes.")


def _exchange(response: requests.Response, hide: tuple[str, ...]) -> dict[str, Any]:
    """Question and answer as JSON values; what identifies the user is replaced by `***`."""
    request = response.request
    body = request.body
    asked = body.decode() if isinstance(body, bytes) else body if isinstance(body, str) else ""
    return {
        "method": request.method,
        "url": hidden(request.url or "", hide),
        "asked": _content(asked, hide),
        "status": response.status_code,
        "headers": dict(_headers(response.headers, hide)),
        "answer": _content(response.text, hide),
    }


def _headers(headers: Mapping[str, str], hide: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name in sorted(headers, key=str.lower):
        if name.lower() not in UNTOLD:
            yield name, cleaned(name, headers[name], hide)


def _content(text: str, hide: tuple[str, ...]) -> Any:
    try:
        return cleaned("", json.loads(text), hide) if text else ""
    except ValueError:
        return hidden(text, hide)
