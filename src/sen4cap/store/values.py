"""What a store tells about parcels, beside the domain's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sen4cap.domain import ParcelSet

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Identities:
    """The numbers that were ever given within a site and year; they are never given again."""

    parcels: pl.DataFrame
    """Columns ori_id, NewID; sorted by NewID."""
    holdings: pl.DataFrame
    """Columns ori_hold, HoldID; sorted by HoldID."""


@dataclass(frozen=True)
class ParcelVersion:
    """One import."""

    parcel_set: ParcelSet
    imported: datetime
    report: Mapping[str, Any]
    """What the import found and did, as JSON."""
    is_current: bool
    rolled_back: bool
