"""L3B: indices and biophysical variables of one acquisition, as rasters. See README.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sen4cap.domain import Product, ProductType, slot_of
from sen4cap.errors import InputRefused
from sen4cap.processing import Context, Processor, Scope, Step
from sen4cap.processing.acquisition import acquisition_properties
from sen4cap.processors.l3b.params import L3bParams, Resolution, Storage, tile_code

if TYPE_CHECKING:
    from sen4cap.processing.variables import Recipe

__all__ = ["L3bParams", "Resolution", "Storage", "processor", "refusal", "run", "select"]


def select(params: L3bParams, scope: Scope, products: Sequence[Product]) -> Sequence[Step]:
    """One step per L2A product, of the season and the tiles, that gives a wanted variable."""
    return tuple(
        Step((item,), slot_of(scope.site, ProductType.L3B, item.grid, item.start, item.end))
        for item in _sources(params, scope, products)
        if _recipe(params, item).variables
    )


def refusal(params: L3bParams, scope: Scope, products: Sequence[Product]) -> str:
    """What the first L2A product lacks for all that is wanted; empty where there is none."""
    sources = _sources(params, scope, products)
    return _refusal(sources[0], _recipe(params, sources[0])) if sources else ""


def _sources(params: L3bParams, scope: Scope, products: Sequence[Product]) -> list[Product]:
    return [
        item
        for item in sorted(products, key=lambda item: item.name)
        if item.type == ProductType.L2A
        and scope.start <= item.start < scope.end
        and (not params.tiles or tile_code(item.grid) in params.tiles)
    ]


def _recipe(params: L3bParams, product: Product) -> Recipe:
    from sen4cap.processing.variables import recipe_of

    return recipe_of(product, params.wanted, params.model)


def _refusal(product: Product, recipe: Recipe) -> str:
    """Why nothing can be made of a product, and what to do."""
    if not recipe.left_out:
        return "No variable is switched on: set one of processor.l3b.filter.produce_…."
    reasons: dict[str, list[str]] = {}
    for name, why in recipe.left_out.items():
        reasons.setdefault(why, []).append(name)
    told = "; ".join(f"{why} for {', '.join(names)}" for why, names in reasons.items())
    return (
        f"Nothing that is switched on can be made of '{product.name}': {told}. Ingest it with what "
        "is missing, or switch on what needs less (processor.l3b.filter.produce_…)."
    )


def run(ctx: Context, params: L3bParams, step: Step) -> Product:
    """Write the variables of one L2A product; all files appear together, or none does.

    Raises
    ------
    InputRefused
        If none of them is possible.
    """
    from sen4cap.processing.classification import validity_of
    from sen4cap.processing.decoded import decoded
    from sen4cap.processors.l3b import rasters

    (given,) = step.inputs
    recipe = _recipe(params, given)
    if not recipe.variables:
        raise InputRefused(_refusal(given, recipe))
    validity = validity_of(given)
    masks = [mask.name for mask in validity.masks] if validity else []
    source = decoded(ctx, given, {*recipe.bands, *masks})
    tag = f"A{source.start:%Y%m%dT%H%M%S}_T{source.grid}_r{step.revision[:8]}"
    name = f"S2AGRI_L3B_PRD_S{ctx.site.short_name}_{tag}"
    assets, found = rasters.write(ctx, source, recipe, params, name, tag)
    carried = acquisition_properties([source])
    return Product(
        name=name,
        site=ctx.site.short_name,
        type=ProductType.L3B,
        grid=source.grid,
        start=source.start,
        end=source.end,
        revision=step.revision,
        assets=assets,
        footprint=source.footprint,
        processor=processor.tag,
        parents=(source.name,),
        properties={**carried, **found},
    )


processor = Processor(
    id="l3b",
    version="4",
    title="Vegetation indices and LAI",
    description="Spectral indices, LAI, FAPAR and FCOVER of each optical acquisition, masked by "
    "its validity, as cloud-optimised GeoTIFFs.",
    category="L3B",
    params=L3bParams,
    consumes=(ProductType.L2A,),
    produces=ProductType.L3B,
    needs_parcels=False,
    per_season=False,
    select=select,
    refusal=refusal,
    run=run,
    triggered_by=(ProductType.L2A,),
)
