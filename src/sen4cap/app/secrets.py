"""Secrets of sources: in the environment, the system's keyring or a file that only we can read.

They are never in the database and never in a log. A worker finds them as we do, so that no step
carries one.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from sen4cap.errors import Conflict, InvalidParameter, NotFound, ServiceUnavailable
from sen4cap.settings import Settings
from sen4cap.sources.auth import Credentials

FIELDS = ("user", "password", "token")
PREFIX = "SEN4CAP_SECRET_"
SERVICE = "sen4cap"
"""Name of ours in a keyring."""
OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""Rights that nobody else may have on the file."""


class Place(StrEnum):
    """Where a secret is."""

    ENVIRONMENT = "environment"
    KEYRING = "keyring"
    FILE = "file"


def credentials(settings: Settings, source: str) -> Credentials:
    """What is known of a source: each field from the environment, else keyring, else file.

    Raises
    ------
    Conflict
        If others can read the file.
    ServiceUnavailable
        If the keyring is locked.
    """
    return Credentials(**{name: _find(settings, source, name)[0] for name in FIELDS})


def places(settings: Settings, source: str) -> dict[str, Place]:
    """Where each secret of a source that is known lies.

    Raises
    ------
    Conflict, ServiceUnavailable
        As `credentials`.
    """
    found = {name: _find(settings, source, name)[1] for name in FIELDS}
    return {name: place for name, place in found.items() if place is not None}


def secret_file(settings: Settings) -> Path:
    """The file of the secrets; it may not be there yet."""
    return settings.home.expanduser().absolute() / "secrets.json"


def keep(settings: Settings, source: str, values: Mapping[str, str], place: Place) -> None:
    """Keep secrets of a source in the keyring or in the file.

    Raises
    ------
    InvalidParameter
        If a field is not known, or the place cannot be written to.
    Conflict
        If others can read the file.
    ServiceUnavailable
        If there is no keyring, or it is locked.
    """
    if unknown := set(values) - set(FIELDS):
        raise InvalidParameter(f"'{min(unknown)}' is no secret: known are {', '.join(FIELDS)}.")
    if place is Place.ENVIRONMENT:
        raise InvalidParameter(
            f"Set {variable(source, min(values))} where sen4cap is started, or keep the secret in "
            "'keyring' or 'file'."
        )
    if place is Place.KEYRING:
        _keep_in_keyring(source, values)
        return
    known = _read_file(settings)
    _write_file(settings, {**known, source: {**known.get(source, {}), **values}})


def forget(settings: Settings, source: str) -> None:
    """Remove the secrets of a source from keyring and file.

    Raises
    ------
    NotFound
        If neither has any.
    Conflict, ServiceUnavailable
        As `credentials`.
    """
    known = _read_file(settings)
    was_in_file = known.pop(source, None) is not None
    if was_in_file:
        _write_file(settings, known)
    if not (_forget_in_keyring(source) or was_in_file):
        raise NotFound(
            f"Neither keyring nor '{secret_file(settings)}' has a secret of source '{source}'."
        )


def known_secrets(settings: Settings) -> tuple[str, ...]:
    """Every secret that stands in the environment or in the file, to be kept out of logs."""
    found = {value for name, value in os.environ.items() if name.startswith(PREFIX)}
    with suppress(Conflict):
        for values in _read_file(settings).values():
            found.update(value for name, value in values.items() if name != "user")
    return tuple(sorted(value for value in found if value))


def variable(source: str, name: str) -> str:
    """Name of the environment variable of a secret."""
    return f"{PREFIX}{source.upper().replace('-', '_').replace('.', '_')}_{name.upper()}"


def _find(settings: Settings, source: str, name: str) -> tuple[str, Place | None]:
    if value := os.environ.get(variable(source, name)):
        return value, Place.ENVIRONMENT
    if value := _from_keyring(source, name):
        return value, Place.KEYRING
    value = _read_file(settings).get(source, {}).get(name, "")
    return value, Place.FILE if value else None


def _read_file(settings: Settings) -> dict[str, dict[str, str]]:
    path = secret_file(settings)
    try:
        with path.open(encoding="utf-8") as handle:
            if os.fstat(handle.fileno()).st_mode & OTHERS:
                raise Conflict(
                    f"Others can read the secrets in '{path}': run 'chmod 600 {path}', and change "
                    "the passwords if others were there."
                )
            told: dict[str, dict[str, str]] = json.load(handle)
            return told
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Conflict(f"'{path}' holds no JSON: remove it, and set the secrets again.") from error


def _write_file(settings: Settings, known: Mapping[str, Mapping[str, str]]) -> None:
    """Write the file anew; at no time can others read it."""
    path = secret_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        json.dump(known, handle, indent=1, sort_keys=True)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


def _from_keyring(source: str, name: str) -> str:
    import keyring
    from keyring.errors import KeyringError, NoKeyringError

    try:
        return keyring.get_password(SERVICE, f"{source}/{name}") or ""
    except NoKeyringError:
        return ""
    except KeyringError as error:
        raise _locked(error) from error


def _keep_in_keyring(source: str, values: Mapping[str, str]) -> None:
    import keyring
    from keyring.errors import KeyringError

    try:
        for name, value in values.items():
            keyring.set_password(SERVICE, f"{source}/{name}", value)
    except KeyringError as error:
        raise _locked(error) from error


def _forget_in_keyring(source: str) -> bool:
    import keyring

    found = [name for name in FIELDS if _from_keyring(source, name)]
    for name in found:
        keyring.delete_password(SERVICE, f"{source}/{name}")
    return bool(found)


def _locked(error: Exception) -> ServiceUnavailable:
    return ServiceUnavailable(
        f"The keyring cannot be used ({type(error).__name__}): unlock it, or keep the secret in "
        "'file'."
    )
