"""Configuration: what can be set, what is set, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sen4cap.app.system import System, declarations, full_key
from sen4cap.domain import ConfigEntry, ConfigMetadata
from sen4cap.errors import InvalidParameter, NotFound
from sen4cap.processing import as_text, config_key, parameters_of, validate
from sen4cap.processing.params import P


def describe(system: System, prefix: str = "") -> list[tuple[ConfigMetadata, ConfigEntry]]:
    """Every declared key with the value that holds for all sites."""
    entries = {
        entry.key: entry
        for entry in system.store.config.entries(prefix=prefix)
        if entry.site is None
    }
    return [(row, entries[row.key]) for row in system.store.config.metadata(prefix)]


def get_value(system: System, key: str, site: str | None = None) -> str:
    """The value that holds for a site, or for all.

    Raises
    ------
    NotFound
        If there is no such key.
    """
    values = system.store.config.values(site=site, prefix=key)
    if key not in values:
        raise NotFound(f"There is no configuration key '{key}': see 'sen4cap config list'.")
    return values[key]


def set_value(system: System, key: str, value: str, site: str | None = None) -> str:
    """Set a value for a site or for all; returns it as stored.

    Raises
    ------
    InvalidParameter
        If it is of the wrong type or out of bounds.
    NotFound
        If there is no such key or site.
    """
    if site is not None:
        system.store.sites.get(site)
    stored = _checked(key, value)
    system.store.config.set(key, stored, site)
    return stored


def unset_value(system: System, key: str, site: str | None = None) -> str:
    """Go back to the value for all sites, or to the declared default; returns what holds then.

    Raises
    ------
    NotFound
        If there is no such key or site.
    """
    get_value(system, key, site)
    system.store.config.unset(key, site)
    return get_value(system, key, site)


def validated(owner: str, params: type[P], values: Mapping[str, Any]) -> P:
    """Parameters from values by key, as `validate`; a refusal names the full key.

    Raises
    ------
    InvalidParameter
        For the first value that is unknown, of the wrong type or out of bounds.
    """
    try:
        return validate(owner, params, values)
    except InvalidParameter as error:
        raise InvalidParameter(
            str(error).replace(config_key(owner, ""), full_key(owner, ""))
        ) from error


def _checked(key: str, value: str) -> str:
    for owner, _category, params in declarations():
        for declared in parameters_of(params):
            if key == full_key(owner, declared.key):
                valid = validated(owner, params, {declared.key: value})
                return as_text(getattr(valid, declared.name))
    if not key:
        raise InvalidParameter("A configuration key is needed.")
    raise NotFound(f"There is no configuration key '{key}': see 'sen4cap config list'.")
