"""Markers: the series of a parcel, the table of a date, and what each parcel has of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sen4cap.app.system import System
from sen4cap.domain import Season
from sen4cap.errors import InvalidParameter, NoInput, NotFound
from sen4cap.processing import write_whole

if TYPE_CHECKING:
    import polars as pl

    from sen4cap.processing.marker_table import MarkerTable

Box = tuple[float, float, float, float]
"""West, south, east, north; degrees, EPSG:4326."""
DAY = timedelta(days=1)


def query(
    system: System,
    site: str,
    season: str,
    *,
    parcels: Sequence[str] = (),
    day: date | None = None,
    box: Box | None = None,
    markers: Sequence[str] = (),
) -> pl.DataFrame:
    """Rows of some parcels, of a day (UTC), of the parcels in a box, or of what meets all of it.

    Parcels are given by `NewID` or `ori_id`. The columns are `marker` and those of the marker
    table, the rows those on the parcels' home grids, sorted by marker, parcel and time; `stale`
    is true where the geometry has changed since. A parcel that is on no grid, or in no version
    that stands, has rows of all grids.

    Raises
    ------
    NotFound
        If there is no such site, season, parcel or marker.
    InvalidParameter
        If nothing limits the rows.
    NoInput
        If no markers were made yet.
    """
    if not parcels and day is None and box is None:
        raise InvalidParameter("Give --parcel, --date or --bbox: a season has millions of rows.")
    when = system.store.seasons.get(site, season)
    table = table_of(system, when)
    wanted = wanted_markers(table, markers)
    asked = _asked(system, when, parcels, box)
    days = None if day is None else (datetime(day.year, day.month, day.day, tzinfo=UTC), DAY)
    return table.series(asked, days=days, markers=wanted)


def write_rows(rows: pl.DataFrame, path: Path) -> None:
    """Write rows as Parquet or CSV, by the file's ending.

    Raises
    ------
    InvalidParameter
        If the ending tells neither.
    """
    if path.suffix.lower() not in {".parquet", ".csv"}:
        raise InvalidParameter(f"'{path.name}' must end in .parquet or .csv.")
    with write_whole(path) as temporary:
        write = rows.write_csv if path.suffix.lower() == ".csv" else rows.write_parquet
        write(temporary)


def table_of(system: System, season: Season) -> MarkerTable:
    """The marker table of a season.

    Raises
    ------
    NoInput
        If no markers were made yet.
    """
    from sen4cap.processing.marker_table import MarkerTable

    table = MarkerTable.of(system.archive, season)
    if not table.markers():
        raise NoInput(
            f"Season '{season.name}' of '{season.site}' has no markers: "
            "run 'sen4cap run s4c_mdb1' first."
        )
    return table


def wanted_markers(table: MarkerTable, wanted: Sequence[str]) -> tuple[str, ...]:
    """The markers that are wanted, all where none is named.

    Raises
    ------
    NotFound
        If there is none of a name.
    """
    there = table.markers()
    for name in wanted:
        if name not in there:
            raise NotFound(f"There is no marker '{name}'; there are: {', '.join(there)}.")
    return tuple(wanted) or there


def _asked(
    system: System, season: Season, parcels: Sequence[str], box: Box | None
) -> pl.DataFrame | None:
    """Parcels as the marker table wants them; None for all."""
    import polars as pl

    if not parcels:
        return None if box is None else places_of(system, season, _in_box(system, season, box))
    numbers = [parcel_number(system, season, name) for name in parcels]
    homes = homes_of(system, season, numbers)
    if set(homes["parcel"]) >= set(numbers):
        return places_of(system, season, numbers)
    named = pl.DataFrame({"parcel": numbers}, schema={"parcel": pl.Int64}).unique()
    hashed = named.join(geometry_hashes(system, season), on="parcel", how="left")
    return hashed.with_columns(pl.col("geom_hash").fill_null(""))


def places_of(system: System, season: Season, numbers: Sequence[int]) -> pl.DataFrame:
    """Homes of some parcels, and for each one more without a grid, where imported rows may be."""
    import polars as pl

    wanted = pl.DataFrame({"parcel": numbers}, schema={"parcel": pl.Int64}).unique()
    hashes = geometry_hashes(system, season).join(wanted, on="parcel", how="semi")
    return pl.concat([homes_of(system, season, numbers), hashes.with_columns(grid=pl.lit(""))])


def geometry_hashes(system: System, season: Season) -> pl.DataFrame:
    """`parcel` and `geom_hash` of the parcels of the standing version."""
    import polars as pl

    standing = system.store.parcels.current(season.site, season.year)
    if standing is None:
        return pl.DataFrame(schema={"parcel": pl.Int64, "geom_hash": pl.String})
    found = pl.read_parquet(standing.path, columns=["NewID", "geom_hash"])
    return found.select(
        pl.col("NewID").cast(pl.Int64).alias("parcel"), pl.col("geom_hash").fill_null("")
    )


def _in_box(system: System, season: Season, box: Box) -> list[int]:
    """`NewID` of the parcels that meet a box."""
    import numpy as np
    import shapely

    from sen4cap.geo.crs import reproject
    from sen4cap.geo.vector import read_parcels

    standing = system.store.parcels.current(season.site, season.year)
    if standing is None:
        return []
    frame = read_parcels(standing.path, ("NewID",))
    edges = shapely.segmentize(shapely.box(*box), 0.01)
    [area] = reproject(np.array([edges]), "EPSG:4326", frame.crs.to_string())
    return [int(number) for number in frame[frame.geometry.intersects(area)]["NewID"]]


def parcel_report(system: System, site: str, season: str) -> pl.DataFrame:
    """What each parcel of the standing version has of markers: one row per parcel.

    Columns `NewID`, `ori_id`, `grids` (its home grids), `pixels` (whole pixels of Sentinel-2),
    `dates` (acquisitions with a value), `first`, `last`, `reason` (why it has no marker, or few;
    empty where nothing is to be said).

    Raises
    ------
    NotFound
        If there is no such site or season.
    NoInput
        If it has no parcels.
    """
    import polars as pl

    when = system.store.seasons.get(site, season)
    standing = system.store.parcels.current(site, when.year)
    if standing is None:
        raise NoInput(f"Site '{site}' has no parcels for {when.year}: import them first.")
    known = system.store.parcels.table(site, when.year)
    numbers = known["NewID"].to_list()
    homes = homes_of(system, when, numbers)
    seen = _seen(system, when, places_of(system, when, numbers))
    grids = homes.group_by("parcel").agg(pl.col("grid").sort().str.join(" ").alias("grids"))
    joined = (
        known.select("NewID", "ori_id", pixels="S2Pix", problem="reason", deleted="is_deleted")
        .join(grids.rename({"parcel": "NewID"}), on="NewID", how="left")
        .join(seen.rename({"parcel": "NewID"}), on="NewID", how="left")
        .with_columns(pl.col("dates").fill_null(0), pl.col("grids").fill_null(""))
        .with_columns(_reason().alias("reason"))
    )
    columns = ("NewID", "ori_id", "grids", "pixels", "dates", "first", "last", "reason")
    return joined.select(columns).sort("NewID")


def _reason() -> pl.Expr:
    import polars as pl

    from sen4cap.domain.parcel import GEOMETRY_REASONS

    unusable = {item.value: item.sentence for item in GEOMETRY_REASONS}
    return (
        pl.when("deleted")
        .then(pl.lit("It is not declared any more."))
        .when((pl.col("dates") == 0) & pl.col("problem").is_in(list(unusable)))
        .then(pl.col("problem").replace(unusable))
        .when((pl.col("dates") == 0) & (pl.col("grids") == ""))
        .then(pl.lit("It lies outside all images."))
        .when(pl.col("dates") == 0)
        .then(pl.lit("No pixel of it was seen clearly: see 'sen4cap ledger show'."))
        .when((pl.col("pixels") == 0) & (pl.col("grids") != ""))
        .then(pl.lit("No pixel lies wholly inside: its values are mixed with its neighbours'."))
        .otherwise(pl.lit(""))
    )


def _seen(system: System, season: Season, homes: pl.DataFrame) -> pl.DataFrame:
    """Acquisitions with a value of each parcel: `parcel`, `dates`, `first`, `last`."""
    import polars as pl

    from sen4cap.processing.marker_table import SCHEMA, MarkerTable

    table = MarkerTable.of(system.archive, season)
    nothing = pl.DataFrame(schema={name: SCHEMA[name] for name in ("parcel", "time")})
    rows = [table.read(name, homes, columns=("parcel", "time")) for name in table.markers()]
    times = pl.concat([nothing, *rows]).unique()
    date_of = pl.col("time").dt.date()
    return times.group_by("parcel").agg(dates=pl.len(), first=date_of.min(), last=date_of.max())


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
