"""What there is to do: one step over the markers of the season that the filters let through."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sen4cap.domain import Product, ProductType, slot_of
from sen4cap.processing import Scope, Step
from sen4cap.processors.l4b_mowing.params import MowingParams, listed

ORBIT, PASS = "sat:relative_orbit", "sat:orbit_state"
PASSES = {"ascending": "ASC", "descending": "DESC"}


def select(params: MowingParams, scope: Scope, products: Sequence[Product]) -> Sequence[Step]:
    """One step for the season up to its scope's end, or none where it has no markers.

    The result is a function of the markers alone, so that a season that is worked on bit by bit
    ends as one that is worked on at once. The period of the slot ends with the last second of the
    scope: products up to different days stand beside each other.
    """
    inputs = [
        product
        for product in products
        if product.type == ProductType.MARKERS
        and (product.site, product.season) == (scope.site, scope.season)
        and scope.start <= product.start < scope.end
        and _is_wanted(params, product)
    ]
    if not inputs:
        return ()
    last = scope.end - timedelta(seconds=1)
    slot = slot_of(scope.site, ProductType.L4B, "", scope.start, last, scope.season)
    return (Step(tuple(sorted(inputs, key=lambda product: product.name)), slot),)


def _is_wanted(params: MowingParams, product: Product) -> bool:
    """Whether the filters let it through: radar by its orbit and pass, the rest by its tile."""
    from sen4cap.processing.marker_table import is_radar

    told = product.properties
    if not any(is_radar(marker) for marker in told.get("markers", ())):
        tiles = listed(params.s2_tiles_list_filter)
        return not tiles or product.grid in tiles
    orbits = {int(item) for item in listed(params.s1_orbit_list_filter)}
    passes = set(listed(params.s1_orbit_type_list_filter))
    direction = PASSES.get(str(told.get(PASS)))
    return (not orbits or told.get(ORBIT) in orbits) and (not passes or direction in passes)
