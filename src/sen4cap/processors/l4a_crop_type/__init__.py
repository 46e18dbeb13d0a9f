"""Crop type per parcel (L4A): see README.md beside this file."""

from sen4cap.domain import ProductType
from sen4cap.processing import Processor
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.processors.l4a_crop_type.run import ID, VERSION, run
from sen4cap.processors.l4a_crop_type.steps import select

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
)

__all__ = ["processor"]
