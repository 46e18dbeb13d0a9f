"""Products: take in rasters from a folder, look things up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sen4cap.app.lpis import place
from sen4cap.app.system import System
from sen4cap.domain import Product, ProductType, Site
from sen4cap.errors import EmptyLayer, InputRefused, NotFound
from sen4cap.processing import Progress, no_progress

if TYPE_CHECKING:
    from sen4cap.domain.found import Found, Skipped


@dataclass(frozen=True)
class Ingested:
    """What came of a folder."""

    made: tuple[Product, ...]
    standing: int
    """Products that were there already, unchanged."""
    skipped: tuple[Skipped, ...]


def ingest(
    system: System,
    site: str,
    folder: Path,
    *,
    pattern: str | None = None,
    grid: str | None = None,
    bands: Sequence[str] = (),
    scale: float | None = None,
    offset: float | None = None,
    keep_going: bool = False,
    progress: Progress = no_progress,
) -> Ingested:
    """Take the rasters of a folder into the catalog, where they lie.

    `scale` and `offset` (physical units) are the user's word where the files contradict
    themselves. With `keep_going` a product that cannot be used is left out with its reason;
    without, it refuses the folder.

    Raises
    ------
    InputRefused
        If the folder or one of its products cannot be used; nothing is recorded.
    """
    from sen4cap.domain.found import Found, Skipped
    from sen4cap.sources import discover

    where = system.store.sites.get(site)
    discovered = discover(
        folder,
        pattern=pattern,
        grid=grid,
        bands=bands,
        keep_going=keep_going,
        progress=lambda share, name: progress(0.5 * share, name),
    )
    found = [item for item in discovered if isinstance(item, Found)]
    skipped = [item for item in discovered if isinstance(item, Skipped)]
    products: list[tuple[Found, Product]] = []
    for number, item in enumerate(found):
        progress(0.5 + 0.5 * number / len(found), item.name)
        try:
            products.append((item, _product(where, item, scale, offset)))
        except InputRefused as error:
            if not keep_going:
                raise
            skipped.append(Skipped(item.path, str(error)))
    if not products:
        raise EmptyLayer(f"Nothing in '{folder}' can be used; the first: {skipped[0].reason}")
    return _recorded(system, site, products, skipped)


def _product(site: Site, found: Found, scale: float | None, offset: float | None) -> Product:
    from sen4cap.acquisition import dark_pixels, radiometry_of, to_product
    from sen4cap.sources import check_meets

    if site.footprint is not None:
        check_meets(found, site.footprint)
    decided = radiometry_of(found, dark_pixels(found), scale=scale, offset=offset)
    return to_product(found, site.short_name, decided)


def _recorded(
    system: System,
    site: str,
    products: Sequence[tuple[Found, Product]],
    skipped: Sequence[Skipped],
) -> Ingested:
    before = system.store.grids.all(site)
    for found, _ in products:
        system.store.grids.add(site, found.grid)
    standing = {item.name for item in system.store.products.search(site)}
    made = tuple(product for _, product in products if product.name not in standing)
    system.store.products.commit(made)
    if system.store.grids.all(site) != before:
        for year in sorted({season.year for season in system.store.seasons.all(site)}):
            place(system, site, year)
    return Ingested(made, len(products) - len(made), tuple(skipped))


def search(system: System, site: str, kind: str | None = None) -> list[Product]:
    """Current products of a site, by time; of one type, if it is named.

    Raises
    ------
    NotFound
        If there is no such site or type.
    """
    system.store.sites.get(site)
    if kind is not None and kind not in set(ProductType):
        raise NotFound(f"There is no product type '{kind}'; there are: {', '.join(ProductType)}.")
    types = () if kind is None else (ProductType(kind),)
    return system.store.products.search(site, types=types)


def get_product(system: System, name: str) -> Product:
    """The product of a name.

    Raises
    ------
    NotFound
        If there is none.
    """
    return system.store.products.get(name)


def item_of(product: Product) -> dict[str, Any]:
    """The product as a STAC Item, JSON values."""
    from sen4cap.catalog import to_dict

    return to_dict(product)
