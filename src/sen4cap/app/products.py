"""Products: take in rasters from a folder, look things up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sen4cap.acquisition.supersession import newest as newest_of
from sen4cap.acquisition.supersession import outdated, why_left_out
from sen4cap.app.lpis import place_all
from sen4cap.app.system import System
from sen4cap.domain import Product, ProductType, Sensor, Site
from sen4cap.errors import EmptyLayer, InputRefused, InvalidParameter, NotFound
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

    Radar that lies on no radar grid is mosaicked onto one in the archive (see `app.radar`).
    `scale` and `offset` (physical units) are the user's word where the files contradict
    themselves. With `keep_going` a product that cannot be used is left out with its reason;
    without, it refuses the folder. Of several products of one tile and acquisition the newest is
    taken (processing baseline, then generation); an older one never takes its place again.

    Raises
    ------
    InputRefused
        If the folder or one of its products cannot be used; nothing is recorded.
    """
    from sen4cap.app.radar import discover_prepared
    from sen4cap.domain.found import Found, Skipped

    where = system.store.sites.get(site)
    discovered = discover_prepared(
        system,
        site,
        folder,
        lambda share, name: progress(0.5 * share, name),
        pattern=pattern,
        grid=grid,
        bands=bands,
        keep_going=keep_going,
    )
    found = [item for item in discovered if isinstance(item, Found)]
    known = {(item.sensor, item.key): item.name for item in system.store.grids.all(site)}
    looked = [
        _looked_into(where, _on_known_grid(item, known, grid), scale, offset, keep_going=keep_going)
        for item in _told(found, progress)
    ]
    products = [item for item in looked if not isinstance(item, Skipped)]
    skipped = [item for item in (*discovered, *looked) if isinstance(item, Skipped)]
    if not products:
        raise EmptyLayer(f"Nothing in '{folder}' can be used; the first: {skipped[0].reason}")
    return _recorded(system, site, products, skipped)


def _told(found: Sequence[Found], progress: Progress) -> Iterator[Found]:
    """The products one by one, as the second half of the work."""
    for number, item in enumerate(found):
        progress(0.5 + 0.5 * number / len(found), item.name)
        yield item


def _on_known_grid(found: Found, known: dict[tuple[Sensor, str], str], given: str | None) -> Found:
    """The product on the name under which its grid is known, which `known` learns.

    A folder gives its name to the grid of a plain series; the next folder of the series must not
    make a second grid of it, because a parcel is counted on one alone.

    Raises
    ------
    InvalidParameter
        If the user gave another name.
    """
    name = known.setdefault((found.grid.sensor, found.grid.key), found.grid.name)
    if name == found.grid.name:
        return found
    if given is not None:
        raise InvalidParameter(f"Grid '{given}' is known as '{name}': give that, or no --grid.")
    return replace(found, grid=replace(found.grid, name=name))


def _looked_into(
    site: Site, found: Found, scale: float | None, offset: float | None, *, keep_going: bool
) -> tuple[Found, Product] | Skipped:
    from sen4cap.domain.found import Skipped

    try:
        return found, _product(site, found, scale, offset)
    except InputRefused as error:
        if not keep_going:
            raise
        return Skipped(found.path, str(error))


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
    from sen4cap.domain.found import Skipped

    before = system.store.grids.all(site)
    standing = {item.slot: item for item in system.store.products.search(site)}
    newest = newest_of((item for _, item in products), standing)
    kept = [(found, item) for found, item in products if newest[item.slot] is item]
    superseded = [
        Skipped(found.path, why_left_out(item, newest[item.slot]))
        for found, item in products
        if newest[item.slot] is not item
    ]
    names = {item.name for item in standing.values()}
    made = tuple(item for _, item in kept if item.name not in names)
    grids = dict.fromkeys((site, found.grid) for found, _ in kept)
    system.store.products.commit(made, grids=grids)
    if system.store.grids.all(site) != before:
        place_all(system, site)
    return Ingested(made, len(kept) - len(made), (*skipped, *superseded))


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


def outdated_products(system: System, site: str) -> dict[str, str]:
    """Why current products of a site are out of date, by name.

    Raises
    ------
    NotFound
        If there is no such site.
    """
    products = system.store.products.search(site, current=False)
    current = {item.slot: item.name for item in system.store.products.search(site)}
    return outdated(products, current)


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
