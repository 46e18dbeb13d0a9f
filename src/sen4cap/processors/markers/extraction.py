"""Extraction of one acquisition: only what is new or changed since the marker product before.

For each marker a product remembers from which raster, for which parcels and how it was extracted.
The next product of the slot compares: the same raster and settings leave only new and changed
parcels to do, anything else all. A raster that is gone leaves the rows as they are; readers see
by the hash of the geometry which of them are of an earlier one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sen4cap.domain import Asset, Grid, Product
from sen4cap.geo.coverage import CoverageIndex
from sen4cap.geo.raster import grid_of
from sen4cap.geo.zonal import Statistics, parcel_statistics
from sen4cap.processing import Context
from sen4cap.processing.classification import OBSERVED_CLASSES
from sen4cap.processing.marker_table import MarkerTable
from sen4cap.processors.markers import Layer
from sen4cap.processors.markers.homes import Homes

PARQUET = "application/vnd.apache.parquet"
CARRIED = ("platform", "constellation", "sat:relative_orbit", "sat:orbit_state")
ORBIT = "sat:relative_orbit"


@dataclass(frozen=True)
class Extraction:
    """What one step extracts."""

    layers: tuple[Layer, ...]
    """At least one, all of one grid and acquisition."""
    buffer: float
    """Rim that is left out, metres."""
    processor: str
    """Short name and version."""
    tag: str
    """Acquisition and grid, as in names of files. With the generation a file's name is what its
    rows stand for: a step that ended before it was recorded is overwritten by the next."""
    previous: Product | None
    """The marker product that stands in the slot."""


@dataclass(frozen=True)
class State:
    """How the rows of a marker that stand in the table were extracted."""

    raster: str
    """Revision of the raster product."""
    homes: str
    """Key of the homes: which parcels, with which geometries."""
    buffer: float
    processor: str
    generation: int
    """Highest generation of the rows."""


@dataclass(frozen=True)
class Work:
    """A layer with what is to be done for it."""

    layer: Layer
    state: State
    """As it will be."""
    since: str | None
    """Key of the homes whose rows are still good; None is to extract all parcels."""


def extract(ctx: Context, task: Extraction) -> tuple[tuple[Asset, ...], dict[str, Any]]:
    """Append the rows of one acquisition; assets and properties of its marker product.

    Raises
    ------
    UnreadableFile
        If a raster that was never extracted is missing, or one is damaged.
    NoInput
        If the season has no parcels, or the site not this grid.
    """
    table = MarkerTable(ctx.folder("s4c_mdb1", ctx.season.name))
    homes = Homes(ctx, task.layers[0].product.grid)
    before = _states(task.previous)
    gone = [item for item in task.layers if item.marker in before and not _exists(item)]
    work = [_work(item, task, homes, before) for item in task.layers if item not in gone]
    frames = _frames(ctx, task, homes, work)
    states = before | {item.layer.marker: _after(item, frames, before) for item in work}
    for marker, frame in frames.items():
        table.append(marker, frame, name=f"{task.tag}_g{states[marker].generation}")
    markers = [item.marker for item in task.layers]
    return _assets(table, markers), {
        **_acquisition(task.layers),
        **_gone(table, gone, homes),
        "markers": markers,
        "parcels": homes.current.height,
        "parcel_set_version": ctx.parcels.version,
        "rows": {marker: frame.height for marker, frame in sorted(frames.items())},
        "generation": max(states[marker].generation for marker in markers),
        "extraction": {marker: asdict(states[marker]) for marker in sorted(states)},
    }


def _assets(table: MarkerTable, markers: Iterable[str]) -> tuple[Asset, ...]:
    """The folder of each marker: the files in it change names when they are compacted."""
    folders = {marker: table.root / marker for marker in markers}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    return tuple(Asset(name, str(path), media_type=PARQUET) for name, path in folders.items())


def _states(previous: Product | None) -> dict[str, State]:
    stored = previous.properties.get("extraction", {}) if previous else {}
    return {marker: State(**values) for marker, values in stored.items()}


def _exists(layer: Layer) -> bool:
    hrefs = [item.href for item in (layer.asset, layer.mask) if item]
    return all("://" in href or Path(href).exists() for href in hrefs)


def _work(layer: Layer, task: Extraction, homes: Homes, before: Mapping[str, State]) -> Work:
    old = before.get(layer.marker)
    generation = 0 if old is None else old.generation + 1
    new = State(layer.product.revision, homes.key, task.buffer, task.processor, generation)
    if old is None or replace(new, homes=old.homes, generation=old.generation) != old:
        return Work(layer, new, None)
    return Work(layer, new, old.homes)


def _after(work: Work, frames: Mapping[str, pl.DataFrame], before: Mapping[str, State]) -> State:
    """State once the rows are there; without new rows the generation stays."""
    old = before.get(work.layer.marker)
    if old is None or work.layer.marker in frames:
        return work.state
    return replace(work.state, generation=old.generation)


def _frames(
    ctx: Context, task: Extraction, homes: Homes, work: Sequence[Work]
) -> dict[str, pl.DataFrame]:
    """New rows by marker, where there are some; each scene classification is read once a grid."""
    frames = {}
    todo = {item.since: _to_extract(homes, item.since) for item in work}
    groups = _groups(homes.grid, [item for item in work if len(todo[item.since])])
    for number, ((raster, _, since), items) in enumerate(groups.items()):
        index = _restricted(homes.coverage(raster, task.buffer), todo[since])

        def told(share: float, message: str, done: int = number) -> None:
            ctx.progress((done + share) / len(groups), message)

        statistics = parcel_statistics(
            index,
            raster,
            [item.layer.asset for item in items],
            mask=items[0].layer.mask,
            valid_codes=OBSERVED_CLASSES,
            cores=ctx.cores,
            progress=told,
        )
        for item in items:
            rows = _rows(item, task, index, statistics[item.layer.asset.name])
            if rows.height:
                frames[item.layer.marker] = rows
    return frames


def _groups(grid: str, work: Iterable[Work]) -> dict[tuple[Grid, str, str | None], list[Work]]:
    """Work by raster grid, product and what is done already."""
    groups = defaultdict(list)
    for item in work:
        raster = grid_of(item.layer.asset.href, grid)
        groups[raster, item.layer.product.name, item.since].append(item)
    return dict(groups)


def _to_extract(homes: Homes, since: str | None) -> pl.Series:
    """Parcels that are new or have another geometry than `since`."""
    earlier = None if since is None else homes.earlier(since)
    if earlier is None:
        return homes.current["parcel"]
    return homes.current.join(earlier, on=["parcel", "geom_hash"], how="anti")["parcel"]


def _restricted(index: CoverageIndex, parcels: pl.Series) -> CoverageIndex:
    keep = np.isin(index.parcels, parcels.to_numpy())
    return index if keep.all() else index.take(keep)


def _rows(work: Work, task: Extraction, index: CoverageIndex, found: Statistics) -> pl.DataFrame:
    """Rows of one marker; a count of 0 is kept only where it takes an older row back."""
    product = work.layer.product
    rows = pl.DataFrame(
        {
            "parcel": index.parcels,
            "geom_hash": index.hashes.tolist(),
            "mean": found.mean,
            "stdev": found.stdev,
            "count": found.count,
            "valid_fraction": found.valid_fraction,
        }
    ).with_columns(
        time=product.start,
        grid=pl.lit(product.grid),
        orbit=pl.lit(_acquisition(task.layers).get(ORBIT), pl.Int16()),
        generation=work.state.generation,
        product=pl.lit(product.name),
        revision=pl.lit(product.revision[:8]),
    )
    return rows if work.state.generation else rows.filter(pl.col("count") > 0)


def _acquisition(layers: Iterable[Layer]) -> dict[str, Any]:
    """Properties that the products of one acquisition share."""
    found = [item.product.properties for item in layers]
    return {key: values[key] for values in found for key in CARRIED if key in values}


def _gone(table: MarkerTable, gone: Sequence[Layer], homes: Homes) -> dict[str, Any]:
    """That rasters are gone, and how many parcels have rows of an earlier geometry since."""
    if not gone:
        return {}
    instant = gone[0].product.start
    rows = [
        table.read(item.marker, homes.current, instant, instant + timedelta(microseconds=1))
        for item in gone
    ]
    stale = pl.concat(rows).filter("stale")["parcel"].n_unique()
    return {"raster": "gone", "stale": stale}
