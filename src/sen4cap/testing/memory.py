"""A store in memory, for tests: the same rules as in SQL, nothing to set up.

It passes the same contract suite as the stores in SQL.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from sen4cap.domain import (
    ConfigEntry,
    ConfigMetadata,
    Grid,
    Product,
    ProductType,
    Season,
    Site,
)
from sen4cap.domain.job import ENDED
from sen4cap.processing import Processor
from sen4cap.store import rules
from sen4cap.testing.memory_jobs import MemoryJobs, MemoryServices, MemorySteps
from sen4cap.testing.memory_ledger import MemoryLedger
from sen4cap.testing.memory_parcels import MemoryParcels
from sen4cap.testing.memory_schedules import MemorySchedules

K = TypeVar("K")
V = TypeVar("V")


def _json(value: Any) -> Any:
    """The value as it comes back from a JSON column."""
    return json.loads(rules.as_json(value))


@dataclass(frozen=True)
class MemorySites:
    """Sites by short name."""

    kept: dict[str, Site] = field(default_factory=dict)
    owned: list[Callable[[str], None]] = field(default_factory=list)
    """What forgets the things of a site; the first refuses where a job is at work."""
    added: list[str] = field(default_factory=list)
    """Short names in the order they were added, removed ones too."""

    def add(self, site: Site) -> Site:
        """Add a site."""
        if site.short_name in self.kept:
            raise rules.taken("Site", site.short_name)
        self.kept[site.short_name] = site
        self.added.append(site.short_name)
        return site

    def get(self, short_name: str) -> Site:
        """The site of a short name."""
        if short_name not in self.kept:
            raise rules.missing("site", short_name, self.kept)
        return self.kept[short_name]

    def all(self) -> list[Site]:
        """All sites, sorted by short name."""
        return [self.kept[name] for name in sorted(self.kept)]

    def numbers(self) -> dict[int, str]:
        """Short names by number."""
        last = {name: number for number, name in enumerate(self.added, start=1)}
        return {last[name]: name for name in self.kept}

    def replace(self, site: Site) -> None:
        """Give the site of the same short name new values."""
        self.get(site.short_name)
        self.kept[site.short_name] = site

    def remove(self, short_name: str) -> None:
        """Forget a site with all that it owns."""
        self.get(short_name)
        for forget in self.owned:
            forget(short_name)
        del self.kept[short_name]


@dataclass(frozen=True)
class MemorySeasons:
    """Seasons by site and name."""

    sites: MemorySites
    kept: dict[tuple[str, str], Season] = field(default_factory=dict)

    def add(self, season: Season) -> Season:
        """Add a season."""
        others = self.all(season.site)
        if (season.site, season.name) in self.kept:
            raise rules.taken(f"Season of site '{season.site}'", season.name)
        rules.check_nesting(season, others)
        self.kept[season.site, season.name] = season
        return season

    def replace(self, season: Season) -> None:
        """Give the season of the same site and name new values."""
        before = self.get(season.site, season.name)
        rules.check_nesting(season, [other for other in self.all(season.site) if other != before])
        self.kept[season.site, season.name] = season

    def get(self, site: str, name: str) -> Season:
        """The season of a name."""
        known = [season.name for season in self.all(site)]
        if name not in known:
            raise rules.missing(f"season of site '{site}' named", name, known)
        return self.kept[site, name]

    def all(self, site: str) -> list[Season]:
        """The seasons of a site, sorted by start, end and name."""
        self.sites.get(site)
        found = [season for season in self.kept.values() if season.site == site]
        return sorted(found, key=lambda season: (season.start, season.end, season.name))


@dataclass(frozen=True)
class MemoryGrids:
    """Grids by site, sensor and name."""

    sites: MemorySites
    kept: dict[tuple[str, str, str], Grid] = field(default_factory=dict)

    def add(self, site: str, grid: Grid) -> Grid:
        """Add a grid, or keep the finer one."""
        self.kept.update(self.merged([(site, grid)]))
        return self.kept[site, grid.sensor, grid.name]

    def merged(self, grids: Iterable[tuple[str, Grid]]) -> dict[tuple[str, str, str], Grid]:
        """All that would be kept with some more grids."""
        merged = dict(self.kept)
        for site, grid in grids:
            self.sites.get(site)
            key = (site, grid.sensor, grid.name)
            merged[key] = rules.finer(merged.get(key, grid), grid)
        return merged

    def all(self, site: str) -> list[Grid]:
        """The grids of a site, sorted by sensor and name."""
        self.sites.get(site)
        return [self.kept[key] for key in sorted(self.kept) if key[0] == site]


@dataclass(frozen=True)
class MemoryProducts:
    """Products by name, and the one that is current in each slot."""

    sites: MemorySites
    grids: MemoryGrids
    kept: dict[str, Product] = field(default_factory=dict)
    slots: dict[str, str] = field(default_factory=dict)
    arrived: dict[str, None] = field(default_factory=dict)

    def commit(
        self,
        products: Sequence[Product],
        job_id: int | None = None,
        grids: Iterable[tuple[str, Grid]] = (),
    ) -> None:
        """Add products and grids and let the slots point to the products, all or none."""
        del job_id
        own = [
            (product.site, grid)
            for product in products
            if product.name not in self.kept and (grid := rules.grid_of(product)) is not None
        ]
        grids_kept = self.grids.merged([*grids, *own])
        merged = dict(self.kept)
        for product in products:
            self.sites.get(product.site)
            stored = replace(product, properties=_json(dict(product.properties)))
            rules.check_same(merged.setdefault(product.name, stored), product)
        self.arrived.update(dict.fromkeys(name for name in merged if name not in self.kept))
        self.grids.kept.update(grids_kept)
        self.kept.update(merged)
        self.slots.update({product.slot: product.name for product in products})

    def get(self, name: str) -> Product:
        """The product of a name."""
        if name not in self.kept:
            raise rules.no_product(name)
        return self.kept[name]

    def named(self, names: Sequence[str]) -> list[Product]:
        """The products of some names, in their order."""
        return [self.get(name) for name in names]

    def remove(self, names: Sequence[str]) -> None:
        """Forget products; slots that point to them are empty then."""
        for product in self.named(names):
            if self.slots.get(product.slot) == product.name:
                del self.slots[product.slot]
            self.kept.pop(product.name, None)
            self.arrived.pop(product.name, None)

    def current(self, slot: str) -> Product | None:
        """The product that stands in a slot."""
        return self.kept[self.slots[slot]] if slot in self.slots else None

    def search(
        self,
        site: str,
        *,
        types: Iterable[ProductType] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        grid: str | None = None,
        current: bool = True,
    ) -> list[Product]:
        """Products of a site with start <= product start < end, by start, grid and name."""
        self.sites.get(site)
        wanted = frozenset(types) or frozenset(ProductType)
        found = [
            product
            for product in self.kept.values()
            if product.site == site
            and product.type in wanted
            and (start is None or start <= product.start)
            and (end is None or product.start < end)
            and (grid is None or grid == product.grid)
            and (not current or self.slots.get(product.slot) == product.name)
        ]
        return sorted(found, key=lambda product: (product.start, product.grid, product.name))


@dataclass(frozen=True)
class MemoryArrivals:
    """New products that nobody has looked at yet."""

    products: MemoryProducts

    def all(self, limit: int = 1000) -> list[Product]:
        """The oldest of them, in the order they came."""
        order = [name for name in self.products.kept if name in self.products.arrived]
        return self.products.named(order[:limit])

    def settle(self, names: Sequence[str]) -> None:
        """Products that have been looked at."""
        for name in names:
            self.products.arrived.pop(name, None)


@dataclass(frozen=True)
class MemoryConfig:
    """Declared keys and their values, for all sites and for one."""

    sites: MemorySites
    declared: dict[str, ConfigMetadata] = field(default_factory=dict)
    kept: dict[tuple[str, str | None], str] = field(default_factory=dict)

    def sync(self, declared: Iterable[ConfigMetadata]) -> None:
        """Make metadata equal the declarations; users' values stay, defaults follow."""
        for key, former in self.declared.items():
            if self.kept.get((key, None)) == former.default_value:
                del self.kept[key, None]
        self.declared.clear()
        self.declared.update({item.key: item for item in declared})
        for item in self.declared.values():
            self.kept.setdefault((item.key, None), item.default_value)

    def metadata(self, prefix: str = "") -> list[ConfigMetadata]:
        """Declarations whose key starts with `prefix`; sorted by key."""
        keys = sorted(key for key in self.declared if key.startswith(prefix))
        return [self.declared[key] for key in keys]

    def entries(self, site: str | None = None, prefix: str = "") -> list[ConfigEntry]:
        """The value that counts for each key, a site's own before the global one; by key."""
        if site is not None:
            self.sites.get(site)
        keys = sorted({key for key, owner in self.kept if owner in {None, site}})
        return [self._entry(key, site) for key in keys if key.startswith(prefix)]

    def _entry(self, key: str, site: str | None) -> ConfigEntry:
        if site is not None and (key, site) in self.kept:
            return ConfigEntry(key, self.kept[key, site], site, is_default=False)
        value = self.kept[key, None]
        declared = self.declared.get(key)
        is_default = declared is not None and value == declared.default_value
        return ConfigEntry(key, value, None, is_default=is_default)

    def values(self, site: str | None = None, prefix: str = "") -> dict[str, str]:
        """As `entries`, values by key."""
        return {entry.key: entry.value for entry in self.entries(site, prefix)}

    def set(self, key: str, value: str, site: str | None = None) -> None:
        """Set a value."""
        declared = self._declaration(key)
        if site is not None:
            if not declared.is_site_visible:
                raise rules.only_global(key)
            self.sites.get(site)
        self.kept[key, site] = value

    def unset(self, key: str, site: str | None = None) -> None:
        """Return to the global value, or to the declared default."""
        declared = self._declaration(key)
        if site is not None:
            self.sites.get(site)
        self.kept.pop((key, site), None)
        self.kept.setdefault((key, None), declared.default_value)

    def _declaration(self, key: str) -> ConfigMetadata:
        if key not in self.declared:
            family = key.rpartition(".")[0]
            known = [item.key for item in self.metadata(family)] if family else []
            raise rules.missing("configuration key", key, known)
        return self.declared[key]


@dataclass(frozen=True)
class MemoryProcessors:
    """Installed processors."""

    kept: dict[str, str] = field(default_factory=dict)

    def sync(self, processors: Iterable[Processor]) -> None:
        """Add or update processors; absent ones stay."""
        self.kept.update({item.id: item.version for item in processors})

    def versions(self) -> dict[str, str]:
        """Version by short name, sorted."""
        return dict(sorted(self.kept.items()))


@dataclass(frozen=True)
class MemoryStore:
    """All repositories."""

    sites: MemorySites
    seasons: MemorySeasons
    grids: MemoryGrids
    products: MemoryProducts
    config: MemoryConfig
    parcels: MemoryParcels
    jobs: MemoryJobs
    steps: MemorySteps
    services: MemoryServices
    schedules: MemorySchedules
    arrivals: MemoryArrivals
    processors: MemoryProcessors
    ledger: MemoryLedger

    def close(self) -> None:
        """Nothing is open."""


def _forgets(store: MemoryStore) -> list[Callable[[str], None]]:
    """What forgets the things of a site in each repository."""

    def jobs(site: str) -> None:
        numbers = [number for number, job in store.jobs.kept.items() if job.site == site]
        for number in numbers:
            if store.jobs.kept[number].status not in ENDED:
                raise rules.at_work(number, site)
        for number in numbers:
            store.jobs.delete(number)

    def others(site: str) -> None:
        store.products.remove([item.name for item in store.products.search(site, current=False)])
        _drop(store.schedules.kept, lambda _key, item: item.site == site)
        _drop(store.seasons.kept, lambda key, _item: key[0] == site)
        _drop(store.grids.kept, lambda key, _item: key[0] == site)
        _drop(store.ledger.kept, lambda key, _item: key[0] == site)
        _drop(store.parcels.kept, lambda key, _item: key[0] == site)
        _drop(store.config.kept, lambda key, _item: key[1] == site)

    return [jobs, others]


def _drop(kept: dict[K, V], goes: Callable[[K, V], bool]) -> None:
    for key in [key for key, item in kept.items() if goes(key, item)]:
        del kept[key]


def memory_store() -> MemoryStore:
    """A store without anything in it."""
    sites = MemorySites()
    grids, seasons = MemoryGrids(sites), MemorySeasons(sites)
    products = MemoryProducts(sites, grids)
    jobs, services = MemoryJobs(sites), MemoryServices()
    store = MemoryStore(
        sites,
        seasons,
        grids,
        products,
        MemoryConfig(sites),
        MemoryParcels(sites),
        jobs,
        MemorySteps(jobs, services, products),
        services,
        MemorySchedules(sites, seasons, jobs),
        MemoryArrivals(products),
        MemoryProcessors(),
        MemoryLedger(sites, jobs),
    )
    sites.owned.extend(_forgets(store))
    return store
