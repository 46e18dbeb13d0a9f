"""Sites, seasons and grids in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, update

from sen4cap.domain import Grid, Season, Sensor, Site
from sen4cap.store import tables
from sen4cap.store.engine import reading, site_id, writing
from sen4cap.store.removal import remove_site
from sen4cap.store.rules import check_nesting, finer, missing, taken


@dataclass(frozen=True)
class SqlSites:
    """Sites by short name."""

    engine: Engine

    def add(self, site: Site) -> Site:
        """Add a site; `Conflict` where its short name is taken."""
        with writing(self.engine) as connection:
            if site.short_name in _short_names(connection):
                raise taken("Site", site.short_name)
            connection.execute(insert(tables.site), _site_row(site))
        return site

    def get(self, short_name: str) -> Site:
        """The site of a short name; `NotFound` lists the known ones."""
        query = select(tables.site).where(tables.site.c.short_name == short_name)
        with reading(self.engine) as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                raise missing("site", short_name, _short_names(connection))
        return _site(row)

    def all(self) -> list[Site]:
        """All sites, sorted by short name."""
        with reading(self.engine) as connection:
            found = [_site(row) for row in connection.execute(select(tables.site))]
        return sorted(found, key=lambda site: site.short_name)

    def numbers(self) -> dict[int, str]:
        """Short names by number: `id` of the table `site`."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(tables.site.c.id, tables.site.c.short_name))
            return {row.id: row.short_name for row in rows}

    def replace(self, site: Site) -> None:
        """Give the site of the same short name new values; `NotFound` where there is none."""
        with writing(self.engine) as connection:
            number = site_id(connection, site.short_name)
            change = update(tables.site).where(tables.site.c.id == number)
            connection.execute(change.values(_site_row(site)))

    def remove(self, short_name: str) -> None:
        """Forget a site with all that it owns; `Conflict` where a job of it has not ended."""
        with writing(self.engine) as connection:
            remove_site(connection, short_name, site_id(connection, short_name, lock=True))


def _short_names(connection: Connection) -> set[str]:
    return set(connection.scalars(select(tables.site.c.short_name)))


def _site_row(site: Site) -> dict[str, Any]:
    return {
        "name": site.name,
        "short_name": site.short_name,
        "timezone": site.timezone,
        "footprint": site.footprint,
        "footprint_is_given": site.footprint_is_given,
    }


def _site(row: Row[Any]) -> Site:
    return Site(row.name, row.short_name, row.timezone, row.footprint, row.footprint_is_given)


@dataclass(frozen=True)
class SqlSeasons:
    """Seasons by site and name."""

    engine: Engine

    def add(self, season: Season) -> Season:
        """Add a season; `Conflict` where its name is taken or it lies inside another one."""
        with writing(self.engine) as connection:
            number = site_id(connection, season.site, lock=True)
            others = _seasons(connection, season.site)
            if season.name in {other.name for other in others}:
                raise taken(f"Season of site '{season.site}'", season.name)
            check_nesting(season, others)
            connection.execute(insert(tables.season), _season_row(number, season))
        return season

    def replace(self, season: Season) -> None:
        """Give the season of the same site and name new values; same rules as `add`."""
        self.get(season.site, season.name)
        with writing(self.engine) as connection:
            number = site_id(connection, season.site, lock=True)
            others = _seasons(connection, season.site)
            check_nesting(season, [other for other in others if other.name != season.name])
            change = update(tables.season).where(
                tables.season.c.site_id == number, tables.season.c.name == season.name
            )
            connection.execute(change.values(_season_row(number, season)))

    def get(self, site: str, name: str) -> Season:
        """The season of a name; `NotFound` lists the known ones."""
        found = {season.name: season for season in self.all(site)}
        if name not in found:
            raise missing(f"season of site '{site}' named", name, found)
        return found[name]

    def all(self, site: str) -> list[Season]:
        """The seasons of a site, sorted by start, end and name."""
        with reading(self.engine) as connection:
            return _seasons(connection, site)


def _seasons(connection: Connection, site: str) -> list[Season]:
    query = select(tables.season).where(tables.season.c.site_id == site_id(connection, site))
    found = [
        Season(site, row.name, row.start_date, row.end_date, row.mid_date, row.enabled)
        for row in connection.execute(query)
    ]
    return sorted(found, key=lambda season: (season.start, season.end, season.name))


def _season_row(site: int, season: Season) -> dict[str, Any]:
    return {
        "site_id": site,
        "name": season.name,
        "start_date": season.start,
        "end_date": season.end,
        "mid_date": season.mid,
        "enabled": season.enabled,
    }


@dataclass(frozen=True)
class SqlGrids:
    """Grids by site, sensor and name."""

    engine: Engine

    def add(self, site: str, grid: Grid) -> Grid:
        """Add a grid, or keep the finer one; returns what is kept. `Conflict` if elsewhere."""
        with writing(self.engine) as connection:
            return add_grid(connection, site, grid)

    def all(self, site: str) -> list[Grid]:
        """The grids of a site, sorted by sensor and name."""
        with reading(self.engine) as connection:
            found = _grids(connection, site_id(connection, site))
        return sorted(found, key=lambda grid: (grid.sensor, grid.name))


def add_grid(connection: Connection, site: str, grid: Grid) -> Grid:
    """Add a grid, or keep the finer one, within a transaction; see `SqlGrids.add`."""
    number = site_id(connection, site, lock=True)
    known = {(item.sensor, item.name): item for item in _grids(connection, number)}
    before = known.get((grid.sensor, grid.name))
    if before is None:
        connection.execute(insert(tables.grid), {"site_id": number, **_grid_row(grid)})
        return grid
    kept = finer(before, grid)
    change = update(tables.grid).where(
        tables.grid.c.site_id == number,
        tables.grid.c.sensor == grid.sensor,
        tables.grid.c.name == grid.name,
    )
    connection.execute(change.values(_grid_row(kept)))
    return kept


def _grids(connection: Connection, site: int) -> list[Grid]:
    query = select(tables.grid).where(tables.grid.c.site_id == site)
    return [_grid(row) for row in connection.execute(query)]


def _grid(row: Row[Any]) -> Grid:
    a, b, c, d, e, f = row.transform
    return Grid(row.name, row.crs, (a, b, c, d, e, f), row.width, row.height, Sensor(row.sensor))


def _grid_row(grid: Grid) -> dict[str, Any]:
    return {
        "sensor": str(grid.sensor),
        "name": grid.name,
        "crs": grid.crs,
        "transform": list(grid.transform),
        "width": grid.width,
        "height": grid.height,
    }
