"""What the products of one acquisition have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sen4cap.domain import Product

CARRIED = ("platform", "constellation", "sat:relative_orbit", "sat:orbit_state")


def acquisition_properties(products: Iterable[Product]) -> dict[str, Any]:
    """STAC properties that a product takes over from those of the same acquisition it is made of.

    Where they differ, the last one's.
    """
    found = [product.properties for product in products]
    return {key: values[key] for values in found for key in CARRIED if key in values}
