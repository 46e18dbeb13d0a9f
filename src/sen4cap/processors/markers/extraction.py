"""Extraction of one acquisition: only what does not stand in the marker table already.

The table itself says what was extracted: a parcel is done if its newest row at this acquisition
is of its present geometry and of the present raster and settings. That stays true when parcels,
parameters or rasters change and change back, when a product of the same name stands in the
catalog from before, and when a step ended between its rows and its record. New rows are of a
generation above all that are there, so that they stand.

A parcel in which nothing was ever seen has no row. What a product remembers answers for it: that
from a raster, with these settings, all of these parcels were extracted. As long as the table has no
row of the parcel that is true for ever, whenever the product was made.

A raster that is gone leaves the rows as they are; readers see by the hash of the geometry which
of them are of an earlier one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.domain import Asset, Grid, PixelRule, Product, ProductType, finest, revision_of
from sen4cap.geo.coverage import CoverageIndex
from sen4cap.geo.raster import grid_of
from sen4cap.geo.zonal import (
    Compute,
    Places,
    Statistics,
    Values,
    Visible,
    parcel_statistics,
)
from sen4cap.processing import Context, Progress
from sen4cap.processing.acquisition import acquisition_properties
from sen4cap.processing.marker_table import MarkerTable
from sen4cap.processors.markers.homes import Homes
from sen4cap.processors.markers.layers import Layer, Pixels, Variable

PARQUET = "application/vnd.apache.parquet"
ORBIT = "sat:relative_orbit"
RADAR = (ProductType.S1_AMP, ProductType.S1_COHE)


@dataclass(frozen=True)
class Extraction:
    """What one step extracts."""

    layers: tuple[Layer, ...]
    """At least one, all of one grid and acquisition."""
    rule: PixelRule
    statistics: tuple[str, ...]
    """Columns of the statistics beyond mean, deviation and valid pixels."""
    quantiles: Mapping[str, float]
    """Shares of those of them that are quantiles."""
    processor: str
    """Short name and version."""
    tag: str
    """Acquisition and grid, as in names of files."""
    previous: Product | None
    """The marker product that stands in the slot."""


@dataclass(frozen=True)
class State:
    """That all of these parcels were extracted from this raster in this way."""

    raster: str
    """Revision of the raster product."""
    homes: str
    """Key of the homes: which parcels, with which geometries."""
    buffer: float
    processor: str
    dilation: float = 0.0
    """Of clouds, metres; 0 where the raster is masked already."""
    settings: str = ""
    """Pixel rule, averaging and further statistics, in words."""

    @property
    def revision(self) -> str:
        """8 hex digits for all but the parcels, as in the rows."""
        how = self.buffer, self.processor, self.dilation, self.settings
        return revision_of(self.raster, *how)[:8]


@dataclass(frozen=True)
class Work:
    """A layer with what is to be done for it."""

    layer: Layer
    state: State
    """As it will be."""
    todo: NDArray[np.int64]
    """Parcels to extract, sorted."""
    known: pl.Series
    """Parcels that have a row in the table."""
    generation: int
    """Of the new rows: above those in the table."""


def extract(ctx: Context, task: Extraction) -> tuple[tuple[Asset, ...], dict[str, Any]]:
    """Append the rows of one acquisition; assets and properties of its marker product.

    Raises
    ------
    UnreadableFile
        If a raster that was never extracted is missing, or one is damaged.
    NoInput
        If the season has no parcels, or the site not this grid.
    """
    table = MarkerTable.of(ctx.archive, ctx.season)
    first = task.layers[0].product
    homes = Homes(ctx, first.grid, first.type in RADAR)
    before = _states(task.previous)
    gone = [item for item in task.layers if item.marker in before and not _exists(item)]
    work = [_work(table, item, task, homes, before) for item in task.layers if item not in gone]
    written = {}
    for item, rows in _extracted(ctx, task, homes, work):
        if rows.height:
            table.append(item.layer.marker, rows, name=f"{task.tag}_g{item.generation}")
            written[item.layer.marker] = rows.height
    states = before | {item.layer.marker: item.state for item in work}
    markers = [item.marker for item in task.layers]
    return _assets(table, markers), {
        **acquisition_properties(item.product for item in task.layers),
        **_gone(table, gone, homes),
        "markers": markers,
        "parcels": homes.current.height,
        "parcel_set_version": ctx.parcels.version,
        "rows": dict(sorted(written.items())),
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
    masks = layer.validity.masks if layer.validity else ()
    hrefs = [item.href for item in (*layer.assets, *masks)]
    return all("://" in href or Path(href).exists() for href in hrefs)


def _work(
    table: MarkerTable, layer: Layer, task: Extraction, homes: Homes, before: Mapping[str, State]
) -> Work:
    product = layer.product
    dilation = layer.validity.dilation if layer.validity else 0.0
    settings = " ".join(filter(None, (task.rule, layer.setting, *task.statistics)))
    how = layer.buffer, task.processor, dilation, settings
    state = State(product.revision, homes.key, *how)
    rows = table.standing(layer.marker, product.start, product.grid)
    stand = rows.filter(pl.col("revision") == state.revision)
    unseen = _remembered(homes, before.get(layer.marker), state).join(rows, on="parcel", how="anti")
    key = ["parcel", "geom_hash"]
    todo = homes.current.join(stand, on=key, how="anti").join(unseen, on=key, how="anti")
    generation = max(rows["generation"], default=-1) + 1
    return Work(layer, state, todo["parcel"].to_numpy(), rows["parcel"], generation)


def _remembered(homes: Homes, old: State | None, new: State) -> pl.DataFrame:
    """Parcels and geometries that were extracted from the same raster in the same way before."""
    nothing = homes.current.clear()
    if old is None or old.revision != new.revision:
        return nothing
    earlier = homes.earlier(old.homes)
    return nothing if earlier is None else earlier


def _extracted(
    ctx: Context, task: Extraction, homes: Homes, work: Sequence[Work]
) -> Iterator[tuple[Work, pl.DataFrame]]:
    """New rows of each marker that has parcels to do; each raster is read once."""
    groups = _groups(homes.grid, [item for item in work if len(item.todo)])
    for number, items in enumerate(groups):

        def told(share: float, message: str, done: int = number) -> None:
            ctx.progress((done + share) / len(groups), message)

        index, statistics = _read(ctx, task, homes, items, told)
        for item in items:
            found = [statistics[variable.name] for variable in item.layer.variables]
            derive = item.layer.derive
            yield item, _rows(item, task, index, derive(*found) if derive else found[0])


def _read(
    ctx: Context,
    task: Extraction,
    homes: Homes,
    items: Sequence[Work],
    progress: Progress,
) -> tuple[CoverageIndex, dict[str, Statistics]]:
    """Statistics of all variables of some work, in one reading."""
    first = items[0]
    raster = _raster(first.layer, homes.grid)
    index = homes.coverage(raster, first.layer.buffer, task.rule)
    index = _restricted(index, first.todo)
    variables = {item.name: item for work in items for item in work.layer.variables}
    assets = {asset.name: asset for item in variables.values() for asset in item.assets}
    statistics = parcel_statistics(
        index,
        raster,
        [assets[name] for name in sorted(assets)],
        visible=_visible(first.layer, raster),
        compute=_compute(raster, tuple(variables.values())),
        quantiles=tuple(task.quantiles.values()),
        cores=ctx.cores,
        progress=progress,
    )
    return index, statistics


def _compute(raster: Grid, variables: Sequence[Variable]) -> Compute | None:
    """What makes the variables; None where all are rasters that are taken as they are."""
    if not any(item.make for item in variables):
        return None

    def made(values: Values, places: Places) -> Values:
        pixels = Pixels(values, raster, places)
        return {
            item.name: item.make(pixels) if item.make else values[item.assets[0].name]
            for item in variables
        }

    return made


def _visible(layer: Layer, raster: Grid) -> Visible | None:
    validity = layer.validity
    if validity is None:
        return None
    margin = validity.margin(raster)
    return Visible(validity.masks, partial(validity.observed, margin=margin), margin)


def _groups(grid: str, work: Iterable[Work]) -> list[list[Work]]:
    """Work that can be done in one reading: of equal raster grid, product, rim and parcels."""
    groups = defaultdict(list)
    for item in work:
        layer = item.layer
        key = _raster(layer, grid), layer.product.name, layer.buffer, item.todo.tobytes()
        groups[key].append(item)
    return list(groups.values())


def _raster(layer: Layer, name: str) -> Grid:
    """The finest grid of the rasters that a layer reads."""
    return finest(grid_of(asset.href, name) for asset in layer.assets)


def _restricted(index: CoverageIndex, parcels: NDArray[np.int64]) -> CoverageIndex:
    keep = np.isin(index.parcels, parcels)
    return index if keep.all() else index.take(keep)


def _rows(work: Work, task: Extraction, index: CoverageIndex, found: Statistics) -> pl.DataFrame:
    """Rows of one marker; a count of 0 is kept only where it takes an older row back."""
    product = work.layer.product
    further = {"min": found.low, "max": found.high}
    further |= {name: found.quantiles[share] for name, share in task.quantiles.items()}
    rows = pl.DataFrame(
        {
            "parcel": index.parcels,
            "geom_hash": index.hashes.tolist(),
            "mean": found.mean,
            "stdev": found.stdev,
            "count": found.count,
            "valid_fraction": found.valid_fraction,
        }
        | {name: further[name] for name in task.statistics},
        nan_to_null=True,
    ).with_columns(
        time=product.start,
        grid=pl.lit(product.grid),
        orbit=pl.lit(_orbit(task), pl.Int16()),
        generation=work.generation,
        product=pl.lit(product.name),
        revision=pl.lit(work.state.revision),
    )
    seen_or_known = (pl.col("count") > 0) | pl.col("parcel").is_in(work.known.implode())
    return rows.filter(seen_or_known)


def _orbit(task: Extraction) -> int | None:
    """Relative orbit of the acquisition; None where unknown."""
    found: int | None = acquisition_properties(item.product for item in task.layers).get(ORBIT)
    return found


def _gone(table: MarkerTable, gone: Sequence[Layer], homes: Homes) -> dict[str, Any]:
    """That rasters are gone, and how many parcels have rows of an earlier geometry since."""
    if not gone:
        return {}
    instant = pl.DataFrame({"time": [gone[0].product.start]})
    parcels = homes.current.with_columns(grid=pl.lit(homes.grid))
    rows = [table.read(item.marker, parcels, instant) for item in gone]
    stale = pl.concat(rows).filter("stale")["parcel"].n_unique()
    return {"raster": "gone", "stale": stale}
