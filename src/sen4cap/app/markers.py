"""Markers: the time series of a parcel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sen4cap.app.system import System
from sen4cap.domain import Season
from sen4cap.errors import NoInput, NotFound

if TYPE_CHECKING:
    import polars as pl


def series(
    system: System, site: str, season: str, parcel: str, marker: str | None = None
) -> pl.DataFrame:
    """Time series of one parcel, by `NewID` or `ori_id`: a row per marker and acquisition.

    The columns are those of the marker table, the rows those on the parcel's home grids; `stale`
    is true where the geometry has changed since. A parcel that is on no grid, or in no version
    that stands, has only stale rows, of all grids.

    Raises
    ------
    NotFound
        If there is no such site, season, parcel or marker.
    NoInput
        If no markers were made yet.
    """
    import polars as pl

    from sen4cap.processing.marker_table import MarkerTable

    when = system.store.seasons.get(site, season)
    number = parcel_number(system, when, parcel)
    table = MarkerTable.of(system.archive, when)
    if not table.markers():
        raise NoInput(
            f"Season '{season}' of '{site}' has no markers: run 'sen4cap run s4c_mdb1' first."
        )
    found = table.series(_asked(system, when, number))
    if marker is None:
        return found
    if marker not in table.markers():
        raise NotFound(f"There is no marker '{marker}'; there are: {', '.join(table.markers())}.")
    return found.filter(pl.col("marker") == marker)


def _asked(system: System, season: Season, number: int) -> pl.DataFrame:
    """One parcel as the marker table wants it; without a grid and geometry where it has no home."""
    import polars as pl

    homes = homes_of(system, season, [number])
    return homes if homes.height else pl.DataFrame({"parcel": [number], "geom_hash": [""]})


def homes_of(system: System, season: Season, numbers: Sequence[int]) -> pl.DataFrame:
    """Geometry hash and home grids of some parcels, see `processing.homes.parcel_homes`."""
    import polars as pl

    from sen4cap.processing.homes import SCHEMA, homes_in

    standing = system.store.parcels.current(season.site, season.year)
    if standing is None:
        return pl.DataFrame(schema=SCHEMA)
    return homes_in(standing.path, system.store.grids.all(season.site), numbers)


def parcel_number(system: System, season: Season, parcel: str) -> int:
    """`NewID` of a parcel given by `ori_id` or `NewID`; the declared identifier goes first.

    Raises
    ------
    NotFound
        If there is no such parcel.
    """
    import polars as pl

    known = system.store.parcels.identities(season.site, season.year).parcels
    declared = known.filter(pl.col("ori_id") == parcel)["NewID"]
    if declared.len():
        return int(declared[0])
    if parcel.isdecimal() and int(parcel) in known["NewID"]:
        return int(parcel)
    raise NotFound(
        f"Site '{season.site}' has no parcel '{parcel}' in {season.year}: "
        f"see the view decl_{season.site}_{season.year} ('sen4cap db shell')."
    )
