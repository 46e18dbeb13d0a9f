"""Removing products and sites: rows and files together, and nothing of either left over.

A folder is hidden first, then its rows go, then its files. What is cut short between leaves a
hidden folder, which the next removal or acquisition sweeps.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sen4cap.acquisition.records import recorded
from sen4cap.app import links
from sen4cap.app.fetching import DELIVERED, FETCHERS, hidden_name
from sen4cap.app.items import own_folder
from sen4cap.app.products import outdated_products
from sen4cap.app.settling import OPEN, settle
from sen4cap.app.system import System
from sen4cap.domain import Product, ProductType, Status
from sen4cap.domain.ledger import Entry
from sen4cap.errors import Conflict, NotFound

HIDDEN = ".removed"
SHARED = (ProductType.MARKERS, ProductType.LPIS)
"""Types whose files hold more than one product."""
AT_WORK = (Status.ACCEPTED, Status.RUNNING, Status.PAUSED)


def remove_product(system: System, name: str) -> dict[str, str]:
    """Forget a product and its folder; returns why others are out of date now, by name.

    Files that it was taken in from, where they lie, stay.

    Raises
    ------
    NotFound
        If there is none.
    Conflict
        If its files hold other products too, or a job that has not ended reads it.
    """
    product = system.store.products.get(name)
    if product.type in SHARED:
        raise Conflict(f"'{name}' shares its files with others: remove what it was made from.")
    if (reader := _reader(system, product)) is not None:
        raise Conflict(f"Job {reader} reads '{name}' and has not ended: cancel it first.")
    before = outdated_products(system, product.site)
    with hidden(own_folder(system.archive, product)):
        system.store.products.remove([name])
    settle(system, product.site)
    now = outdated_products(system, product.site)
    return {item: reason for item, reason in now.items() if before.get(item) != reason}


def _reader(system: System, product: Product) -> int | None:
    """Number of a job that has not ended and reads a product."""
    for job in system.store.jobs.all(product.site, limit=10_000, statuses=AT_WORK):
        if any(product.name in step.inputs for step in system.store.steps.of(job.id or 0)):
            return job.id
    return None


def remove_site(system: System, site: str) -> None:
    """Forget a site: its seasons, parcels, jobs, products, settings, folder and links.

    Raises
    ------
    NotFound
        If there is none.
    Conflict
        If a job of it has not ended.
    """
    system.store.sites.get(site)
    with hidden(system.archive / site):
        system.store.sites.remove(site)
    links.remove(system.archive, site)


@contextmanager
def hidden(folder: Path) -> Iterator[None]:
    """Hide a folder while the block forgets what it holds; then it is gone, or back again."""
    away = folder.with_name(f".{folder.name}{HIDDEN}")
    _discard(away)
    if folder.is_dir():
        folder.replace(away)
    try:
        yield
    except BaseException:
        if away.is_dir():
            away.replace(folder)
        raise
    _discard(away)


def _discard(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def sweep(system: System, site: str) -> list[Path]:
    """Remove what fetching and removing left behind and nobody goes on with; returns it."""
    known = {item.name for item in system.store.products.search(site, current=False)}
    coming = {entry.product for entry in _open(system, site)}
    begun = {hidden_name(name) for name in coming}
    names = tuple(f"{scene}_r" for scene in _scene_names(system, coming))
    left = [
        path
        for kind in FETCHERS
        for path in (system.archive / site / kind).glob("*")
        if path.name not in known | begun
        and not path.name.startswith(names)
        and (path.name.startswith(".") or (path / DELIVERED).is_dir())
    ]
    for path in left:
        _discard(path)
    return left


def _open(system: System, site: str) -> Iterator[Entry]:
    return (
        entry
        for entry in system.store.ledger.entries(site)
        if entry.state in OPEN and entry.stage in FETCHERS
    )


def _scene_names(system: System, records: set[str]) -> Iterator[str]:
    for record in records:
        try:
            yield recorded(system.store.products.get(record)).name
        except NotFound:
            continue
