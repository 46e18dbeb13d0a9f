"""Markers: statistics of rasters per parcel and date. See README.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sen4cap.domain import Product, ProductType, slot_of
from sen4cap.processing import Context, Processor, Scope, Step
from sen4cap.processors.markers.params import MarkersParams

__all__ = ["MarkersParams", "finish", "processor", "run", "select"]

CONSUMED = (ProductType.L3B, ProductType.L2A, ProductType.S1_AMP, ProductType.S1_COHE)


def select(params: MarkersParams, scope: Scope, products: Sequence[Product]) -> Sequence[Step]:
    """One step per grid and acquisition of the season that has a wanted raster."""
    from sen4cap.processors.markers.layers import layers

    acquisitions = defaultdict(list)
    for item in sorted(products, key=lambda item: item.name):
        if scope.start <= item.start < scope.end and layers(params, [item]):
            slot = slot_of(
                scope.site, ProductType.MARKERS, item.grid, item.start, item.end, scope.season
            )
            acquisitions[slot].append(item)
    return tuple(Step(tuple(acquisitions[slot]), slot) for slot in sorted(acquisitions))


def run(ctx: Context, params: MarkersParams, step: Step) -> Product:
    """Extract what is new or changed of one acquisition into the marker table of the season."""
    from sen4cap.processing.decoded import decoded
    from sen4cap.processors.markers.extraction import Extraction, extract
    from sen4cap.processors.markers.layers import layers, read_by

    first = step.inputs[0]
    inputs = [decoded(ctx, item, read_by(params, item)) for item in step.inputs]
    tag = f"{first.start:%Y%m%dT%H%M%S}_T{first.grid}"
    wanted = layers(params, inputs)
    task = Extraction(
        wanted,
        params.pixel_rule,
        params.statistics,
        params.quantiles,
        processor.tag,
        tag,
        step.previous,
    )
    assets, properties = extract(ctx, task)
    return Product(
        name=f"SEN4CAP_MDB1_S{ctx.site.short_name}_A{tag}_r{step.revision[:8]}",
        site=ctx.site.short_name,
        type=ProductType.MARKERS,
        grid=first.grid,
        season=ctx.season.name,
        start=first.start,
        end=first.end,
        revision=step.revision,
        assets=assets,
        footprint=first.footprint,
        processor=processor.tag,
        parents=tuple(item.name for item in step.inputs),
        properties=properties,
    )


def finish(ctx: Context, _params: MarkersParams) -> None:
    """Compact the tables of the season, once enough files have arrived."""
    from sen4cap.processing.marker_table import MarkerTable

    table = MarkerTable.of(ctx.archive, ctx.season)
    for marker in table.markers():
        table.compact(marker)


processor = Processor(
    id="s4c_mdb1",
    version="2",
    title="Markers (parcel statistics)",
    description="Mean, standard deviation, valid pixels and more of each index, band, backscatter "
    "and coherence raster per parcel, with exact coverage of the pixels.",
    category="Marker DB",
    params=MarkersParams,
    consumes=CONSUMED,
    produces=ProductType.MARKERS,
    needs_parcels=True,
    select=select,
    run=run,
    finish=finish,
    triggered_by=CONSUMED,
)
