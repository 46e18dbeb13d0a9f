"""Sources as they are set up here: which there are, how they differ from profiles, are they well.

A step that fetches runs where the database is not open, and must know how a source is set up: so
that stands in a file of the installation, `sources.json`, and not in `config`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from sen4cap.app import secrets
from sen4cap.app.system import System
from sen4cap.domain.names import check_name
from sen4cap.errors import InvalidParameter, NotFound
from sen4cap.processing import Context, write_whole
from sen4cap.settings import Settings
from sen4cap.sources.archive import Mode
from sen4cap.sources.catalogue import AnySource, Definition
from sen4cap.sources.catalogue import open_source as open_defined
from sen4cap.sources.http import Policy
from sen4cap.sources.profiles import PROFILES, Profile, profile

ALIKE = ("endpoint", "download", "token")
"""Settings that are addresses."""
Where = System | Context | None


def profiles() -> tuple[Profile, ...]:
    """Every profile, sorted by name."""
    return tuple(PROFILES[name] for name in sorted(PROFILES))


def definitions(settings: Settings) -> dict[str, Definition]:
    """Every source by name: those set up here, and each profile under its own name.

    Raises
    ------
    InvalidParameter
        If the file they stand in is broken.
    """
    given = _read(source_file(settings))
    names = sorted({*PROFILES, *given})
    proxies = {key: value for key, value in getproxies().items() if key in {"http", "https"}}
    return {name: _definition(name, given.get(name, {}), proxies) for name in names}


def definition(settings: Settings, name: str) -> Definition:
    """How a source is set up.

    Raises
    ------
    NotFound
        If there is none of that name.
    InvalidParameter
        As `definitions`.
    """
    known = definitions(settings)
    if name not in known:
        raise NotFound(f"There is no source '{name}': 'sen4cap source list' shows them.")
    return known[name]


def source_file(settings: Settings) -> Path:
    """The file in which sources are set up; it may not be there yet."""
    return settings.home.expanduser().absolute() / "sources.json"


def open_source(name: str, where: Where = None, *, policy: Policy | None = None) -> AnySource:
    """A source with its credentials, ready to be asked; in a worker as well.

    Raises
    ------
    NotFound
        If there is none of that name.
    InvalidParameter
        If it is set up wrongly.
    Conflict, ServiceUnavailable
        If its secrets cannot be read, see `secrets.credentials`.
    """
    settings = where.settings if isinstance(where, System) else Settings()
    made = definition(settings, name)
    told = secrets.credentials(settings, name) if made.about.fields else None
    return open_defined(made, told, locks=_locks(settings), policy=policy)


def _locks(settings: Settings) -> Path:
    return settings.home.expanduser().absolute() / "locks"


def set_up(settings: Settings, name: str, key: str, value: str) -> Definition:
    """Set one thing of a source; of a name that is new, a `profile` first. Empty unsets it.

    Raises
    ------
    InvalidParameter
        If there is no such setting, or it cannot have that value.
    NotFound
        If there is no such source or profile.
    """
    check_name("source", name)
    if name not in definitions(settings) and key != "profile":
        raise NotFound(
            f"There is no source '{name}': name its profile first, "
            f"'sen4cap source set {name} profile cdse'."
        )
    if key == "profile" and value:
        profile(value)
    given = _read(source_file(settings))
    mine = {**given.get(name, {}), key: _typed(key, value)}
    given[name] = {one: item for one, item in mine.items() if item not in {"", None}}
    made = _definition(name, given[name], {})
    _write(settings, {one: item for one, item in given.items() if item})
    return made


def place_of(text: str) -> secrets.Place:
    """Where a secret is to be kept.

    Raises
    ------
    InvalidParameter
        If there is no such place.
    """
    try:
        return secrets.Place(text)
    except ValueError as error:
        raise InvalidParameter(f"'{text}' is no place for a secret: keyring or file.") from error


def _typed(key: str, value: str) -> Any:
    kinds: Mapping[str, Callable[[str], Any]] = {
        "profile": str,
        **dict.fromkeys(ALIKE, _address),
        "hosts": str,
        "connections": int,
        "timeout": float,
        "root": str,
        "mode": Mode,
        "by_nodes": _truth,
    }
    name = key.replace("-", "_")
    if name not in kinds:
        known = ", ".join(sorted(one.replace("_", "-") for one in kinds))
        raise InvalidParameter(f"A source has no setting '{key}': known are {known}.")
    try:
        return kinds[name](value) if value else ""
    except ValueError as error:
        raise InvalidParameter(f"'{value}' cannot be the {key} of a source ({error}).") from error


def _address(text: str) -> str:
    if urlsplit(text).scheme not in {"http", "https"}:
        message = "an address begins with https://"
        raise ValueError(message)
    return text.rstrip("/")


def _truth(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        message = "it is true or false"
        raise ValueError(message)
    return text.lower() == "true"


def _definition(name: str, given: Mapping[str, Any], proxies: Mapping[str, str]) -> Definition:
    known = {item.name for item in fields(Definition)} - {"name", "proxies"}
    told = {key.replace("-", "_"): value for key, value in given.items()}
    if unknown := set(told) - known:
        raise InvalidParameter(
            f"Source '{name}' has an unknown setting '{min(unknown)}': remove it from sources.json."
        )
    hosts = tuple(text for text in str(told.pop("hosts", "")).split(",") if text)
    return Definition(name=name, hosts=hosts, proxies=dict(proxies), **told)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        told = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InvalidParameter(f"'{path}' holds no JSON ({error}): correct it.") from error
    if not isinstance(told, dict) or not all(isinstance(item, dict) for item in told.values()):
        raise InvalidParameter(f"'{path}' does not hold one object per source: correct it.")
    return told


def _write(settings: Settings, given: Mapping[str, Any]) -> None:
    with write_whole(source_file(settings)) as temporary:
        temporary.write_text(json.dumps(given, indent=1, sort_keys=True), encoding="utf-8")


def as_value(made: Definition) -> dict[str, Any]:
    """A source as JSON values, with what its profile says where nothing else is set."""
    about = made.about
    own = {key: value for key, value in asdict(made).items() if key not in {"proxies", "hosts"}}
    return {
        **own,
        "profile": about.name,
        "title": about.title,
        "endpoint": made.endpoint or about.endpoint,
        "connections": made.connections or about.connections,
        "products": sorted({str(item.kind) for item in about.collections}),
        "platforms": sorted({item.platform for item in about.collections}),
        "fetches": about.fetches,
        "streams": about.streams,
        "credentials": list(about.fields),
        "note": about.note,
    }
