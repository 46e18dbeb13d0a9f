"""What there is to do: one step over all markers of the season."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sen4cap.domain import Product, ProductType, slot_of
from sen4cap.processing import Scope, Step
from sen4cap.processors.l4a_crop_type.params import CropTypeParams


def select(_params: CropTypeParams, scope: Scope, products: Sequence[Product]) -> Sequence[Step]:
    """One step for the season up to its scope's end, or none where it has no markers.

    The period of the slot ends with the last second of the scope: maps up to different days stand
    beside each other.
    """
    inputs = [
        product
        for product in products
        if product.type == ProductType.MARKERS
        and (product.site, product.season) == (scope.site, scope.season)
        and scope.start <= product.start < scope.end
    ]
    if not inputs:
        return ()
    last = scope.end - timedelta(seconds=1)
    slot = slot_of(scope.site, ProductType.L4A, "", scope.start, last, scope.season)
    return (Step(tuple(sorted(inputs, key=lambda product: product.name)), slot),)
