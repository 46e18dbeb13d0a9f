"""STAC Items as files: finding them, and what of them is on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ITEM_SUFFIXES = frozenset({".json", ".geojson"})

IN_PLACE = "sen4cap:in_place"
"""Property of an item whose rasters are to be read where they lie."""


def documents(folder: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every JSON file below a folder that is a STAC Item, with its content, sorted by path."""
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in ITEM_SUFFIXES):
        document = _load(path)
        if document.get("type") == "Feature" and "stac_version" in document:
            yield path, document


def _load(path: Path) -> Mapping[str, Any]:
    """The JSON object of a file; empty where it holds none, as many a stray file does."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def is_radar(document: Mapping[str, Any]) -> bool:
    """Whether an Item is of Sentinel-1."""
    told = document.get("properties") or {}
    names = (str(told.get(key, "")).lower() for key in ("constellation", "platform"))
    return any(name.startswith("sentinel-1") for name in names)


def is_ours(document: Mapping[str, Any]) -> bool:
    """Whether an Item describes a product of an archive of ours, which is no source of it."""
    return "sen4cap:revision" in (document.get("properties") or {})


def local_path(item: Path, href: str) -> Path | None:
    """Path of a raster on this machine; relative ones start at the item's file."""
    parts = urlsplit(href)
    if parts.scheme not in {"", "file"}:
        return None
    file = Path(unquote(parts.path) if parts.scheme else href)
    return (item.parent / file).resolve()


def location(item: Path, document: Mapping[str, Any], href: str) -> Path | str | None:
    """Where a raster is: a path on this machine, or the URL of one that is read in place.

    URLs count only in items that say so (`IN_PLACE`): what somebody merely copied here from a
    catalogue is not to be read over the network.
    """
    if document.get("properties", {}).get(IN_PLACE) and urlsplit(href).scheme in {"http", "https"}:
        return href
    return local_path(item, href)
