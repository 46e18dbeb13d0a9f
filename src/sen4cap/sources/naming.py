"""What the names of products tell: ESA's Sentinel-1 and -2, USGS's Landsat, OPERA's.

Sources: Sentinel-2 Products Specification Document issue 14, section 3.4 (compact naming);
Sentinel-1 Product Specification, S1-RS-MDA-52-7441, section 3.4.1; Landsat Collection 2 Level 2
Science Product Guide, section 2; OPERA RTC-S1 Product Specification, section 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sen4cap.domain import MGRS_TILE, ProductType
from sen4cap.sources.orbits import relative_orbit

_S2 = re.compile(
    rf"S2(?P<unit>[A-D])_MSI(?P<level>L1C|L2A)_(?P<start>\d{{8}}T\d{{6}})_N(?P<base>\d{{4}})"
    rf"_R(?P<orbit>\d{{3}})_T(?P<tile>{MGRS_TILE})_(?P<made>\d{{8}}T\d{{6}})"
)
_S1 = re.compile(
    r"S1(?P<unit>[A-D])_(?P<mode>IW|EW|S\d)_(?P<level>SLC_|GRDH|GRDM|RTC_)_\d[SA](?P<pol>SH|SV|DH|DV)"
    r"_(?P<start>\d{8}T\d{6})_(?P<end>\d{8}T\d{6})_(?P<absolute>\d{6})_(?P<take>[0-9A-F]{6})"
    r"_(?P<id>[0-9A-F]{4})"
)
_LANDSAT = re.compile(
    r"L[CO]0(?P<unit>[89])_(?P<level>L2SP|L2SR|L1TP)_(?P<place>\d{6})_(?P<start>\d{8})"
    r"_(?P<made>\d{8})_(?P<collection>\d{2})_(?P<tier>T1|T2|RT)"
)
_OPERA = re.compile(
    r"OPERA_L2_RTC-S1_(?P<place>T(?P<orbit>\d{3})-\d{6}-IW\d)_(?P<start>\d{8}T\d{6})Z"
    r"_(?P<made>\d{8}T\d{6})Z_S1(?P<unit>[A-D])_(?P<pixel>\d+)_v(?P<version>[\d.]+)"
)


@dataclass(frozen=True)
class Named:
    """What a name tells."""

    name: str
    kind: ProductType | None
    """L1C, L2A, SLC, backscatter; None where it may be several."""
    platform: str
    """`sentinel-2`, `landsat`, `sentinel-1`."""
    place: str
    """MGRS tile, path and row, burst; empty where the name has none."""
    start: datetime
    """UTC; of the data take for Sentinel-2."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """STAC properties that the name implies."""

    @property
    def orbit(self) -> int | None:
        """Relative orbit."""
        return self.properties.get("sat:relative_orbit")


def read_name(text: str) -> Named | None:
    """What a name tells, with or without file ending; None if it is of no known form."""
    for pattern, build in ((_S2, _s2), (_S1, _s1), (_LANDSAT, _landsat), (_OPERA, _opera)):
        if match := pattern.search(text):
            return build(match)
    return None


def _s2(match: re.Match[str]) -> Named:
    baseline = match["base"]
    properties = {
        "platform": f"sentinel-2{match['unit'].lower()}",
        "constellation": "sentinel-2",
        "sat:relative_orbit": int(match["orbit"]),
        "s2:processing_baseline": f"{baseline[:2]}.{baseline[2:]}",
        "created": _iso(match["made"]),
    }
    kind = ProductType.L2A if match["level"] == "L2A" else ProductType.L1C
    return Named(match[0], kind, "sentinel-2", match["tile"], _instant(match["start"]), properties)


def _s1(match: re.Match[str]) -> Named:
    unit = match["unit"]
    polarisations = {"SH": ["HH"], "SV": ["VV"], "DH": ["HH", "HV"], "DV": ["VV", "VH"]}
    platform, start = f"sentinel-1{unit.lower()}", _instant(match["start"])
    orbit = relative_orbit(platform, int(match["absolute"]), start.date())
    properties: dict[str, Any] = {
        "platform": platform,
        "constellation": "sentinel-1",
        "sar:instrument_mode": match["mode"],
        "sar:polarizations": polarisations[match["pol"]],
        **({} if orbit is None else {"sat:relative_orbit": orbit}),
        "sat:absolute_orbit": int(match["absolute"]),
    }
    kind = ProductType.SLC if match["level"] == "SLC_" else ProductType.S1_AMP
    place = "" if orbit is None else f"R{orbit:03d}"
    return Named(match[0], kind, "sentinel-1", place, start, properties)


def _landsat(match: re.Match[str]) -> Named:
    properties = {
        "platform": f"landsat-{match['unit']}",
        "landsat:collection_category": match["tier"],
        "created": _iso(match["made"] + "T000000"),
    }
    kind = ProductType.L1C if match["level"] == "L1TP" else ProductType.L2A
    start = _instant(match["start"] + "T100000")
    return Named(match[0], kind, "landsat", match["place"], start, properties)


def _opera(match: re.Match[str]) -> Named:
    properties = {
        "platform": f"sentinel-1{match['unit'].lower()}",
        "constellation": "sentinel-1",
        "sat:relative_orbit": int(match["orbit"]),
        "created": _iso(match["made"]),
        "processing:version": match["version"],
    }
    start = _instant(match["start"])
    kind = ProductType.S1_AMP
    return Named(match[0], kind, "sentinel-1", match["place"], start, properties)


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def _iso(text: str) -> str:
    return _instant(text).strftime("%Y-%m-%dT%H:%M:%SZ")
