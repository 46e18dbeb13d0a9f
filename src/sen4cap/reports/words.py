"""Numbers and pictures as a page writes them."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence

import pandas as pd


def percent(share: float | None, digits: int = 1) -> str:
    """A share (0-1) in per cent; a dash where it is missing or NaN."""
    if share is None or pd.isna(share) or math.isinf(share):
        return "–"
    return f"{100 * share:.{digits}f} %"


def number(value: float | None, digits: int = 2) -> str:
    """A number with fixed digits; a dash where it is missing or NaN."""
    return "–" if value is None or pd.isna(value) else f"{value:,.{digits}f}"


def within(bounds: Sequence[float] | None) -> str:
    """An interval of a share in per cent; nothing where it is missing."""
    return "" if bounds is None else f"{100 * bounds[0]:.1f}–{100 * bounds[1]:.1f} %"


def data_url(picture: bytes) -> str:
    """A PNG inside the page."""
    return "data:image/png;base64," + b64encode(picture).decode()
