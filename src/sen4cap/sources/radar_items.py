"""Ready Sentinel-1 backscatter described by STAC Items, as Planetary Computer's sentinel-1-rtc.

Assets `vv` and `vh` hold gamma0 in linear power. Items whose assets lie elsewhere are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sen4cap.domain import ProductType, as_utc
from sen4cap.geo.metadata import instant
from sen4cap.sources.bands import POLARISATIONS
from sen4cap.sources.documents import documents, is_radar, local_path
from sen4cap.sources.orbits import platform_of
from sen4cap.sources.radar_names import Radar, Stored


def of_items(folder: Path) -> Iterator[Radar]:
    """Radar rasters of the STAC Items in or below a folder that are on this machine."""
    for path, document in documents(folder):
        if is_radar(document):
            yield from _rasters(path, document)


def _rasters(path: Path, document: Mapping[str, Any]) -> Iterator[Radar]:
    told = document.get("properties", {})
    when = str(told.get("start_datetime") or told.get("datetime") or "")
    for key, asset in sorted(document.get("assets", {}).items()):
        file = local_path(path, str(asset.get("href", "")))
        if key.upper() in POLARISATIONS and file is not None and file.exists():
            yield Radar(
                path=file,
                kind=ProductType.S1_AMP,
                quantity="gamma0",
                stored=Stored.POWER,
                polarisation=key.upper(),
                start=as_utc(instant(path, when)),
                platform=platform_of(str(told.get("platform", "sentinel-1"))),
                orbit=told.get("sat:relative_orbit"),
                direction=str(told.get("sat:orbit_state", "")).lower(),
            )
