"""Records of scenes in the catalog: one slot for each kind of product that is to come of a pass.

Backscatter and coherence of one burst, or levels 1C and 2A of one tile, are of the same place and
instant. What is not the first of a sensor carries its kind behind the place.
"""

from __future__ import annotations

from dataclasses import replace

from sen4cap.domain import Product, ProductType
from sen4cap.domain.scene import Scene, scene_of

_FIRST = (ProductType.L2A, ProductType.S1_AMP)


def record_of(scene: Scene, site: str) -> Product:
    """The record of a scene at a site (its short name)."""
    return replace(scene.as_product(site), grid=f"{scene.place}{_ending(scene.kind)}")


def recorded(record: Product) -> Scene:
    """The scene that a record stands for."""
    scene = scene_of(record)
    return replace(scene, place=record.grid.removesuffix(_ending(scene.kind)))


def _ending(kind: ProductType) -> str:
    return "" if kind in _FIRST else f".{kind}"
