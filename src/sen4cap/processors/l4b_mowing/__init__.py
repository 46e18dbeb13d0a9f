"""Mowing of grassland per parcel (L4B): see README.md beside this file."""

from __future__ import annotations

from sen4cap.domain import Product, ProductType
from sen4cap.processing import Context, Processor, Step
from sen4cap.processors.l4b_mowing.params import ID, VERSION, MowingParams
from sen4cap.processors.l4b_mowing.steps import select


def run(ctx: Context, params: MowingParams, step: Step) -> Product:
    """The mowing product of the season; see `sen4cap.processors.l4b_mowing.run`."""
    from sen4cap.processors.l4b_mowing.run import run as find

    return find(ctx, params, step)


processor = Processor(
    id=ID,
    version=VERSION,
    aliases=("l4b",),
    title="Mowing",
    description="When each grassland parcel was mown, as intervals of days, from its markers over "
    "the season, and whether that is what its crop demands.",
    category="L4B",
    params=MowingParams,
    consumes=(ProductType.MARKERS,),
    produces=ProductType.L4B,
    needs_parcels=True,
    needs_lut=True,
    select=select,
    run=run,
)

__all__ = ["processor"]
