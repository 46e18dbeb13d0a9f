"""Parcel sets and runs of the marker processor, without a system around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from sen4cap.domain import ParcelSet, Product, revision_of
from sen4cap.geo.vector import write_parcels
from sen4cap.processing import Context, Scope
from sen4cap.processors.markers import MarkersParams, processor, select

SCOPE = Scope("s", "2018", datetime(2018, 1, 1, tzinfo=UTC), datetime(2019, 1, 1, tzinfo=UTC))


def parcel_set(
    folder: Path,
    geometries: Sequence[shapely.Geometry],
    crs: str,
    version: int = 1,
    **columns: object,
) -> ParcelSet:
    """A parcel set in EPSG:3035 of geometries in `crs`, NewIDs from 10."""
    projected = gpd.GeoSeries(list(geometries), crs=crs).to_crs("EPSG:3035")
    table = {
        "NewID": np.arange(10, 10 + len(geometries)),
        "geom_hash": [revision_of(item.wkt)[:16] for item in geometries],
        "is_deleted": False,
        "reason": "",
    }
    frame = gpd.GeoDataFrame(table | columns, geometry=projected, crs="EPSG:3035")
    path = folder / f"parcels-v{version}.parquet"
    write_parcels(path, frame)
    digest = revision_of(table["geom_hash"], str(columns))
    return ParcelSet("s", 2018, version, path, digest, len(frame))


def run(
    ctx: Context,
    products: Sequence[Product],
    params: MarkersParams | None = None,
    previous: Product | None = None,
) -> Product:
    """Run the one step that the products of an acquisition make."""
    used = params or MarkersParams()
    (step,) = select(used, SCOPE, products)
    inputs = [(item.name, item.revision) for item in step.inputs]
    revision = revision_of(inputs, used.model_dump(), ctx.parcels.digest)
    return processor.run(ctx, used, replace(step, revision=revision, previous=previous))
