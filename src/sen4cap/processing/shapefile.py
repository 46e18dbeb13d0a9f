"""Shapefiles of products: each file under its name when complete, the one to open last."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import geopandas as gpd

from sen4cap.geo.shapefile import MOST_BYTES, SUFFIXES, shapefile_bytes, write_shapefile
from sen4cap.processing.context import publish


def publish_shapefile(path: Path, frame: gpd.GeoDataFrame) -> tuple[Path, ...]:
    """Write a shapefile; its files, none where it would be larger than a shapefile can be."""
    if shapefile_bytes(frame) > MOST_BYTES:
        return ()
    path.parent.mkdir(parents=True, exist_ok=True)
    paths = tuple(path.with_suffix(suffix) for suffix in SUFFIXES)
    with TemporaryDirectory(dir=path.parent, prefix=".") as temporary:
        write_shapefile(Path(temporary) / path.name, frame)
        for item in paths:
            publish(Path(temporary) / item.name, item)
    return paths
