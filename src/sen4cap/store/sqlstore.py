"""The store in an SQL database: SQLite, embedded, or PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import Engine, text

from sen4cap.errors import Conflict
from sen4cap.store import schema
from sen4cap.store.configuration import SqlConfig
from sen4cap.store.engine import connectable, describe, parse_url, reading
from sen4cap.store.jobs import SqlJobs, SqlProcessors
from sen4cap.store.ledger import SqlLedger
from sen4cap.store.places import SqlGrids, SqlSeasons, SqlSites
from sen4cap.store.products import SqlArrivals, SqlProducts
from sen4cap.store.schedules import SqlSchedules
from sen4cap.store.services import SqlServices
from sen4cap.store.steps import SqlSteps

if TYPE_CHECKING:
    from sen4cap.store.parcels import SqlParcels


@dataclass(frozen=True)
class SqlStore:
    """Repositories over one database, and its schema."""

    engine: Engine = field(repr=False)
    name: str
    """The database in words, without user and password."""

    @property
    def sites(self) -> SqlSites:
        """Sites by short name."""
        return SqlSites(self.engine)

    @property
    def seasons(self) -> SqlSeasons:
        """Seasons by site and name."""
        return SqlSeasons(self.engine)

    @property
    def grids(self) -> SqlGrids:
        """Grids by site, sensor and name."""
        return SqlGrids(self.engine)

    @property
    def products(self) -> SqlProducts:
        """Products by name and slot."""
        return SqlProducts(self.engine)

    @property
    def config(self) -> SqlConfig:
        """Configuration by key and site."""
        return SqlConfig(self.engine)

    @property
    def parcels(self) -> SqlParcels:
        """Parcels by site and year."""
        from sen4cap.store.parcels import SqlParcels

        return SqlParcels(self.engine)

    @property
    def jobs(self) -> SqlJobs:
        """Jobs by number."""
        return SqlJobs(self.engine)

    @property
    def processors(self) -> SqlProcessors:
        """Installed processors by short name."""
        return SqlProcessors(self.engine)

    @property
    def steps(self) -> SqlSteps:
        """Steps of jobs."""
        return SqlSteps(self.engine)

    @property
    def services(self) -> SqlServices:
        """Processes of the system that run for long."""
        return SqlServices(self.engine)

    @property
    def schedules(self) -> SqlSchedules:
        """Schedules by name."""
        return SqlSchedules(self.engine)

    @property
    def arrivals(self) -> SqlArrivals:
        """New products that nobody has looked at yet."""
        return SqlArrivals(self.engine)

    @property
    def ledger(self) -> SqlLedger:
        """What became of every acquisition."""
        return SqlLedger(self.engine)

    def upgrade(self) -> None:
        """Bring the tables to this version; `Conflict` where the database is newer."""
        schema.upgrade(self.engine, self.name)

    def revision(self) -> str | None:
        """Schema revision of the database; None where it is empty."""
        return schema.revision(self.engine)

    def is_current(self) -> bool:
        """Whether the tables are those of this version."""
        return self.revision() == schema.head()

    def check_current(self) -> None:
        """Refuse to work on tables of another version, with a `Conflict`."""
        if not self.is_current():
            raise Conflict(
                f"The tables of the {self.name} are not those of this version: "
                "run 'sen4cap db upgrade'."
            )

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


def open_store(url: str) -> SqlStore:
    """The store of an SQLAlchemy URL, `sqlite:///<file>` or `postgresql+psycopg://…`.

    The folder and file of an SQLite database are made. The tables are neither made nor checked:
    see `SqlStore.upgrade` and `SqlStore.check_current`.

    Raises
    ------
    InvalidParameter
        If it is no such address.
    ServiceUnavailable
        If the database cannot be reached.
    """
    parsed = parse_url(url)
    engine = connectable(parsed)
    with reading(engine) as connection:
        connection.execute(text("SELECT 1"))
    return SqlStore(engine, describe(parsed))
