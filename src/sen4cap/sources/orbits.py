"""Orbits: relative numbers from absolute ones, and the direction of a pass."""

from __future__ import annotations

from datetime import date, datetime

_CYCLES = {
    "sentinel-1a": (73, 175),
    "sentinel-1b": (27, 175),
    "sentinel-1d": (42, 175),
    "sentinel-2a": (-2, 143),
    "sentinel-2b": (27, 143),
}
"""Absolute number of an orbit whose relative one is 1, and the orbits of a cycle. Checked against
product metadata, but for Sentinel-1C and 1D, whose counts are those of public readers."""
_MOVED = ((date(2026, 6, 9), 172), (date(2026, 6, 23), 99))
"""Sentinel-1C changed its place in the orbit: the count up to a day, and that from a day on."""


def relative_orbit(platform: str, absolute: int, day: date) -> int | None:
    """Relative orbit of an absolute one; None where the platform's count is not known here."""
    first, cycle = _CYCLES.get(platform, (None, 175))
    if platform == "sentinel-1c":
        (until, before), (since, after) = _MOVED
        first = before if day < until else after if day > since else None
    return None if first is None else (absolute - first) % cycle + 1


def direction_of(start: datetime, longitude: float) -> str:
    """Direction of a pass of Sentinel-1 from its local solar time.

    Its plane holds to dawn and dusk: it goes south in the morning and north in the evening.
    """
    hour = (start.hour + start.minute / 60 + longitude / 15) % 24
    return "descending" if hour < 12 else "ascending"


def platform_of(text: str) -> str:
    """`sentinel-2a` of `SENTINEL2A`, `S2A` or `Sentinel-2A`; `landsat-8` of `LANDSAT_8`."""
    plain = text.strip().lower().replace("_", "-")
    for short, long in (("sentinel", "sentinel-"), ("landsat", "landsat-"), ("s", "sentinel-")):
        if plain.startswith(short):
            return long + plain.removeprefix(short).lstrip("-")
    return plain
