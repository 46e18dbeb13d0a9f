"""Markers: the time series of a parcel."""

from __future__ import annotations

from pathlib import Path
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

    The columns are those of the marker table; `stale` is true where the geometry has changed since.

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
    table = MarkerTable(marker_root(system, site, season))
    if not table.markers():
        raise NoInput(
            f"Season '{season}' of '{site}' has no markers: run 'sen4cap run s4c_mdb1' first."
        )
    current = _geometry_hash(system, when, number)
    found = table.series(number).with_columns(stale=pl.col("geom_hash") != current)
    if marker is None:
        return found
    if marker not in table.markers():
        raise NotFound(f"There is no marker '{marker}'; there are: {', '.join(table.markers())}.")
    return found.filter(pl.col("marker") == marker)


def _geometry_hash(system: System, season: Season, number: int) -> str:
    """Hash of a parcel's current geometry; empty where it is in no current version."""
    import polars as pl

    standing = system.store.parcels.current(season.site, season.year)
    if standing is None:
        return ""
    rows = pl.scan_parquet(standing.path).filter(pl.col("NewID") == number)
    return str((rows.select("geom_hash").collect()["geom_hash"].to_list() or [""])[0])


def marker_root(system: System, site: str, season: str) -> Path:
    """Folder of a season's markers."""
    return system.archive / site / "s4c_mdb1" / season


def parcel_number(system: System, season: Season, parcel: str) -> int:
    """`NewID` of a parcel given by `ori_id` or `NewID`; the declared identifier goes first.

    Raises
    ------
    NotFound
        If there is no such parcel.
    """
    known = system.store.parcels.identities(season.site, season.year).parcels
    pairs = dict(zip(known["ori_id"].to_list(), known["NewID"].to_list(), strict=True))
    if parcel in pairs:
        return int(pairs[parcel])
    if parcel.isdecimal() and int(parcel) in pairs.values():
        return int(parcel)
    raise NotFound(
        f"Site '{season.site}' has no parcel '{parcel}' in {season.year}: "
        f"see the view decl_{season.site}_{season.year} ('sen4cap db shell')."
    )
