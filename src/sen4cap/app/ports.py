"""What the verbs need of a store. Values of the domain go in and come out.

Every call is one transaction: it is done as a whole, or it raised and changed nothing. Wherever a
site is named, `NotFound` is raised, with the known ones, if it is not there. All stores keep the
same rules; `tests/contract` runs one suite against each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from sen4cap.domain import (
    ConfigEntry,
    ConfigMetadata,
    Grid,
    Job,
    ParcelSet,
    Product,
    ProductType,
    Season,
    Site,
    Status,
    StepRecord,
)
from sen4cap.domain.ledger import Entry, Key
from sen4cap.domain.operations import Change
from sen4cap.domain.schedule import Schedule
from sen4cap.engine.ports import Services, Steps
from sen4cap.engine.scheduler import Schedules as DueSchedules
from sen4cap.processing import Processor

if TYPE_CHECKING:
    import polars as pl

    from sen4cap.store import Identities, ParcelVersion

Operation = Callable[[Job, Sequence[StepRecord]], Change]


class Sites(Protocol):
    """Sites by short name."""

    def add(self, site: Site) -> Site:
        """Add a site; `Conflict` where its short name is taken."""

    def get(self, short_name: str) -> Site:
        """The site of a short name; `NotFound` lists the known ones."""

    def all(self) -> list[Site]:
        """All sites, sorted by short name."""

    def numbers(self) -> Mapping[int, str]:
        """Short names by the number that a site got when it was added."""

    def replace(self, site: Site) -> None:
        """Give the site of the same short name new values."""

    def remove(self, short_name: str) -> None:
        """Forget a site with all that it owns; `Conflict` where a job of it has not ended."""


class Seasons(Protocol):
    """Seasons by site and name."""

    def add(self, season: Season) -> Season:
        """Add a season; `Conflict` where its name is taken.

        A season whose days lie completely inside another enabled one of the site is a `Conflict`
        too; partial overlap and a season around another one are not.
        """

    def replace(self, season: Season) -> None:
        """Give the season of the same site and name new values; same rules as `add`."""

    def get(self, site: str, name: str) -> Season:
        """The season of a name; `NotFound` lists the known ones."""

    def all(self, site: str) -> list[Season]:
        """The seasons of a site, sorted by start, end and name."""


class Grids(Protocol):
    """Grids by site, sensor and name."""

    def add(self, site: str, grid: Grid) -> Grid:
        """Add a grid; of two with equal extents the finer is kept. Returns what is kept.

        `Conflict` where the grid of that name and sensor has another CRS or extent.
        """

    def all(self, site: str) -> list[Grid]:
        """The grids of a site, sorted by sensor and name."""


class Products(Protocol):
    """Products by name, and the one that is current in each slot."""

    def commit(
        self,
        products: Sequence[Product],
        job_id: int | None = None,
        grids: Iterable[tuple[str, Grid]] = (),
    ) -> None:
        """Add products and let their slots point to them, all or none.

        With them `grids`, each with the short name of its site, are added as `Grids.add` does, and
        so are the grids that new images tell in their STAC projection fields.
        One that is there already with the same revision is left as it is, and its slot points to
        it again. `Conflict` where the name belongs to another revision or another site.
        """

    def get(self, name: str) -> Product:
        """The product of a name; `NotFound` where there is none."""

    def named(self, names: Sequence[str]) -> list[Product]:
        """The products of some names, in their order; `NotFound` where one is missing."""

    def current(self, slot: str) -> Product | None:
        """The product that stands in a slot; None where none does."""

    def remove(self, names: Sequence[str]) -> None:
        """Forget products; slots that point to them are empty then. `NotFound` for an unknown."""

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
        """Products of a site with start <= product start < end, by start, grid and name.

        No `types` means all; `current=False` adds those whose slot points to another.
        """


class Config(Protocol):
    """Declared keys and their values, for all sites and for one."""

    def sync(self, declared: Iterable[ConfigMetadata]) -> None:
        """Make metadata equal the declarations, and give every key a global value.

        A global value that equals the former default follows a new one; any other is the user's
        and stays, also when its key is no longer declared.
        """

    def metadata(self, prefix: str = "") -> list[ConfigMetadata]:
        """Declarations whose key starts with `prefix`, literally; sorted by key."""

    def entries(self, site: str | None = None, prefix: str = "") -> list[ConfigEntry]:
        """The value that counts for each key, a site's own before the global one; by key."""

    def values(self, site: str | None = None, prefix: str = "") -> dict[str, str]:
        """As `entries`, values by key."""

    def set(self, key: str, value: str, site: str | None = None) -> None:
        """Set a value; `NotFound` for an undeclared key.

        `InvalidParameter` where a site is given for a key that is the same for all sites. Whether
        the value is within its bounds is for the caller to check.
        """

    def unset(self, key: str, site: str | None = None) -> None:
        """Return to what counts without the value: the global one, or the declared default."""


class Parcels(Protocol):
    """Parcel sets, numbers of parcels and holdings, look-up tables: by site and year."""

    def identities(self, site: str, year: int) -> Identities:
        """Every number that was given to a parcel or holding, rolled-back imports included."""

    def next_version(self, site: str, year: int) -> int:
        """Number of the next import: one more than any before, rolled-back ones included."""

    def write(
        self,
        parcel_set: ParcelSet,
        frame: Any,
        report: Mapping[str, Any],
        lut: pl.DataFrame | None = None,
    ) -> None:
        """Make an import the current version, and `lut`, if given, the year's look-up table.

        `frame` is the set as a GeoDataFrame: `sen4cap.domain.parcel.COLUMNS`, further declared
        columns, geometry; deleted parcels included. `report` holds JSON values. `Conflict` where
        the version is not the next one, or a number was given to another parcel or holding.
        """

    def current(self, site: str, year: int) -> ParcelSet | None:
        """The current version; None where nothing was imported or all was rolled back."""

    def versions(self, site: str, year: int) -> list[ParcelVersion]:
        """All imports of a year, oldest first, rolled-back ones included."""

    def report(self, site: str, year: int, version: int) -> Mapping[str, Any]:
        """The report of an import; `NotFound` where there is no such version."""

    def rollback(self, site: str, year: int, version: int) -> ParcelSet | None:
        """Undo an import and all after it; returns what is current then.

        Numbers of parcels, holdings and versions stay taken. `NotFound` where there is no such
        version or it was rolled back before.
        """

    def place(self, site: str, year: int, frame: pl.DataFrame) -> None:
        """Write what depends on grids into the current rows, by new_id; others are left.

        Columns: new_id, s1_pix, s2_pix, home_s1, home_s2. A parcel that a later import changes
        starts without them.
        """

    def table(self, site: str, year: int, version: int | None = None) -> pl.DataFrame:
        """Attributes of every parcel of a version, by default the current one; sorted by NewID.

        The columns of `sen4cap.domain.parcel.COLUMNS`, then S1Pix, S2Pix, home_s1 and home_s2.
        `NotFound` where there is no such version or it was rolled back.
        """

    def write_lut(self, site: str, year: int, frame: pl.DataFrame) -> None:
        """Replace the crop look-up table of a site and year; `MissingColumn` if one is absent."""

    def lut(self, site: str, year: int) -> pl.DataFrame | None:
        """The crop look-up table, sorted by ori_crop; None where there is none."""


class Jobs(Protocol):
    """Jobs by number, and each change of their status."""

    def add(self, job: Job, steps: Sequence[StepRecord] = ()) -> Job:
        """Add a job with its steps; returns it with its number. `Conflict` where it has one."""

    def update(self, job: Job) -> Job:
        """Store status, reason, times and parameters.

        `Conflict` where the status cannot follow the stored one, `NotFound` for an unknown job.
        """

    def get(self, number: int) -> Job:
        """The job of a number; `NotFound` where there is none."""

    def change(self, number: int, operation: Operation) -> Job:
        """Do an operation of `sen4cap.domain.operations`; whatever it raises, nothing changed."""

    def delete(self, number: int) -> None:
        """Remove a job with its steps; its products stay. `Conflict` where it has not ended."""

    def all(
        self, site: str | None = None, limit: int = 100, statuses: Iterable[Status] = ()
    ) -> list[Job]:
        """The newest jobs, newest first; of some statuses only, where any are given."""

    def history(self, number: int) -> list[tuple[Status, datetime]]:
        """Each status a job had and the instant it came to it, oldest first."""


class Schedules(DueSchedules, Protocol):
    """Schedules by name, and how far each has come."""

    def add(self, schedules: Sequence[Schedule]) -> list[Schedule]:
        """Add schedules, all or none; returns them with their numbers.

        `Conflict` where a name is taken.
        """

    def get(self, name: str) -> Schedule:
        """The schedule of a name; `NotFound` lists the known ones."""

    def replace(self, schedule: Schedule) -> Schedule:
        """Give a schedule new values; `Conflict` where it is no longer as it was read."""

    def delete(self, name: str) -> None:
        """Remove a schedule; its jobs stay."""

    def failed(self, site: str, season: str) -> list[StepRecord]:
        """Failed steps of a season whose slot nothing is at work on now, in the order of jobs."""


class Arrivals(Protocol):
    """New products that nobody has looked at yet, to trigger work."""

    def all(self, limit: int = 1000) -> list[Product]:
        """The oldest of them, in the order they came."""

    def settle(self, names: Sequence[str]) -> None:
        """Products that have been looked at; unknown ones are passed over."""


class Ledger(Protocol):
    """What became of every acquisition."""

    def entries(
        self, site: str, start: datetime | None = None, end: datetime | None = None
    ) -> list[Entry]:
        """Entries of a site with start <= time < end, by time, place and stage."""

    def write(self, entries: Sequence[Entry]) -> None:
        """Add entries, or give those of the same key new values; all or none."""

    def remove(self, keys: Iterable[Key]) -> None:
        """Forget entries; those that are not there are passed over."""

    def outcomes(self, slots: Iterable[str]) -> dict[str, StepRecord]:
        """The newest step of each slot that has one."""


class Processors(Protocol):
    """The processors that were installed at the last upgrade, for those who read in SQL."""

    def sync(self, processors: Iterable[Processor]) -> None:
        """Add or update the rows of processors; those of absent ones stay."""

    def versions(self) -> dict[str, str]:
        """Version by short name, sorted."""


class Store(Protocol):
    """All that the system knows, apart from files."""

    @property
    def sites(self) -> Sites:
        """Sites by short name."""

    @property
    def seasons(self) -> Seasons:
        """Seasons by site and name."""

    @property
    def grids(self) -> Grids:
        """Grids by site, sensor and name."""

    @property
    def products(self) -> Products:
        """Products by name and slot."""

    @property
    def config(self) -> Config:
        """Configuration by key and site."""

    @property
    def parcels(self) -> Parcels:
        """Parcels by site and year."""

    @property
    def jobs(self) -> Jobs:
        """Jobs by number."""

    @property
    def steps(self) -> Steps:
        """Steps of jobs."""

    @property
    def services(self) -> Services:
        """Processes of the system that run for long."""

    @property
    def schedules(self) -> Schedules:
        """Schedules by name."""

    @property
    def arrivals(self) -> Arrivals:
        """New products that nobody has looked at yet."""

    @property
    def ledger(self) -> Ledger:
        """What became of every acquisition."""

    @property
    def processors(self) -> Processors:
        """Installed processors by short name."""

    def close(self) -> None:
        """Give back all connections."""
