"""What there is to do: one step over all markers of the season, or of some of its grids."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sen4cap.domain import Product, ProductType, slot_of
from sen4cap.processing import Scope, Step
from sen4cap.processors.l4a_crop_type.params import CropTypeParams


def select(params: CropTypeParams, scope: Scope, products: Sequence[Product]) -> Sequence[Step]:
    """One step for the season up to its scope's end, or none where it has no markers.

    The period of the slot ends with the last second of the scope: maps up to different days stand
    beside each other, and so do maps of some grids.
    """
    inputs = [
        product
        for product in _of_season(scope, products)
        if not params.grids or product.grid in params.grids
    ]
    if not inputs:
        return ()
    last = scope.end - timedelta(seconds=1)
    slot = slot_of(
        scope.site, ProductType.L4A, "", scope.start, last, scope.season, variant_of(params)
    )
    return (Step(tuple(sorted(inputs, key=lambda product: product.name)), slot),)


def refusal(params: CropTypeParams, scope: Scope, products: Sequence[Product]) -> str:
    """Why there is nothing to do though there are markers: they are of other grids."""
    there = sorted({product.grid for product in _of_season(scope, products)})
    if not there:
        return ""
    return f"There are no markers on {params.tiles}: they are on {', '.join(there)}."


def variant_of(params: CropTypeParams) -> str:
    """What tells a map of some grids from that of all."""
    return "-".join(sorted(params.grids))


def _of_season(scope: Scope, products: Sequence[Product]) -> list[Product]:
    return [
        product
        for product in products
        if product.type == ProductType.MARKERS
        and (product.site, product.season) == (scope.site, scope.season)
        and scope.start <= product.start < scope.end
    ]
