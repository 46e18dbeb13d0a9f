"""Composites: indices and variables of a period, from all its acquisitions. See README.md."""

from __future__ import annotations

from functools import reduce

from sen4cap.domain import Product, ProductType
from sen4cap.processing import Context, Processor, Step
from sen4cap.processing.period import period_of
from sen4cap.processors.l3_composite.params import CompositeParams
from sen4cap.processors.l3_composite.steps import select


def run(ctx: Context, params: CompositeParams, step: Step) -> Product:
    """Write the composites of one grid and period; all files appear together, or none does."""
    from sen4cap.geo.footprint import widened
    from sen4cap.processors.l3_composite import rasters

    first, last = period_of(step.slot)
    days = (f"{instant.astimezone(ctx.site.zone):%Y%m%d}" for instant in (first, last))
    grid = step.inputs[0].grid
    tag = f"V{'_'.join(days)}_T{grid}_r{step.revision[:8]}"
    name = f"SEN4CAP_L3COMP_PRD_S{ctx.site.short_name}_{tag}"
    assets, found = rasters.write(ctx, params, step, name, tag)
    return Product(
        name=name,
        site=ctx.site.short_name,
        type=ProductType.COMPOSITE,
        grid=grid,
        season=ctx.season.name,
        start=first,
        end=last,
        revision=step.revision,
        assets=assets,
        footprint=reduce(widened, [item.footprint for item in step.inputs]),
        processor=processor.tag,
        parents=tuple(item.name for item in step.inputs),
        properties={"method": params.method.value, "period": params.period.value, **found},
    )


processor = Processor(
    id="l3_composite",
    version="1",
    title="Composites",
    description="Indices and variables of a month, a dekad or some days on each grid: weighted "
    "mean, best or greatest value of each pixel, with the number of its valid dates.",
    category="L3 composite",
    params=CompositeParams,
    consumes=(ProductType.L3B,),
    produces=ProductType.COMPOSITE,
    needs_parcels=False,
    select=select,
    run=run,
)
