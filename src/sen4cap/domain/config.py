"""Configuration as rows that an operator can read and change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class DataType(StrEnum):
    """Type of a configuration value, as the original names them."""

    BOOL = "bool"
    DATE = "date"
    FLOAT = "float"
    INT = "int"
    FILE = "file"
    DIRECTORY = "directory"
    STRING = "string"
    SELECT = "select"


@dataclass(frozen=True)
class ConfigMetadata:
    """Declaration of one configuration key: a row of `config_metadata`."""

    key: str
    """`processor.s4c_l4a.num-trees`."""
    friendly_name: str
    """Title for people."""
    type: DataType
    default_value: str
    """Declared default as text."""
    description: str = ""
    unit: str = ""
    category: str = "General"
    """Name of its `config_category`."""
    is_advanced: bool = False
    is_site_visible: bool = True
    """Whether a site may have its own value."""
    values: Mapping[str, Any] | None = None
    """Bounds `{"min": …, "max": …}` or `{"allowed_values": [...]}`."""


@dataclass(frozen=True)
class ConfigEntry:
    """One value: a row of `config`."""

    key: str
    value: str
    site: str | None = None
    """Short name of the site; None is for all sites."""
    is_default: bool = True
    """Whether the value is the declared default and may follow it at an upgrade."""
