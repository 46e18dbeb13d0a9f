"""Crop type per parcel (L4A): see README.md beside this file."""

from __future__ import annotations

from sen4cap.domain import Product, ProductType
from sen4cap.processing import Context, Processor, Step
from sen4cap.processors.l4a_crop_type.params import ID, VERSION, CropTypeParams
from sen4cap.processors.l4a_crop_type.steps import refusal, select


def run(ctx: Context, params: CropTypeParams, step: Step) -> Product:
    """The crop type product of the season; see `sen4cap.processors.l4a_crop_type.run`."""
    from sen4cap.processors.l4a_crop_type.run import run as classify

    return classify(ctx, params, step)


processor = Processor(
    id=ID,
    version=VERSION,
    title="Crop type",
    description="Crop of each parcel from its markers over the season, learnt from the "
    "declarations; every parcel is judged by a model that saw nothing of its surroundings.",
    category="L4A",
    params=CropTypeParams,
    consumes=(ProductType.MARKERS,),
    produces=ProductType.L4A,
    needs_parcels=True,
    needs_lut=True,
    select=select,
    run=run,
    aliases=("l4a",),
    refusal=refusal,
)

__all__ = ["processor"]
